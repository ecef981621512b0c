package ring

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Token is a position on the ring of the Murmur3 partitioner.
type Token int64

// ParseToken reads a token as system.local and system.peers write it.
func ParseToken(s string) (Token, error) {
	t, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no token of the Murmur3 partitioner", s)
	}
	return Token(t), nil
}

// IsMurmur3 tells whether a partitioner, by its name in system.local, is the one whose tokens this package computes.
func IsMurmur3(partitioner string) bool {
	return partitioner == "Murmur3Partitioner" || strings.HasSuffix(partitioner, ".Murmur3Partitioner")
}

// TokenOf returns the token of a serialized partition key. It is what CQL's token() gives.
func TokenOf(partitionKey []byte) Token {
	if len(partitionKey) == 0 {
		return math.MinInt64
	}
	if h := murmur3(partitionKey); h != math.MinInt64 {
		return Token(h)
	}
	return math.MaxInt64 // the smallest value marks the begin of the ring and belongs to no key
}

const (
	c1 = 0x87c37b91114253d5
	c2 = 0x4cf5ad432745937f
)

// murmur3 is the first half of MurmurHash3_x64_128 with seed 0, in Cassandra's variant: it takes the bytes after the last whole
// block for signed ones.
func murmur3(data []byte) int64 {
	var h1, h2 uint64
	length := uint64(len(data))

	for ; len(data) >= 16; data = data[16:] {
		h1 ^= mix1(binary.LittleEndian.Uint64(data))
		h1 = bits.RotateLeft64(h1, 27) + h2
		h1 = h1*5 + 0x52dce729
		h2 ^= mix2(binary.LittleEndian.Uint64(data[8:]))
		h2 = bits.RotateLeft64(h2, 31) + h1
		h2 = h2*5 + 0x38495ab5
	}
	if len(data) > 8 {
		h2 ^= mix2(signedTail(data[8:]))
		data = data[:8]
	}
	h1 ^= mix1(signedTail(data))

	h1 ^= length
	h2 ^= length
	h1 += h2
	h2 += h1
	h1 = finalize(h1)
	h2 = finalize(h2)
	return int64(h1 + h2)
}

func mix1(k uint64) uint64 { return bits.RotateLeft64(k*c1, 31) * c2 }
func mix2(k uint64) uint64 { return bits.RotateLeft64(k*c2, 33) * c1 }

// signedTail packs up to eight bytes, the first one lowest. The sign of each reaches into the places above it.
func signedTail(tail []byte) (k uint64) {
	for i, b := range tail {
		k ^= uint64(int64(int8(b))) << (8 * i)
	}
	return k
}

func finalize(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
