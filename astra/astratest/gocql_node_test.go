package astratest_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// What plain gocql does with simulated nodes, whichever version it begins with.
func TestGocqlStatements(t *testing.T) {
	t.Parallel()
	for _, version := range []int{0, 4} {
		t.Run(fmt.Sprintf("ProtoVersion %d", version), func(t *testing.T) {
			t.Parallel()
			s := astratest.NewServer(astratest.Keyspace("shop"))
			defer s.Close()
			s.DefineSchema(`CREATE TYPE address (street text, zip int);
				CREATE TABLE orders (customer int, line timeuuid, ship frozen<address>, v vector<float, 3>, PRIMARY KEY (customer, line))
				WITH CLUSTERING ORDER BY (line DESC)`)
			handleOrders(s)
			cluster := newGocqlCluster(t, s)
			cluster.ProtoVersion = version
			cluster.Keyspace = "shop"
			cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy("us-east1"), gocql.ShuffleReplicas())
			session, err := cluster.CreateSession()
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			checkGocqlRows(t, session)
			checkGocqlWrites(t, session)
			checkGocqlSchema(t, session)
		})
	}
}

func handleOrders(s *astratest.Server) {
	var rows [][]any
	for i := range 25 {
		rows = append(rows, []any{[16]byte{6: 0x10, 8: 0x80, 15: byte(i)}, map[string]any{"street": "S", "zip": i}, []float32{float32(i), 0.5, -1}})
	}
	s.Handle("SELECT line, ship, v FROM orders WHERE customer = ?", astratest.Statement{
		Params:       []astratest.Column{{Name: "customer", Type: "int"}},
		PartitionKey: []int{0},
		Columns:      []astratest.Column{{Name: "line", Type: "timeuuid"}, {Name: "ship", Type: "frozen<address>"}, {Name: "v", Type: "vector<float, 3>"}},
		Result:       &astratest.Result{Rows: rows, Warnings: []string{"careful"}},
	})
	s.Handle("INSERT INTO orders (customer, v) VALUES (?, ?) IF NOT EXISTS", astratest.Statement{
		Params:       []astratest.Column{{Name: "customer", Type: "int"}, {Name: "v", Type: "vector<float, 3>"}},
		PartitionKey: []int{0},
		Columns:      []astratest.Column{{Name: "[applied]", Type: "boolean"}},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			if diff := cmp.Diff([]any{float32(1), float32(2), float32(3)}, r.Values[1]); diff != "" {
				return nil, errors.New(diff)
			}
			return &astratest.Result{Rows: [][]any{{r.SerialConsistency == "LOCAL_SERIAL"}}}, nil
		},
	})
}

func checkGocqlRows(t *testing.T, session *gocql.Session) {
	t.Helper()
	iter := session.Query("SELECT line, ship, v FROM orders WHERE customer = ?", 7).PageSize(10).Iter()
	var (
		line gocql.UUID
		ship struct {
			Street string `cql:"street"`
			Zip    int    `cql:"zip"`
		}
		v     []float32
		count int
	)
	for iter.Scan(&line, &ship, &v) {
		if ship.Zip != count || ship.Street != "S" || !slices.Equal(v, []float32{float32(count), 0.5, -1}) || line[15] != byte(count) {
			t.Fatalf("row %d: %v, %+v, %v", count, line, ship, v)
		}
		count++
	}
	warnings := iter.Warnings()
	if err := iter.Close(); err != nil || count != 25 || !slices.Equal(warnings, []string{"careful"}) {
		t.Errorf("%d rows, warnings %v, %v", count, warnings, err)
	}
	var trace bytes.Buffer
	if err := session.Query("SELECT key FROM system.local").Trace(gocql.NewTraceWriter(session, &trace)).Exec(); err != nil || !strings.Contains(trace.String(), "Answered by astratest") {
		t.Errorf("with tracing: %v; trace %q", err, trace.String())
	}
}

func checkGocqlWrites(t *testing.T, session *gocql.Session) {
	t.Helper()
	insert := "INSERT INTO orders (customer, v) VALUES (?, ?) IF NOT EXISTS"
	if applied, err := session.Query(insert, 1, []float32{1, 2, 3}).SerialConsistency(gocql.LocalSerial).ScanCAS(); err != nil || !applied {
		t.Errorf("applied %v, %v", applied, err)
	}
	batch := session.Batch(gocql.UnloggedBatch)
	batch.Query(insert, 1, []float32{1, 2, 3}).Query(insert, 2, []float32{1, 2, 3})
	if err := session.ExecuteBatch(batch); err != nil {
		t.Error(err)
	}
	err := session.Query(insert, 1, []float32{1, 2, 3}).Consistency(gocql.One).Exec()
	var refused gocql.RequestError
	if !errors.As(err, &refused) || refused.Code() != gocql.ErrCodeInvalid {
		t.Errorf("a write at ONE: %v", err)
	}
}

func checkGocqlSchema(t *testing.T, session *gocql.Session) {
	t.Helper()
	keyspace, err := session.KeyspaceMetadata("shop")
	if err != nil {
		t.Fatal(err)
	}
	if keyspace.StrategyClass != "org.apache.cassandra.locator.NetworkTopologyStrategy" || keyspace.StrategyOptions["us-east1"] != "3" {
		t.Errorf("strategy %s, %v", keyspace.StrategyClass, keyspace.StrategyOptions)
	}
	orders := keyspace.Tables["orders"]
	if orders == nil {
		t.Fatalf("tables %v", keyspace.Tables)
	}
	if len(orders.PartitionKey) != 1 || orders.PartitionKey[0].Name != "customer" || len(orders.ClusteringColumns) != 1 || orders.ClusteringColumns[0].Order != gocql.DESC {
		t.Errorf("keys %v, %v", orders.PartitionKey, orders.ClusteringColumns)
	}
	if got := fmt.Sprint(orders.Columns["v"].Type); !strings.Contains(got, "vector") {
		t.Errorf("column v is a %s", got)
	}
	if u := keyspace.UserTypes["address"]; u == nil || !slices.Equal(u.FieldNames, []string{"street", "zip"}) {
		t.Errorf("types %v", keyspace.UserTypes)
	}
}

// gocql follows events: it finds nodes that took the place of others, and serves go on at those.
func TestGocqlReplaceNode(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	cluster := newGocqlCluster(t, s)
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	waitFor(t, "gocql to register", func() bool {
		registered := 0
		for _, n := range s.Nodes() {
			_, r := n.Conns()
			registered += r
		}
		return registered == 1
	})
	// One where the control connection is not.
	i := slices.IndexFunc(s.Nodes(), func(n *astratest.Node) bool { _, registered := n.Conns(); return registered == 0 })
	added := s.ReplaceNodes(astratest.Replacement{Nodes: []int{i}})[0]
	deadline := time.Now().Add(30 * time.Second)
	for open := 0; open == 0; open, _ = added.Conns() {
		if time.Now().After(deadline) {
			t.Fatal("gocql did not connect to the new node")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
