package main

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

const (
	keyspace     = "benchmark"
	selectValue  = "SELECT value FROM benchmark.entries WHERE key = ?"
	insertValue  = "INSERT INTO benchmark.entries (key, value) VALUES (?, ?)"
	schema       = "CREATE KEYSPACE benchmark; CREATE TABLE benchmark.entries (key text PRIMARY KEY, value text)"
	valueSize    = 64
	distinctKeys = 10_000
)

// serverJob is what the process of the server is told.
type serverJob struct {
	Nodes   int
	Latency time.Duration
	RSA     bool
}

// served is what it tells when it is ready.
type served struct {
	Bundle []byte
	Token  string
}

// serve runs an Astra until in ends. For each line in it, it writes its counts.
func serve(job serverJob, in io.Reader, out io.Writer) error {
	options := []astratest.Option{astratest.NodeCount(job.Nodes), astratest.Latency(job.Latency), astratest.Datacenter("dc1")}
	if job.RSA {
		options = append(options, astratest.RSA())
	}
	server := astratest.NewServer(options...)
	defer server.Close()
	server.DefineSchema(schema)
	key, value := astratest.Column{Name: "key", Type: "text"}, astratest.Column{Name: "value", Type: "text"}
	server.Handle(selectValue, astratest.Statement{
		Params:       []astratest.Column{key},
		PartitionKey: []int{0},
		Columns:      []astratest.Column{value},
		Result:       &astratest.Result{Rows: [][]any{{strings.Repeat("x", valueSize)}}},
	})
	server.Handle(insertValue, astratest.Statement{Params: []astratest.Column{key, value}, PartitionKey: []int{0}})

	answer := json.NewEncoder(out)
	if err := answer.Encode(served{server.BundleZip(), server.Token().Bearer()}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if lines.Text() == "" { // what ended the job
			continue
		}
		if err := answer.Encode(server.Stats()); err != nil {
			return err
		}
	}
	return nil
}
