package astratest

import (
	"cmp"
	"crypto/md5"
	"maps"
	"slices"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// A schema is what a cluster's schema tables tell. It is never changed: each
// change makes another one.
type schema struct {
	keyspaces map[string]*keyspace
	version   [16]byte
}

type keyspace struct {
	name        string
	virtual     bool              // told by system_virtual_schema
	replication map[string]string // nil: on every datacenter's nodes, as Astra does it
	durable     bool
	tables      map[string]*table
	types       map[string]cql.Type
}

type table struct {
	keyspace, name string
	id             [16]byte
	columns        []column // in the order of SELECT *
	indexes        []index
	comment        string
	gcGrace        int // seconds
	timeToLive     int // seconds
}

type column struct {
	name       string
	typ        cql.Type
	kind       columnKind
	position   int // in the partition or clustering key, else -1
	descending bool
}

// columnKind orders columns as SELECT * does.
type columnKind int

const (
	partitionKey columnKind = iota
	clustering
	static
	regular
)

func (k columnKind) String() string {
	return [...]string{"partition_key", "clustering", "static", "regular"}[k]
}

type index struct {
	name    string
	kind    string // "COMPOSITES" or "CUSTOM"
	options map[string]string
}

// clone returns a schema that may be changed, down to the keyspaces' maps.
func (s *schema) clone() *schema {
	c := &schema{keyspaces: make(map[string]*keyspace, len(s.keyspaces)), version: s.version}
	for name, ks := range s.keyspaces {
		k := *ks
		k.tables, k.types = maps.Clone(ks.tables), maps.Clone(ks.types)
		c.keyspaces[name] = &k
	}
	return c
}

func (s *schema) table(keyspace, name string) (*table, bool) {
	ks, ok := s.keyspaces[keyspace]
	if !ok {
		return nil, false
	}
	t, ok := ks.tables[name]
	return t, ok
}

// userType returns a function that finds user-defined types for
// [cql.ParseType]; keyspace is that of names without one.
func (s *schema) userType(keyspace string) func(string, string) (cql.Type, bool) {
	return func(ks, name string) (cql.Type, bool) {
		if ks == "" {
			ks = keyspace
		}
		if k, ok := s.keyspaces[ks]; ok {
			t, ok := k.types[name]
			return t, ok
		}
		return cql.Type{}, false
	}
}

func (t *table) column(name string) (column, bool) {
	for _, c := range t.columns {
		if c.name == name {
			return c, true
		}
	}
	return column{}, false
}

// sortColumns brings columns into the order of SELECT *.
func (t *table) sortColumns() {
	slices.SortFunc(t.columns, func(a, b column) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.position, b.position), cmp.Compare(a.name, b.name))
	})
}

// tableID returns an ID that depends on nothing but the table's name, which
// is how Cassandra makes those of its own tables.
func tableID(keyspace, name string) [16]byte {
	id := md5.Sum([]byte(keyspace + name))
	id[6] = id[6]&0x0f | 0x30
	id[8] = id[8]&0x3f | 0x80
	return id
}

// sorted returns the values of a map in the order of its keys.
func sorted[V any](m map[string]V) []V {
	values := make([]V, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		values = append(values, m[key])
	}
	return values
}
