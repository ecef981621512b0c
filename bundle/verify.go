package bundle

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Verify checks all entries that there are, those too that connecting does not need, against each other: that every store opens with its password and
// has the same identity and authorities as the PEM files, that the client certificate is signed by an authority of the bundle and that both are
// valid now, and that cqlshrc says the same as config.json. An entry that is not there is no finding: older bundles and those of [FromParts] have
// fewer.
//
// The error has every finding, each an [*Error] with its entry, joined as by [errors.Join]. That a date has passed is an
// [x509.CertificateInvalidError] with the reason [x509.Expired].
func (b *Bundle) Verify() error {
	c := b.contents()
	if c == noContents {
		return errNoBundle
	}
	var v findings
	v.pem(c)
	v.signature(c)
	v.validity(c.identityFrom, c.identity.Leaf)
	for _, cert := range c.trust {
		v.validity(c.trustFrom, cert)
	}
	v.store(c, entryIdentity)
	v.store(c, entryPFX)
	v.trustStore(c)
	v.cqlshrc(c)
	return errors.Join(v...)
}

// findings are errors of type *Error.
type findings []error

func (v *findings) add(entry string, err error) { *v = append(*v, &Error{Entry: entry, Err: err}) }

// pem checks cert or key where only one of them is there, so that the identity comes from a store.
func (v *findings) pem(c *contents) {
	if c.identityFrom == entryCert {
		return
	}
	if c.entries.has(entryCert) {
		certs, err := readEntry(c.entries, entryCert, pemCertificates)
		if err != nil {
			*v = append(*v, err)
		} else if !contains(certs, c.identity.Leaf) {
			v.add(entryCert, errOtherIdentity)
		}
	}
	if c.entries.has(entryKey) {
		key, err := readEntry(c.entries, entryKey, pemKey)
		if err != nil {
			*v = append(*v, err)
		} else if _, err := newIdentity([]*x509.Certificate{c.identity.Leaf}, key); err != nil {
			v.add(entryKey, err)
		}
	}
}

// signature checks that an authority signed the client certificate, whatever the date.
func (v *findings) signature(c *contents) {
	intermediates := x509.NewCertPool()
	for _, der := range c.identity.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			intermediates.AddCert(cert)
		}
	}
	leaf := c.identity.Leaf
	var err error
	for _, authority := range c.trust {
		roots := x509.NewCertPool()
		roots.AddCert(authority)
		at := leaf.NotBefore // a time at which both were valid, if there was one
		if at.Before(authority.NotBefore) {
			at = authority.NotBefore
		}
		_, err = leaf.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if err == nil {
			return
		}
	}
	v.add(c.identityFrom, fmt.Errorf("no authority of the bundle has signed it for a client: download the bundle again: %w", err))
}

func (v *findings) validity(entry string, cert *x509.Certificate) {
	switch now := time.Now(); {
	case now.After(cert.NotAfter):
		err := x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired, Detail: "valid until " + cert.NotAfter.UTC().Format(time.RFC3339)}
		v.add(entry, fmt.Errorf("download the bundle again: %w", err))
	case now.Before(cert.NotBefore):
		err := x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired, Detail: "valid from " + cert.NotBefore.UTC().Format(time.RFC3339)}
		v.add(entry, fmt.Errorf("is the clock right? %w", err))
	}
}

// store checks a key store with an identity.
func (v *findings) store(c *contents, name string) {
	if !c.entries.has(name) {
		return
	}
	opened, err := openStore(c.entries, &c.config, name)
	if err != nil {
		*v = append(*v, err)
		return
	}
	identity, err := opened.identity()
	if err != nil {
		v.add(name, err)
		return
	}
	if !identity.Leaf.Equal(c.identity.Leaf) {
		v.add(name, errOtherIdentity)
	}
	if !containsAll(c.trust, opened.authorities()) {
		v.add(name, errOtherAuthority)
	}
}

var (
	errOtherIdentity  = errors.New("has another client certificate than the bundle's other entries: download the bundle again")
	errOtherAuthority = errors.New("has another authority than the bundle's other entries: download the bundle again")
)

func (v *findings) trustStore(c *contents) {
	if !c.entries.has(entryTrustStore) {
		return
	}
	opened, err := openStore(c.entries, &c.config, entryTrustStore)
	if err != nil {
		*v = append(*v, err)
		return
	}
	if len(opened.certs) == 0 {
		v.add(entryTrustStore, errors.New("holds no certificate"))
		return
	}
	if !containsAll(c.trust, opened.certs) || !containsAll(opened.certs, c.trust) {
		v.add(entryTrustStore, errOtherAuthority)
	}
}

func contains(certs []*x509.Certificate, cert *x509.Certificate) bool {
	return slices.ContainsFunc(certs, cert.Equal)
}

func containsAll(certs, wanted []*x509.Certificate) bool {
	return !slices.ContainsFunc(wanted, func(cert *x509.Certificate) bool { return !contains(certs, cert) })
}

// cqlshrc compares the file with config.json and looks whether the files that it names are there.
func (v *findings) cqlshrc(c *contents) {
	if !c.entries.has(entryCQLSHRC) {
		return
	}
	data, err := c.entries.read(entryCQLSHRC)
	if err != nil {
		*v = append(*v, err)
		return
	}
	settings := parseINI(data)
	if host, ok := settings["connection.hostname"]; !ok {
		v.add(entryCQLSHRC, errors.New("has no hostname in its section connection"))
	} else if !strings.EqualFold(host, c.config.host) {
		v.add(entryCQLSHRC, fmt.Errorf("hostname is %s, but config.json says %s", quote(host), quote(c.config.host)))
	}
	port, ok := settings["connection.port"]
	if n, err := strconv.Atoi(port); !ok || err != nil || n < 1 || n > 65535 {
		v.add(entryCQLSHRC, errors.New("has no valid port in its section connection"))
	} else if c.config.cqlPort != 0 && n != c.config.cqlPort {
		v.add(entryCQLSHRC, fmt.Errorf("port is %d, but cql_port of config.json is %d", n, c.config.cqlPort))
	}
	for _, file := range []struct{ name, entry string }{{"certfile", entryCA}, {"userkey", entryKey}, {"usercert", entryCert}} {
		if value, ok := settings["ssl."+file.name]; ok && strings.TrimPrefix(value, "./") != file.entry {
			v.add(entryCQLSHRC, fmt.Errorf("%s is %s, not ./%s", file.name, quote(value), file.entry))
		}
	}
}

// parseINI returns the settings as "section.name". It ignores what it does not understand, as cqlsh ignores what it does not know.
func parseINI(data []byte) map[string]string {
	settings := make(map[string]string)
	section := ""
	for line := range bytes.Lines(data) {
		line := strings.TrimSpace(string(line))
		if inner, ok := strings.CutPrefix(line, "["); ok {
			section, _, _ = strings.Cut(inner, "]")
		} else if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
			settings[section+"."+strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return settings
}
