package cql

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// AppendValue appends v as [bytes] that hold a value of type t; nil is null.
// See [Type.Encode] for what v may be.
func AppendValue(dst []byte, t Type, v any) ([]byte, error) {
	if v == nil {
		return AppendInt(dst, -1), nil
	}
	start := len(dst)
	dst, err := t.Encode(AppendInt(dst, 0), v)
	if err != nil {
		return dst[:start], err
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

// Encode appends what a value of type t consists of. The Go types of v are:
//
//	ascii, text                      string
//	tinyint to bigint, counter       any integer type
//	varint                           any integer type, *big.Int
//	float, double                    any floating-point or integer type
//	decimal                          string in decimal notation ("-12.50")
//	boolean                          bool
//	blob, a custom class             []byte
//	uuid, timeuuid                   string, any type of [16]byte
//	inet                             netip.Addr, net.IP, string
//	timestamp                        time.Time, any integer type (milliseconds)
//	date                             time.Time, string ("2006-01-02")
//	time                             time.Duration since midnight
//	duration                         string in CQL's notation ("1mo2d3h")
//	list, set, vector                any slice or array
//	map                              any map
//	tuple                            []any
//	user-defined type                map[string]any, []any in the order of fields
//
// For each type a []byte is taken as the value's bytes, already encoded, and
// a nil inside a collection, tuple or user-defined type is null.
func (t Type) Encode(dst []byte, v any) ([]byte, error) {
	if b, ok := v.([]byte); ok {
		return append(dst, b...), nil
	}
	out, err := t.encode(dst, v)
	if err != nil {
		var nested *valueError
		if errors.As(err, &nested) {
			return dst, err
		}
		return dst, &valueError{t, v, err}
	}
	return out, nil
}

// A valueError tells which part of a value does not fit which part of a type.
type valueError struct {
	t   Type
	v   any
	err error
}

func (e *valueError) Error() string {
	return fmt.Sprintf("cql: a Go %T is no value of type %v: %v", e.v, e.t, e.err)
}

var errGoType = errors.New("wrong Go type")

func (t Type) encode(dst []byte, v any) ([]byte, error) {
	switch t.Kind {
	case Ascii, Text:
		s, err := asString(v)
		return append(dst, s...), err
	case Tinyint:
		return t.encodeInt(dst, v, 1)
	case Smallint:
		return t.encodeInt(dst, v, 2)
	case Int:
		return t.encodeInt(dst, v, 4)
	case Bigint, Counter:
		return t.encodeInt(dst, v, 8)
	case Varint:
		n, ok := v.(*big.Int)
		if !ok {
			i, err := asInt(v)
			if err != nil {
				return dst, err
			}
			n = big.NewInt(i)
		}
		return appendVarint(dst, n), nil
	case Float:
		f, err := asFloat(v)
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f))), err
	case Double:
		f, err := asFloat(v)
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), err
	case Decimal:
		s, err := asString(v)
		if err != nil {
			return dst, err
		}
		return appendDecimal(dst, s)
	case Boolean:
		b, ok := v.(bool)
		if !ok {
			return dst, errGoType
		}
		return appendBool(dst, b), nil
	case UUID, Timeuuid:
		id, err := asUUID(v)
		return append(dst, id[:]...), err
	case Inet:
		addr, err := asAddr(v)
		return append(dst, addr.AsSlice()...), err
	case Timestamp:
		if at, ok := v.(time.Time); ok {
			v = at.UnixMilli()
		}
		return t.encodeInt(dst, v, 8)
	case Date:
		return appendDate(dst, v)
	case Time:
		d, ok := v.(time.Duration)
		if !ok || d < 0 || d >= 24*time.Hour {
			return dst, errors.New("a time.Duration below 24 hours expected")
		}
		return AppendLong(dst, int64(d)), nil
	case Duration:
		s, err := asString(v)
		if err != nil {
			return dst, err
		}
		return appendDuration(dst, s)
	case List, Set:
		return t.encodeList(dst, v)
	case Map:
		return t.encodeMap(dst, v)
	case Tuple:
		values, ok := v.([]any)
		if !ok || len(values) > len(t.Elements) {
			return dst, fmt.Errorf("a []any of up to %d elements expected", len(t.Elements))
		}
		return t.encodeFields(dst, values)
	case UDT:
		return t.encodeUDT(dst, v)
	case Custom:
		if t.Dimension > 0 {
			return t.encodeVector(dst, v)
		}
	}
	return dst, errGoType
}

// encodeInt appends an integer of size bytes.
func (t Type) encodeInt(dst []byte, v any, size int) ([]byte, error) {
	n, err := asInt(v)
	if err != nil {
		return dst, err
	}
	if shift := 64 - 8*size; n<<shift>>shift != n {
		return dst, fmt.Errorf("%d does not fit into %d bytes", n, size)
	}
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst, nil
}

