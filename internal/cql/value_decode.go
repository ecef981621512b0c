package cql

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"time"
)

// Decode returns the Go value of what a value of type t consists of, and nil
// for null. The Go types are:
//
//	ascii, text, decimal, duration   string, in CQL's notation
//	uuid, timeuuid                   string
//	tinyint, smallint, int           int8, int16, int32
//	bigint, counter                  int64
//	varint                           *big.Int
//	float, double                    float32, float64
//	boolean                          bool
//	blob, a custom class             []byte, a part of b
//	inet                             netip.Addr
//	timestamp, date                  time.Time in UTC
//	time                             time.Duration
//	list, set, tuple, vector         []any
//	map                              map[any]any; blobs are strings as keys
//	user-defined type                map[string]any
func (t Type) Decode(b []byte) (any, error) {
	if b == nil {
		return nil, nil
	}
	v, err := t.decode(b)
	if err != nil {
		return nil, fmt.Errorf("cql: %d bytes as %v: %w", len(b), t, err)
	}
	return v, nil
}

var errLength = errors.New("wrong length")

func (t Type) decode(b []byte) (any, error) {
	switch t.Kind {
	case Ascii, Text:
		return string(b), nil
	case Blob:
		return b, nil
	case List, Set:
		return t.decodeList(b)
	case Map:
		return t.decodeMap(b)
	case Tuple:
		return t.decodeFields(b, len(t.Elements))
	case UDT:
		values, err := t.decodeFields(b, len(t.Fields))
		m := make(map[string]any, len(values))
		for i, v := range values {
			m[t.Fields[i]] = v
		}
		return m, err
	case Custom:
		if t.Dimension == 0 {
			return b, nil
		}
		return t.decodeVector(b)
	}
	if len(b) == 0 {
		return nil, nil // Cassandra's empty value, which is none
	}
	if size := t.size(); size != 0 && len(b) != size {
		return nil, errLength
	}
	switch t.Kind {
	case Tinyint:
		return int8(b[0]), nil
	case Smallint:
		return int16(binary.BigEndian.Uint16(b)), nil
	case Int:
		return int32(binary.BigEndian.Uint32(b)), nil
	case Bigint, Counter:
		return int64(binary.BigEndian.Uint64(b)), nil
	case Varint:
		return parseVarint(b), nil
	case Float:
		return math.Float32frombits(binary.BigEndian.Uint32(b)), nil
	case Double:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case Decimal:
		return formatDecimal(b)
	case Boolean:
		return b[0] != 0, nil
	case UUID, Timeuuid:
		return FormatUUID([16]byte(b)), nil
	case Inet:
		addr, ok := netip.AddrFromSlice(b)
		if !ok {
			return nil, errLength
		}
		return addr, nil
	case Timestamp:
		return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC(), nil
	case Date:
		days := int64(binary.BigEndian.Uint32(b)) - dateEpoch
		return time.Unix(days*secondsPerDay, 0).UTC(), nil
	case Time:
		return time.Duration(binary.BigEndian.Uint64(b)), nil
	case Duration:
		return formatDuration(b)
	}
	return nil, errors.New("unknown type")
}

// size returns how many bytes each value of a native type has, or 0.
func (t Type) size() int {
	switch t.Kind {
	case Tinyint:
		return 1
	case Smallint:
		return 2
	case Date:
		return 4
	case Time, Counter:
		return 8
	case Custom:
		return 0
	}
	return t.fixedSize()
}

func (t Type) decodeList(b []byte) (any, error) {
	r := NewReader(b)
	list := []any{}
	for n := r.Int(); n > 0 && r.err == nil; n-- {
		v, err := t.element(0).Decode(r.Bytes())
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, r.err
}

func (t Type) decodeMap(b []byte) (any, error) {
	r := NewReader(b)
	m := make(map[any]any)
	for n := r.Int(); n > 0 && r.err == nil; n-- {
		key, err := t.element(0).Decode(r.Bytes())
		if err != nil {
			return nil, err
		}
		value, err := t.element(1).Decode(r.Bytes())
		if err != nil {
			return nil, err
		}
		if blob, ok := key.([]byte); ok {
			key = string(blob)
		}
		if key != nil && !reflect.TypeOf(key).Comparable() {
			return nil, fmt.Errorf("a %v cannot be the key of a Go map", t.element(0))
		}
		m[key] = value
	}
	return m, r.err
}

// decodeFields decodes up to n values. There may be fewer: fields that were
// added to a type later are not in older values.
func (t Type) decodeFields(b []byte, n int) ([]any, error) {
	r := NewReader(b)
	values := []any{}
	for i := 0; i < n && len(r.rest) > 0; i++ {
		v, err := t.element(i).Decode(r.Bytes())
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, r.err
}

func (t Type) decodeVector(b []byte) (any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	element := t.element(0)
	list := []any{}
	for range t.Dimension {
		size := element.fixedSize()
		if size == 0 {
			n, rest, ok := cutUvint(b)
			if !ok || n > uint64(len(rest)) {
				return nil, errLength
			}
			size, b = int(n), rest
		}
		if size > len(b) {
			return nil, errLength
		}
		v, err := element.Decode(b[:size:size])
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		b = b[size:]
	}
	if len(b) > 0 {
		return nil, errLength
	}
	return list, nil
}

// sortFunc sorts by bytes.
func sortFunc[E any](s []E, key func(E) []byte) {
	slices.SortFunc(s, func(a, b E) int { return bytes.Compare(key(a), key(b)) })
}
