package astratest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// A description is a DESCRIBE statement, which cqlsh leaves to the node.
type description struct {
	columns []cql.Column
	rows    [][]any
}

// parseDescribe answers a DESCRIBE statement. It returns nil without an error
// when it is none.
func parseDescribe(text string, c *cluster, current string) (*description, *cql.Error) {
	l := newLexer(text)
	if !l.accept("describe") && !l.accept("desc") {
		return nil, nil
	}
	d := &describer{lexer: l, cluster: c, schema: c.schema.Load(), current: current}
	d.statement()
	d.accept(";")
	if d.err == nil && d.next.kind != tokenEnd {
		d.err = syntaxError(d.next)
	}
	if d.err != nil {
		return nil, d.err
	}
	d.result.columns = make([]cql.Column, len(d.names))
	for i, name := range d.names {
		d.result.columns[i] = cql.Column{Keyspace: "system", Table: "describe", Name: name, Type: cql.Type{Kind: cql.Text}}
	}
	return &d.result, nil
}

type describer struct {
	*lexer
	cluster *cluster
	schema  *schema
	current string // the keyspace in use

	names  []string // of the result's columns
	result description
	err    *cql.Error
}

func (d *describer) fail(format string, args ...any) {
	if d.err == nil {
		d.err = invalid(format, args...)
	}
}

func (d *describer) add(values ...any) { d.result.rows = append(d.result.rows, values) }

func (d *describer) statement() {
	d.names = []string{"keyspace_name", "type", "name"}
	switch {
	case d.accept("cluster"):
		d.names = []string{"cluster", "partitioner", "snitch"}
		d.add("cndb", partitioner[strings.LastIndexByte(partitioner, '.')+1:], "DynamicEndpointSnitch")
		return
	case d.accept("keyspaces"):
		for _, ks := range sorted(d.schema.keyspaces) {
			d.add(ks.name, "keyspace", cql.QuoteName(ks.name))
		}
		return
	case d.accept("tables"):
		d.list(func(ks *keyspace) {
			for _, t := range sorted(ks.tables) {
				d.add(ks.name, "table", cql.QuoteName(t.name))
			}
		})
		return
	case d.accept("types"):
		d.list(func(ks *keyspace) {
			for _, t := range sorted(ks.types) {
				d.add(ks.name, "type", cql.QuoteName(t.Name))
			}
		})
		return
	case d.accept("functions"), d.accept("aggregates"):
		return // there are none
	}
	d.names = append(d.names, "create_statement")
	d.elements()
}

// list lists the keyspace in use or, where there is none, all.
func (d *describer) list(of func(*keyspace)) {
	for _, ks := range sorted(d.schema.keyspaces) {
		if d.current == "" || ks.name == d.current {
			of(ks)
		}
	}
}

// elements describes what has a CREATE statement.
func (d *describer) elements() {
	full := d.accept("full")
	if d.accept("schema") {
		for _, ks := range sorted(d.schema.keyspaces) {
			if full || !isSystem(ks.name) {
				d.keyspace(ks)
			}
		}
		return
	}
	only := d.accept("only")
	kind := ""
	for _, k := range []string{"keyspace", "table", "type", "index"} {
		if d.accept(k) {
			kind = k
			break
		}
	}
	ksName, name, ok := d.qualifiedName()
	switch {
	case !ok && kind == "keyspace" && d.current != "":
		ksName, name = "", d.current
	case !ok && kind == "keyspace":
		d.fail("No keyspace specified and no current keyspace")
		return
	case !ok:
		d.err = syntaxError(d.next)
		return
	}
	if ks := d.schema.keyspaces[name]; ksName == "" && (kind == "keyspace" || kind == "") && ks != nil {
		if only {
			d.createKeyspace(ks)
		} else {
			d.keyspace(ks)
		}
		return
	}
	if ksName == "" {
		ksName = d.current
	}
	ks := d.schema.keyspaces[ksName]
	switch {
	case kind == "keyspace", kind == "" && ks == nil:
		d.fail("'%s' not found in keyspaces", name)
	case ksName == "":
		d.fail("No keyspace specified and no current keyspace")
	case ks == nil:
		d.fail("'%s' not found in keyspaces", ksName)
	default:
		d.element(ks, kind, name)
	}
}

// element describes a table, type or index, or what has this name if kind is
// empty.
func (d *describer) element(ks *keyspace, kind, name string) {
	t, isTable := ks.tables[name]
	u, isType := ks.types[name]
	switch {
	case isTable && (kind == "table" || kind == ""):
		d.table(ks, t)
	case isType && (kind == "type" || kind == ""):
		d.userType(ks, u)
	case kind == "table":
		d.fail("Table '%s' not found in keyspace '%s'", name, ks.name)
	case kind == "type":
		d.fail("User defined type '%s' not found in '%s'", name, ks.name)
	default:
		for _, t := range ks.tables {
			for _, ix := range t.indexes {
				if ix.name == name {
					d.index(ks, t, ix)
					return
				}
			}
		}
		if kind == "index" {
			d.fail("Table for existing index '%s' not found in '%s'", name, ks.name)
		} else {
			d.fail("'%s' not found in keyspace '%s'", name, ks.name)
		}
	}
}

func (d *describer) keyspace(ks *keyspace) {
	d.createKeyspace(ks)
	for _, t := range sorted(ks.types) {
		d.userType(ks, t)
	}
	for _, t := range sorted(ks.tables) {
		d.table(ks, t)
	}
}

