package astratest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// A selection is a SELECT from a system table.
type selection struct {
	table     *table
	selectors []selector
	where     []condition
	limit     *term
	filtering bool

	params []cql.Column // of the bind markers, in their order
}

// A selector is a column of the result.
type selector struct {
	column string // empty: count(*)
	alias  string
	typ    cql.Type
}

// A condition restricts a column to one of some values.
type condition struct {
	column column
	terms  []term
	list   bool // the only term is a list of them: IN ?
}

// A term is a literal, already encoded, or the bind marker with this index.
type term struct {
	literal []byte
	marker  int // -1: none
}

// parseSelect parses a SELECT. It returns nil without an error when the
// statement does not read a table of a system keyspace.
func parseSelect(text string, s *schema, keyspace string) (*selection, *cql.Error) {
	p := &selectParser{lexer: newLexer(text)}
	if !p.accept("select") {
		return nil, nil
	}
	// The table comes after what is selected from it, so look there first.
	selectors := *p.lexer
	for p.next.kind != tokenEnd && !p.is("from") {
		p.take()
	}
	if !p.accept("from") {
		return nil, nil
	}
	ksName, name, ok := p.qualifiedName()
	if !ok {
		return nil, nil
	}
	if ksName == "" {
		ksName = keyspace
	}
	if !isSystem(ksName) {
		return nil, nil
	}
	if s.keyspaces[ksName] == nil {
		return nil, invalid("keyspace %s does not exist", ksName)
	}
	t, ok := s.table(ksName, name)
	if !ok {
		return nil, invalid("unconfigured table %s", name)
	}
	p.selection.table = t
	rest := *p.lexer
	*p.lexer = selectors
	p.selectors()
	*p.lexer = rest
	p.rest()
	if p.err != nil {
		return nil, p.err
	}
	return &p.selection, nil
}

func isSystem(keyspace string) bool {
	return keyspace == "system" || strings.HasPrefix(keyspace, "system_")
}

type selectParser struct {
	*lexer
	selection selection
	err       *cql.Error
}

func (p *selectParser) fail(err *cql.Error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *selectParser) failSyntax() {
	p.fail(syntaxError(p.next))
}

func (p *selectParser) column() column {
	name, ok := p.name()
	if !ok {
		p.failSyntax()
	}
	return p.find(name)
}

func (p *selectParser) find(name string) column {
	t := p.selection.table
	c, ok := t.column(name)
	if !ok {
		p.fail(invalid("Undefined column name %s in table %s.%s", name, t.keyspace, t.name))
	}
	return c
}

func (p *selectParser) selectors() {
	p.accept("distinct")
	if p.accept("*") {
		for _, c := range p.selection.table.columns {
			p.selection.selectors = append(p.selection.selectors, selector{c.name, c.name, c.typ})
		}
		return
	}
	for p.err == nil {
		var sel selector
		before := p.next
		if p.accept("count", "(") {
			if !p.accept("*") && !p.accept("1") && p.next.kind != tokenNumber {
				p.failSyntax()
			} else if p.next.kind == tokenNumber {
				p.take()
			}
			if !p.accept(")") {
				p.failSyntax()
			}
			sel = selector{"", "count", cql.Type{Kind: cql.Bigint}}
		} else {
			p.next = before
			c := p.column()
			if p.is("(") {
				p.fail(unsupported("functions in SELECT"))
			}
			sel = selector{c.name, c.name, c.typ}
		}
		if p.accept("as") {
			sel.alias, _ = p.name()
		}
		p.selection.selectors = append(p.selection.selectors, sel)
		if !p.accept(",") {
			break
		}
	}
	if !p.is("from") {
		p.failSyntax()
	}
}

