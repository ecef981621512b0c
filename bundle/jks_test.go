package bundle

import (
	"crypto/sha1"
	"slices"
)

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
