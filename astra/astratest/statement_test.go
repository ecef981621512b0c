package astratest_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

const insertItem = "INSERT INTO items (id, name) VALUES (?, ?)"

func itemParams() []astratest.Column {
	return []astratest.Column{{Name: "id", Type: "int"}, {Name: "name", Type: "text"}}
}

func values(vs ...[]byte) []cql.Value {
	var list []cql.Value
	for _, v := range vs {
		list = append(list, cql.Value{Bytes: v})
	}
	return list
}

func TestHandleStatic(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Keyspace("shop"))
	defer s.Close()
	s.Handle("SELECT name, id FROM items\n\tWHERE id = ? ;", astratest.Statement{
		Params:       []astratest.Column{{Name: "id", Type: "int"}},
		PartitionKey: []int{0},
		Columns:      []astratest.Column{{Name: "name", Type: "text"}, {Keyspace: "other", Table: "u", Name: "id", Type: "int"}},
		Result: &astratest.Result{
			Rows:     [][]any{{"one", 1}, {nil, 2}},
			Warnings: []string{"careful"},
			Payload:  map[string][]byte{"k": {7}},
		},
	})
	n := s.Nodes()[2]
	c := connectCQL(t, s, n)
	c.expect(c.query("USE shop"), cql.OpResult)
	columns := []cql.Column{
		{Keyspace: "shop", Table: "items", Name: "name", Type: cql.Type{Kind: cql.Text}},
		{Keyspace: "other", Table: "u", Name: "id", Type: cql.Type{Kind: cql.Int}},
	}
	rows := [][]any{{"one", int32(1)}, {nil, int32(2)}}

	a := c.query("SELECT name, id FROM items WHERE id = ?", []byte{0, 0, 0, 1})
	if diff := cmp.Diff([]string{"careful"}, a.warnings) + cmp.Diff(map[string][]byte{"k": {7}}, a.payload); diff != "" {
		t.Error(diff)
	}
	rs := c.readRows(a, nil)
	if diff := cmp.Diff(columns, rs.columns) + cmp.Diff(rows, rs.rows); diff != "" {
		t.Error(diff)
	}

	p := c.prepare("  SELECT name, id  FROM items WHERE id = ?")
	want := prepared{
		id:           p.id,
		params:       []cql.Column{{Keyspace: "shop", Table: "items", Name: "id", Type: cql.Type{Kind: cql.Int}}},
		partitionKey: []int{0},
		columns:      columns,
	}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(prepared{})); diff != "" {
		t.Error(diff)
	}
	one := cql.Parameters{Values: values([]byte{0, 0, 0, 1})}
	if diff := cmp.Diff(rows, c.readRows(c.execute(p.id, one), nil).rows); diff != "" {
		t.Error(diff)
	}
	one.SkipMetadata = true
	rs = c.readRows(c.execute(p.id, one), p.columns)
	if diff := cmp.Diff(rows, rs.rows); diff != "" || rs.columns != nil {
		t.Errorf("metadata %v\n%s", rs.columns, diff)
	}
	if got := n.Queries(); got != 3 {
		t.Errorf("%d queries, want 3", got)
	}

	c.expectError(c.execute(p.id, cql.Parameters{}), cql.CodeInvalid, "there were 1 markers(?) in CQL but 0 bound variables")
	c.expectError(c.query("SELECT name, id FROM items WHERE id = ?"), cql.CodeInvalid, "Invalid amount of bind variables")
	a = c.query("SELECT name FROM items")
	c.expectError(a, cql.CodeServer, `astratest: nothing is registered for this statement; call Server.Handle("SELECT name FROM items", ...)`)
	if a := c.ask(cql.OpPrepare, cql.AppendLongString(nil, "SELECT name FROM items")); a.Opcode != cql.OpError {
		t.Errorf("PREPARE of an unknown statement: %v", a.Opcode)
	}

	// What is handled anew is handled anew for clients that have prepared it, too.
	s.Handle("SELECT name, id FROM items WHERE id = ?", astratest.Statement{
		Params:  []astratest.Column{{Name: "id", Type: "int"}},
		Columns: []astratest.Column{{Name: "name", Type: "text"}, {Name: "id", Type: "int"}},
		Result:  &astratest.Result{Rows: [][]any{{"new", 3}}},
	})
	if diff := cmp.Diff([][]any{{"new", int32(3)}}, c.readRows(c.execute(p.id, one), p.columns).rows); diff != "" {
		t.Error(diff)
	}
}

