package astratest

import (
	"fmt"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// Type is a CQL type as CQL has it: "int", "list<text>", "map<text, frozen<list<int>>>", "vector<float, 3>", or the name of a user-defined
// type that [Server.DefineSchema] declared. The Go values that go with a type are, in a [Result] and in a [Request]:
//
//	type                      in a Result                              in a Request
//	ascii, text, varchar      string                                   string
//	tinyint, smallint, int    any integer type                         int8, int16, int32
//	bigint, counter           any integer type                         int64
//	varint                    any integer type, *big.Int               *big.Int
//	float, double             any number type                          float32, float64
//	decimal                   string, "-12.50"                         string
//	boolean                   bool                                     bool
//	blob                      []byte                                   []byte
//	uuid, timeuuid            string, any [16]byte type                string
//	inet                      netip.Addr, net.IP, string               netip.Addr
//	timestamp                 time.Time, any integer (milliseconds)    time.Time
//	date                      time.Time, string "2006-01-02"           time.Time
//	time                      time.Duration since midnight             time.Duration
//	duration                  string, "1mo2d3h"                        string
//	list, set, vector         any slice or array                       []any
//	map                       any map                                  map[any]any
//	tuple                     []any                                    []any
//	user-defined type         map[string]any, []any                    map[string]any
//
// Nil is null. In a Result a []byte stands for a value of any type in its encoded form.
type Type string

// Column describes a column of a result, or a bind marker.
type Column struct {
	// Keyspace and Table are, when they are empty, those that the statement names, and else the keyspace that is in use.
	Keyspace, Table string

	Name string
	Type Type
}

// resolve parses the types of columns.
func resolve(columns []Column, s *schema, keyspace string) ([]cql.Column, error) {
	resolved := make([]cql.Column, len(columns))
	for i, c := range columns {
		if c.Keyspace != "" {
			keyspace = c.Keyspace
		}
		t, err := cql.ParseType(string(c.Type), s.userType(keyspace))
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		resolved[i] = cql.Column{Keyspace: c.Keyspace, Table: c.Table, Name: c.Name, Type: t}
	}
	return resolved, nil
}
