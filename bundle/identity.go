package bundle

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// findIdentity takes the client certificate and key from the PEM entries, else from the first key store that opens and has them. PEM entries that
// are there but wrong are an error: to use another identity silently would hide that the bundle is damaged. It returns the entry too.
func findIdentity(found entries, c *config) (tls.Certificate, string, error) {
	if found.has(entryCert) && found.has(entryKey) {
		identity, err := pemIdentity(found)
		return identity, entryCert, err
	}
	absent := entryKey
	if !found.has(entryCert) {
		absent = entryCert
	}
	errs := []error{&Error{Entry: absent, Err: missing{}}}
	for _, name := range []string{entryIdentity, entryPFX} {
		if !found.has(name) {
			continue
		}
		opened, err := openStore(found, c, name)
		if err == nil {
			var identity tls.Certificate
			if identity, err = opened.identity(); err == nil {
				return identity, name, nil
			}
			err = &Error{Entry: name, Err: err}
		}
		errs = append(errs, err)
	}
	return tls.Certificate{}, "", joinErrors(errs)
}

func pemIdentity(found entries) (tls.Certificate, error) {
	certs, err := readEntry(found, entryCert, pemCertificates)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readEntry(found, entryKey, pemKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	identity, err := newIdentity(certs, key)
	if err != nil {
		return tls.Certificate{}, &Error{Entry: entryKey, Err: err}
	}
	return identity, nil
}

// findTrust takes the authorities from ca.crt, else from the first key store that opens and has them. It returns the entry too.
func findTrust(found entries, c *config) ([]*x509.Certificate, string, error) {
	if found.has(entryCA) {
		certs, err := readEntry(found, entryCA, pemCertificates)
		return certs, entryCA, err
	}
	errs := []error{&Error{Entry: entryCA, Err: missing{}}}
	for _, name := range []string{entryTrustStore, entryPFX, entryIdentity} {
		if !found.has(name) {
			continue
		}
		opened, err := openStore(found, c, name)
		if err == nil {
			if authorities := opened.authorities(); len(authorities) > 0 {
				return authorities, name, nil
			}
			err = &Error{Entry: name, Err: errors.New("holds no authority's certificate")}
		}
		errs = append(errs, err)
	}
	return nil, "", joinErrors(errs)
}

// readEntry reads an entry and parses it. The error is an *Error.
func readEntry[T any](found entries, name string, parse func([]byte) (T, error)) (T, error) {
	data, err := found.read(name)
	if err != nil {
		return *new(T), err
	}
	value, err := parse(data)
	if err != nil {
		return *new(T), &Error{Entry: name, Err: err}
	}
	return value, nil
}

// joinErrors leaves a single error as it is.
func joinErrors(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
