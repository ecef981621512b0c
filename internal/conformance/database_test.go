//go:build integration

package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cassandra"
	"github.com/seed-5f06b232/astra-go/token"
)

const datacenter = "us-east1"

// database is a simulated Astra with simulated or real nodes, for one client.
type database struct {
	server   *astratest.Server
	token    token.Token
	hostIDs  []string // sorted
	version  string   // that nodes report
	protocol int      // highest version of the native protocol
	victim   string   // host ID of the node that is lost
	lose     func()   // stops the victim

	mu     sync.Mutex
	levels map[string]bool // consistency levels of writes; only with simulated nodes
}

// simulated returns a database of simulated nodes.
func simulated(t *testing.T, host string) *database {
	s := astratest.NewServer(astratest.Host(host), astratest.Datacenter(datacenter))
	t.Cleanup(s.Close)
	d := &database{server: s, token: s.Token(), version: "4.0.11", protocol: 4, levels: make(map[string]bool)}
	for _, n := range s.Nodes() {
		d.hostIDs = append(d.hostIDs, n.HostID())
	}
	d.victim, d.lose = d.hostIDs[1], s.Nodes()[1].Stop
	slices.Sort(d.hostIDs)

	s.DefineSchema("CREATE KEYSPACE conformance; " + schema)
	columns := []astratest.Column{{Name: "id", Type: "int"}, {Name: "c", Type: "int"}, {Name: "v", Type: "text"}}
	for i := range columns {
		columns[i].Keyspace, columns[i].Table = "conformance", "items"
	}
	s.Handle(insert, astratest.Statement{
		Params: columns, PartitionKey: []int{0},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.levels[r.Consistency] = true
			return nil, nil
		},
	})
	var rows astratest.Result
	for c := range pageRows {
		rows.Rows = append(rows.Rows, []any{pagedID, c, row(c)})
	}
	s.Handle(selectText, astratest.Statement{Columns: columns, Result: &rows})
	s.Handle(batchText, astratest.Statement{})
	s.Handle(selectAll, astratest.Statement{
		Params: columns[:1], PartitionKey: []int{0}, Columns: columns,
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			if r.Values[0] == int32(pagedID) {
				return &rows, nil
			}
			return nil, nil
		},
	})
	s.Handle(count, astratest.Statement{
		Columns: []astratest.Column{{Keyspace: "conformance", Table: "items", Name: "count", Type: "bigint"}},
		Result:  &astratest.Result{Rows: [][]any{{pageRows}}, Warnings: []string{warning}},
	})
	return d
}

// startCassandra starts real nodes with the rows that clients read. Without Java or Maven the test is skipped, but not in CI.
func startCassandra(t *testing.T) *cassandra.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	nodes, err := cassandra.Start(ctx, cassandra.Options{Datacenter: datacenter, Progress: t.Output()})
	if errors.Is(err, cassandra.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skip("SKIPPED, nothing was tested on real Cassandra: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := nodes.Close(); err != nil {
			t.Error(err)
		}
	})
	session := connect(t, real(t, nodes, "localhost"))
	for _, statement := range []string{
		fmt.Sprintf("CREATE KEYSPACE conformance WITH replication = {'class': 'NetworkTopologyStrategy', '%s': 3}", datacenter), schema,
	} {
		if err := session.Query(statement).Exec(); err != nil {
			t.Fatal(err)
		}
		if err := session.AwaitSchemaAgreement(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for c := range pageRows {
		if err := session.Query(insert, pagedID, c, row(c)).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	return nodes
}

// real returns a database of real nodes.
func real(t *testing.T, nodes *cassandra.Cluster, host string) *database {
	t.Helper()
	tok, err := token.Parse(nodes.Password())
	if err != nil {
		t.Fatal(err)
	}
	d := &database{token: tok, version: cassandra.Version, protocol: 5}
	var backends []astratest.Backend
	for _, n := range nodes.Nodes() {
		d.hostIDs = append(d.hostIDs, n.HostID())
		backends = append(backends, astratest.Backend{HostID: n.HostID(), Addr: n.Addr()})
	}
	victim := nodes.Nodes()[1]
	d.victim = victim.HostID()
	d.lose = func() {
		if err := victim.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			if err := victim.Start(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	slices.Sort(d.hostIDs)
	d.server = astratest.NewServer(astratest.Host(host), astratest.Datacenter(datacenter), astratest.Backends(backends...))
	t.Cleanup(d.server.Close)
	return d
}

// connect opens a session of this module's own.
func connect(t *testing.T, d *database) *gocql.Session {
	t.Helper()
	cluster, err := astra.NewCluster(t.Context(), astra.Config{Bundle: d.server.Bundle(), Token: d.token, Resolver: d.server.Resolver()})
	if err != nil {
		t.Fatal(err)
	}
	cluster.Timeout = 30 * time.Second
	session, err := astra.Connect(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

// checkProxy checks that every connection went through the proxy by the right name. A driver that does not know host IDs gives none.
func (d *database) checkProxy(t *testing.T, knowsHostIDs bool) {
	t.Helper()
	stats := d.server.Stats()
	if stats.RefusedUnknown != 0 {
		t.Errorf("%d connections asked for a node that does not exist", stats.RefusedUnknown)
	}
	for name, n := range stats.BySNI {
		if slices.Contains(d.hostIDs, name) != knowsHostIDs || !knowsHostIDs && name != "" {
			t.Errorf("%d connections with the server name %q", n, name)
		}
	}
	if knowsHostIDs && len(stats.BySNI) != len(d.hostIDs) {
		t.Errorf("connections by server name %v, want some to each of %v", stats.BySNI, d.hostIDs)
	}
	if stats.MetadataRequests == 0 && knowsHostIDs {
		t.Error("the metadata service was not asked")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for level := range d.levels {
		if level != "LOCAL_QUORUM" {
			t.Errorf("a write at %s; the nodes say that they are Astra's, which calls for LOCAL_QUORUM by default", level)
		}
	}
}
