//go:build integration

package astra_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cassandra"
	"github.com/seed-5f06b232/astra-go/token"
)

// TestIntegrationCassandra does on real nodes, through the simulated Astra's proxy, what people do with a database.
func TestIntegrationCassandra(t *testing.T) {
	r := startRig(t)
	session := connect(t, r.cluster(t, ""))
	for _, statement := range []string{
		"CREATE KEYSPACE shop WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east1': 3}",
		"CREATE TABLE shop.items (id int PRIMARY KEY, name text, price int)",
		"CREATE TABLE shop.visits (page text PRIMARY KEY, n counter)",
	} {
		define(t, session, statement)
	}

	var ran []string
	run := func(name string, f func(*testing.T, *rig, *gocql.Session)) {
		if t.Run(name, func(t *testing.T) { f(t, r, session) }) {
			ran = append(ran, name)
		}
	}
	run("types", testTypes)
	run("prepared statements", testPrepared)
	run("batches", testBatches)
	run("lightweight transactions", testLightweightTransactions)
	run("paging", testPaging)
	run("tracing", testTracing)
	run("schema metadata", testSchemaMetadata)
	run("describe", testDescribe)
	run("materialized view", testMaterializedView)
	run("SAI index", testIndex)
	run("vector search", testVectorSearch)
	run("warnings", testWarnings)
	run("wrong password", testWrongPassword)
	run("no such keyspace", testNoSuchKeyspace)
	run("a node stops and starts", testNodeRestarts)
	run("all connections came through the proxy", testProxied)
	t.Logf("passed on Apache Cassandra %s: %s", cassandra.Version, strings.Join(ran, ", "))

	served := r.served()
	for _, n := range r.nodes.Nodes() {
		t.Logf("node %s served %d statements", n.HostID(), served[n.HostID()])
		if served[n.HostID()] == 0 {
			t.Errorf("node %s served no statement", n.HostID())
		}
	}
	if len(served) != 3 {
		t.Errorf("%d host IDs served statements, want 3: %v", len(served), served)
	}
}

// rig is three real nodes behind a simulated Astra's proxy.
type rig struct {
	nodes  *cassandra.Cluster
	server *astratest.Server
	token  token.Token

	mu     sync.Mutex
	counts map[string]int  // of statements by host ID
	dialed map[string]bool // addresses
}

func startRig(t *testing.T) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	nodes, err := cassandra.Start(ctx, cassandra.Options{Datacenter: "us-east1", Progress: t.Output()})
	if errors.Is(err, cassandra.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skip("SKIPPED, real Cassandra was not tested: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := nodes.Close(); err != nil {
			t.Error(err)
		}
	})
	tok, err := token.Parse(nodes.Password())
	if err != nil {
		t.Fatal(err)
	}
	var backends []astratest.Backend
	for _, n := range nodes.Nodes() {
		backends = append(backends, astratest.Backend{HostID: n.HostID(), Addr: n.Addr()})
	}
	return &rig{
		nodes:  nodes,
		server: newServer(t, astratest.Backends(backends...), astratest.Datacenter("us-east1")),
		token:  tok,
		counts: make(map[string]int),
		dialed: make(map[string]bool),
	}
}

func (r *rig) config(keyspace string) astra.Config {
	return astra.Config{Bundle: r.server.Bundle(), Token: r.token, Keyspace: keyspace, DialContext: r.dial}
}

func (r *rig) cluster(t *testing.T, keyspace string) *gocql.ClusterConfig {
	t.Helper()
	cluster := newCluster(t, r.config(keyspace))
	cluster.Timeout = 30 * time.Second // two cores run four programs
	cluster.QueryObserver, cluster.BatchObserver = r, r
	return cluster
}

func (r *rig) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	r.mu.Lock()
	r.dialed[addr] = true
	r.mu.Unlock()
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

func (r *rig) ObserveQuery(_ context.Context, q gocql.ObservedQuery) {
	if q.Err == nil {
		r.count(q.Host)
	}
}

func (r *rig) ObserveBatch(_ context.Context, b gocql.ObservedBatch) {
	if b.Err == nil {
		r.count(b.Host)
	}
}

func (r *rig) count(h *gocql.HostInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[h.HostID()]++
}

// served returns how many statements each node has served.
func (r *rig) served() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := make(map[string]int)
	for id, n := range r.counts {
		counts[id] = n
	}
	return counts
}

