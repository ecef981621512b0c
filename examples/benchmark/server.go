package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/ring"
)

const (
	selectValue  = "SELECT value FROM benchmark.items WHERE key = ?"
	insertValue  = "INSERT INTO benchmark.items (key, value) VALUES (?, ?)"
	selectRouted = "SELECT value FROM routed.items WHERE key = ?" // has one replica
	valueSize    = 64
	distinctKeys = 10_000
)

const schema = `
CREATE KEYSPACE benchmark;
CREATE TABLE benchmark.items (key text PRIMARY KEY, value text);
CREATE KEYSPACE routed WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': '1'};
CREATE TABLE routed.items (key text PRIMARY KEY, value text);`

// serverJob is what the process of the server is told.
type serverJob struct {
	Nodes   int
	Latency time.Duration
	RSA     bool

	Cassandra bool // real nodes; the rest does not matter
}

// served is what it tells when it is ready.
type served struct {
	Bundle []byte
	Token  string
}

// counts are what the server tells when it is asked.
type counts struct {
	astratest.Stats
	Routed, Replica int64 // executions of selectRouted, and those that the key's replica got
}

// serve runs an Astra until in ends. For each line in it, it writes its counts.
func serve(ctx context.Context, job serverJob, in io.Reader, out io.Writer) error {
	if job.Cassandra {
		return serveCassandra(ctx, in, out)
	}
	options := []astratest.Option{astratest.NodeCount(job.Nodes), astratest.Latency(job.Latency), astratest.Datacenter(datacenter)}
	if job.RSA {
		options = append(options, astratest.RSA())
	}
	server := astratest.NewServer(options...)
	defer server.Close()
	server.DefineSchema(schema)
	key, value := astratest.Column{Name: "key", Type: "text"}, astratest.Column{Name: "value", Type: "text"}
	read := astratest.Statement{
		Params:       []astratest.Column{key},
		PartitionKey: []int{0},
		Columns:      []astratest.Column{value},
		Result:       &astratest.Result{Rows: [][]any{{strings.Repeat("x", valueSize)}}},
	}
	server.Handle(selectValue, read)
	var routed, replica atomic.Int64
	read.Func = func(r *astratest.Request) (*astratest.Result, error) {
		routed.Add(1)
		if owner(server, r.Values[0].(string)) == r.Node {
			replica.Add(1)
		}
		return read.Result, nil
	}
	server.Handle(selectRouted, read)
	server.Handle(insertValue, astratest.Statement{Params: []astratest.Column{key, value}, PartitionKey: []int{0}})

	return tell(served{server.BundleZip(), server.Token().Bearer()}, in, out, func() counts {
		return counts{server.Stats(), routed.Load(), replica.Load()}
	})
}

// tell writes what clients need, and the counts for each line in in, until that ends.
func tell(s served, in io.Reader, out io.Writer, count func() counts) error {
	answer := json.NewEncoder(out)
	if err := answer.Encode(s); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if lines.Text() == "" { // what ended the job
			continue
		}
		if err := answer.Encode(count()); err != nil {
			return err
		}
	}
	return nil
}

// owner returns the node that owns a key: the first token that is not below the key's is the owner's.
func owner(server *astratest.Server, key string) (owner *astratest.Node) {
	token := int64(ring.TokenOf([]byte(key)))
	var distance uint64
	for _, n := range server.Nodes() {
		for _, t := range n.Tokens() {
			if d := uint64(t - token); owner == nil || d < distance { // around the ring
				owner, distance = n, d
			}
		}
	}
	return owner
}
