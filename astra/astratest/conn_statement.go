package astratest

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// preparedStatements are those that a node knows, by their IDs.
type preparedStatements struct {
	mu   sync.RWMutex
	byID map[[md5.Size]byte]*preparedStatement
}

type preparedStatement struct {
	keyspace, text string
	plan           atomic.Pointer[plan]
}

// maxPrepared bounds the statements that a node keeps; it forgets all of them
// then, which clients are used to.
const maxPrepared = 10_000

func (ps *preparedStatements) get(id []byte) (*preparedStatement, bool) {
	if len(id) != md5.Size {
		return nil, false
	}
	ps.mu.RLock()
	defer ps.mu.RUnlock()
	p, ok := ps.byID[[md5.Size]byte(id)]
	return p, ok
}

// add prepares a statement. Its ID depends on nothing but the text and the
// keyspace, so that all nodes give it the same.
func (ps *preparedStatements) add(keyspace, text string, p *plan) (id [md5.Size]byte) {
	id = md5.Sum([]byte(keyspace + text))
	prepared := &preparedStatement{keyspace: keyspace, text: text}
	prepared.plan.Store(p)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.byID == nil || len(ps.byID) >= maxPrepared {
		ps.byID = make(map[[md5.Size]byte]*preparedStatement)
	}
	ps.byID[id] = prepared
	return id
}

// current returns the plan that is right now.
func (p *preparedStatement) current(c *cluster) *plan {
	pl := p.plan.Load()
	if !c.statements.isCurrent(pl) {
		pl = c.plan(p.keyspace, []byte(p.text))
		p.plan.Store(pl)
	}
	return pl
}

func unprepared(id []byte) *cql.Error {
	return &cql.Error{
		Code: cql.CodeUnprepared,
		Message: fmt.Sprintf("Prepared query with ID %x not found (either the query was not prepared on this host (maybe the host has been restarted?) "+
			"or you have prepared too many queries and it has been evicted from the internal cache)", id),
		StatementID: bytes.Clone(id),
	}
}

func (c *conn) prepare(req *request) *cql.Error {
	text := c.message.LongString()
	if err := c.message.Err(); err != nil {
		return protocolFault("%v", err)
	}
	p := c.node.cluster.plan(c.keyspace, text)
	if p.err != nil {
		return p.err
	}
	c.trace(req, string(text))
	id := c.node.prepared.add(c.keyspace, string(text), p)
	body := cql.AppendInt(nil, cql.ResultPrepared)
	body = cql.AppendShortBytes(body, id[:])
	body = cql.AppendPreparedMetadata(body, p.params, p.partitionKey)
	body = cql.AppendMetadata(body, p.columns, nil, false)
	c.reply(req, cql.OpResult, body)
	return nil
}

func (c *conn) query(req *request) *cql.Error {
	text := c.message.LongString()
	c.message.Parameters(&c.params)
	if err := c.message.Err(); err != nil {
		return protocolFault("%v", err)
	}
	p := c.node.cluster.plan(c.keyspace, text)
	if p.err == nil && !p.bind(&c.params) {
		return invalid("Invalid amount of bind variables")
	}
	return c.execute(req, p, "", text)
}

func (c *conn) executePrepared(req *request) *cql.Error {
	id := c.message.ShortBytes()
	c.message.Parameters(&c.params)
	if err := c.message.Err(); err != nil {
		return protocolFault("%v", err)
	}
	prepared, ok := c.node.prepared.get(id)
	if !ok {
		return unprepared(id)
	}
	p := prepared.current(c.node.cluster)
	if p.err == nil && !p.bind(&c.params) {
		return invalid("there were %d markers(?) in CQL but %d bound variables", len(p.params), len(c.params.Values))
	}
	return c.execute(req, p, prepared.text, nil)
}

// bind brings values that have names into the order of the bind markers. It
// reports false when there are not as many as markers.
func (p *plan) bind(params *cql.Parameters) bool {
	if len(params.Values) != len(p.params) {
		return false
	}
	if len(params.Names) == 0 {
		return true
	}
	ordered := make([]cql.Value, len(p.params))
	for i, column := range p.params {
		j := slices.Index(params.Names, column.Name)
		if j < 0 {
			return false
		}
		ordered[i] = params.Values[j]
	}
	params.Values = ordered
	return true
}

