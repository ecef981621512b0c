package cql_test

import (
	"encoding/hex"
	"math"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

func parse(t testing.TB, text string) cql.Type {
	t.Helper()
	typ, err := cql.ParseType(text, userType)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

var compareNumbers = cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })

func number(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 0)
	if !ok {
		panic(s)
	}
	return n
}

func TestValues(t *testing.T) {
	t.Parallel()
	type (
		word string
		id   [16]byte
		tiny int8
	)
	uuid := id{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
	const uuidText, uuidHex = "01234567-89ab-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdef"
	at := time.Date(2024, 2, 29, 12, 30, 0, 123e6, time.FixedZone("", 3600))
	tests := []struct {
		typ  string
		v    any
		hex  string
		want any // nil: v itself
	}{
		{"ascii", "a", "61", nil},
		{"text", word("é"), "c3a9", "é"},
		{"text", "", "", nil},
		{"tinyint", -1, "ff", int8(-1)},
		{"tinyint", tiny(127), "7f", int8(127)},
		{"smallint", uint8(255), "00ff", int16(255)},
		{"int", 1, "00000001", int32(1)},
		{"int", int64(math.MinInt32), "80000000", int32(math.MinInt32)},
		{"bigint", uint64(math.MaxInt64), "7fffffffffffffff", int64(math.MaxInt64)},
		{"counter", int32(-2), "fffffffffffffffe", int64(-2)},
		{"varint", 0, "00", big.NewInt(0)},
		{"varint", 127, "7f", big.NewInt(127)},
		{"varint", 128, "0080", big.NewInt(128)},
		{"varint", -1, "ff", big.NewInt(-1)},
		{"varint", -128, "80", big.NewInt(-128)},
		{"varint", -129, "ff7f", big.NewInt(-129)},
		{"varint", -256, "ff00", big.NewInt(-256)},
		{"varint", number("0x123456789abcdef0123456789"), "0123456789abcdef0123456789", number("0x123456789abcdef0123456789")},
		{"float", float32(1.5), "3fc00000", nil},
		{"float", 2, "40000000", float32(2)},
		{"double", -0.5, "bfe0000000000000", nil},
		{"decimal", "-12.50", "00000002fb1e", nil},
		{"decimal", "0.001", "0000000301", nil},
		{"decimal", "+7", "0000000007", "7"},
		{"boolean", true, "01", nil},
		{"boolean", false, "00", nil},
		{"blob", []byte{1, 2}, "0102", nil},
		{"uuid", uuidText, uuidHex, nil},
		{"uuid", strings.ToUpper(uuidText), uuidHex, uuidText},
		{"timeuuid", uuid, uuidHex, uuidText},
		{"inet", netip.MustParseAddr("127.0.0.1"), "7f000001", nil},
		{"inet", net.ParseIP("127.0.0.1"), "7f000001", netip.MustParseAddr("127.0.0.1")},
		{"inet", "::1", "00000000000000000000000000000001", netip.MustParseAddr("::1")},
		{"timestamp", at, "0000018df4a0df3b", at.Truncate(time.Millisecond).UTC()},
		{"timestamp", -1, "ffffffffffffffff", time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC)},
		{"date", at, "80004d46", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"date", "1969-12-31", "7fffffff", time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)},
		{"time", time.Hour + 1, "0000034630b8a001", nil},
		{"duration", "1y2mo3d4h5m6s", "1c06fc1ac003cfe800", nil},
		{"duration", "-1d", "000100", nil},
		{"duration", "1w", "000e00", "1w"},
		{"duration", "10ns", "000014", nil},
		{"duration", "0s", "000000", nil},
		{"list<int>", []int{1, -1}, "00000002" + "0000000400000001" + "00000004ffffffff", []any{int32(1), int32(-1)}},
		{"list<text>", []any{nil, ""}, "00000002" + "ffffffff" + "00000000", []any{nil, ""}},
		{"set<tinyint>", [2]int8{3, 4}, "00000002" + "0000000103" + "0000000104", []any{int8(3), int8(4)}},
		{"map<text, int>", map[string]int{"b": 2, "a": 1}, "00000002" + "0000000161" + "0000000400000001" + "0000000162" + "0000000400000002", map[any]any{"a": int32(1), "b": int32(2)}},
		{"map<blob, boolean>", map[string]any{}, "00000000", map[any]any{}},
		{"tuple<int, text>", []any{7, nil}, "0000000400000007" + "ffffffff", []any{int32(7), nil}},
		{"tuple<int, text>", []any{7}, "0000000400000007", []any{int32(7)}},
		{"frozen<addr>", map[string]any{"zip": 9}, "ffffffff" + "0000000400000009", map[string]any{"street": nil, "zip": int32(9)}},
		{"frozen<addr>", []any{"x"}, "0000000178", map[string]any{"street": "x"}},
		{"vector<float, 2>", []float32{1, 2}, "3f80000040000000", []any{float32(1), float32(2)}},
		{"vector<smallint, 2>", []int{1, 2}, "020001" + "020002", []any{int16(1), int16(2)}},
		{"vector<text, 1>", []string{strings.Repeat("a", 300)}, "812c" + strings.Repeat("61", 300), []any{strings.Repeat("a", 300)}},
		{"vector<vector<int, 1>, 2>", [][]int{{1}, {2}}, "0000000100000002", []any{[]any{int32(1)}, []any{int32(2)}}},
		{"'com.example.Odd'", []byte{9}, "09", nil},
		{"int", []byte{0, 0, 0, 5}, "00000005", int32(5)}, // already encoded
	}
	for _, test := range tests {
		typ := parse(t, test.typ)
		b, err := typ.Encode(nil, test.v)
		if err != nil {
			t.Errorf("%s of %v: %v", test.typ, test.v, err)
			continue
		}
		if got := hex.EncodeToString(b); got != test.hex {
			t.Errorf("%s of %v: %s, want %s", test.typ, test.v, got, test.hex)
			continue
		}
		if b == nil {
			b = []byte{}
		}
		got, err := typ.Decode(b)
		if err != nil {
			t.Errorf("%s of %s: %v", test.typ, test.hex, err)
		}
		if test.want == nil {
			test.want = test.v
		}
		if diff := cmp.Diff(test.want, got, compareNumbers, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s of %s:\n%s", test.typ, test.hex, diff)
		}
	}
}

