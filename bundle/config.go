package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// config is what config.json says.
type config struct {
	host     string
	port     int // of the metadata service
	cqlPort  int // 0: not stated
	keyspace string
	localDC  string

	keyStorePassword, trustStorePassword, pfxPassword *string // nil: absent

	credentials bool // username or password are there
}

// parseConfig reads config.json. Fields that it does not know are ignored; of those that it does know no error quotes a password.
func parseConfig(data []byte) (config, error) {
	var c config
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	switch {
	case len(data) == 0:
		return c, errors.New("is empty: download the bundle again")
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return c, errors.New("is UTF-16 text: save it as UTF-8")
	case data[0] != '{':
		return c, errors.New("is not a JSON object: download the bundle again")
	}
	var fields configFields
	if err := json.Unmarshal(data, &fields); err != nil {
		return c, fmt.Errorf("is not valid JSON: %w", err)
	}
	_, username := fields["username"]
	_, password := fields["password"]
	c.credentials = username || password

	var errs [8]error
	c.host, errs[0] = fields.host()
	c.port, errs[1] = fields.port("port", true)
	c.cqlPort, errs[2] = fields.port("cql_port", false)
	c.keyspace, errs[3] = fields.text("keyspace")
	c.localDC, errs[4] = fields.text("localDC")
	c.keyStorePassword, errs[5] = fields.optional("keyStorePassword")
	c.trustStorePassword, errs[6] = fields.optional("trustStorePassword")
	c.pfxPassword, errs[7] = fields.optional("pfxCertPassword")
	for _, err := range errs {
		if err != nil {
			return config{}, err
		}
	}
	return c, nil
}

type configFields map[string]json.RawMessage

// optional returns the text of a field, or nil where the field is absent or null.
func (f configFields) optional(name string) (*string, error) {
	var value *string
	if raw, ok := f[name]; ok {
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, fmt.Errorf("%q is not a text", name) // without err, which may quote the value
		}
	}
	return value, nil
}

func (f configFields) text(name string) (string, error) {
	value, err := f.optional(name)
	if err != nil || value == nil {
		return "", err
	}
	return *value, nil
}

func (f configFields) host() (string, error) {
	host, err := f.text("host")
	if err != nil {
		return "", err
	}
	host = strings.TrimSpace(host)
	if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(inner, "]") && strings.Contains(inner, ":") {
		host = strings.TrimSuffix(inner, "]")
	}
	address, err := netip.ParseAddr(host)
	switch {
	case host == "":
		return "", errors.New(`"host" is missing`)
	case err == nil && address.Zone() == "": // a zone means something on one machine only
		return host, nil
	case strings.Count(host, ":") == 1:
		return "", fmt.Errorf(`"host" is %s: it must be a name alone, without a port`, quote(host))
	case len(host) > 253, strings.ContainsFunc(host, notInName):
		return "", fmt.Errorf(`"host" is %s: that is not a host name`, quote(host))
	}
	return host, nil
}

func notInName(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r))
}

// port accepts a number or a numeric text.
func (f configFields) port(name string, required bool) (int, error) {
	raw, ok := f[name]
	if !ok || string(raw) == "null" {
		if required {
			return 0, fmt.Errorf("%q is missing", name)
		}
		return 0, nil
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, fmt.Errorf("%q is not a number", name)
		}
	}
	port, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("%q is %s: it must be a number from 1 to 65535", name, quote(text))
	}
	return port, nil
}

// quote quotes text from outside, at a length that suits an error.
func quote(text string) string {
	const most = 100
	if len(text) > most {
		return strconv.Quote(text[:most]) + "…"
	}
	return strconv.Quote(text)
}
