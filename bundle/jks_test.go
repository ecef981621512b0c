package bundle

import (
	"crypto/sha1"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"
)

// Without the check the keystore package panics.
func TestJKSKeyWithoutRoomForItsDigest(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 39, 40} {
		key := der(struct {
			Algorithm pkix.AlgorithmIdentifier
			Data      []byte
		}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}, Parameters: asn1.NullRawValue}, make([]byte, size)})
		data := []byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(key))}
		data = append(append(data, key...), 0, 0, 0, 0) // no certificates
		if s, err := parseJKS(signJKS(data, "a"), "a"); err == nil {
			t.Errorf("%d bytes: %v", size, s)
		}
	}
}

// signJKS puts the digest after a key store that Java's format demands.
func signJKS(data []byte, password string) []byte {
	h := sha1.New()
	for _, b := range []byte(password) {
		h.Write([]byte{0, b})
	}
	h.Write([]byte("Mighty Aphrodite")) // by the format
	h.Write(data)
	return append(slices.Clip(data), h.Sum(nil)...)
}