func TestValueNull(t *testing.T) {
	t.Parallel()
	b, err := cql.AppendValue([]byte{9}, parse(t, "int"), nil)
	if err != nil || hex.EncodeToString(b) != "09ffffffff" {
		t.Errorf("%x, %v", b, err)
	}
	if v, err := parse(t, "list<int>").Decode(nil); v != nil || err != nil {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := parse(t, "int").Decode([]byte{}); v != nil || err != nil {
		t.Errorf("the empty value: %v, %v", v, err)
	}
}

func TestEncodeErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		typ string
		v   any
	}{
		{"int", "1"}, {"int", int64(1) << 40}, {"tinyint", 128}, {"tinyint", uint64(math.MaxUint64)}, {"bigint", 1.5},
		{"text", 1}, {"boolean", "true"}, {"float", "1"}, {"varint", "1"}, {"decimal", 1}, {"decimal", "1e5"}, {"decimal", "."},
		{"uuid", "x"}, {"uuid", strings.Repeat("x", 36)}, {"uuid", [4]byte{}}, {"inet", "x"}, {"inet", netip.Addr{}}, {"inet", net.IP{1}},
		{"timestamp", "now"}, {"date", "tomorrow"}, {"date", time.Date(9e6, 1, 1, 0, 0, 0, 0, time.UTC)}, {"time", -time.Second},
		{"time", 24 * time.Hour}, {"duration", ""}, {"duration", "-"}, {"duration", "5"}, {"duration", "1x"}, {"duration", "9999999999y"},
		{"list<int>", 1}, {"list<int>", []string{"x"}}, {"map<int, int>", []int{1}}, {"map<int, int>", map[string]int{"x": 1}},
		{"map<int, int>", map[int]string{1: "x"}}, {"tuple<int>", []any{1, 2}}, {"tuple<int>", []int{1}},
		{"frozen<addr>", map[string]any{"nowhere": 1}}, {"frozen<addr>", []any{1, 2, 3}}, {"frozen<addr>", 1},
		{"vector<int, 2>", []int{1}}, {"vector<int, 1>", 1}, {"vector<int, 1>", []string{"x"}}, {"'com.example.Odd'", "x"}, {"blob", "x"},
	} {
		prefix := []byte{1}
		b, err := parse(t, test.typ).Encode(prefix, test.v)
		if err == nil {
			t.Errorf("%v was taken for a %s: %x", test.v, test.typ, b)
		} else if len(b) != 1 {
			t.Errorf("%s of %v: something was appended", test.typ, test.v)
		}
	}
	_, err := parse(t, "list<list<int>>").Encode(nil, [][]any{{"x"}})
	if want := "cql: a Go string is no value of type int: wrong Go type"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ typ, hex string }{
		{"int", "000000"}, {"bigint", "00"}, {"tinyint", "0000"}, {"boolean", "0000"}, {"float", "00"}, {"date", "00"}, {"time", "00"},
		{"uuid", "00"}, {"inet", "00"}, {"decimal", "00000001"}, {"decimal", "7fffffff01"}, {"duration", "00"}, {"duration", "00000000"},
		{"duration", "ff"}, {"list<int>", "00"}, {"list<int>", "00000001"}, {"list<int>", "000000010000000100"}, {"list<int>", "7fffffff"},
		{"map<int, int>", "00000001"}, {"map<list<int>, int>", "00000001" + "0000000400000000" + "ffffffff"}, {"tuple<int>", "00"},
		{"frozen<addr>", "0000000561"}, {"vector<int, 2>", "00000001"}, {"vector<int, 1>", "0000000100"}, {"vector<text, 1>", "05"},
		{"vector<text, 1>", "ffffffffffffffffff"},
	} {
		b, err := hex.DecodeString(test.hex)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := parse(t, test.typ).Decode(b); err == nil {
			t.Errorf("%s of %s: %v", test.typ, test.hex, v)
		}
	}
}

