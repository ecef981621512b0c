// Package pki makes certificate authorities and certificates in memory, in the shape that Astra's have: leaves signed directly by a root that
// servers do not send. Start with [NewAuthority] and [Authority.Issue]. It serves the simulator, tests and examples.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// KeyType says which kind of private key to generate.
type KeyType int

const (
	ECDSA   KeyType = iota // P-256; the default, because it is fast to make and to use
	RSA                    // 2048 bits, as Astra's own are
	Ed25519                // never seen in a bundle, but valid
)

// Authority is a root certificate authority. It is immutable and safe for concurrent use.
type Authority struct {
	pair *KeyPair
}

// NewAuthority makes a root that is valid from an hour ago for ten years.
func NewAuthority(commonName string, keyType KeyType) (*Authority, error) {
	key, err := newKey(keyType)
	if err != nil {
		return nil, err
	}
	template := authorityTemplate(commonName)
	return newAuthority(template, template, key, key)
}

// Subordinate makes an authority whose certificate this one signs.
func (a *Authority) Subordinate(commonName string, keyType KeyType) (*Authority, error) {
	key, err := newKey(keyType)
	if err != nil {
		return nil, err
	}
	return newAuthority(authorityTemplate(commonName), a.pair.Certificate, key, a.pair.Key)
}

func authorityTemplate(commonName string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          serialNumber(),
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(10, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
}

func newAuthority(template, parent *x509.Certificate, key, signer crypto.Signer) (*Authority, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("pki: sign authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: parse authority: %w", err)
	}
	return &Authority{&KeyPair{Certificate: cert, Key: key}}, nil
}

// Certificate returns the authority's certificate, which the caller must not change.
func (a *Authority) Certificate() *x509.Certificate { return a.pair.Certificate }

// CertPEM returns the authority's certificate as one PEM block.
func (a *Authority) CertPEM() []byte { return a.pair.CertPEM() }

// AuthorityOf signs with any pair, which need not be allowed to: such chains are what clients must refuse.
func AuthorityOf(pair *KeyPair) *Authority { return &Authority{pair} }

// KeyPair returns the authority's own certificate and key.
func (a *Authority) KeyPair() *KeyPair { return a.pair }

// Leaf describes a certificate to sign. The zero value is valid: no names, no key usage for TLS, valid from an hour ago for a year.
type Leaf struct {
	CommonName     string
	DNSNames       []string
	IPs            []net.IP
	Server, Client bool      // extended key usages; neither: the certificate has no such extension
	NotBefore      time.Time // zero: an hour ago
	NotAfter       time.Time // zero: a year after NotBefore
	KeyType        KeyType
	V1             bool // X.509 version 1, without any extension: names, IPs, Server and Client must be unset
}

// Issue generates a key and signs a certificate for it.
func (a *Authority) Issue(leaf Leaf) (*KeyPair, error) {
	key, err := newKey(leaf.KeyType)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serialNumber(),
		Subject:      pkix.Name{CommonName: leaf.CommonName},
		NotBefore:    leaf.NotBefore,
		NotAfter:     leaf.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		DNSNames:     leaf.DNSNames,
		IPAddresses:  leaf.IPs,
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = template.NotBefore.AddDate(1, 0, 0)
	}
	if leaf.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if leaf.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	var der []byte
	if leaf.V1 {
		if len(leaf.DNSNames)+len(leaf.IPs)+len(template.ExtKeyUsage) > 0 {
			return nil, errors.New("pki: an X.509 version 1 certificate has no extensions: leave names, IPs, Server and Client unset")
		}
		der, err = createVersion1(template, a.pair.Certificate, key.Public(), a.pair.Key)
	} else {
		der, err = x509.CreateCertificate(rand.Reader, template, a.pair.Certificate, key.Public(), a.pair.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("pki: sign %q: %w", leaf.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: parse %q: %w", leaf.CommonName, err)
	}
	return &KeyPair{Certificate: cert, Key: key}, nil
}

// KeyPair is a certificate and its private key.
type KeyPair struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// CertPEM returns the certificate as one PEM block.
func (p *KeyPair) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate.Raw})
}

// KeyPEM returns the key as PKCS#8. It panics on a key that [Authority.Issue] did not make and that PKCS#8 cannot hold.
func (p *KeyPair) KeyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		panic(fmt.Sprintf("pki: %v", err))
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TraditionalKeyPEM returns the key in the older form of its kind: PKCS#1 for RSA, SEC 1 for ECDSA. Ed25519 has none and gets PKCS#8.
func (p *KeyPair) TraditionalKeyPEM() []byte {
	switch key := p.Key.(type) {
	case *rsa.PrivateKey:
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	case *ecdsa.PrivateKey:
		if der, err := x509.MarshalECPrivateKey(key); err == nil {
			return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
		}
	}
	return p.KeyPEM()
}

// TLS returns the pair for a [tls.Config]. The chain is the leaf alone: Astra's servers do not send the root.
func (p *KeyPair) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.Certificate.Raw}, PrivateKey: p.Key, Leaf: p.Certificate}
}

func newKey(keyType KeyType) (crypto.Signer, error) {
	switch keyType {
	case ECDSA:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	default:
		return nil, fmt.Errorf("pki: unknown key type %d", keyType)
	}
}

func serialNumber() *big.Int {
	bytes := make([]byte, 16)
	rand.Read(bytes) // never fails
	bytes[0] = bytes[0]&0x7f | 0x40
	return new(big.Int).SetBytes(bytes)
}
