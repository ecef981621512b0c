package cql_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

var address = cql.Type{
	Kind: cql.UDT, Keyspace: "ks", Name: "addr",
	Fields:   []string{"street", "zip"},
	Elements: []cql.Type{{Kind: cql.Text}, {Kind: cql.Int}},
}

func userType(keyspace, name string) (cql.Type, bool) {
	return address, (keyspace == "" || keyspace == "ks") && name == "addr"
}

// The options are as a Cassandra 5.0.5 node sends them.
func TestTypes(t *testing.T) {
	t.Parallel()
	const marshal = "org.apache.cassandra.db.marshal."
	custom := func(class string) string {
		return "0000" + hex.EncodeToString(cql.AppendString(nil, class))
	}
	tests := []struct {
		text   string
		want   string // the text that the type prints as; empty for the same
		option string // in hex
	}{
		{text: "ascii", option: "0001"},
		{text: "bigint", option: "0002"},
		{text: "blob", option: "0003"},
		{text: "boolean", option: "0004"},
		{text: "counter", option: "0005"},
		{text: "decimal", option: "0006"},
		{text: "double", option: "0007"},
		{text: "float", option: "0008"},
		{text: "int", option: "0009"},
		{text: "timestamp", option: "000b"},
		{text: "uuid", option: "000c"},
		{text: "text", option: "000d"},
		{text: "varchar", want: "text", option: "000d"},
		{text: "VARINT", want: "varint", option: "000e"},
		{text: "timeuuid", option: "000f"},
		{text: "inet", option: "0010"},
		{text: "date", option: "0011"},
		{text: "time", option: "0012"},
		{text: "smallint", option: "0013"},
		{text: "tinyint", option: "0014"},
		{text: "duration", option: "0015"},
		{text: "list<int>", option: "00200009"},
		{text: "set< text >", want: "set<text>", option: "0022000d"},
		{text: "map<text,frozen<list<int>>>", want: "map<text, frozen<list<int>>>", option: "0021000d00200009"},
		{text: "frozen<tuple<int, text>>", option: "003100020009000d"},
		{text: "frozen<addr>", option: "003000026b730004616464720002" + "0006737472656574000d" + "00037a69700009"},
		{text: "ks.addr", want: "addr", option: "003000026b730004616464720002" + "0006737472656574000d" + "00037a69700009"},
		{text: "vector<float, 3>", option: custom(marshal + "VectorType(" + marshal + "FloatType , 3)")},
		{text: "vector<vector<text, 2>, 8192>", option: custom(marshal + "VectorType(" + marshal + "VectorType(" + marshal + "UTF8Type , 2) , 8192)")},
		{text: "vector<frozen<map<int, text>>, 1>", option: custom(marshal + "VectorType(" + marshal + "FrozenType(" + marshal + "MapType(" + marshal + "Int32Type," + marshal + "UTF8Type)) , 1)")},
		{text: "vector<frozen<addr>, 1>", option: custom(marshal + "VectorType(" + marshal + "FrozenType(" + marshal + "UserType(ks,61646472,737472656574:" + marshal + "UTF8Type,7a6970:" + marshal + "Int32Type)) , 1)")},
		{text: "'com.example.Odd(1,2)'", option: custom("com.example.Odd(1,2)")},
	}
	for _, test := range tests {
		typ, err := cql.ParseType(test.text, userType)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if test.want == "" {
			test.want = test.text
		}
		if got := typ.String(); got != test.want {
			t.Errorf("%s prints as %s", test.text, got)
		}
		option := cql.AppendType(nil, typ)
		if got := hex.EncodeToString(option); got != test.option {
			t.Errorf("%s: option\n%s, want\n%s", test.text, got, test.option)
		}
		r := cql.NewReader(option)
		read := r.Type()
		if r.Err() != nil || len(r.Rest()) > 0 {
			t.Errorf("%s: %v, %d bytes left", test.text, r.Err(), len(r.Rest()))
		}
		if diff := cmp.Diff(option, cql.AppendType(nil, read)); diff != "" {
			t.Errorf("%s: another option after reading:\n%s", test.text, diff)
		}
	}
}

func TestParseTypeErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "integer", "list", "list<", "list<int", "list<int>>", "list<int,int>", "map<int>",
		"vector<float>", "vector<float, 0>", "vector<float, 8193>", "vector<float, x>", "frozen<>",
		`"int"`, `"open`, "'open", "ks.", "ks.nobody", "int text", "list<<int>>",
		strings.Repeat("list<", 100) + "int" + strings.Repeat(">", 100),
		strings.Repeat("frozen<", 1e6),
	} {
		if typ, err := cql.ParseType(text, userType); err == nil {
			t.Errorf("%.40q was taken for %v", text, typ)
		}
	}
	if _, err := cql.ParseType("addr", nil); err == nil {
		t.Error("a user-defined type was found where there is none")
	}
}

func FuzzParseType(f *testing.F) {
	for _, text := range []string{"int", "map<text, frozen<list<int>>>", "vector<float, 3>", "frozen<ks.addr>", `"Q""q"`, "'a.B(c)'"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		typ, err := cql.ParseType(text, userType)
		if err != nil {
			return
		}
		again, err := cql.ParseType(typ.String(), userType)
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, typ, err)
		}
		if again.String() != typ.String() {
			t.Errorf("%q prints as %q, and that as %q", text, typ, again)
		}
	})
}

func FuzzType(f *testing.F) {
	f.Add(cql.AppendType(nil, address))
	for _, text := range []string{"int", "map<text, list<int>>", "tuple<int, text>", "vector<vector<smallint, 2>, 3>", "vector<frozen<addr>, 2>"} {
		typ, err := cql.ParseType(text, userType)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(cql.AppendType(nil, typ))
	}
	f.Fuzz(func(t *testing.T, option []byte) {
		r := cql.NewReader(option)
		typ := r.Type()
		if r.Err() != nil {
			return
		}
		first := cql.AppendType(nil, typ)
		r = cql.NewReader(first)
		if diff := cmp.Diff(first, cql.AppendType(nil, r.Type())); r.Err() != nil || diff != "" {
			t.Errorf("%v: %v\n%s", typ, r.Err(), diff)
		}
	})
}