func TestHandleNothing(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	s.Handle("TRUNCATE items", astratest.Statement{})
	s.Handle("SELECT id FROM items", astratest.Statement{Columns: []astratest.Column{{Name: "id", Type: "int"}}})
	c := connectCQL(t, s, s.Nodes()[0])
	if a := c.expect(c.query("TRUNCATE items"), cql.OpResult); a.Int() != cql.ResultVoid || len(a.Rest()) != 0 {
		t.Error("the result is not void")
	}
	if rs := c.queryRows("SELECT id FROM items"); len(rs.rows) != 0 || len(rs.columns) != 1 {
		t.Errorf("got %v", rs)
	}
	p := c.prepare("TRUNCATE items")
	if p.params != nil || p.partitionKey != nil || p.columns != nil {
		t.Errorf("prepared: %+v", p)
	}
	if a := c.expect(c.execute(p.id, cql.Parameters{}), cql.OpResult); a.Int() != cql.ResultVoid {
		t.Error("the result of the prepared statement is not void")
	}
}

func TestHandlePanics(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	for name, st := range map[string]astratest.Statement{
		"type":          {Columns: []astratest.Column{{Name: "a", Type: "integer"}}},
		"no type":       {Params: []astratest.Column{{Name: "a"}}},
		"partition key": {Params: itemParams(), PartitionKey: []int{2}},
		"row":           {Columns: itemParams(), Result: &astratest.Result{Rows: [][]any{{1}}}},
		"value":         {Columns: itemParams(), Result: &astratest.Result{Rows: [][]any{{1, 2}}}},
		"no columns":    {Result: &astratest.Result{Rows: [][]any{{1}}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			s.Handle("SELECT a FROM b", st)
		}()
	}
}

func TestHandleFunc(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Keyspace("shop"))
	defer s.Close()
	s.DefineSchema("CREATE TYPE address (street text, zip int)")
	got := make(chan *astratest.Request, 1)
	s.Handle("SELECT x FROM items WHERE a = ? AND b = ? AND c = ? AND d = ?", astratest.Statement{
		Params: []astratest.Column{{Name: "a", Type: "int"}, {Name: "b", Type: "list<text>"}, {Name: "c", Type: "blob"}, {Name: "d", Type: "frozen<address>"}},
		Columns: []astratest.Column{
			{Name: "m", Type: "map<text, frozen<list<int>>>"}, {Name: "v", Type: "vector<float, 2>"}, {Name: "u", Type: "frozen<address>"},
		},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			got <- r
			return &astratest.Result{
				Rows:        [][]any{{map[string][]int{"k": {1, 2}}, []float32{1, 2}, map[string]any{"zip": 5}}},
				PagingState: []byte("next"),
			}, nil
		},
	})
	n := s.Nodes()[0]
	c := connectCQL(t, s, n)
	c.expect(c.query("USE shop"), cql.OpResult)
	address := encode(t, "tuple<text, int>", []any{"here", 7})
	text := "SELECT  x FROM items WHERE a = ? AND b = ? AND c = ? AND d = ?"
	a := c.askFlags(cql.OpQuery, cql.FlagCustomPayload, append(cql.AppendBytesMap(nil, map[string][]byte{"p": {1}}), queryBody(text, cql.Parameters{
		Consistency: cql.Two, SerialConsistency: cql.LocalSerial, PageSize: 9, PagingState: []byte("state"), Timestamp: 11,
		Values: []cql.Value{{Bytes: []byte{0, 0, 0, 1}}, {Unset: true}, {Bytes: []byte{}}, {Bytes: address}},
	})...))
	rs := c.readRows(a, nil)
	r := <-got
	want := &astratest.Request{
		Node: n, Statement: text, Keyspace: "shop", Values: []any{int32(1), nil, []byte{}, map[string]any{"street": "here", "zip": int32(7)}},
		Consistency: "TWO", SerialConsistency: "LOCAL_SERIAL", PageSize: 9, PagingState: []byte("state"), Timestamp: 11,
		Payload: map[string][]byte{"p": {1}},
	}
	if diff := cmp.Diff(want, r, cmpopts.IgnoreUnexported(astratest.Request{}), cmp.Comparer(func(a, b *astratest.Node) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	rows := [][]any{{map[any]any{"k": []any{int32(1), int32(2)}}, []any{float32(1), float32(2)}, map[string]any{"street": nil, "zip": int32(5)}}}
	if diff := cmp.Diff(rows, rs.rows) + cmp.Diff("next", string(rs.pagingState)); diff != "" {
		t.Error(diff)
	}
	if err := r.Context().Err(); err != nil {
		t.Errorf("the context ended with the answer: %v", err)
	}
	c.conn.Close()
	<-r.Context().Done()

	c = connectCQL(t, s, n)
	c.expectError(c.query(text, []byte{0}, nil, nil, nil), cql.CodeInvalid, "a: cql: 1 bytes as int: wrong length")
}

func TestHandleFuncErrors(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	var next error
	s.Handle("SELECT a FROM b", astratest.Statement{
		Columns: []astratest.Column{{Name: "a", Type: "int"}},
		Func: func(*astratest.Request) (*astratest.Result, error) {
			return &astratest.Result{Rows: [][]any{{"x"}}}, next
		},
	})
	c := connectCQL(t, s, s.Nodes()[0])
	for _, test := range []struct {
		err  error
		want cql.Error
	}{
		{errors.New("oops"), cql.Error{Code: cql.CodeServer, Message: "oops"}},
		{nil, cql.Error{Code: cql.CodeServer, Message: "astratest: row 0, column a of the result: cql: a Go string is no value of type int: wrong Go type"}},
		{fmt.Errorf("wrapped: %w", &astratest.Error{Code: cql.CodeOverloaded, Message: "slow down"}), cql.Error{Code: cql.CodeOverloaded, Message: "slow down"}},
		{&astratest.Error{Code: cql.CodeUnavailable, Required: 2, Received: 1}, cql.Error{Code: cql.CodeUnavailable, Consistency: cql.LocalQuorum, Required: 2, Received: 1}},
		{&astratest.Error{Code: cql.CodeWriteTimeout, Required: 2}, cql.Error{Code: cql.CodeWriteTimeout, Consistency: cql.LocalQuorum, Required: 2, WriteType: "SIMPLE"}},
		{&astratest.Error{Code: cql.CodeReadFailure, Failures: 1, DataPresent: true}, cql.Error{Code: cql.CodeReadFailure, Consistency: cql.LocalQuorum, Failures: 1, DataPresent: true}},
		{&astratest.Error{Code: cql.CodeAlreadyExists, Keyspace: "ks", Table: "t"}, cql.Error{Code: cql.CodeAlreadyExists, Keyspace: "ks", Name: "t"}},
	} {
		next = test.err
		a := c.expect(c.query("SELECT a FROM b"), cql.OpError)
		if diff := cmp.Diff(&test.want, a.ErrorMessage()); diff != "" || a.Err() != nil {
			t.Errorf("%v: %v\n%s", test.err, a.Err(), diff)
		}
	}
	if got := (&astratest.Error{Code: 0x1001, Message: "x"}).Error(); got != "CQL error 0x1001: x" {
		t.Error(got)
	}
}

// A function that waits holds up neither other requests on its connection nor Close.
func TestHandleFuncWaits(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	entered := make(chan bool)
	s.Handle("SELECT a FROM slow", astratest.Statement{
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			entered <- true
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
	})
	c := connectCQL(t, s, s.Nodes()[0])
	c.send(cql.Header{Stream: 100, Opcode: cql.OpQuery}, queryBody("SELECT a FROM slow", cql.Parameters{}))
	<-entered
	c.queryRows("SELECT key FROM system.local")
	s.Close()
}

func TestPaging(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	var rows [][]any
	for i := range 10 {
		rows = append(rows, []any{i})
	}
	columns := []astratest.Column{{Name: "a", Type: "int"}}
	s.Handle("SELECT a FROM static", astratest.Statement{Columns: columns, Result: &astratest.Result{Rows: rows}})
	s.Handle("SELECT a FROM func", astratest.Statement{Columns: columns, Func: func(*astratest.Request) (*astratest.Result, error) {
		return &astratest.Result{Rows: rows}, nil
	}})
	s.Handle("SELECT a FROM own", astratest.Statement{Columns: columns, Func: func(r *astratest.Request) (*astratest.Result, error) {
		if r.PagingState == nil {
			return &astratest.Result{Rows: rows[:7], PagingState: []byte("more")}, nil // more than the page size
		}
		return &astratest.Result{Rows: rows[7:]}, nil
	}})
	n := s.Nodes()[0]
	c := connectCQL(t, s, n)
	for table, want := range map[string][]int{"static": {4, 4, 2}, "func": {4, 4, 2}, "own": {7, 3}} {
		p := c.prepare("SELECT a FROM " + table)
		var sizes []int
		var got []any
		params := cql.Parameters{PageSize: 4, SkipMetadata: true}
		for more := true; more; more = params.PagingState != nil {
			rs := c.readRows(c.execute(p.id, params), p.columns)
			sizes = append(sizes, len(rs.rows))
			for _, row := range rs.rows {
				got = append(got, row[0])
			}
			params.PagingState = rs.pagingState
		}
		all := make([]any, 10)
		for i := range all {
			all[i] = int32(i)
		}
		if !slices.Equal(sizes, want) || !slices.Equal(got, all) {
			t.Errorf("%s: pages of %v rows, want %v; rows %v", table, sizes, want, got)
		}
	}
	if got := n.Queries(); got != 8 {
		t.Errorf("%d queries, want 8", got)
	}
	for _, size := range []int{10, 11, -1} {
		if rs := c.readRows(c.ask(cql.OpQuery, queryBody("SELECT a FROM static", cql.Parameters{PageSize: size})), nil); len(rs.rows) != 10 || rs.pagingState != nil {
			t.Errorf("page size %d: %d rows, state %q", size, len(rs.rows), rs.pagingState)
		}
	}
	for _, state := range []string{"garbage", "astratest", "astratest\xff\xff\xff\xff\xff", "more"} {
		a := c.ask(cql.OpQuery, queryBody("SELECT a FROM static", cql.Parameters{PageSize: 4, PagingState: []byte(state)}))
		c.expectError(a, cql.CodeProtocol, "Invalid value for the paging state")
	}
	end := c.ask(cql.OpQuery, queryBody("SELECT a FROM static", cql.Parameters{PageSize: 4, PagingState: []byte("astratest\xff\xff\xff\xff")}))
	if rs := c.readRows(end, nil); len(rs.rows) != 0 {
		t.Errorf("beyond the end: %v", rs.rows)
	}
}

func TestPrepareByNode(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	s.Handle(insertItem, astratest.Statement{Params: itemParams()})
	nodes := s.Nodes()
	a, b := connectCQL(t, s, nodes[0]), connectCQL(t, s, nodes[1])
	p := a.prepare(insertItem)
	params := cql.Parameters{Consistency: cql.LocalQuorum, Values: values(nil, nil)}
	for _, c := range []*cqlClient{b, a} {
		answer := c.execute(p.id, params)
		if c == a {
			c.expect(answer, cql.OpResult)
			continue
		}
		e := answer.ErrorMessage()
		if e.Code != cql.CodeUnprepared || !slices.Equal(e.StatementID, p.id) {
			t.Errorf("a node that has not prepared the statement: %v of %x", e, e.StatementID)
		}
		if q := c.prepare(insertItem); !slices.Equal(p.id, q.id) {
			t.Errorf("ID %x, and %x at another node", p.id, q.id)
		}
		c.expect(c.execute(p.id, params), cql.OpResult)
	}
	if e := a.execute([]byte("short"), params).ErrorMessage(); e.Code != cql.CodeUnprepared {
		t.Errorf("an ID of five bytes: %v", e)
	}
	a.expect(a.query("USE default_keyspace"), cql.OpResult)
	if q := a.prepare(insertItem); slices.Equal(p.id, q.id) || q.params[0].Keyspace != "default_keyspace" {
		t.Errorf("in a keyspace, the statement has ID %x and params %v", q.id, q.params)
	}

	// A restarted node still knows it, one that took its place does not.
	nodes[0].Stop()
	nodes[0].Start()
	c := connectCQL(t, s, nodes[0])
	c.expect(c.execute(p.id, params), cql.OpResult)
	c = connectCQL(t, s, s.ReplaceNodes(astratest.Replacement{Nodes: []int{0}})[0])
	if e := c.execute(p.id, params).ErrorMessage(); e.Code != cql.CodeUnprepared {
		t.Errorf("a new node: %v", e)
	}
}

func TestUse(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Keyspace("Shop"))
	defer s.Close()
	s.DefineSchema("CREATE KEYSPACE plain")
	c := connectCQL(t, s, s.Nodes()[0])
	for text, keyspace := range map[string]string{`USE "Shop"`: "Shop", "use PLAIN;": "plain", `USE "plain"`: "plain", "USE system": "system"} {
		a := c.expect(c.query(text), cql.OpResult)
		if kind, name := a.Int(), a.ShortString(); kind != cql.ResultSetKeyspace || name != keyspace {
			t.Errorf("%s: kind %d, keyspace %q", text, kind, name)
		}
	}
	c.expect(c.query("USE system"), cql.OpResult)
	c.queryRows("SELECT key FROM local")
	c.expectError(c.query("USE nope"), cql.CodeInvalid, "Keyspace 'nope' does not exist")
	c.expectError(c.query(`USE "PLAIN"`), cql.CodeInvalid, "Keyspace 'PLAIN' does not exist")
	c.expectError(c.query("USE"), cql.CodeSyntax, "line 1:3 no viable alternative at input ''")
	c.queryRows("SELECT key FROM local") // still in system
}

