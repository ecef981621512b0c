package astratest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// A plan is what nodes know of a statement in a keyspace, whether it comes by
// QUERY, PREPARE or BATCH. It is never changed.
type plan struct {
	generation int64 // of the cluster's statements; see cluster.plan
	kind       statementKind

	params       []cql.Column
	partitionKey []int
	columns      []cql.Column

	// One of these answers.
	err       *cql.Error
	use       string // the keyspace of USE
	system    *selection
	described *description
	static    *encodedRows
	fn        func(*Request) (*Result, error)
}

type statementKind int

const (
	otherStatement statementKind = iota
	readStatement
	writeStatement
)

func kindOf(text string) statementKind {
	l := newLexer(text)
	switch {
	case l.is("insert"), l.is("update"), l.is("delete"), l.is("begin"):
		return writeStatement
	case l.is("select"):
		return readStatement
	}
	return otherStatement
}

// statements are what was registered, with the plans made of it.
type statements struct {
	generation atomic.Int64 // grows with each change, here or of the schema

	mu         sync.RWMutex
	registered map[string]*registered
	plans      map[planKey]*plan
}

// A planKey has the text as the client wrote it.
type planKey struct{ keyspace, text string }

// maxPlans bounds the plans that are kept: clients choose the texts.
const maxPlans = 4096

// registered is a Statement whose types are parsed.
type registered struct {
	Statement
	params, columns []cql.Column
}

// handle registers a statement by its normalized text.
func (c *cluster) handle(text string, st Statement) error {
	s := c.schema.Load()
	r := &registered{Statement: st}
	var err error
	if r.params, err = resolve(st.Params, s, c.settings.keyspace); err != nil {
		return err
	}
	if r.columns, err = resolve(st.Columns, s, c.settings.keyspace); err != nil {
		return err
	}
	for _, i := range st.PartitionKey {
		if i < 0 || i >= len(st.Params) {
			return fmt.Errorf("index %d of PartitionKey is not one of %d Params", i, len(st.Params))
		}
	}
	if st.Func == nil {
		if _, err := encodeRows(r.columns, st.Result); err != nil {
			return err
		}
	}
	c.statements.change(func() { c.statements.registered[text] = r })
	return nil
}

// change makes a change after which all plans are made anew.
func (s *statements) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.generation.Add(1)
	clear(s.plans)
}

// plan returns what nodes know of a statement.
func (c *cluster) plan(keyspace string, text []byte) *plan {
	s := &c.statements
	generation := s.generation.Load()
	s.mu.RLock()
	p := s.plans[planKey{keyspace, string(text)}]
	s.mu.RUnlock()
	if p == nil {
		p = c.newPlan(keyspace, string(text))
		p.generation = generation
		s.keep(planKey{keyspace, string(text)}, p)
	}
	return p
}

func (s *statements) keep(key planKey, p *plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isCurrent(p) || len(key.text) > 1<<16 {
		return
	}
	if len(s.plans) >= maxPlans {
		clear(s.plans)
	}
	s.plans[key] = p
}

// isCurrent reports whether p was made after the last change.
func (s *statements) isCurrent(p *plan) bool {
	return p.generation == s.generation.Load()
}

func (c *cluster) newPlan(keyspace, text string) *plan {
	c.statements.mu.RLock()
	r := c.statements.registered[normalize(text)]
	c.statements.mu.RUnlock()
	if r != nil {
		return r.plan(keyspace, text)
	}
	p := &plan{kind: kindOf(text)}
	s := c.schema.Load()
	if p.use, p.err = parseUse(text, s); p.use != "" || p.err != nil {
		return p
	}
	if p.err = refusal(text); p.err != nil {
		return p
	}
	if p.system, p.err = parseSelect(text, s, keyspace); p.err != nil {
		return p
	}
	if p.system != nil {
		p.params, p.partitionKey, p.columns = p.system.params, p.system.partitionKey(), p.system.columns()
		return p
	}
	if p.described, p.err = parseDescribe(text, c, keyspace); p.err != nil {
		return p
	}
	if p.described != nil {
		p.columns = p.described.columns
		return p
	}
	p.err = &cql.Error{
		Code:    cql.CodeServer,
		Message: fmt.Sprintf("astratest: nothing is registered for this statement; call Server.Handle(%q, ...)", normalize(text)),
	}
	return p
}

// plan gives the columns that were registered without a table the one that
// the statement names.
func (r *registered) plan(keyspace, text string) *plan {
	ks, table := tableOf(text)
	if ks == "" {
		ks = keyspace
	}
	inTable := func(columns []cql.Column) []cql.Column {
		located := make([]cql.Column, len(columns))
		for i, c := range columns {
			if c.Keyspace == "" {
				c.Keyspace = ks
			}
			if c.Table == "" {
				c.Table = table
			}
			located[i] = c
		}
		return located
	}
	p := &plan{
		kind: kindOf(text), params: inTable(r.params), partitionKey: r.PartitionKey, columns: inTable(r.columns), fn: r.Func,
	}
	if p.fn == nil {
		var err error
		if p.static, err = encodeRows(p.columns, r.Result); err != nil {
			p.err = protocolError(err, 0) // cannot be: handle tried it
		}
	}
	return p
}

// tableOf returns the table that a statement reads or writes.
func tableOf(text string) (keyspace, name string) {
	l := newLexer(text)
	for l.next.kind != tokenEnd {
		if l.accept("from") || l.accept("into") || l.accept("update") {
			keyspace, name, _ = l.qualifiedName()
			return keyspace, name
		}
		l.take()
	}
	return "", ""
}

// parseUse returns the keyspace of a USE statement.
func parseUse(text string, s *schema) (string, *cql.Error) {
	l := newLexer(text)
	if !l.accept("use") {
		return "", nil
	}
	name, ok := l.name()
	l.accept(";")
	if !ok || l.next.kind != tokenEnd {
		return "", syntaxError(l.next)
	}
	if s.keyspaces[name] == nil {
		return "", invalid("Keyspace '%s' does not exist", name)
	}
	return name, nil
}

// refusal returns how Astra refuses a statement that it lets nobody execute.
func refusal(text string) *cql.Error {
	l := newLexer(text)
	if !l.accept("create") && !l.accept("drop") && !l.accept("alter") {
		return nil
	}
	l.accept("or", "replace")
	switch {
	case l.accept("keyspace"), l.accept("schema"):
		l.accept("if", "not", "exists")
		l.accept("if", "exists")
		name, _ := l.name()
		return &cql.Error{Code: cql.CodeUnauthorized, Message: "Missing correct permission on " + name + "."}
	case l.accept("function"), l.accept("aggregate"):
		return invalid("User-defined functions are disabled in cassandra.yaml - set enable_user_defined_functions=true to enable " +
			"if you are aware of the security risks")
	}
	return nil
}

// checkConsistency refuses levels that Astra or Cassandra does not allow.
func (p *plan) checkConsistency(level cql.Consistency) *cql.Error {
	switch p.kind {
	case writeStatement:
		return checkWriteConsistency(level)
	case readStatement:
		if level == cql.Any {
			return invalid("ANY ConsistencyLevel is only supported for writes")
		}
	}
	return nil
}

func checkWriteConsistency(level cql.Consistency) *cql.Error {
	switch level {
	case cql.Any, cql.One, cql.LocalOne:
		return invalid("Provided value %v is not allowed for Write Consistency Level (disallowed values are: [ANY, ONE, LOCAL_ONE])", level)
	}
	return nil
}
