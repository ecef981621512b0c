package astratest_test

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// A cqlClient speaks the native protocol frame by frame. It has one request under way at a time.
type cqlClient struct {
	t      *testing.T
	conn   *tls.Conn
	stream int16
}

// An answer is a frame that a node sent, without what its flags announce.
type answer struct {
	cql.Header
	*cql.Reader
	trace    [16]byte
	warnings []string
	payload  map[string][]byte
}

func dialCQL(t *testing.T, s *astratest.Server, n *astratest.Node) *cqlClient {
	t.Helper()
	return &cqlClient{t: t, conn: dial(t, s, n.HostID())}
}

// connectCQL returns a client that is ready for statements.
func connectCQL(t *testing.T, s *astratest.Server, n *astratest.Node) *cqlClient {
	t.Helper()
	c := dialCQL(t, s, n)
	c.expect(c.ask(cql.OpStartup, cql.AppendStringMap(nil, map[string]string{"CQL_VERSION": "3.0.0"})), cql.OpAuthenticate)
	username, password := s.Token().CQL()
	c.expect(c.ask(cql.OpAuthResponse, cql.AppendBytes(nil, []byte("\x00"+username+"\x00"+password))), cql.OpAuthSuccess)
	return c
}

func (c *cqlClient) send(h cql.Header, body []byte) {
	c.t.Helper()
	if h.Version == 0 {
		h.Version = cql.Version
	}
	frame := append(cql.AppendHeader(nil, h), body...)
	cql.FinishFrame(frame)
	c.write(frame)
}

func (c *cqlClient) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cqlClient) receive() answer {
	c.t.Helper()
	a, err := c.tryReceive()
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *cqlClient) tryReceive() (a answer, err error) {
	c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	var header [cql.HeaderSize]byte
	if _, err := io.ReadFull(c.conn, header[:]); err != nil {
		return a, err
	}
	a.Header = cql.ParseHeader(&header)
	body := make([]byte, a.Length)
	if _, err := io.ReadFull(c.conn, body); err != nil {
		return a, err
	}
	a.Reader = cql.NewReader(body)
	if a.Flags&cql.FlagTracing != 0 {
		a.trace = a.UUID()
	}
	if a.Flags&cql.FlagWarning != 0 {
		a.warnings = a.StringList()
	}
	if a.Flags&cql.FlagCustomPayload != 0 {
		a.payload = a.BytesMap()
	}
	return a, a.Err()
}

// ask sends a request on a stream of its own and returns the answer to it.
func (c *cqlClient) ask(op cql.Opcode, body []byte) answer {
	c.t.Helper()
	return c.askFlags(op, 0, body)
}

func (c *cqlClient) askFlags(op cql.Opcode, flags byte, body []byte) answer {
	c.t.Helper()
	c.stream++
	c.send(cql.Header{Stream: c.stream, Opcode: op, Flags: flags}, body)
	a := c.receive()
	if a.Stream != c.stream || !a.Response || a.Version != cql.Version {
		c.t.Fatalf("the answer to stream %d has the header %+v", c.stream, a.Header)
	}
	return a
}

func (c *cqlClient) expect(a answer, op cql.Opcode) answer {
	c.t.Helper()
	if a.Opcode != op {
		if a.Opcode == cql.OpError {
			c.t.Fatalf("got %v, want %v", a.ErrorMessage(), op)
		}
		c.t.Fatalf("got %v, want %v", a.Opcode, op)
	}
	return a
}

func (c *cqlClient) expectError(a answer, code int, message string) {
	c.t.Helper()
	if a.Opcode != cql.OpError {
		c.t.Errorf("got %v, want the error %q", a.Opcode, message)
		return
	}
	if e := a.ErrorMessage(); e.Code != code || e.Message != message {
		c.t.Errorf("got %v, want 0x%04X %s", e, code, message)
	}
}

// A resultSet is what a RESULT of rows holds.
type resultSet struct {
	columns     []cql.Column
	rows        [][]any
	pagingState []byte
}