func (t Type) encodeList(dst []byte, v any) ([]byte, error) {
	list := reflect.ValueOf(v)
	if k := list.Kind(); k != reflect.Slice && k != reflect.Array {
		return dst, errGoType
	}
	dst = AppendInt(dst, list.Len())
	var err error
	for i := range list.Len() {
		if dst, err = AppendValue(dst, t.element(0), list.Index(i).Interface()); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (t Type) encodeMap(dst []byte, v any) ([]byte, error) {
	m := reflect.ValueOf(v)
	if m.Kind() != reflect.Map {
		return dst, errGoType
	}
	// In the order of the encoded keys, so that the same map always encodes
	// to the same bytes.
	type entry struct{ key, value []byte }
	entries := make([]entry, 0, m.Len())
	for iter := m.MapRange(); iter.Next(); {
		key, err := AppendValue(nil, t.element(0), iter.Key().Interface())
		if err != nil {
			return dst, err
		}
		value, err := AppendValue(nil, t.element(1), iter.Value().Interface())
		if err != nil {
			return dst, err
		}
		entries = append(entries, entry{key, value})
	}
	sortFunc(entries, func(e entry) []byte { return e.key })
	dst = AppendInt(dst, len(entries))
	for _, e := range entries {
		dst = append(append(dst, e.key...), e.value...)
	}
	return dst, nil
}

func (t Type) encodeFields(dst []byte, values []any) ([]byte, error) {
	var err error
	for i, v := range values {
		if dst, err = AppendValue(dst, t.element(i), v); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (t Type) encodeUDT(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case []any:
		if len(v) > len(t.Fields) {
			return dst, fmt.Errorf("%d values for %d fields", len(v), len(t.Fields))
		}
		return t.encodeFields(dst, v)
	case map[string]any:
		values := make([]any, len(t.Fields))
		found := 0
		for i, field := range t.Fields {
			value, ok := v[field]
			if ok {
				found++
			}
			values[i] = value
		}
		if found != len(v) {
			return dst, fmt.Errorf("a key that is no field; fields are %s", strings.Join(t.Fields, ", "))
		}
		return t.encodeFields(dst, values)
	}
	return dst, errGoType
}

func (t Type) encodeVector(dst []byte, v any) ([]byte, error) {
	list := reflect.ValueOf(v)
	if k := list.Kind(); k != reflect.Slice && k != reflect.Array {
		return dst, errGoType
	}
	if list.Len() != t.Dimension {
		return dst, fmt.Errorf("%d elements instead of %d", list.Len(), t.Dimension)
	}
	element := t.element(0)
	for i := range list.Len() {
		b, err := element.Encode(nil, list.Index(i).Interface())
		if err != nil {
			return dst, err
		}
		if element.fixedSize() == 0 {
			dst = appendUvint(dst, uint64(len(b)))
		}
		dst = append(dst, b...)
	}
	return dst, nil
}

// fixedSize returns how many bytes each value of t has inside a vector, or 0
// when the number stands before each of them. Cassandra treats some short
// types as if their size varied.
func (t Type) fixedSize() int {
	switch t.Kind {
	case Boolean:
		return 1
	case Int, Float:
		return 4
	case Bigint, Double, Timestamp:
		return 8
	case UUID, Timeuuid:
		return 16
	case Custom:
		if t.Dimension > 0 {
			// Vectors of vectors of vectors: stop where no message is that long.
			element := t.element(0).fixedSize()
			return t.Dimension * min(element, 1+MaxBody/t.Dimension)
		}
	}
	return 0
}

func asString(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		return r.String(), nil
	}
	return "", errGoType
}

func asInt(v any) (int64, error) {
	switch v := v.(type) {
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case int32:
		return int64(v), nil
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return r.Int(), nil
	case r.CanUint():
		if n := r.Uint(); n <= math.MaxInt64 {
			return int64(n), nil
		}
		return 0, errors.New("number too big")
	}
	return 0, errGoType
}

func asFloat(v any) (float64, error) {
	if r := reflect.ValueOf(v); r.CanFloat() {
		return r.Float(), nil
	}
	n, err := asInt(v)
	return float64(n), err
}

func asAddr(v any) (netip.Addr, error) {
	switch v := v.(type) {
	case netip.Addr:
		if v.IsValid() {
			return v.Unmap().WithZone(""), nil
		}
		return v, errors.New("the zero address")
	case net.IP:
		if addr, ok := netip.AddrFromSlice(v); ok {
			return addr.Unmap(), nil
		}
		return netip.Addr{}, errors.New("not an address")
	case string:
		addr, err := netip.ParseAddr(v)
		return addr.Unmap().WithZone(""), err
	}
	return netip.Addr{}, errGoType
}

func asUUID(v any) (id [16]byte, err error) {
	if s, ok := v.(string); ok {
		return ParseUUID(s)
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Array || r.Len() != len(id) || r.Type().Elem().Kind() != reflect.Uint8 {
		return id, errGoType
	}
	reflect.Copy(reflect.ValueOf(id[:]), r)
	return id, nil
}

// ParseUUID parses the text of a UUID, in upper or lower case.
func ParseUUID(s string) (id [16]byte, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, fmt.Errorf("%q is not a UUID", s)
	}
	if _, err := hex.Decode(id[:], []byte(strings.ReplaceAll(s, "-", ""))); err != nil {
		return id, fmt.Errorf("%q is not a UUID", s)
	}
	return id, nil
}

// FormatUUID returns the text of a UUID, in lower case.
func FormatUUID(id [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
