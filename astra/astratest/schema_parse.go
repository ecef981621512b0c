package astratest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// define adds what the CREATE statements of a CQL text declare to s, which
// must be a clone. Names without a keyspace belong to the one that a USE
// before them names, or else to keyspace. It returns what clients are told.
func (s *schema) define(text, keyspace string) ([]cql.Event, error) {
	p := &schemaParser{lexer: newLexer(text), schema: s, keyspace: keyspace}
	for p.err == nil && p.next.kind != tokenEnd {
		if p.accept(";") {
			continue
		}
		p.statement()
	}
	return p.changes, p.err
}

type schemaParser struct {
	*lexer
	schema   *schema
	keyspace string
	changes  []cql.Event
	err      error
}

func (p *schemaParser) fail(format string, args ...any) {
	if p.err == nil {
		line := 1 + strings.Count(p.text[:p.next.end], "\n")
		p.err = fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...))
	}
}

func (p *schemaParser) expect(words ...string) {
	if p.err == nil && !p.accept(words...) {
		p.fail("%s expected instead of %q", strings.Join(words, " "), p.next.text)
	}
}

func (p *schemaParser) expectName() string {
	name, ok := p.name()
	if !ok {
		p.failName()
	}
	return name
}

func (p *schemaParser) failName() {
	if p.next.kind == tokenName {
		p.fail("a name expected instead of %s, a reserved word, which can be one in double quotes only", strings.ToUpper(p.next.text))
		return
	}
	p.fail("a name expected instead of %q", p.next.text)
}

// element consumes the name of something in a keyspace, which must exist.
func (p *schemaParser) element() (*keyspace, string) {
	ksName, name, ok := p.qualifiedName()
	if !ok {
		p.failName()
		return nil, ""
	}
	if ksName == "" {
		ksName = p.keyspace
	}
	ks := p.schema.keyspaces[ksName]
	if ks == nil {
		p.fail("keyspace %q of %s does not exist", ksName, name)
	}
	return ks, name
}

func (p *schemaParser) statement() {
	if p.accept("use") {
		p.keyspace = p.expectName()
		return
	}
	p.expect("create")
	custom := p.accept("custom")
	what := p.take().text
	if what == "columnfamily" {
		what = "table"
	}
	p.accept("if", "not", "exists")
	switch what {
	case "keyspace":
		p.createKeyspace()
	case "table":
		p.createTable()
	case "type":
		p.createType()
	case "index":
		p.createIndex(custom)
	default:
		p.fail("CREATE %s cannot be simulated; only KEYSPACE, TABLE, TYPE and INDEX can", strings.ToUpper(what))
	}
	if p.err == nil && p.next.kind != tokenEnd {
		p.expect(";")
	}
}

// changed notes what clients are told. A new index is a change of its table.
func (p *schemaParser) changed(change string, what cql.Schema) {
	p.changes = append(p.changes, cql.Event{Kind: cql.SchemaChange, Change: change, Schema: what})
}

func (p *schemaParser) createKeyspace() {
	ks := &keyspace{name: p.expectName(), durable: true, tables: make(map[string]*table), types: make(map[string]cql.Type)}
	for name, value := range p.options() {
		switch name {
		case "replication":
			ks.replication = value.pairs
		case "durable_writes":
			ks.durable = value.text != "false"
		case "virtual": // only in system.cql
			ks.virtual = true
		}
	}
	if p.err != nil {
		return
	}
	if class, ok := ks.replication["class"]; ok && !strings.Contains(class, ".") {
		ks.replication["class"] = "org.apache.cassandra.locator." + class
	}
	if p.schema.keyspaces[ks.name] == nil {
		p.schema.keyspaces[ks.name] = ks
		p.changed("CREATED", cql.Schema{Target: "KEYSPACE", Keyspace: ks.name})
	}
}

