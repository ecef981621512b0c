package astratest

import (
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// batch answers a BATCH. The statements in it are executed in their order,
// and not at all when one of them cannot be.
func (c *conn) batch(req *request) *cql.Error {
	kind, entries := c.message.Batch(&c.params)
	if err := c.message.Err(); err != nil {
		return protocolFault("%v", err)
	}
	if kind > cql.BatchCounter {
		return protocolFault("Invalid BATCH message type %d", kind)
	}
	if err := checkWriteConsistency(c.params.Consistency); err != nil {
		return err
	}
	c.trace(req, "BATCH")
	calls := make([]call, len(entries))
	waits := false
	for i, entry := range entries {
		p, text, err := c.batchedPlan(entry)
		if err != nil {
			return err
		}
		calls[i].plan = p
		if p.fn != nil {
			waits = true
			if calls[i].request, err = c.newRequest(req, p, text, entry.Values); err != nil {
				return err
			}
			calls[i].request.Batch = true
		}
	}
	if waits {
		c.runLater(req, calls)
		return nil
	}
	return c.run(req, calls, &c.params)
}

// batchedPlan returns the plan of a statement in a batch, with its text.
func (c *conn) batchedPlan(entry cql.BatchEntry) (*plan, string, *cql.Error) {
	var p *plan
	text := string(entry.Statement)
	if entry.ID == nil {
		p = c.node.cluster.plan(c.keyspace, entry.Statement)
	} else {
		prepared, ok := c.node.prepared.get(entry.ID)
		if !ok {
			return nil, "", unprepared(entry.ID)
		}
		p, text = prepared.current(c.node.cluster), prepared.text
	}
	switch {
	case p.kind == readStatement, p.use != "", p.described != nil:
		return nil, "", invalid("Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
	case p.err != nil:
		return nil, "", p.err
	case len(entry.Values) != len(p.params):
		return nil, "", invalid("There were %d markers(?) in CQL but %d bound variables", len(p.params), len(entry.Values))
	}
	return p, text, nil
}