func FuzzDecode(f *testing.F) {
	types := []string{
		"text", "tinyint", "smallint", "int", "bigint", "varint", "float", "double", "decimal", "boolean", "blob", "uuid", "inet",
		"timestamp", "date", "time", "duration", "list<text>", "set<int>", "map<text, list<int>>", "map<blob, duration>",
		"tuple<int, text>", "frozen<addr>", "vector<float, 3>", "vector<text, 2>", "vector<vector<smallint, 2>, 2>",
	}
	for i := range types {
		f.Add(uint8(i), []byte{0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7})
	}
	f.Add(uint8(19), []byte{0, 0, 0, 1, 0, 0, 0, 1, 'k', 0, 0, 0, 4, 0, 0, 0, 0})
	f.Add(uint8(16), []byte{0x1c, 0x06, 0xfc, 0x1a, 0xc0, 0x03, 0xcf, 0xe8, 0x00})
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		typ := parse(t, types[int(which)%len(types)])
		v, err := typ.Decode(b)
		if err != nil || v == nil {
			return
		}
		again, err := typ.Encode([]byte{}, v)
		if err != nil {
			// What cannot be encoded: times out of range, and elements that are
			// Cassandra's empty value of a type that has no other.
			return
		}
		w, err := typ.Decode(again)
		if err != nil {
			t.Fatalf("%v of %x is %v; that is %x, and then %v", typ, b, v, again, err)
		}
		same := cmp.Options{
			compareNumbers,
			cmp.Comparer(func(a, b netip.Addr) bool { return a.Unmap() == b.Unmap() }),
			cmp.Comparer(func(a, b float32) bool { return a == b || a != a && b != b }),
			cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b }),
		}
		if typ.Kind == cql.UDT || typ.Kind == cql.Tuple {
			return // shorter values get longer
		}
		if diff := cmp.Diff(v, w, same); diff != "" {
			t.Errorf("%v of %x:\n%s", typ, b, diff)
		}
	})
}
