package bundle

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// findIdentity takes the client certificate and key from the PEM entries, else from the first key store that opens and has them. PEM entries that
// are there but wrong are an error: to use another identity silently would hide that the bundle is damaged.
func findIdentity(found entries, c *config) (tls.Certificate, error) {
	if found.has(entryCert) && found.has(entryKey) {
		return pemIdentity(found)
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
				return identity, nil
			}
			err = &Error{Entry: name, Err: err}
		}
		errs = append(errs, err)
	}
	return tls.Certificate{}, joinErrors(errs)
}

func pemIdentity(found entries) (tls.Certificate, error) {
	data, err := found.read(entryCert)
	if err != nil {
		return tls.Certificate{}, err
	}
	certs, err := pemCertificates(data)
	if err != nil {
		return tls.Certificate{}, &Error{Entry: entryCert, Err: err}
	}
	if data, err = found.read(entryKey); err != nil {
		return tls.Certificate{}, err
	}
	key, err := pemKey(data)
	if err != nil {
		return tls.Certificate{}, &Error{Entry: entryKey, Err: err}
	}
	identity, err := newIdentity(certs, key)
	if err != nil {
		return tls.Certificate{}, &Error{Entry: entryKey, Err: err}
	}
	return identity, nil
}

// findTrust takes the authorities from ca.crt, else from the first key store that opens and has them.
func findTrust(found entries, c *config) ([]*x509.Certificate, error) {
	if found.has(entryCA) {
		data, err := found.read(entryCA)
		if err != nil {
			return nil, err
		}
		certs, err := pemCertificates(data)
		if err != nil {
			return nil, &Error{Entry: entryCA, Err: err}
		}
		return certs, nil
	}
	errs := []error{&Error{Entry: entryCA, Err: missing{}}}
	for _, name := range []string{entryTrustStore, entryPFX, entryIdentity} {
		if !found.has(name) {
			continue
		}
		opened, err := openStore(found, c, name)
		if err == nil {
			if authorities := opened.authorities(); len(authorities) > 0 {
				return authorities, nil
			}
			err = &Error{Entry: name, Err: errors.New("holds no authority's certificate")}
		}
		errs = append(errs, err)
	}
	return nil, joinErrors(errs)
}

// joinErrors leaves a single error as it is.
func joinErrors(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