func (d *describer) createKeyspace(ks *keyspace) {
	name := cql.QuoteName(ks.name)
	statement := fmt.Sprintf("CREATE KEYSPACE %s WITH replication = %s  AND durable_writes = %v;", name, literal(shortClass(d.cluster.replication(ks))), ks.durable)
	if ks.virtual {
		statement = "/*\nWarning: Keyspace " + name + " is a virtual keyspace and cannot be recreated with CQL.\n" +
			"Structure, for reference:\nVIRTUAL KEYSPACE " + name + ";\n*/"
	}
	d.add(ks.name, "keyspace", name, statement)
}

// shortClass leaves out the package of a replication strategy.
func shortClass(replication map[string]string) map[string]string {
	short := maps.Clone(replication)
	short["class"] = strings.TrimPrefix(short["class"], "org.apache.cassandra.locator.")
	return short
}

func (d *describer) userType(ks *keyspace, t cql.Type) {
	fields := make([]string, len(t.Fields))
	for i, field := range t.Fields {
		fields[i] = "    " + cql.QuoteName(field) + " " + t.Elements[i].String()
	}
	d.add(ks.name, "type", cql.QuoteName(t.Name),
		fmt.Sprintf("CREATE TYPE %s.%s (\n%s\n);", cql.QuoteName(ks.name), cql.QuoteName(t.Name), strings.Join(fields, ",\n")))
}

func (d *describer) index(ks *keyspace, t *table, ix index) {
	statement := fmt.Sprintf("INDEX %s ON %s.%s (%s)", cql.QuoteName(ix.name), cql.QuoteName(ks.name), cql.QuoteName(t.name), ix.options["target"])
	options := maps.Clone(ix.options)
	delete(options, "target")
	if class, ok := options["class_name"]; ok {
		delete(options, "class_name")
		statement = "CUSTOM " + statement + " USING " + literal(class)
	}
	if len(options) > 0 {
		statement += " WITH OPTIONS = " + literal(options)
	}
	d.add(ks.name, "index", cql.QuoteName(ix.name), "CREATE "+statement+";")
}

func (d *describer) table(ks *keyspace, t *table) {
	name := cql.QuoteName(ks.name) + "." + cql.QuoteName(t.name)
	statement := "TABLE " + name + " (\n" + strings.Join(t.declarations(), ",\n") + "\n) WITH " + strings.Join(t.optionTexts(ks), "\n    AND ") + ";"
	if ks.virtual {
		statement = "/*\nWarning: Table " + name + " is a virtual table and cannot be recreated with CQL.\n" +
			"Structure, for reference:\nVIRTUAL " + statement + "\n*/"
	} else {
		statement = "CREATE " + statement
	}
	d.add(ks.name, "table", cql.QuoteName(t.name), statement)
	for _, ix := range t.indexes {
		d.index(ks, t, ix)
	}
}

// declarations are the columns and the primary key of a CREATE TABLE. Columns
// of several cells come last.
func (t *table) declarations() []string {
	columns := slices.Clone(t.columns)
	slices.SortStableFunc(columns, func(a, b column) int {
		switch severalA, severalB := a.hasSeveralCells(), b.hasSeveralCells(); {
		case a.kind != b.kind || severalA == severalB:
			return 0
		case severalA:
			return 1
		}
		return -1
	})
	var texts, partition, cluster []string
	for _, c := range columns {
		text := "    " + cql.QuoteName(c.name) + " " + c.typ.String()
		switch c.kind {
		case partitionKey:
			partition = append(partition, cql.QuoteName(c.name))
		case clustering:
			cluster = append(cluster, cql.QuoteName(c.name))
		case static:
			text += " static"
		}
		texts = append(texts, text)
	}
	key := strings.Join(partition, ", ")
	switch {
	case len(partition) == 1 && cluster == nil:
		texts[0] += " PRIMARY KEY"
		return texts
	case len(partition) > 1:
		key = "(" + key + ")"
	}
	return append(texts, "    PRIMARY KEY ("+strings.Join(append([]string{key}, cluster...), ", ")+")")
}

func (c *column) hasSeveralCells() bool {
	switch c.typ.Kind {
	case cql.List, cql.Set, cql.Map, cql.UDT:
		return !c.typ.Frozen
	}
	return false
}

// optionTexts are what follows WITH.
func (t *table) optionTexts(ks *keyspace) []string {
	var texts, order []string
	for _, c := range t.columns {
		if c.kind == clustering {
			direction := " ASC"
			if c.descending {
				direction = " DESC"
			}
			order = append(order, cql.QuoteName(c.name)+direction)
		}
	}
	if order != nil {
		texts = append(texts, "CLUSTERING ORDER BY ("+strings.Join(order, ", ")+")")
	}
	if ks.virtual {
		return append(texts, "comment = "+literal(t.comment))
	}
	options := t.options()
	options["cdc"] = false
	for _, name := range slices.Sorted(maps.Keys(options)) {
		texts = append(texts, name+" = "+literal(options[name]))
	}
	return texts
}

// literal returns a value as CQL has it.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case map[string]string:
		pairs := make([]string, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, literal(key)+": "+literal(v[key]))
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	case map[string][]byte:
		return "{}" // no table has extensions
	case float64:
		if v == float64(int(v)) {
			return fmt.Sprintf("%.1f", v)
		}
	}
	return fmt.Sprint(v)
}