// readRows reads a RESULT of rows. The columns are those of its metadata or, where that is left out, those given.
func (c *cqlClient) readRows(a answer, columns []cql.Column) (rs resultSet) {
	c.t.Helper()
	c.expect(a, cql.OpResult)
	if kind := a.Int(); kind != cql.ResultRows {
		c.t.Fatalf("a result of kind %d, want rows", kind)
	}
	rs.columns, rs.pagingState = a.Metadata()
	if rs.columns != nil {
		columns = rs.columns
	}
	for n := a.Int(); n > 0 && a.Err() == nil; n-- {
		row := make([]any, len(columns))
		for i, column := range columns {
			var err error
			if row[i], err = column.Type.Decode(a.Bytes()); err != nil {
				c.t.Fatal(err)
			}
		}
		rs.rows = append(rs.rows, row)
	}
	if a.Err() != nil || len(a.Rest()) > 0 {
		c.t.Fatalf("%v, %d bytes left", a.Err(), len(a.Rest()))
	}
	return rs
}

// queryBody is a QUERY, at ONE unless p says otherwise.
func queryBody(text string, p cql.Parameters) []byte {
	if p.Consistency == cql.Any {
		p.Consistency = cql.One
	}
	return cql.AppendParameters(cql.AppendLongString(nil, text), &p)
}

func (c *cqlClient) query(text string, values ...[]byte) answer {
	c.t.Helper()
	p := cql.Parameters{Consistency: cql.LocalQuorum}
	for _, v := range values {
		p.Values = append(p.Values, cql.Value{Bytes: v})
	}
	return c.ask(cql.OpQuery, queryBody(text, p))
}

func (c *cqlClient) queryRows(text string, values ...[]byte) resultSet {
	c.t.Helper()
	return c.readRows(c.query(text, values...), nil)
}

// maps returns rows by the names of their columns.
func (rs resultSet) maps() []map[string]any {
	var maps []map[string]any
	for _, row := range rs.rows {
		m := make(map[string]any)
		for i, column := range rs.columns {
			m[column.Name] = row[i]
		}
		maps = append(maps, m)
	}
	return maps
}

// A prepared statement as the answer to PREPARE describes it.
type prepared struct {
	id           []byte
	params       []cql.Column
	partitionKey []int
	columns      []cql.Column
}

func (c *cqlClient) prepare(text string) (p prepared) {
	c.t.Helper()
	a := c.expect(c.ask(cql.OpPrepare, cql.AppendLongString(nil, text)), cql.OpResult)
	if kind := a.Int(); kind != cql.ResultPrepared {
		c.t.Fatalf("a result of kind %d, want a prepared statement", kind)
	}
	p.id = a.ShortBytes()
	p.params, p.partitionKey = a.PreparedMetadata()
	p.columns, _ = a.Metadata()
	if a.Err() != nil || len(a.Rest()) > 0 {
		c.t.Fatalf("%v, %d bytes left", a.Err(), len(a.Rest()))
	}
	return p
}

func executeBody(id []byte, p cql.Parameters) []byte {
	if p.Consistency == cql.Any {
		p.Consistency = cql.One
	}
	return cql.AppendParameters(cql.AppendShortBytes(nil, id), &p)
}

func (c *cqlClient) execute(id []byte, p cql.Parameters) answer {
	c.t.Helper()
	return c.ask(cql.OpExecute, executeBody(id, p))
}

func (c *cqlClient) register(kinds ...string) {
	c.t.Helper()
	c.expect(c.ask(cql.OpRegister, cql.AppendStringList(nil, kinds)), cql.OpReady)
}

// events reads as many events.
func (c *cqlClient) events(n int) []cql.Event {
	c.t.Helper()
	var events []cql.Event
	for range n {
		a := c.expect(c.receive(), cql.OpEvent)
		if a.Stream != cql.EventStream {
			c.t.Errorf("an event on stream %d", a.Stream)
		}
		events = append(events, a.Event())
	}
	return events
}

// encode returns a value's bytes, for bind markers.
func encode(t *testing.T, typ string, v any) []byte {
	t.Helper()
	parsed, err := cql.ParseType(typ, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := parsed.Encode([]byte{}, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
