package cql

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// A Reader decodes the notations of a message one after the other. After the
// first that does not fit, every further one reads as zero and [Reader.Err]
// tells what was wrong. Slices that it returns are parts of the message;
// strings are copies.
type Reader struct {
	rest []byte
	err  error
}

// NewReader returns a Reader of one message.
func NewReader(message []byte) *Reader { return &Reader{rest: message} }

// Reset makes r read another message.
func (r *Reader) Reset(message []byte) { *r = Reader{rest: message} }

// Err returns what was wrong with the message, or nil so far.
func (r *Reader) Err() error { return r.err }

// Rest returns what has not been read yet.
func (r *Reader) Rest() []byte { return r.rest }

// fail keeps the first error.
func (r *Reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("cql: "+format, args...)
	}
	r.rest = nil
}

// take returns the next n bytes, or nil when there are fewer.
func (r *Reader) take(n int, what string) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail("message ends within a %s: %d bytes needed, %d left", what, n, len(r.rest))
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Byte reads a [byte].
func (r *Reader) Byte() byte {
	if b := r.take(1, "byte"); b != nil {
		return b[0]
	}
	return 0
}

// Short reads a [short].
func (r *Reader) Short() uint16 {
	if b := r.take(2, "short"); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Int reads an [int].
func (r *Reader) Int() int32 {
	if b := r.take(4, "int"); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Long reads a [long].
func (r *Reader) Long() int64 {
	if b := r.take(8, "long"); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// UUID reads a [uuid].
func (r *Reader) UUID() (id [16]byte) {
	copy(id[:], r.take(len(id), "uuid"))
	return id
}

// Consistency reads a [consistency].
func (r *Reader) Consistency() Consistency {
	c := Consistency(r.Short())
	if !c.Valid() {
		r.fail("unknown consistency level %d", uint16(c))
		return 0
	}
	return c
}

// ShortString reads a [string].
func (r *Reader) ShortString() string { return string(r.take(int(r.Short()), "string")) }

// LongString reads a [long string] without copying it.
func (r *Reader) LongString() []byte { return r.take(int(r.Int()), "long string") }

// ShortBytes reads [short bytes].
func (r *Reader) ShortBytes() []byte { return r.take(int(r.Short()), "short bytes") }

// Bytes reads [bytes]. Null reads as nil, and no bytes as an empty slice.
func (r *Reader) Bytes() []byte {
	n := r.Int()
	if n < 0 || r.err != nil {
		return nil
	}
	return r.take(int(n), "bytes")
}

// A Value is a [value]: bytes, null (nil bytes) or not set.
type Value struct {
	Bytes []byte
	Unset bool
}

// Value reads a [value].
func (r *Reader) Value() Value {
	switch n := r.Int(); {
	case r.err != nil || n == -1:
		return Value{}
	case n == -2:
		return Value{Unset: true}
	case n < 0:
		r.fail("invalid length %d of a value", n)
		return Value{}
	default:
		return Value{Bytes: r.take(int(n), "value")}
	}
}

// StringList reads a [string list].
func (r *Reader) StringList() []string {
	var list []string
	for n := r.Short(); n > 0 && r.err == nil; n-- {
		list = append(list, r.ShortString())
	}
	return list
}

// StringMap reads a [string map].
func (r *Reader) StringMap() map[string]string {
	m := make(map[string]string)
	for n := r.Short(); n > 0 && r.err == nil; n-- {
		key := r.ShortString()
		m[key] = r.ShortString()
	}
	return m
}

// StringMultimap reads a [string multimap].
func (r *Reader) StringMultimap() map[string][]string {
	m := make(map[string][]string)
	for n := r.Short(); n > 0 && r.err == nil; n-- {
		key := r.ShortString()
		m[key] = r.StringList()
	}
	return m
}

// BytesMap reads a [bytes map].
func (r *Reader) BytesMap() map[string][]byte {
	m := make(map[string][]byte)
	for n := r.Short(); n > 0 && r.err == nil; n-- {
		key := r.ShortString()
		m[key] = r.Bytes()
	}
	return m
}

// Inet reads an [inet]: an address and a port.
func (r *Reader) Inet() netip.AddrPort {
	b := r.take(int(r.Byte()), "inet")
	addr, ok := netip.AddrFromSlice(b)
	if !ok && r.err == nil {
		r.fail("an address of %d bytes", len(b))
	}
	return netip.AddrPortFrom(addr, uint16(r.Int()))
}