func (p *schemaParser) createType() {
	ks, name := p.element()
	if ks == nil {
		return
	}
	t := cql.Type{Kind: cql.UDT, Keyspace: ks.name, Name: name}
	p.expect("(")
	for p.err == nil {
		t.Fields = append(t.Fields, p.expectName())
		t.Elements = append(t.Elements, p.typ(ks.name))
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	if _, exists := ks.types[name]; p.err == nil && !exists {
		ks.types[name] = t
		p.changed("CREATED", cql.Schema{Target: "TYPE", Keyspace: ks.name, Name: name})
	}
}

// typ consumes a type: everything up to a comma, a closing parenthesis or a
// keyword that is not within angle brackets.
func (p *schemaParser) typ(keyspace string) cql.Type {
	start := p.next.start
	end := start
	for depth := 0; p.next.kind != tokenEnd; {
		if depth == 0 && end > start && !p.is("<") && !p.is(".") && !strings.HasSuffix(p.text[start:end], ".") {
			break
		}
		switch {
		case p.is("<"):
			depth++
		case p.is(">"):
			depth--
		}
		end = p.take().end
	}
	t, err := cql.ParseType(p.text[start:end], p.schema.userType(keyspace))
	if err != nil {
		p.fail("%v", err)
	}
	if t.Kind == cql.Tuple {
		t.Frozen = true // always, whether it says so or not
	}
	return t
}

func (p *schemaParser) createTable() {
	ks, name := p.element()
	if ks == nil {
		return
	}
	t := &table{keyspace: ks.name, name: name, id: tableID(ks.name, name), gcGrace: 864000}
	var partition, cluster []string
	p.expect("(")
	for p.err == nil {
		if p.accept("primary", "key") {
			partition, cluster = p.primaryKey()
		} else {
			c := column{name: p.expectName(), kind: regular, position: -1}
			c.typ = p.typ(ks.name)
			if p.accept("static") {
				c.kind = static
			}
			if p.accept("primary", "key") {
				partition = []string{c.name}
			}
			if _, twice := t.column(c.name); twice {
				p.fail("column %s is declared twice", c.name)
			}
			t.columns = append(t.columns, c)
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	if len(partition) == 0 {
		p.fail("table %s has no primary key", name)
	}
	p.setKind(t, partition, partitionKey)
	p.setKind(t, cluster, clustering)
	p.tableOptions(t)
	t.sortColumns()
	if p.err == nil && ks.tables[name] == nil {
		ks.tables[name] = t
		p.changed("CREATED", cql.Schema{Target: "TABLE", Keyspace: ks.name, Name: name})
	}
}

// primaryKey consumes what follows PRIMARY KEY.
func (p *schemaParser) primaryKey() (partition, cluster []string) {
	p.expect("(")
	if p.accept("(") {
		partition = p.names()
		p.expect(")")
	} else {
		partition = []string{p.expectName()}
	}
	if p.accept(",") {
		cluster = p.names()
	}
	p.expect(")")
	return partition, cluster
}

func (p *schemaParser) names() []string {
	names := []string{p.expectName()}
	for p.err == nil && p.accept(",") {
		names = append(names, p.expectName())
	}
	return names
}

func (p *schemaParser) setKind(t *table, names []string, kind columnKind) {
	for position, name := range names {
		found := false
		for i := range t.columns {
			if c := &t.columns[i]; c.name == name {
				c.kind, c.position, found = kind, position, true
			}
		}
		if !found {
			p.fail("column %s of the primary key is not declared", name)
		}
	}
}

// tableOptions consumes WITH and what follows it.
func (p *schemaParser) tableOptions(t *table) {
	for name, value := range p.options() {
		n, _ := strconv.Atoi(value.text)
		switch name {
		case "comment":
			t.comment = value.text
		case "gc_grace_seconds":
			t.gcGrace = n
		case "default_time_to_live":
			t.timeToLive = n
		case "clustering order":
			for i := range t.columns {
				t.columns[i].descending = value.pairs[t.columns[i].name] == "desc"
			}
		}
	}
}

func (p *schemaParser) createIndex(custom bool) {
	name := ""
	if !p.is("on") {
		name = p.expectName()
	}
	p.expect("on")
	ks, tableName := p.element()
	if ks == nil {
		return
	}
	t := ks.tables[tableName]
	if t == nil {
		p.fail("table %s.%s does not exist", ks.name, tableName)
		return
	}
	start := p.next.end
	p.expect("(")
	depth := 1
	end := start
	for p.err == nil {
		if p.next.kind == tokenEnd {
			p.fail(") expected")
		}
		if p.is("(") {
			depth++
		}
		if p.is(")") {
			if depth--; depth == 0 {
				end = p.next.end - 1
				break
			}
		}
		p.take()
	}
	p.expect(")")
	target := strings.TrimSpace(p.text[start:end])
	ix := index{name: name, kind: "COMPOSITES", options: map[string]string{"target": target}}
	if name == "" {
		ofColumn := target[strings.IndexByte(target, '(')+1:] // in keys(c) and the like
		ix.name = tableName + "_" + strings.Trim(ofColumn, `") `) + "_idx"
	}
	if p.accept("using") {
		ix.kind = "CUSTOM"
		ix.options["class_name"] = p.take().text
	} else if custom {
		p.fail("a custom index needs USING")
	}
	for option, value := range p.options() {
		if option == "options" {
			for k, v := range value.pairs {
				ix.options[k] = v
			}
		}
	}
	if p.err == nil {
		changed := *t
		changed.indexes = append(changed.indexes[:len(changed.indexes):len(changed.indexes)], ix)
		ks.tables[tableName] = &changed
		p.changed("UPDATED", cql.Schema{Target: "TABLE", Keyspace: ks.name, Name: tableName})
	}
}

// An option is the value of name = value: a scalar or a map. The pairs of
// CLUSTERING ORDER BY are those of a map too.
type option struct {
	text  string
	pairs map[string]string
}

// options consumes WITH and what follows it, if that is next.
func (p *schemaParser) options() map[string]option {
	options := make(map[string]option)
	if !p.accept("with") {
		return options
	}
	for p.err == nil {
		if p.accept("clustering", "order", "by") {
			options["clustering order"] = option{pairs: p.clusteringOrder()}
		} else if p.accept("compact", "storage") {
			p.fail("COMPACT STORAGE cannot be simulated")
		} else {
			name := p.expectName()
			p.expect("=")
			if p.accept("{") {
				options[name] = option{pairs: p.pairs()}
			} else {
				options[name] = option{text: p.take().text}
			}
		}
		if !p.accept("and") {
			break
		}
	}
	return options
}

func (p *schemaParser) pairs() map[string]string {
	pairs := make(map[string]string)
	for p.err == nil && !p.accept("}") {
		key := p.take().text
		p.expect(":")
		pairs[key] = p.take().text
		if !p.accept(",") && !p.is("}") {
			p.fail("} expected instead of %q", p.next.text)
		}
	}
	return pairs
}

func (p *schemaParser) clusteringOrder() map[string]string {
	order := make(map[string]string)
	p.expect("(")
	for p.err == nil {
		name := p.expectName()
		order[name] = "asc"
		if p.accept("desc") {
			order[name] = "desc"
		} else {
			p.accept("asc")
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return order
}