// execute answers with what a plan says. The statement is text or, where that
// is empty, raw.
func (c *conn) execute(req *request, p *plan, text string, raw []byte) *cql.Error {
	if err := p.checkConsistency(c.params.Consistency); err != nil {
		return err
	}
	if p.err != nil {
		return p.err
	}
	if req.header.Flags&cql.FlagTracing != 0 { // only then are bytes made a string
		c.trace(req, text+string(raw))
	}
	switch {
	case p.static != nil:
		c.node.queries.Add(1)
		return c.replyRows(req, p.static, &c.params)
	case p.use != "":
		c.keyspace = p.use
		c.reply(req, cql.OpResult, cql.AppendString(cql.AppendInt(nil, cql.ResultSetKeyspace), p.use))
		return nil
	case p.system != nil:
		rows, err := p.system.run(c.node.systemRows(p.system.table), c.params.Values)
		if err != nil {
			return err
		}
		return c.replySystemRows(req, p.columns, rows)
	case p.described != nil:
		return c.replySystemRows(req, p.columns, p.described.rows)
	}
	request, err := c.newRequest(req, p, text+string(raw), c.params.Values)
	if err != nil {
		return err
	}
	c.runLater(req, []call{{p, request}})
	return nil
}

// trace gives a request that asks for it a trace ID.
func (c *conn) trace(req *request, text string) {
	if req.header.Flags&cql.FlagTracing != 0 {
		req.trace = c.node.cluster.traces.add(c.node.Addr(), text)
	}
}

func (c *conn) replySystemRows(req *request, columns []cql.Column, rows [][]any) *cql.Error {
	encoded, err := encodePages(columns, &Result{Rows: rows})
	if err != nil {
		return protocolError(err, 0)
	}
	return c.replyRows(req, encoded, &c.params)
}

// A call is one execution of a statement that was registered.
type call struct {
	plan    *plan
	request *Request // for the plan's function, if it has one
}

// newRequest returns what a handler's function is given. Nothing in it is
// part of the read buffer.
func (c *conn) newRequest(req *request, p *plan, text string, values []cql.Value) (*Request, *cql.Error) {
	r := &Request{
		Node:        c.node,
		Statement:   text,
		Keyspace:    c.keyspace,
		Values:      make([]any, len(values)),
		Consistency: c.params.Consistency.String(),
		PageSize:    max(c.params.PageSize, 0),
		PagingState: bytes.Clone(c.params.PagingState),
		Timestamp:   c.params.Timestamp,
		ctx:         c.ctx,
	}
	if req.payload != nil {
		r.Payload = make(map[string][]byte, len(req.payload))
		for key, value := range req.payload {
			r.Payload[key] = bytes.Clone(value)
		}
	}
	if c.params.SerialConsistency != 0 {
		r.SerialConsistency = c.params.SerialConsistency.String()
	}
	for i, v := range values {
		var err error
		if r.Values[i], err = p.params[i].Type.Decode(bytes.Clone(v.Bytes)); err != nil {
			return nil, invalid("%s: %v", p.params[i].Name, err)
		}
	}
	return r, nil
}

// runLater answers with what handlers' functions say, on a goroutine.
func (c *conn) runLater(req *request, calls []call) {
	r, params := *req, c.params
	params.PagingState = bytes.Clone(params.PagingState)
	params.Values, params.Names = nil, nil
	c.goroutines.Go(func() {
		if err := c.run(&r, calls, &params); err != nil {
			c.replyError(&r, err)
		}
		c.out.flushSoon()
	})
}

// run makes calls, one after the other, and answers with the first result
// that has columns: a batch has one where its statements are conditional.
func (c *conn) run(req *request, calls []call, params *cql.Parameters) *cql.Error {
	answer := &encodedRows{}
	for _, call := range calls {
		rows := call.plan.static
		if rows == nil {
			if _, ours := parsePagingState(params.PagingState); !ours {
				params.PagingState, params.PageSize = nil, 0 // the function divides its result itself
			}
			result, err := call.plan.fn(call.request)
			if err == nil {
				rows, err = encodePages(call.plan.columns, result)
			}
			if err != nil {
				c.node.queries.Add(1)
				return protocolError(err, params.Consistency)
			}
		}
		c.node.queries.Add(1)
		if len(answer.columns) == 0 {
			answer = rows
		}
	}
	return c.replyRows(req, answer, params)
}
