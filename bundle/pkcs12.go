package bundle

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// maxRounds bounds the rounds of key derivation that opening one store may take, all of its parts together: about a second at most. OpenSSL writes
// 2,048 a part, Java up to 100,000.
const maxRounds = 500_000

// parsePKCS12 opens a PKCS#12 file with the pkcs12 package.
//
// The file itself says how many rounds of key derivation it takes to open, and 2^63 of them are a few bytes. The rounds that can be seen are
// added up before. Those of a key inside of an encrypted part cannot be seen; so the parts are put in an order in which the pkcs12 package meets a
// key that can be seen first, and refuses a second one unopened.
func parsePKCS12(data []byte, password string) (*store, error) {
	parts, err := readPKCS12(data)
	if err != nil {
		return nil, fmt.Errorf("is a damaged PKCS#12 file, or one of a kind that cannot be read: download the bundle again: %w", err)
	}
	if parts.rounds > maxRounds {
		return nil, fmt.Errorf("needs more than %d rounds of key derivation to open: it is no bundle's", maxRounds)
	}
	// A trust store is opened as it is: no key in it ever is. This checks the password of other files too, before it finds that they are none.
	authorities, err := pkcs12.DecodeTrustStore(data, password)
	switch {
	case err == nil:
		return &store{certs: authorities}, nil
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, errPassword
	case !parts.hasKey:
		return nil, fmt.Errorf("is a PKCS#12 file without a private key where one should be, and no trust store: %w", err)
	}
	s, err := parts.open(bmpPassword(password), password)
	if err != nil && password == "" {
		// The empty password has two forms, of two zero bytes and of none.
		s, err = parts.open(nil, password)
	}
	return s, err
}

// The parts of a PKCS#12 file by RFC 7292 that show how it is encrypted.
type (
	pkcs12File struct {
		Version  int
		AuthSafe pkcs12Part
		MAC      asn1.RawValue `asn1:"optional"`
	}
	pkcs12Part struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	pkcs12Bag struct {
		Type       asn1.ObjectIdentifier
		Value      asn1.RawValue `asn1:"tag:0,explicit"`
		Attributes asn1.RawValue `asn1:"optional"`
	}
	pkcs12MAC struct {
		Digest struct {
			Algorithm pkix.AlgorithmIdentifier
			Value     []byte
		}
		Salt []byte
	}
)

var (
	oidData        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidKeyBag      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidSHA256      = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// pkcs12Parts is what a PKCS#12 file shows without a password.
type pkcs12Parts struct {
	plain, encrypted []asn1.RawValue
	hasKey           bool // in a plain part; the key itself is usually encrypted
	rounds           int64
}

func readPKCS12(data []byte) (*pkcs12Parts, error) {
	var file pkcs12File
	if err := unmarshal(data, &file); err != nil {
		return nil, err
	}
	var content []byte
	if !file.AuthSafe.Type.Equal(oidData) {
		return nil, errors.New("it is not protected by a password")
	}
	if err := unmarshal(file.AuthSafe.Content.Bytes, &content); err != nil {
		return nil, err
	}
	var all []asn1.RawValue
	if err := unmarshal(content, &all); err != nil {
		return nil, err
	}
	parts := new(pkcs12Parts)
	shown := [][]byte{data, content}
	for _, raw := range all {
		var part pkcs12Part
		if err := unmarshal(raw.FullBytes, &part); err != nil {
			return nil, err
		}
		if !part.Type.Equal(oidData) {
			parts.encrypted = append(parts.encrypted, raw)
			continue
		}
		parts.plain = append(parts.plain, raw)
		var inner []byte
		if err := unmarshal(part.Content.Bytes, &inner); err != nil {
			return nil, err
		}
		var bags []pkcs12Bag
		if err := unmarshal(inner, &bags); err != nil {
			return nil, err
		}
		for _, bag := range bags {
			parts.hasKey = parts.hasKey || bag.Type.Equal(oidKeyBag) || bag.Type.Equal(oidShroudedBag)
		}
		shown = append(shown, inner)
	}
	for _, der := range shown {
		sum, err := sumIntegers(der)
		if err != nil {
			return nil, err
		}
		parts.rounds += sum
	}
	return parts, nil
}

// sumIntegers adds up all integers of a DER structure outside of octet strings. The numbers of rounds are among them; what else there is, versions
// and key lengths, is small.
func sumIntegers(der []byte) (int64, error) {
	var sum int64
	for len(der) > 0 {
		var value asn1.RawValue
		rest, err := asn1.Unmarshal(der, &value)
		if err != nil {
			return 0, err
		}
		der = rest
		var add int64
		switch {
		case value.IsCompound:
			if add, err = sumIntegers(value.Bytes); err != nil {
				return 0, err
			}
		case value.Class == asn1.ClassUniversal && value.Tag == asn1.TagInteger:
			if len(value.Bytes) > 4 { // far above what is allowed, or below zero
				return maxRounds + 1, nil
			}
			for _, b := range value.Bytes {
				add = add<<8 | int64(b)
			}
		}
		if sum += add; sum > maxRounds {
			return maxRounds + 1, nil
		}
	}
	return sum, nil
}

// open decodes the parts, those in plain first. The order changes what the file's authentication code is about, so the file gets a new one.
// keyed is the password in the form that the code is keyed with.
func (p *pkcs12Parts) open(keyed []byte, password string) (*store, error) {
	content, err := asn1.Marshal(append(append([]asn1.RawValue(nil), p.plain...), p.encrypted...))
	if err != nil {
		return nil, err
	}
	wrapped, err := asn1.Marshal(content)
	if err != nil {
		return nil, err
	}
	file := pkcs12File{Version: 3}
	file.AuthSafe.Type = oidData
	file.AuthSafe.Content = asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: wrapped}
	if file.MAC.FullBytes, err = marshalMAC(content, keyed); err != nil {
		return nil, err
	}
	data, err := asn1.Marshal(file)
	if err != nil {
		return nil, err
	}
	key, leaf, others, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("has a private key of type %T, which cannot sign", key)
	}
	return &store{key: signer, certs: append([]*x509.Certificate{leaf}, others...)}, nil
}

// marshalMAC authenticates content by RFC 7292, appendix B, with SHA-256 and one round.
func marshalMAC(content, keyed []byte) ([]byte, error) {
	const block, purpose = 64, 3
	salt := make([]byte, block)
	input := append(bytes.Repeat([]byte{purpose}, block), salt...)
	for size := (len(keyed) + block - 1) / block * block; size > 0 && len(keyed) > 0; {
		n := min(size, len(keyed))
		input = append(input, keyed[:n]...)
		size -= n
	}
	key := sha256.Sum256(input)
	mac := hmac.New(sha256.New, key[:])
	mac.Write(content)

	var m pkcs12MAC
	m.Digest.Algorithm.Algorithm = oidSHA256
	m.Digest.Value = mac.Sum(nil)
	m.Salt = salt
	return asn1.Marshal(m)
}

// bmpPassword is UTF-16, big endian, with a zero after it.
func bmpPassword(password string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(password + "\x00")) {
		out = binary.BigEndian.AppendUint16(out, unit)
	}
	return out
}

func unmarshal(der []byte, value any) error {
	rest, err := asn1.Unmarshal(der, value)
	if err == nil && len(rest) > 0 {
		err = errors.New("data after the end")
	}
	return err
}