// rest parses what follows the table's name.
func (p *selectParser) rest() {
	if p.accept("where") {
		p.condition()
		for p.err == nil && p.accept("and") {
			p.condition()
		}
	}
	if p.accept("order", "by") {
		p.fail(unsupported("ORDER BY"))
	}
	if p.accept("per", "partition", "limit") || p.accept("group", "by") {
		p.fail(unsupported("GROUP BY and PER PARTITION LIMIT"))
	}
	if p.accept("limit") {
		limit := p.term(cql.Type{Kind: cql.Int}, "[limit]")
		p.selection.limit = &limit
	}
	p.selection.filtering = p.accept("allow", "filtering")
	p.accept(";")
	if p.next.kind != tokenEnd {
		p.failSyntax()
	}
	p.checkFiltering()
}

func (p *selectParser) condition() {
	cond := condition{column: p.column()}
	t := cond.column.typ
	switch {
	case p.err != nil:
	case p.accept("="):
		cond.terms = []term{p.term(t, cond.column.name)}
	case p.accept("in", "("):
		for p.err == nil && !p.accept(")") {
			cond.terms = append(cond.terms, p.term(t, cond.column.name))
			if !p.accept(",") && !p.is(")") {
				p.failSyntax()
			}
		}
	case p.accept("in"):
		cond.list = true
		cond.terms = []term{p.term(cql.Type{Kind: cql.List, Elements: []cql.Type{t}}, "in("+cond.column.name+")")}
	default:
		p.fail(unsupported("conditions other than = and IN"))
	}
	for _, other := range p.selection.where {
		if other.column.name == cond.column.name {
			p.fail(invalid("%s cannot be restricted by more than one relation if it includes an Equal", other.column.name))
		}
	}
	p.selection.where = append(p.selection.where, cond)
}

// term parses a literal of type t or a bind marker, which is named name
// unless the statement names it.
func (p *selectParser) term(t cql.Type, name string) term {
	token := p.take()
	if token.kind == tokenMarker {
		if token.text != "" {
			name = token.text
		}
		of := p.selection.table
		p.selection.params = append(p.selection.params, cql.Column{Keyspace: of.keyspace, Table: of.name, Name: name, Type: t})
		return term{marker: len(p.selection.params) - 1}
	}
	literal, ok := encodeLiteral(t, token)
	if !ok {
		p.fail(invalid("Invalid constant (%s) for %q of type %v", token.text, name, t))
	}
	return term{literal: literal, marker: -1}
}

func encodeLiteral(t cql.Type, token cqlToken) ([]byte, bool) {
	var v any
	switch {
	case token.kind == tokenString:
		v = token.text
	case token.kind == tokenName && (token.text == "true" || token.text == "false"):
		v = token.text == "true"
	case token.kind != tokenNumber:
		return nil, false
	case strings.HasPrefix(token.text, "0x"):
		b, err := hex.DecodeString(token.text[2:])
		return b, err == nil && t.Kind == cql.Blob
	case len(token.text) == 36:
		v = token.text
	default:
		n, err := strconv.ParseInt(token.text, 10, 64)
		if err != nil {
			return nil, false
		}
		v = n
	}
	b, err := t.Encode(nil, v)
	return b, err == nil
}

// checkFiltering refuses what Cassandra cannot find by the primary key.
func (p *selectParser) checkFiltering() {
	if p.selection.filtering || p.err != nil {
		return
	}
	restricted := make(map[string]bool)
	for _, cond := range p.selection.where {
		restricted[cond.column.name] = true
	}
	missing := false
	for _, c := range p.selection.table.columns {
		if c.kind == partitionKey || c.kind == clustering {
			missing = missing || !restricted[c.name]
		}
		if restricted[c.name] && (missing || c.kind > clustering) {
			p.fail(invalid("Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. " +
				"If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"))
		}
	}
}

// columns returns those of the result.
func (s *selection) columns() []cql.Column {
	columns := make([]cql.Column, len(s.selectors))
	for i, sel := range s.selectors {
		columns[i] = cql.Column{Keyspace: s.table.keyspace, Table: s.table.name, Name: sel.alias, Type: sel.typ}
	}
	return columns
}

