package bundle

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
)

// parseJKS opens a Java key store of Java's own format with the keystore package.
func parseJKS(data []byte, password string) (*store, error) {
	if err := checkJKS(data); err != nil {
		return nil, fmt.Errorf("is a damaged Java key store: download the bundle again: %w", err)
	}
	// Case-exact, since Load keeps aliases as they are and a store that does not look them up so never finds those with capitals.
	opened := keystore.New(keystore.WithOrderedAliases(), keystore.WithCaseExactAliases())
	if err := opened.Load(bytes.NewReader(data), []byte(password)); err != nil {
		// The structure is sound, so it is the digest, which is keyed with the password.
		return nil, errPassword
	}
	s := new(store)
	for _, alias := range opened.Aliases() {
		var chain []keystore.Certificate
		switch {
		case opened.IsPrivateKeyEntry(alias):
			entry, err := opened.GetPrivateKeyEntry(alias, []byte(password))
			if err != nil {
				return nil, fmt.Errorf("holds a private key that the password of the store does not open: %w", err)
			}
			if s.key != nil {
				return nil, errors.New("holds several private keys: it is not clear which is meant")
			}
			if s.key, err = parseKey(entry.PrivateKey); err != nil {
				return nil, err
			}
			chain = entry.CertificateChain
		default:
			entry, err := opened.GetTrustedCertificateEntry(alias)
			if err != nil {
				return nil, err
			}
			chain = []keystore.Certificate{entry.Certificate}
		}
		for _, content := range chain {
			cert, err := x509.ParseCertificate(content.Content)
			if err != nil {
				return nil, fmt.Errorf("has an invalid certificate: download the bundle again: %w", err)
			}
			s.certs = append(s.certs, cert)
		}
	}
	return s, nil
}

// checkJKS walks through a key store and compares each length with what there is. The keystore package allocates what lengths claim, up to 4 GiB,
// before it reads, and panics on an encrypted key that is shorter than its salt and digest.
func checkJKS(data []byte) error {
	const (
		magicSize, digestSize = 4, 20
		keyEntry, certEntry   = 1, 2
	)
	r := &jksReader{data: data[magicSize:]}
	version, count := r.uint32(), r.uint32()
	if version != 1 && version != 2 {
		return fmt.Errorf("version %d", version)
	}
	certificate := func() {
		if version == 2 {
			r.bytes(int64(r.uint16())) // type
		}
		r.bytes(int64(r.uint32()))
	}
	aliases := make(map[string]bool)
	for range count {
		tag := r.uint32()
		alias := strings.ToLower(string(r.bytes(int64(r.uint16()))))
		r.bytes(8) // time of creation
		switch tag {
		case keyEntry:
			if key := r.bytes(int64(r.uint32())); r.err == nil {
				r.err = checkJKSKey(key)
			}
			for chain := r.uint32(); chain > 0 && r.err == nil; chain-- {
				certificate()
			}
			// A count of certificates is allocated as such; the loop has shown that so many are there.
		case certEntry:
			certificate()
		default:
			return errors.New("an unknown kind of entry")
		}
		if r.err != nil {
			return r.err
		}
		if aliases[alias] {
			return errors.New("two entries of one name")
		}
		aliases[alias] = true
	}
	r.bytes(digestSize)
	if r.err == nil && len(r.data) > 0 {
		return errors.New("more data than it says")
	}
	return r.err
}

// checkJKSKey checks that the protected key has room for a salt, a key and a digest.
func checkJKSKey(der []byte) error {
	var protected struct {
		Algorithm asn1.RawValue
		Data      []byte
	}
	rest, err := asn1.Unmarshal(der, &protected)
	if err != nil || len(rest) > 0 || len(protected.Data) <= 20+20 {
		return errors.New("a malformed private key")
	}
	return nil
}

// jksReader reads big-endian values. After an error it returns zeros.
type jksReader struct {
	data []byte
	err  error
}

func (r *jksReader) bytes(n int64) []byte {
	if r.err == nil && n > int64(len(r.data)) {
		r.err = errors.New("it ends too early")
	}
	if r.err != nil {
		return nil
	}
	taken := r.data[:n]
	r.data = r.data[n:]
	return taken
}

func (r *jksReader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *jksReader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}
