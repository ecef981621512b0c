package bundle

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// pemBlocks returns the blocks of PEM text. A block that begins and is not whole, which package pem would skip, is an error: of a file that is
// written at this moment the first authority of two may be there.
func pemBlocks(data []byte) ([]*pem.Block, error) {
	var blocks []*pem.Block
	begun := bytes.Count(data, []byte("-----BEGIN "))
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		blocks = append(blocks, block)
	}
	if len(blocks) < begun {
		return nil, errors.New("has a PEM block that is damaged, cut off or without its line breaks: download or copy it again")
	}
	return blocks, nil
}

// pemCertificates returns the certificates of PEM text. A block that is no valid certificate is an error, not skipped.
func pemCertificates(data []byte) ([]*x509.Certificate, error) {
	blocks, err := pemBlocks(data)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	var others []string
	for _, block := range blocks {
		if block.Type != "CERTIFICATE" {
			others = append(others, block.Type)
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("has an invalid certificate: download the bundle again: %w", err)
		}
		certs = append(certs, cert)
	}
	switch {
	case len(certs) > 0:
		return certs, nil
	case len(others) > 0 && strings.HasSuffix(others[0], "PRIVATE KEY"):
		return nil, errors.New("holds a private key and no certificate: have the two been swapped?")
	default:
		return nil, errors.New("has no PEM certificate: download the bundle again")
	}
}

// pemKey returns the private key of PEM text: PKCS#8, PKCS#1 or SEC 1. Other blocks around it are ignored.
func pemKey(data []byte) (crypto.Signer, error) {
	blocks, err := pemBlocks(data)
	if err != nil {
		return nil, err
	}
	certificate := false
	for _, block := range blocks {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, errors.New("is encrypted with a password, which the keys of bundles never are: decrypt it, for example with openssl pkey")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return parseKey(block.Bytes)
		case block.Type == "CERTIFICATE":
			certificate = true
		}
	}
	if certificate {
		return nil, errors.New("holds a certificate and no private key: have the two been swapped?")
	}
	return nil, errors.New("has no PEM private key: download the bundle again")
}

// parseKey goes by the content: tools write wrong labels.
func parseKey(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if rsaKey, rsaErr := x509.ParsePKCS1PrivateKey(der); rsaErr == nil {
			return rsaKey, nil
		}
		if ecKey, ecErr := x509.ParseECPrivateKey(der); ecErr == nil {
			return ecKey, nil
		}
		return nil, errors.New("has an invalid private key: download the bundle again") // without err: no detail of a key belongs in a text
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("has a private key of type %T, which cannot sign", key)
	}
	return signer, nil
}

// newIdentity pairs a key with the certificate among certs that is made for it. The others are sent after it, without roots: servers have those.
func newIdentity(certs []*x509.Certificate, key crypto.Signer) (tls.Certificate, error) {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return tls.Certificate{}, fmt.Errorf("has a private key of type %T, which TLS cannot use", key)
	}
	for i, cert := range certs {
		if public.Equal(cert.PublicKey) {
			identity := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
			for j, other := range certs {
				if j != i && !bytes.Equal(other.RawIssuer, other.RawSubject) {
					identity.Certificate = append(identity.Certificate, other.Raw)
				}
			}
			return identity, nil
		}
	}
	return tls.Certificate{}, errMismatch
}

var errMismatch = errors.New("the private key does not belong to the certificate: download the bundle again")