// partitionKey returns which bind markers form the partition key, or nil when
// some part of it is not bound to one.
func (s *selection) partitionKey() []int {
	var markers []int
	for _, c := range s.table.columns {
		if c.kind != partitionKey {
			break
		}
		found := false
		for _, cond := range s.where {
			if cond.column.name == c.name && !cond.list && len(cond.terms) == 1 && cond.terms[0].marker >= 0 {
				markers = append(markers, cond.terms[0].marker)
				found = true
			}
		}
		if !found {
			return nil
		}
	}
	return markers
}

// A systemRow is a row of a system table by the names of its columns.
// What is missing is null.
type systemRow map[string]any

// run returns the result's rows, already encoded.
func (s *selection) run(rows []systemRow, values []cql.Value) ([][]any, *cql.Error) {
	accepted := make([][][]byte, len(s.where))
	for i, cond := range s.where {
		var err *cql.Error
		if accepted[i], err = cond.values(values); err != nil {
			return nil, err
		}
	}
	limit := math.MaxInt32
	if s.limit != nil {
		b := s.limit.value(values)
		n, err := (cql.Type{Kind: cql.Int}).Decode(b)
		if k, ok := n.(int32); err != nil || !ok || k < 1 {
			return nil, invalid("LIMIT must be strictly positive")
		} else {
			limit = int(k)
		}
	}
	var matching []systemRow
	for _, row := range rows {
		ok := true
		for i, cond := range s.where {
			ok = ok && cond.matches(row, accepted[i])
		}
		if ok {
			matching = append(matching, row)
		}
	}
	return s.project(matching, limit), nil
}

// project picks the columns that are selected. With count(*) there is always
// one row, with the first one's values in its other columns.
func (s *selection) project(rows []systemRow, limit int) [][]any {
	counting := false
	for _, sel := range s.selectors {
		counting = counting || sel.column == ""
	}
	count := int64(len(rows))
	if counting {
		rows = append(rows, nil)[:1]
	}
	out := make([][]any, min(len(rows), limit))
	for i := range out {
		out[i] = make([]any, len(s.selectors))
		for j, sel := range s.selectors {
			if out[i][j] = rows[i][sel.column]; sel.column == "" {
				out[i][j] = count
			}
		}
	}
	return out
}

// values returns the encoded values that the condition accepts.
func (c *condition) values(bound []cql.Value) ([][]byte, *cql.Error) {
	var accepted [][]byte
	for _, t := range c.terms {
		b := t.value(bound)
		if b == nil {
			return nil, invalid("Invalid null value in condition for column %s", c.column.name)
		}
		if !c.list {
			accepted = append(accepted, b)
			continue
		}
		r := cql.NewReader(b)
		for n := r.Int(); n > 0 && r.Err() == nil; n-- {
			accepted = append(accepted, r.Bytes())
		}
		if r.Err() != nil {
			return nil, invalid("Not enough bytes to read a list")
		}
	}
	return accepted, nil
}

func (t *term) value(bound []cql.Value) []byte {
	if t.marker < 0 {
		return t.literal
	}
	return bound[t.marker].Bytes
}

func (c *condition) matches(row systemRow, accepted [][]byte) bool {
	v := row[c.column.name]
	if v == nil {
		return false
	}
	b, err := c.column.typ.Encode(nil, v)
	for _, a := range accepted {
		if err == nil && bytes.Equal(a, b) {
			return true
		}
	}
	return false
}

// syntaxError tells which token it is where parsing ended.
func syntaxError(t cqlToken) *cql.Error {
	return &cql.Error{Code: cql.CodeSyntax, Message: fmt.Sprintf("line 1:%d no viable alternative at input '%s'", t.start, t.text)}
}

func invalid(format string, args ...any) *cql.Error {
	return &cql.Error{Code: cql.CodeInvalid, Message: fmt.Sprintf(format, args...)}
}

func unsupported(what string) *cql.Error {
	return &cql.Error{Code: cql.CodeServer, Message: "astratest: system tables are simulated without " + what +
		"; register the statement with Server.Handle"}
}