func TestBatch(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	var mu sync.Mutex
	var calls []string
	s.Handle(insertItem, astratest.Statement{Params: itemParams(), Func: func(r *astratest.Request) (*astratest.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, fmt.Sprintln(r.Values, r.Batch, r.Consistency, r.Timestamp))
		if r.Values[0] == int32(13) {
			return nil, &astratest.Error{Code: cql.CodeInvalid, Message: "unlucky"}
		}
		return nil, nil
	}})
	s.Handle("DELETE FROM items WHERE id = 1", astratest.Statement{})
	s.Handle("UPDATE items SET name = 'x' WHERE id = 1 IF EXISTS", astratest.Statement{
		Columns: []astratest.Column{{Name: "[applied]", Type: "boolean"}},
		Result:  &astratest.Result{Rows: [][]any{{true}}},
	})
	s.Handle("SELECT a FROM b", astratest.Statement{})
	n := s.Nodes()[0]
	c := connectCQL(t, s, n)
	p := c.prepare(insertItem)
	insert := func(id byte) cql.BatchEntry {
		return cql.BatchEntry{ID: p.id, Values: values([]byte{0, 0, 0, id}, []byte("x"))}
	}
	plain := func(text string, vs ...[]byte) cql.BatchEntry {
		return cql.BatchEntry{Statement: []byte(text), Values: values(vs...)}
	}
	params := cql.Parameters{Consistency: cql.LocalQuorum, Timestamp: 5}
	batch := func(kind byte, entries ...cql.BatchEntry) answer {
		return c.ask(cql.OpBatch, cql.AppendBatch(nil, kind, entries, &params))
	}
	for kind := range byte(3) {
		calls = nil
		if a := c.expect(batch(kind, insert(1), plain(insertItem, []byte{0, 0, 0, 2}, nil), plain("DELETE FROM items WHERE id = 1")), cql.OpResult); a.Int() != cql.ResultVoid {
			t.Errorf("kind %d: the result is not void", kind)
		}
		if diff := cmp.Diff([]string{"[1 x] true LOCAL_QUORUM 5\n", "[2 <nil>] true LOCAL_QUORUM 5\n"}, calls); diff != "" {
			t.Errorf("kind %d:\n%s", kind, diff)
		}
	}
	if got := n.Queries(); got != 9 {
		t.Errorf("%d queries, want 9", got)
	}
	c.expect(batch(0), cql.OpResult)
	conditional := c.readRows(batch(0, plain("DELETE FROM items WHERE id = 1"), plain("UPDATE items SET name = 'x' WHERE id = 1 IF EXISTS")), nil)
	if diff := cmp.Diff([][]any{{true}}, conditional.rows); diff != "" {
		t.Error(diff)
	}

	calls = nil
	c.expectError(batch(9), cql.CodeProtocol, "Invalid BATCH message type 9")
	c.expectError(batch(0, insert(1), plain("SELECT a FROM b")), cql.CodeInvalid, "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
	c.expectError(batch(0, insert(1), plain("SELECT key FROM system.local")), cql.CodeInvalid, "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
	c.expectError(batch(0, insert(1), plain("USE system")), cql.CodeInvalid, "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
	c.expectError(batch(0, insert(1), plain("DESCRIBE KEYSPACES")), cql.CodeInvalid, "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
	c.expectError(batch(0, insert(1), plain(insertItem)), cql.CodeInvalid, "There were 2 markers(?) in CQL but 0 bound variables")
	c.expectError(batch(0, insert(1), plain(insertItem, []byte{1}, nil)), cql.CodeInvalid, "id: cql: 1 bytes as int: wrong length")
	c.expectError(batch(0, insert(1), plain("DELETE FROM nothing")), cql.CodeServer, `astratest: nothing is registered for this statement; call Server.Handle("DELETE FROM nothing", ...)`)
	if e := batch(0, insert(1), cql.BatchEntry{ID: []byte("0123456789abcdef")}).ErrorMessage(); e.Code != cql.CodeUnprepared || string(e.StatementID) != "0123456789abcdef" {
		t.Errorf("a batch of an unknown ID: %v", e)
	}
	if calls != nil {
		t.Errorf("batches that were refused called %v", calls)
	}
	c.expectError(batch(0, insert(1), insert(13), insert(3)), cql.CodeInvalid, "unlucky")
	if len(calls) != 2 {
		t.Errorf("a batch that failed called %v", calls)
	}
}

// What Astra refuses.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	c := connectCQL(t, s, s.Nodes()[0])
	for text, name := range map[string]string{
		"CREATE KEYSPACE IF NOT EXISTS demo WITH replication = {}": "demo", "create schema Demo": "demo", `DROP KEYSPACE IF EXISTS "Demo"`: "Demo",
		"ALTER KEYSPACE x WITH durable_writes = true": "x",
	} {
		c.expectError(c.query(text), cql.CodeUnauthorized, "Missing correct permission on "+name+".")
	}
	for _, text := range []string{
		"CREATE FUNCTION f (a int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS $$ return a; $$", "CREATE OR REPLACE AGGREGATE a (int) SFUNC f STYPE int", "DROP FUNCTION f",
	} {
		a := c.query(text)
		if e := a.ErrorMessage(); a.Opcode != cql.OpError || e.Code != cql.CodeInvalid {
			t.Errorf("%s: %v", text, a.Opcode)
		}
	}

	write := []string{insertItem, "UPDATE items SET name = ? WHERE id = ?", "DELETE FROM items WHERE id = ?", "BEGIN BATCH INSERT INTO items (id) VALUES (1) APPLY BATCH"}
	for _, text := range write {
		s.Handle(text, astratest.Statement{})
	}
	s.Handle("SELECT a FROM b", astratest.Statement{})
	for level := cql.One; level.Valid(); level++ {
		refused := level == cql.One || level == cql.LocalOne
		const message = "Provided value %v is not allowed for Write Consistency Level (disallowed values are: [ANY, ONE, LOCAL_ONE])"
		for _, text := range write {
			p := c.prepare(text)
			for _, a := range []answer{
				c.ask(cql.OpQuery, queryBody(text, cql.Parameters{Consistency: level})),
				c.execute(p.id, cql.Parameters{Consistency: level}),
				c.ask(cql.OpBatch, cql.AppendBatch(nil, 0, []cql.BatchEntry{{ID: p.id}}, &cql.Parameters{Consistency: level})),
			} {
				if refused {
					c.expectError(a, cql.CodeInvalid, fmt.Sprintf(message, level))
				} else {
					c.expect(a, cql.OpResult)
				}
			}
		}
		c.expect(c.ask(cql.OpQuery, queryBody("SELECT a FROM b", cql.Parameters{Consistency: level})), cql.OpResult)
	}
	any := cql.AppendParameters(cql.AppendLongString(nil, insertItem), &cql.Parameters{Consistency: cql.Any})
	c.expectError(c.ask(cql.OpQuery, any), cql.CodeInvalid, "Provided value ANY is not allowed for Write Consistency Level (disallowed values are: [ANY, ONE, LOCAL_ONE])")
	// The level is what is wrong with a write that nobody registered, too.
	c.expectError(c.ask(cql.OpQuery, queryBody("INSERT INTO x (y) VALUES (1)", cql.Parameters{Consistency: cql.One})), cql.CodeInvalid,
		"Provided value ONE is not allowed for Write Consistency Level (disallowed values are: [ANY, ONE, LOCAL_ONE])")
}

func TestTracing(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	s.Handle(insertItem, astratest.Statement{Params: itemParams()})
	n := s.Nodes()[1]
	c := connectCQL(t, s, n)
	a := c.askFlags(cql.OpQuery, cql.FlagTracing, queryBody(insertItem, cql.Parameters{Consistency: cql.LocalQuorum, Values: values(nil, nil)}))
	c.expect(a, cql.OpResult)
	if a.trace == [16]byte{} {
		t.Fatal("the answer has no trace ID")
	}
	session := c.queryRows("SELECT coordinator, duration, request FROM system_traces.sessions WHERE session_id = ?", a.trace[:]).rows
	if len(session) != 1 || session[0][0] != n.Addr() || session[0][1] == nil || session[0][2] != insertItem {
		t.Errorf("sessions: %v", session)
	}
	if events := c.queryRows("SELECT activity FROM system_traces.events WHERE session_id = ?", a.trace[:]).rows; len(events) != 1 {
		t.Errorf("events: %v", events)
	}
	for op, body := range map[cql.Opcode][]byte{
		cql.OpOptions: nil, // not traced
		cql.OpPrepare: cql.AppendLongString(nil, insertItem),
		cql.OpQuery:   queryBody("SELECT key FROM system.local", cql.Parameters{}),
	} {
		if a := c.askFlags(op, cql.FlagTracing, body); (a.trace != [16]byte{}) != (op != cql.OpOptions) {
			t.Errorf("%v: trace ID %x", op, a.trace)
		}
	}
}

func TestOverloaded(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	s.Handle(insertItem, astratest.Statement{Params: itemParams()})
	c := connectCQL(t, s, s.Nodes()[0])
	p := c.prepare(insertItem)
	s.SetOverloaded(true)
	params := cql.Parameters{Consistency: cql.LocalQuorum, Values: values(nil, nil)}
	for _, a := range []answer{
		c.execute(p.id, params), c.query(insertItem), c.query("SELECT key FROM system.local"),
		c.ask(cql.OpPrepare, cql.AppendLongString(nil, insertItem)), c.ask(cql.OpBatch, cql.AppendBatch(nil, 0, nil, &params)),
	} {
		c.expectError(a, cql.CodeOverloaded, "Rate limit reached, please consult astra.dev/rate-limit")
	}
	c.expect(c.ask(cql.OpOptions, nil), cql.OpSupported)
	s.SetOverloaded(false)
	c.expect(c.execute(p.id, params), cql.OpResult)
}
