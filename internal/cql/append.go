package cql

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
)

// AppendShort appends a [short].
func AppendShort(dst []byte, n uint16) []byte { return binary.BigEndian.AppendUint16(dst, n) }

// AppendInt appends an [int].
func AppendInt(dst []byte, n int) []byte { return binary.BigEndian.AppendUint32(dst, uint32(n)) }

// AppendLong appends a [long].
func AppendLong(dst []byte, n int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(n)) }

// AppendString appends a [string]. What goes beyond its longest length,
// 65,535 bytes, is left out.
func AppendString(dst []byte, s string) []byte {
	s = s[:min(len(s), 1<<16-1)]
	return append(AppendShort(dst, uint16(len(s))), s...)
}

// AppendLongString appends a [long string].
func AppendLongString(dst []byte, s string) []byte {
	return append(AppendInt(dst, len(s)), s...)
}

// AppendBytes appends [bytes], or null for a nil slice.
func AppendBytes(dst, b []byte) []byte {
	if b == nil {
		return AppendInt(dst, -1)
	}
	return append(AppendInt(dst, len(b)), b...)
}

// AppendShortBytes appends [short bytes], of which there must be fewer than
// 65,536.
func AppendShortBytes(dst, b []byte) []byte {
	return append(AppendShort(dst, uint16(len(b))), b...)
}

// AppendStringList appends a [string list].
func AppendStringList(dst []byte, list []string) []byte {
	dst = AppendShort(dst, uint16(len(list)))
	for _, s := range list {
		dst = AppendString(dst, s)
	}
	return dst
}

// AppendStringMap appends a [string map], sorted by key.
func AppendStringMap(dst []byte, m map[string]string) []byte {
	dst = AppendShort(dst, uint16(len(m)))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		dst = AppendString(AppendString(dst, key), m[key])
	}
	return dst
}

// AppendStringMultimap appends a [string multimap], sorted by key.
func AppendStringMultimap(dst []byte, m map[string][]string) []byte {
	dst = AppendShort(dst, uint16(len(m)))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		dst = AppendStringList(AppendString(dst, key), m[key])
	}
	return dst
}

// AppendBytesMap appends a [bytes map], sorted by key.
func AppendBytesMap(dst []byte, m map[string][]byte) []byte {
	dst = AppendShort(dst, uint16(len(m)))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		dst = AppendBytes(AppendString(dst, key), m[key])
	}
	return dst
}

// AppendInet appends an [inet].
func AppendInet(dst []byte, a netip.AddrPort) []byte {
	addr := a.Addr().Unmap().AsSlice()
	dst = append(append(dst, byte(len(addr))), addr...)
	return AppendInt(dst, int(a.Port()))
}