// define changes the schema.
func define(t *testing.T, session *gocql.Session, statement string) {
	t.Helper()
	if err := session.Query(statement).Exec(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	if err := session.AwaitSchemaAgreement(t.Context()); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func exec(t *testing.T, session *gocql.Session, statement string, values ...any) {
	t.Helper()
	if err := session.Query(statement, values...).Exec(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func testPrepared(t *testing.T, r *rig, session *gocql.Session) {
	before := r.served()
	for i := range 60 {
		exec(t, session, "INSERT INTO shop.items (id, name, price) VALUES (?, ?, ?)", i, fmt.Sprint("item ", i), i*i)
	}
	for i := range 60 {
		var name string
		var price int
		if err := session.Query("SELECT name, price FROM shop.items WHERE id = ?", i).Scan(&name, &price); err != nil {
			t.Fatal(err)
		}
		if name != fmt.Sprint("item ", i) || price != i*i {
			t.Errorf("row %d is %q, %d", i, name, price)
		}
	}
	for id, n := range r.served() {
		if n-before[id] < 10 {
			t.Errorf("node %s served %d of 120 statements", id, n-before[id])
		}
	}
	if err := session.Query("SELECT name FROM shop.items WHERE id = ?", -1).Scan(new(string)); !errors.Is(err, gocql.ErrNotFound) {
		t.Errorf("error %v for a row that is not there, want %v", err, gocql.ErrNotFound)
	}
}

func testBatches(t *testing.T, _ *rig, session *gocql.Session) {
	for _, kind := range []gocql.BatchType{gocql.LoggedBatch, gocql.UnloggedBatch} {
		b := session.Batch(kind)
		for i := range 3 {
			b.Query("INSERT INTO shop.items (id, name) VALUES (?, ?)", 1000+i, fmt.Sprint("batch ", kind))
		}
		if err := b.Exec(); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := session.Query("SELECT COUNT(*) FROM shop.items WHERE id IN (1000, 1001, 1002) AND name = ? ALLOW FILTERING", fmt.Sprint("batch ", kind)).Scan(&n); err != nil || n != 3 {
			t.Errorf("batch of kind %v: %d rows, want 3 (%v)", kind, n, err)
		}
	}
	b := session.Batch(gocql.CounterBatch)
	b.Query("UPDATE shop.visits SET n = n + ? WHERE page = ?", int64(2), "a")
	b.Query("UPDATE shop.visits SET n = n + ? WHERE page = ?", int64(3), "b")
	if err := b.Exec(); err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := session.Query("SELECT n FROM shop.visits WHERE page = 'b'").Scan(&n); err != nil || n != 3 {
		t.Errorf("counter is %d, want 3 (%v)", n, err)
	}
}

func testLightweightTransactions(t *testing.T, _ *rig, session *gocql.Session) {
	const insert = "INSERT INTO shop.items (id, name, price) VALUES (?, ?, ?) IF NOT EXISTS"
	for i, want := range []bool{true, false} {
		was := make(map[string]any)
		applied, err := session.Query(insert, 2000, "first", i).MapScanCAS(was)
		if err != nil || applied != want {
			t.Fatalf("insert %d: applied %v, want %v (%v)", i, applied, want, err)
		}
		if !applied && was["name"] != "first" {
			t.Errorf("what was there before: %v", was)
		}
	}
	b := session.Batch(gocql.LoggedBatch)
	b.Query("UPDATE shop.items SET price = ? WHERE id = ? IF price = ?", 7, 2000, 0)
	if applied, iter, err := b.ExecCAS(); err != nil || !applied {
		t.Errorf("batch: applied %v (%v)", applied, err)
	} else {
		iter.Close()
	}
}

func testPaging(t *testing.T, _ *rig, session *gocql.Session) {
	const rows, page = 10_000, 500
	define(t, session, "CREATE TABLE shop.pages (p int, c int, PRIMARY KEY (p, c))")
	var group sync.WaitGroup
	failed := make(chan error, 32)
	for worker := range cap(failed) {
		group.Go(func() {
			for i := worker; i < rows; i += cap(failed) {
				if err := session.Query("INSERT INTO shop.pages (p, c) VALUES (?, ?)", i%10, i).Exec(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}

	seen := make(map[int]bool)
	pages := 1
	iter := session.Query("SELECT c FROM shop.pages").PageSize(page).Iter()
	for c := 0; ; {
		if iter.WillSwitchPage() {
			pages++
		}
		if !iter.Scan(&c) {
			break
		}
		seen[c] = true
	}
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}
	if len(seen) != rows || pages < rows/page {
		t.Errorf("%d rows on %d pages, want %d on at least %d", len(seen), pages, rows, rows/page)
	}

	// By hand, as over several requests of a web server.
	var state []byte
	count := 0
	for {
		iter := session.Query("SELECT c FROM shop.pages WHERE p = 3").PageSize(300).PageState(state).Iter()
		count += iter.NumRows()
		state = iter.PageState()
		if err := iter.Close(); err != nil {
			t.Fatal(err)
		}
		if len(state) == 0 {
			break
		}
	}
	if count != rows/10 {
		t.Errorf("%d rows by paging states, want %d", count, rows/10)
	}
}

func testTracing(t *testing.T, _ *rig, session *gocql.Session) {
	var text strings.Builder
	trace := gocql.NewTraceWriter(session, &text)
	if err := session.Query("SELECT name FROM shop.items WHERE id = 1").Trace(trace).Exec(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "Tracing session") {
		t.Errorf("trace is %q", text.String())
	}
}

func testSchemaMetadata(t *testing.T, _ *rig, session *gocql.Session) {
	define(t, session, "CREATE TYPE shop.color (name text, rgb frozen<list<int>>)")
	define(t, session, "CREATE TABLE shop.paints (a int, b text, c timeuuid, d frozen<color>, PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC)")
	meta, err := session.KeyspaceMetadata("shop")
	if err != nil {
		t.Fatal(err)
	}
	table := meta.Tables["paints"]
	if table == nil {
		t.Fatalf("tables %v, want paints among them", meta.Tables)
	}
	var key []string
	for _, c := range table.PartitionKey {
		key = append(key, c.Name)
	}
	if !slices.Equal(key, []string{"a", "b"}) || len(table.ClusteringColumns) != 1 || table.ClusteringColumns[0].Name != "c" || len(table.Columns) != 4 {
		t.Errorf("table %+v", table)
	}
	if color := meta.UserTypes["color"]; color == nil || !slices.Equal(color.FieldNames, []string{"name", "rgb"}) {
		t.Errorf("user-defined types %+v", meta.UserTypes)
	}
	if _, err := session.KeyspaceMetadata("no_such_keyspace"); !errors.Is(err, gocql.ErrKeyspaceDoesNotExist) {
		t.Errorf("error %v, want %v", err, gocql.ErrKeyspaceDoesNotExist)
	}
}

func testDescribe(t *testing.T, _ *rig, session *gocql.Session) {
	row := make(map[string]any)
	if err := session.Query("DESCRIBE TABLE shop.items").MapScan(row); err != nil {
		t.Fatal(err)
	}
	if text, _ := row["create_statement"].(string); !strings.Contains(text, "CREATE TABLE shop.items") {
		t.Errorf("description %v", row)
	}
}

func testMaterializedView(t *testing.T, _ *rig, session *gocql.Session) {
	define(t, session, "CREATE MATERIALIZED VIEW shop.by_name AS SELECT * FROM shop.items WHERE name IS NOT NULL AND id IS NOT NULL PRIMARY KEY (name, id)")
	exec(t, session, "INSERT INTO shop.items (id, name) VALUES (3000, 'seen from two sides')")
	eventually(t, "the view has the row", func() bool {
		var id int
		err := session.Query("SELECT id FROM shop.by_name WHERE name = 'seen from two sides'").Scan(&id)
		return err == nil && id == 3000
	})
}

func testIndex(t *testing.T, _ *rig, session *gocql.Session) {
	// A table of its own: an index stops the build of a view on the same table, and the nodes answer with an error.
	define(t, session, "CREATE TABLE shop.offers (id int PRIMARY KEY, price int)")
	define(t, session, "CREATE INDEX by_price ON shop.offers (price) USING 'sai'")
	exec(t, session, "INSERT INTO shop.offers (id, price) VALUES (4000, 123456)")
	eventually(t, "the index is built and finds the row", func() bool {
		var id int
		err := session.Query("SELECT id FROM shop.offers WHERE price > 123000").Scan(&id)
		return err == nil && id == 4000
	})
}

func testVectorSearch(t *testing.T, _ *rig, session *gocql.Session) {
	define(t, session, "CREATE TABLE shop.pictures (id int PRIMARY KEY, v vector<float, 3>)")
	define(t, session, "CREATE CUSTOM INDEX by_likeness ON shop.pictures (v) USING 'StorageAttachedIndex' WITH OPTIONS = {'similarity_function': 'euclidean'}")
	for id, v := range [][]float32{{0, 0, 1}, {0, 1, 0}, {1, 0, 0}, {0.9, 0.1, 0}} {
		exec(t, session, "INSERT INTO shop.pictures (id, v) VALUES (?, ?)", id, v)
	}
	eventually(t, "the two nearest vectors are found", func() bool {
		var found []int
		iter := session.Query("SELECT id FROM shop.pictures ORDER BY v ANN OF ? LIMIT 2", []float32{1, 0, 0}).Iter()
		for id := 0; iter.Scan(&id); {
			found = append(found, id)
		}
		return iter.Close() == nil && slices.Equal(found, []int{2, 3})
	})
}

func testWarnings(t *testing.T, _ *rig, session *gocql.Session) {
	iter := session.Query("SELECT COUNT(*) FROM shop.items").Iter()
	defer iter.Close()
	if w := iter.Warnings(); len(w) != 1 || w[0] != "Aggregation query used without partition key" {
		t.Errorf("warnings %q, want the one about aggregation", w)
	}
}

func testWrongPassword(t *testing.T, r *rig, _ *gocql.Session) {
	c := r.config("")
	c.Token = r.server.Token() // the simulated Astra's own, which the nodes do not know
	session, err := astra.Connect(t.Context(), newCluster(t, c))
	if err == nil {
		session.Close()
	}
	if !errors.Is(err, astra.ErrUnauthenticated) {
		t.Errorf("error %v, want %v", err, astra.ErrUnauthenticated)
	}
}

func testNoSuchKeyspace(t *testing.T, r *rig, _ *gocql.Session) {
	session, err := astra.Connect(t.Context(), r.cluster(t, "no_such_keyspace"))
	if err == nil {
		session.Close()
	}
	if !errors.Is(err, astra.ErrKeyspace) || !strings.Contains(fmt.Sprint(err), "no_such_keyspace") {
		t.Errorf("error %v, want %v with the keyspace's name", err, astra.ErrKeyspace)
	}
}

func testNodeRestarts(t *testing.T, r *rig, session *gocql.Session) {
	node := r.nodes.Nodes()[1]
	readAll := func() {
		t.Helper()
		for i := range 60 {
			if err := session.Query("SELECT name FROM shop.items WHERE id = ?", i).Idempotent(true).Scan(new(string)); err != nil {
				t.Fatalf("read %d: %v", i, err)
			}
		}
	}
	if err := node.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := r.served()
	readAll()
	if after := r.served(); after[node.HostID()] != before[node.HostID()] {
		t.Errorf("the stopped node %s served %d statements", node.HostID(), after[node.HostID()]-before[node.HostID()])
	}
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the started node serves statements again", func() bool {
		before := r.served()
		readAll()
		return r.served()[node.HostID()] > before[node.HostID()]
	})
}

// testProxied compares the connections that nodes see with those that the proxy has, and what was dialed with what may be.
func testProxied(t *testing.T, r *rig, session *gocql.Session) {
	eventually(t, "the nodes have the proxy's connections and no other", func() bool {
		var seen int64
		for _, n := range r.nodes.Nodes() {
			iter := session.Query("SELECT address, driver_name FROM system_views.clients").SetHostID(n.HostID()).Iter()
			seen += int64(iter.NumRows())
			if err := iter.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return seen == r.server.Stats().OpenConns
	})
	b := r.server.Bundle()
	allowed := []string{net.JoinHostPort(b.Host(), fmt.Sprint(b.Port())), net.JoinHostPort(b.Host(), fmt.Sprint(b.CQLPort()))}
	r.mu.Lock()
	defer r.mu.Unlock()
	for addr := range r.dialed {
		if !slices.Contains(allowed, addr) {
			t.Errorf("%s was dialed, want none but %q", addr, allowed)
		}
	}
	for name, n := range r.server.Stats().BySNI {
		if !slices.ContainsFunc(r.nodes.Nodes(), func(node *cassandra.Node) bool { return node.HostID() == name }) {
			t.Errorf("%d connections with the server name %q, which is no host ID", n, name)
		}
	}
}
