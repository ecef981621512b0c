package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cassandra"
	"github.com/seed-5f06b232/astra-go/token"
)

const (
	readStatement  = "SELECT value FROM chaos.items WHERE key = ?"
	writeStatement = "UPDATE chaos.writes SET executed = executed + 1 WHERE id = ?"
)

const (
	itemsTable  = "CREATE TABLE chaos.items (key text PRIMARY KEY, value text)"
	writesTable = "CREATE TABLE chaos.writes (id bigint PRIMARY KEY, executed counter)"
)

// database is what a fault happens to: an Astra in this process, in front of simulated or real nodes.
type database struct {
	*astratest.Server
	cassandra  *cassandra.Cluster // nil: simulated nodes
	goroutines int                // of the process when nothing has happened yet

	mu       sync.Mutex
	executed map[int64]int // how often the simulated nodes executed the write with an ID
	undo     []func()
}

func newDatabase(f *fault, s settings) *database {
	d := &database{cassandra: s.cassandra, executed: make(map[int64]int)}
	options := slices.Clone(f.options)
	if d.cassandra == nil {
		d.Server = astratest.NewServer(append(options, astratest.Latency(s.latency))...)
		d.simulate()
	} else {
		d.Server = astratest.NewServer(append(options, realNodes(d.cassandra)...)...)
	}
	d.goroutines = runtime.NumGoroutine()
	return d
}

// simulate says what the simulated nodes answer.
func (d *database) simulate() {
	d.DefineSchema("CREATE KEYSPACE chaos;" + itemsTable + ";" + writesTable)
	d.Handle(readStatement, astratest.Statement{
		Params:       []astratest.Column{{Name: "key", Type: "text"}},
		PartitionKey: []int{0},
		Columns:      []astratest.Column{{Name: "value", Type: "text"}},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			return &astratest.Result{Rows: [][]any{{r.Values[0]}}}, nil
		},
	})
	d.Handle(writeStatement, astratest.Statement{
		Params:       []astratest.Column{{Name: "id", Type: "bigint"}},
		PartitionKey: []int{0},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.executed[r.Values[0].(int64)]++
			return nil, nil
		},
	})
}

// config is what a program has at the start: a bundle and a token that never change.
func (d *database) config() (astra.Config, error) {
	c := astra.Config{Bundle: d.Bundle(), Token: d.Token(), Resolver: d.Resolver()}
	if d.cassandra != nil {
		t, err := token.Parse(d.cassandra.Password())
		if err != nil {
			return c, err
		}
		c.Token = t
	}
	return c, nil
}

// atClose has f called when the load has ended.
func (d *database) atClose(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.undo = append(d.undo, f)
}

func (d *database) endFaults() {
	d.mu.Lock()
	undo := d.undo
	d.undo = nil
	d.mu.Unlock()
	for _, f := range undo {
		f()
	}
}

// nodes returns the host IDs of the nodes that there are.
func (d *database) nodes() []string {
	var ids []string
	if d.cassandra != nil {
		for _, n := range d.cassandra.Nodes() {
			ids = append(ids, n.HostID())
		}
		return ids
	}
	for _, n := range d.Nodes() {
		ids = append(ids, n.HostID())
	}
	return ids
}

func (d *database) stop(ctx context.Context, i int) error {
	if d.cassandra != nil {
		return d.cassandra.Nodes()[i].Stop(ctx)
	}
	d.Nodes()[i].Stop()
	return nil
}

func (d *database) start(ctx context.Context, i int) error {
	if d.cassandra != nil {
		return d.cassandra.Nodes()[i].Start(ctx)
	}
	d.Nodes()[i].Start()
	return nil
}

// control returns which of the simulated nodes has a session's control connection, as soon as there is one.
func (d *database) control(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, endless, errNoControl)
	defer cancel()
	for {
		for i, n := range d.Nodes() {
			if _, registered := n.Conns(); registered > 0 {
				return i, nil
			}
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, context.Cause(ctx)
		}
	}
}

var errNoControl = fmt.Errorf("the session has no control connection within %s", endless)

// executions returns how many writes with an ID from the first one on the nodes executed, and how often the one that they executed most often.
// The session is for real nodes.
func (d *database) executions(session *gocql.Session, first int64) (total, most int, err error) {
	if d.cassandra != nil {
		return realExecutions(session, first)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.executed {
		total += n
		most = max(most, n)
	}
	return total, most, nil
}
