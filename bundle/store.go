package bundle

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// store is what a key store holds, whatever its format.
type store struct {
	key   crypto.Signer // nil: none
	certs []*x509.Certificate
}

// openStore opens a key store entry with the password that config.json has for it, or with the empty one where it has none. The format is that of
// the content: bundles have PKCS#12 files whose names end in .jks.
func openStore(found entries, c *config, name string) (*store, error) {
	data, err := found.read(name)
	if err != nil {
		return nil, err
	}
	password, field := c.keyStorePassword, "keyStorePassword"
	switch name {
	case entryTrustStore:
		password, field = c.trustStorePassword, "trustStorePassword"
	case entryPFX:
		password, field = c.pfxPassword, "pfxCertPassword"
	}
	if password == nil {
		password = new(string)
	}
	opened, err := parseStore(data, *password)
	if errors.Is(err, errPassword) {
		err = fmt.Errorf("%w: %s of config.json does not open it", err, field)
		if *password == "" {
			err = fmt.Errorf("%w: config.json has no %s", errPassword, field)
		}
	}
	if err != nil {
		return nil, &Error{Entry: name, Err: err}
	}
	return opened, nil
}

var errPassword = errors.New("wrong password")

func parseStore(data []byte, password string) (*store, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return parseJKS(data, password)
	case bytes.HasPrefix(data, []byte{0xce, 0xce, 0xce, 0xce}):
		return nil, errors.New("is a JCEKS key store, which cannot be read: convert it with keytool -importkeystore -deststoretype PKCS12")
	case bytes.HasPrefix(data, []byte{0x30}): // an ASN.1 sequence
		return parsePKCS12(data, password)
	case bytes.HasPrefix(data, []byte("-----BEGIN")):
		return nil, errors.New("is PEM text, not a key store")
	default:
		return nil, errors.New("is neither a Java key store nor PKCS#12: download the bundle again")
	}
}

// identity returns the key with its certificate.
func (s *store) identity() (tls.Certificate, error) {
	if s.key == nil {
		return tls.Certificate{}, errors.New("holds no private key")
	}
	return newIdentity(s.certs, s.key)
}

// authorities returns the certificates that may sign others.
func (s *store) authorities() []*x509.Certificate {
	var authorities []*x509.Certificate
	for _, cert := range s.certs {
		if cert.IsCA || cert.Version < 3 && bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			authorities = append(authorities, cert)
		}
	}
	return authorities
}
