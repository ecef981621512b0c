//go:build integration

package astra_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// valueTypes has a value of every CQL type as CQL writes it, and as gocql reads it.
var valueTypes = []struct{ cql, literal, read string }{
	{"ascii", "'a'", "a"},
	{"bigint", "-9007199254740993", "-9007199254740993"},
	{"blob", "0xCAFE", "[202 254]"},
	{"boolean", "true", "true"},
	{"date", "'2024-02-29'", "2024-02-29 00:00:00 +0000 UTC"},
	{"decimal", "-12.3450", "-12.3450"},
	{"double", "1.5e300", "1.5e+300"},
	{"duration", "1mo2d3ms", "{1 2 3000000}"},
	{"float", "-0.25", "-0.25"},
	{"inet", "'2001:db8::1'", "2001:db8::1"},
	{"int", "-7", "-7"},
	{"smallint", "-300", "-300"},
	{"text", "'żółw 🐢'", "żółw 🐢"},
	{"time", "'23:59:59.000000001'", "23h59m59.000000001s"},
	{"timestamp", "'2024-02-29T12:34:56.789Z'", "2024-02-29 12:34:56.789 +0000 UTC"},
	{"timeuuid", "50554d6e-29bb-11e5-b345-feff819cdc9f", "50554d6e-29bb-11e5-b345-feff819cdc9f"},
	{"tinyint", "-128", "-128"},
	{"uuid", "550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"},
	{"varint", "123456789012345678901234567890", "123456789012345678901234567890"},

	{"list<int>", "[3, 1, 2]", "[3 1 2]"},
	{"set<text>", "{'b', 'a'}", "[a b]"},
	{"map<text, bigint>", "{'a': 1, 'b': 2}", "map[a:1 b:2]"},
	{"frozen<map<int, frozen<list<text>>>>", "{1: ['x', 'y']}", "map[1:[x y]]"},
	{"frozen<set<frozen<tuple<int, text>>>>", "{(1, 'a')}", "[[1 a]]"},
	{"person", "{name: 'Ada', born: '1815-12-10', tags: {'x'}}", "map[born:1815-12-10 00:00:00 +0000 UTC name:Ada tags:[x]]"},
	{"frozen<person>", "{name: 'Bob', born: '2000-01-01', tags: {}}", "map[born:2000-01-01 00:00:00 +0000 UTC name:Bob tags:[]]"},
	{"list<frozen<person>>", "[{name: 'Cy', born: '2000-01-01', tags: {'y'}}]", "[map[born:2000-01-01 00:00:00 +0000 UTC name:Cy tags:[y]]]"},
	{"vector<float, 3>", "[0.5, -1, 2]", "[0.5 -1 2]"},
	{"vector<text, 2>", "['ab', 'c']", "[ab c]"},
}

// testTypes writes a value of each type as text, reads it, writes what was read with a prepared statement, and reads that.
func testTypes(t *testing.T, _ *rig, session *gocql.Session) {
	define(t, session, "CREATE TYPE shop.person (name text, born date, tags frozen<set<text>>)")
	var definition strings.Builder
	for i, v := range valueTypes {
		fmt.Fprintf(&definition, "c%d %s, ", i, v.cql)
	}
	define(t, session, "CREATE TABLE shop.types (id int PRIMARY KEY, "+definition.String()+"pair tuple<int, text>)")
	for i, v := range valueTypes {
		column := fmt.Sprint("c", i)
		t.Run(v.cql, func(t *testing.T) {
			exec(t, session, fmt.Sprintf("INSERT INTO shop.types (id, %s) VALUES (1, %s)", column, v.literal))
			read := func(id int) any {
				t.Helper()
				row := make(map[string]any)
				if err := session.Query(fmt.Sprintf("SELECT %s FROM shop.types WHERE id = ?", column), id).MapScan(row); err != nil {
					t.Fatal(err)
				}
				return row[column]
			}
			first := read(1)
			if got := fmt.Sprint(first); got != v.read {
				t.Errorf("%s reads as %s, want %s", v.literal, got, v.read)
			}
			exec(t, session, fmt.Sprintf("INSERT INTO shop.types (id, %s) VALUES (?, ?)", column), 2, first)
			if second := read(2); !reflect.DeepEqual(first, second) {
				t.Errorf("%v became %v", first, second)
			}
		})
	}
	t.Run("tuple", func(t *testing.T) {
		exec(t, session, "INSERT INTO shop.types (id, pair) VALUES (?, (?, ?))", 1, 7, "seven")
		var n int
		var s string
		if err := session.Query("SELECT pair FROM shop.types WHERE id = 1").Scan(&n, &s); err != nil || n != 7 || s != "seven" {
			t.Errorf("tuple is (%d, %q) (%v)", n, s, err)
		}
	})
	t.Run("null", func(t *testing.T) {
		exec(t, session, "INSERT INTO shop.types (id) VALUES (3)")
		var text *string
		if err := session.Query("SELECT c12 FROM shop.types WHERE id = 3").Scan(&text); err != nil || text != nil {
			t.Errorf("null is %v (%v)", text, err)
		}
	})
}
