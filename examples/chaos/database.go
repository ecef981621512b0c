package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cassandra"
	"github.com/seed-5f06b232/astra-go/token"
)

// datacenter is the name of the real nodes' only one.
const datacenter = "dc1"

const (
	readStatement  = "SELECT value FROM chaos.items WHERE key = ?"
	writeStatement = "UPDATE chaos.writes SET executed = executed + 1 WHERE id = ?"
)

const schema = `
	CREATE KEYSPACE chaos;
	CREATE TABLE chaos.items (key text PRIMARY KEY, value text);
	CREATE TABLE chaos.writes (id bigint PRIMARY KEY, executed counter);
`

// database is what a fault happens to: an Astra in this process, in front of simulated or real nodes.
type database struct {
	*astratest.Server
	cassandra *cassandra.Cluster // nil: simulated nodes

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
		return d
	}
	var backends []astratest.Backend
	for _, n := range d.cassandra.Nodes() {
		backends = append(backends, astratest.Backend{HostID: n.HostID(), Addr: n.Addr()})
	}
	d.Server = astratest.NewServer(append(options, astratest.Datacenter(datacenter), astratest.Backends(backends...))...)
	return d
}

// simulate says what the simulated nodes answer.
func (d *database) simulate() {
	d.DefineSchema(schema)
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
	t := d.Token()
	if d.cassandra != nil {
		var err error
		if t, err = token.Parse(d.cassandra.Password()); err != nil {
			return astra.Config{}, err
		}
	}
	return astra.Config{Bundle: d.Bundle(), Token: t, Resolver: d.Resolver()}, nil
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
	for {
		for i, n := range d.Nodes() {
			if _, registered := n.Conns(); registered > 0 {
				return i, nil
			}
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// executions returns how many writes the nodes executed, and how often the one that they executed most often.
func (d *database) executions(session *gocql.Session) (total, most int, err error) {
	if d.cassandra == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		for n := range maps.Values(d.executed) {
			total += n
			most = max(most, n)
		}
		return total, most, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	rows := session.Query("SELECT executed FROM chaos.writes").Consistency(gocql.All).Idempotent(true).IterContext(ctx)
	var n int
	for rows.Scan(&n) {
		total += n
		most = max(most, n)
	}
	return total, most, rows.Close()
}

// prepareTables makes the tables in real nodes, which keep them from one fault to the next.
func (d *database) prepareTables(ctx context.Context, session *gocql.Session) error {
	if d.cassandra == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, statement := range []string{
		"CREATE KEYSPACE IF NOT EXISTS chaos WITH replication = {'class': 'NetworkTopologyStrategy', '" + datacenter + "': 3}",
		"CREATE TABLE IF NOT EXISTS chaos.items (key text PRIMARY KEY, value text)",
		"CREATE TABLE IF NOT EXISTS chaos.writes (id bigint PRIMARY KEY, executed counter)",
		"TRUNCATE chaos.writes",
	} {
		if err := session.Query(statement).ExecContext(ctx); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	for n := range keys {
		key := fmt.Sprint(n)
		if err := session.Query("INSERT INTO chaos.items (key, value) VALUES (?, ?)", key, key).ExecContext(ctx); err != nil {
			return fmt.Errorf("inserting a row: %w", err)
		}
	}
	return nil
}
