package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// The fields of RFC 5280 that a version 1 certificate has; crypto/x509 only makes version 3. The version is absent, which means 1.
type version1 struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

type version1TBS struct {
	SerialNumber *big.Int
	Algorithm    pkix.AlgorithmIdentifier
	Issuer       asn1.RawValue
	Validity     struct{ NotBefore, NotAfter time.Time }
	Subject      asn1.RawValue
	PublicKey    asn1.RawValue
}

func createVersion1(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) ([]byte, error) {
	algorithm, hash, err := signatureAlgorithm(signer)
	if err != nil {
		return nil, err
	}
	subject, err := asn1.Marshal(template.Subject.ToRDNSequence())
	if err != nil {
		return nil, err
	}
	publicKey, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	fields := version1TBS{
		SerialNumber: template.SerialNumber,
		Algorithm:    algorithm,
		Issuer:       asn1.RawValue{FullBytes: parent.RawSubject},
		Subject:      asn1.RawValue{FullBytes: subject},
		PublicKey:    asn1.RawValue{FullBytes: publicKey},
	}
	fields.Validity.NotBefore = template.NotBefore.UTC()
	fields.Validity.NotAfter = template.NotAfter.UTC()
	tbs, err := asn1.Marshal(fields)
	if err != nil {
		return nil, err
	}
	digest := tbs
	if hash == crypto.SHA256 {
		sum := sha256.Sum256(tbs)
		digest = sum[:]
	}
	signature, err := signer.Sign(rand.Reader, digest, hash)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(version1{
		TBS:       asn1.RawValue{FullBytes: tbs},
		Algorithm: algorithm,
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}

func signatureAlgorithm(signer crypto.Signer) (pkix.AlgorithmIdentifier, crypto.Hash, error) {
	switch signer.(type) {
	case *ecdsa.PrivateKey:
		return pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}, crypto.SHA256, nil
	case *rsa.PrivateKey:
		oid := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
		return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue}, crypto.SHA256, nil
	case ed25519.PrivateKey:
		return pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 101, 112}}, 0, nil
	default:
		return pkix.AlgorithmIdentifier{}, 0, fmt.Errorf("cannot sign with a %T", signer)
	}
}
