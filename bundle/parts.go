package bundle

import "encoding/json"

// Parts are the contents of a bundle that are not secret, for those who keep a bundle's contents in several places.
type Parts struct {
	Host     string // of the metadata service; required
	Port     int    // of the metadata service; required
	CQLPort  int    // of the SNI proxy; zero: not stated
	Keyspace string // may be empty
	LocalDC  string // may be empty

	CA          []byte // PEM, as ca.crt: one authority or more; required
	Certificate []byte // PEM, as cert: the client certificate, and intermediate ones if any; required
}

// FromParts makes a bundle of its parts and the client's private key, which is PEM as the entry key is: PKCS#8, PKCS#1 or SEC 1. The key is no field
// of Parts so that Parts can be printed. Errors are those of [Parse] and call the parts by the names of the entries. FromParts keeps no reference to
// its arguments.
func FromParts(parts Parts, key []byte) (*Bundle, error) {
	fields := map[string]any{"host": parts.Host, "port": parts.Port}
	for name, value := range map[string]string{"keyspace": parts.Keyspace, "localDC": parts.LocalDC} {
		if value != "" {
			fields[name] = value
		}
	}
	if parts.CQLPort != 0 {
		fields["cql_port"] = parts.CQLPort
	}
	config, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		return nil, &Error{Entry: entryConfig, Err: err}
	}
	found := make(entries)
	found.add(entryConfig, config)
	for name, data := range map[string][]byte{entryCA: parts.CA, entryCert: parts.Certificate, entryKey: key} {
		if len(data) > maxEntry {
			return nil, &Error{Entry: name, Err: tooLong(maxEntry)}
		}
		if len(data) > 0 {
			found.add(name, append([]byte(nil), data...))
		}
	}
	return newBundle(found, nil)
}
