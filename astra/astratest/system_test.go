package astratest_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

func columnNames(rs resultSet) (names []string) {
	for _, c := range rs.columns {
		names = append(names, c.Name)
	}
	return names
}

func TestSystemLocalAndPeers(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.NodeCount(4))
	defer s.Close()
	nodes := s.Nodes()
	c := connectCQL(t, s, nodes[1])

	rs := c.queryRows("SELECT * FROM system.local WHERE key='local'")
	if len(rs.rows) != 1 {
		t.Fatalf("%d rows of system.local", len(rs.rows))
	}
	local := rs.maps()[0]
	for name, want := range map[string]any{
		"key": "local", "bootstrapped": "COMPLETED", "cluster_name": "cndb", "cql_version": "3.4.5", "data_center": "us-east1",
		"host_id": nodes[1].HostID(), "native_protocol_version": "4", "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
		"rack": "rack2", "release_version": "4.0.11", "rpc_address": nodes[1].Addr(), "broadcast_address": nodes[1].Addr(), "rpc_port": int32(9042),
	} {
		if got := local[name]; got != want {
			t.Errorf("system.local: %s is %v, want %v", name, got, want)
		}
	}
	if got, want := local["tokens"], tokenTexts(nodes[1]); !cmp.Equal(got, want) {
		t.Errorf("tokens %v, want %v", got, want)
	}

	peers := c.queryRows("SELECT * FROM system.peers").maps()
	if len(peers) != 3 {
		t.Fatalf("%d rows of system.peers", len(peers))
	}
	for i, n := range []*astratest.Node{nodes[0], nodes[2], nodes[3]} {
		want := map[string]any{
			"peer": n.Addr(), "data_center": "us-east1", "host_id": n.HostID(), "preferred_ip": nil, "rack": peers[i]["rack"],
			"release_version": "4.0.11", "rpc_address": n.Addr(), "schema_version": local["schema_version"], "tokens": tokenTexts(n),
		}
		if diff := cmp.Diff(want, peers[i], cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("peer %d:\n%s", i, diff)
		}
		if !n.Addr().IsLoopback() {
			t.Errorf("%v is no loopback address", n.Addr())
		}
	}
	c.expectError(c.query("SELECT * FROM system.peers_v2"), cql.CodeInvalid, "unconfigured table peers_v2")
}

func tokenTexts(n *astratest.Node) []any {
	var texts []string
	for _, token := range n.Tokens() {
		texts = append(texts, fmt.Sprint(token))
	}
	slices.Sort(texts)
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// Each node owns about as much of the ring.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.NodeCount(6))
	defer s.Close()
	owner := make(map[int64]int)
	var ring []int64
	for i, n := range s.Nodes() {
		for _, token := range n.Tokens() {
			owner[token] = i
			ring = append(ring, token)
		}
	}
	slices.Sort(ring)
	if len(owner) != 48 || len(ring) != 48 {
		t.Fatalf("%d tokens, %d different ones", len(ring), len(owner))
	}
	owned := make([]float64, 6)
	for i, token := range ring {
		before := ring[(i+len(ring)-1)%len(ring)]
		owned[owner[token]] += float64(uint64(token-before)) / (1 << 64)
	}
	for i, part := range owned {
		if part < 0.08 || part > 0.28 {
			t.Errorf("node %d owns %.2f of the ring", i, part)
		}
	}
}

func TestPeersV2(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.PeersV2())
	defer s.Close()
	n := s.Nodes()[1]
	c := connectCQL(t, s, s.Nodes()[0])
	rows := c.queryRows("SELECT * FROM system.peers_v2").maps()
	if len(rows) != 2 || rows[0]["native_address"] != n.Addr() || rows[0]["native_port"] != int32(9042) || rows[0]["peer_port"] != int32(7000) {
		t.Errorf("system.peers_v2: %v", rows)
	}
}

func TestSharedAddress(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.SharedAddress())
	defer s.Close()
	c := connectCQL(t, s, s.Nodes()[0])
	rows := c.queryRows("SELECT peer, rpc_address FROM system.peers").rows
	local := c.queryRows("SELECT rpc_address FROM system.local").rows
	if rows[0][0] == rows[1][0] || rows[0][1] != rows[1][1] || rows[0][1] != local[0][0] {
		t.Errorf("peers %v, local %v", rows, local)
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	nodes := s.Nodes()
	c := connectCQL(t, s, nodes[0])
	peer := encode(t, "inet", nodes[1].Addr())
	for _, test := range []struct {
		text   string
		values [][]byte
		names  []string
		rows   int
	}{
		{"select host_id, rack from system.local;", nil, []string{"host_id", "rack"}, 1},
		{"SELECT schema_version AS v FROM system.local WHERE key = 'local' ALLOW FILTERING", nil, []string{"v"}, 1},
		{"SELECT key FROM system.local WHERE key=?", [][]byte{[]byte("local")}, []string{"key"}, 1},
		{"SELECT key FROM system.local WHERE key=?", [][]byte{[]byte("remote")}, []string{"key"}, 0},
		{"SELECT peer FROM system.peers WHERE peer = ?", [][]byte{peer}, []string{"peer"}, 1},
		{"SELECT peer FROM system.peers WHERE peer = '" + nodes[1].Addr().String() + "'", nil, []string{"peer"}, 1},
		{"SELECT peer FROM system.peers WHERE peer IN ('127.0.0.1', ?)", [][]byte{peer}, []string{"peer"}, 1},
		{"SELECT peer FROM system.peers WHERE host_id = " + nodes[2].HostID() + " ALLOW FILTERING", nil, []string{"peer"}, 1},
		{"SELECT peer FROM system.peers LIMIT 1", nil, []string{"peer"}, 1},
		{"SELECT peer FROM system.peers LIMIT ?", [][]byte{{0, 0, 0, 1}}, []string{"peer"}, 1},
		{"SELECT DISTINCT peer FROM system.peers", nil, []string{"peer"}, 2},
		{"SELECT count(*) FROM system.peers", nil, []string{"count"}, 1},
		{`SELECT "key" /* comment */ FROM "system"."local" -- comment`, nil, []string{"key"}, 1},
		{"SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system_virtual_schema'", nil, []string{"table_name"}, 0},
		{"SELECT table_name FROM system_virtual_schema.tables", nil, []string{"table_name"}, 3},
		{"SELECT column_name FROM system_schema.columns WHERE keyspace_name IN ? AND table_name = 'peers'", [][]byte{encode(t, "list<text>", []string{"system", "x"})}, []string{"column_name"}, 9},
		{"SELECT * FROM system_schema.triggers", nil, []string{"keyspace_name", "table_name", "trigger_name", "options"}, 0},
		{"SELECT * FROM system.batches", nil, []string{"id", "mutations", "version"}, 0},
	} {
		rs := c.queryRows(test.text, test.values...)
		if got := columnNames(rs); !slices.Equal(got, test.names) {
			t.Errorf("%s: columns %v, want %v", test.text, got, test.names)
		}
		if len(rs.rows) != test.rows {
			t.Errorf("%s: %d rows, want %d", test.text, len(rs.rows), test.rows)
		}

		// The same, prepared.
		p := c.prepare(test.text)
		params := cql.Parameters{SkipMetadata: true}
		for _, v := range test.values {
			params.Values = append(params.Values, cql.Value{Bytes: v})
		}
		if rows := c.readRows(c.execute(p.id, params), p.columns).rows; !cmp.Equal(rows, rs.rows, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
			t.Errorf("%s: prepared, it returns %v, and else %v", test.text, rows, rs.rows)
		}
	}
	if n := c.queryRows("SELECT count(*) FROM system.peers").rows[0][0]; n != int64(2) {
		t.Errorf("count(*) is %v", n)
	}
	p := c.prepare("SELECT host_id FROM system.peers WHERE peer = :addr")
	want := prepared{
		id:           p.id,
		params:       []cql.Column{{Keyspace: "system", Table: "peers", Name: "addr", Type: cql.Type{Kind: cql.Inet}}},
		partitionKey: []int{0},
		columns:      []cql.Column{{Keyspace: "system", Table: "peers", Name: "host_id", Type: cql.Type{Kind: cql.UUID}}},
	}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(prepared{})); diff != "" {
		t.Error(diff)
	}
	named := cql.Parameters{Names: []string{"addr"}, Values: []cql.Value{{Bytes: peer}}}
	if rows := c.readRows(c.execute(p.id, named), nil).rows; len(rows) != 1 || rows[0][0] != nodes[1].HostID() {
		t.Errorf("by name: %v", rows)
	}
}

func TestSelectErrors(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	c := connectCQL(t, s, s.Nodes()[0])
	const filtering = "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. " +
		"If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"
	for _, test := range []struct {
		text    string
		code    int
		message string
	}{
		{"SELECT * FROM system.nope", cql.CodeInvalid, "unconfigured table nope"},
		{"SELECT * FROM system_nope.x", cql.CodeInvalid, "keyspace system_nope does not exist"},
		{"SELECT nope FROM system.local", cql.CodeInvalid, "Undefined column name nope in table system.local"},
		{"SELECT key FROM system.local WHERE kay = 'x'", cql.CodeInvalid, "Undefined column name kay in table system.local"},
		{"SELECT key FROM system.local WHERE rack = 'x'", cql.CodeInvalid, filtering},
		{"SELECT * FROM system_schema.columns WHERE table_name = 'x'", cql.CodeInvalid, filtering},
		{"SELECT key FROM system.local WHERE key = 'a' AND key = 'b'", cql.CodeInvalid, "key cannot be restricted by more than one relation if it includes an Equal"},
		{"SELECT key FROM system.local WHERE key = 5", cql.CodeInvalid, `Invalid constant (5) for "key" of type text`},
		{"SELECT key FROM system.local WHERE key = ?", cql.CodeInvalid, "Invalid amount of bind variables"},
		{"SELECT FROM system.local", cql.CodeSyntax, "line 1:7 no viable alternative at input 'from'"},
		{"SELECT key, FROM system.local", cql.CodeSyntax, "line 1:12 no viable alternative at input 'from'"},
		{"SELECT key FROM system.local WHERE", cql.CodeSyntax, "line 1:34 no viable alternative at input ''"},
		{"SELECT key FROM system.local nonsense", cql.CodeSyntax, "line 1:29 no viable alternative at input 'nonsense'"},
		{"SELECT key FROM system.local WHERE key > 'a'", cql.CodeServer, "astratest: system tables are simulated without conditions other than = and IN; register the statement with Server.Handle"},
		{"SELECT token(key) FROM system.local", cql.CodeSyntax, "line 1:7 no viable alternative at input 'token'"},
	} {
		c.expectError(c.query(test.text), test.code, test.message)
	}
	c.expectError(c.query("SELECT key FROM system.local WHERE key = ?", nil), cql.CodeInvalid, "Invalid null value in condition for column key")
	c.expectError(c.query("SELECT key FROM system.local LIMIT ?", []byte{0, 0, 0, 0}), cql.CodeInvalid, "LIMIT must be strictly positive")
	c.expectError(c.ask(cql.OpQuery, cql.AppendParameters(cql.AppendLongString(nil, "SELECT key FROM system.local"), &cql.Parameters{Consistency: cql.Any})), cql.CodeInvalid, "ANY ConsistencyLevel is only supported for writes")
}

// Every table that the schema tables tell of can be read and has the columns that they tell of.
func TestSchemaTellsOfItself(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Keyspace("Shop"))
	defer s.Close()
	c := connectCQL(t, s, s.Nodes()[0])
	for _, schema := range []string{"system_schema", "system_virtual_schema"} {
		columns := make(map[string][]string)
		for _, row := range c.queryRows("SELECT keyspace_name, table_name, column_name, type FROM " + schema + ".columns").rows {
			table := fmt.Sprintf("%s.%q", row[0], row[1])
			columns[table] = append(columns[table], fmt.Sprint(row[2], " ", row[3]))
		}
		tables := c.queryRows("SELECT keyspace_name, table_name FROM " + schema + ".tables").rows
		if len(tables) < 3 || len(tables) != len(columns) {
			t.Errorf("%s: %d tables, columns of %d", schema, len(tables), len(columns))
		}
		for _, row := range tables {
			table := fmt.Sprintf("%s.%q", row[0], row[1])
			if row[0] == "Shop" {
				continue
			}
			var got []string
			for _, column := range c.queryRows("SELECT * FROM " + table).columns {
				got = append(got, column.Name+" "+column.Type.String())
			}
			// Only the schema tells of frozen types.
			want := columns[table]
			for i := range want {
				want[i] = strings.ReplaceAll(strings.ReplaceAll(want[i], "frozen<", ""), ">>", ">")
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s:\n%s", table, diff)
			}
		}
	}
	want := [][]any{{"Shop", true, map[any]any{"class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "us-east1": "3"}}}
	if diff := cmp.Diff(want, c.queryRows("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'Shop'").rows); diff != "" {
		t.Error(diff)
	}
}

func TestDefineSchema(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Keyspace("shop"), astratest.NodeCount(2))
	defer s.Close()
	c := connectCQL(t, s, s.Nodes()[0])
	c.register(cql.SchemaChange)
	before := c.queryRows("SELECT schema_version FROM system.local").rows[0][0]
	s.DefineSchema(`
		-- The columns are told in another order than they are declared in.
		CREATE TYPE IF NOT EXISTS address (street text, zip int);
		CREATE TABLE orders (
			customer int, at timestamp, line timeuuid, note text static,
			tags set<text>, "Sum" decimal, ship frozen<address>, where_to tuple<double, double>, v vector<float, 3>,
			PRIMARY KEY ((customer), at, line)
		) WITH CLUSTERING ORDER BY (at DESC, line ASC) AND comment = 'it''s one' AND default_time_to_live = 60;
		CREATE CUSTOM INDEX by_v ON orders (v) USING 'StorageAttachedIndex' WITH OPTIONS = {'similarity_function': 'dot_product'};
		CREATE INDEX ON shop.orders (values(tags));
		CREATE KEYSPACE other WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2} AND durable_writes = false;
		USE other;
		CREATE TABLE t (a int, b int, c int, PRIMARY KEY ((a, b)))`)

	var events []string
	for _, e := range c.events(6) {
		if e.Kind != cql.SchemaChange {
			t.Errorf("event %+v", e)
		}
		events = append(events, e.Change+" "+e.Target+" "+e.Keyspace+" "+e.Name)
	}
	if diff := cmp.Diff([]string{
		"CREATED TYPE shop address", "CREATED TABLE shop orders", "UPDATED TABLE shop orders", "UPDATED TABLE shop orders",
		"CREATED KEYSPACE other ", "CREATED TABLE other t",
	}, events); diff != "" {
		t.Error(diff)
	}
	if after := c.queryRows("SELECT schema_version FROM system.local").rows[0][0]; after == before {
		t.Error("the schema has the same version as before")
	}
	for query, want := range map[string][][]any{
		"SELECT column_name, kind, position, clustering_order, type FROM system_schema.columns WHERE keyspace_name = 'shop' AND table_name = 'orders'": {
			{"Sum", "regular", int32(-1), "none", "decimal"},
			{"at", "clustering", int32(0), "desc", "timestamp"},
			{"customer", "partition_key", int32(0), "none", "int"},
			{"line", "clustering", int32(1), "asc", "timeuuid"},
			{"note", "static", int32(-1), "none", "text"},
			{"ship", "regular", int32(-1), "none", "frozen<address>"},
			{"tags", "regular", int32(-1), "none", "set<text>"},
			{"v", "regular", int32(-1), "none", "vector<float, 3>"},
			{"where_to", "regular", int32(-1), "none", "frozen<tuple<double, double>>"},
		},
		"SELECT comment, default_time_to_live FROM system_schema.tables WHERE keyspace_name = 'shop' AND table_name = 'orders'": {{"it's one", int32(60)}},
		"SELECT * FROM system_schema.types": {{"shop", "address", []any{"street", "zip"}, []any{"text", "int"}}},
		"SELECT index_name, kind, options FROM system_schema.indexes": {
			{"by_v", "CUSTOM", map[any]any{"target": "v", "class_name": "StorageAttachedIndex", "similarity_function": "dot_product"}},
			{"orders_tags_idx", "COMPOSITES", map[any]any{"target": "values(tags)"}},
		},
		"SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'other'": {
			{"other", false, map[any]any{"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "2"}},
		},
		"SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'shop'": {
			{map[any]any{"class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "us-east1": "2"}},
		},
		"SELECT column_name, position FROM system_schema.columns WHERE keyspace_name = 'other' AND table_name = 't'": {{"a", int32(0)}, {"b", int32(1)}, {"c", int32(-1)}},
		"SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'shop'":                                   {{"items"}, {"orders"}},
	} {
		if diff := cmp.Diff(want, c.queryRows(query).rows); diff != "" {
			t.Errorf("%s:\n%s", query, diff)
		}
	}
}

func TestDefineSchemaPanics(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Keyspace("shop"))
	defer s.Close()
	for _, text := range []string{
		"nonsense", "DROP TABLE items", "CREATE", "CREATE VIEW v", "CREATE TABLE", "CREATE TABLE t", "CREATE TABLE t (", "CREATE TABLE t ()",
		"CREATE TABLE t (a int)", "CREATE TABLE t (a int, PRIMARY KEY (b))", "CREATE TABLE t (a int PRIMARY KEY, a int)",
		"CREATE TABLE t (a nope PRIMARY KEY)", "CREATE TABLE t (a list<int PRIMARY KEY)", "CREATE TABLE nope.t (a int PRIMARY KEY)",
		"CREATE TABLE t (a int PRIMARY KEY) WITH", "CREATE TABLE t (a int PRIMARY KEY) WITH x = {'a'", "CREATE TABLE t (a int PRIMARY KEY) nonsense",
		"CREATE TABLE t (a int PRIMARY KEY) WITH COMPACT STORAGE", "CREATE TYPE u (a", "CREATE TYPE u (a x)", "CREATE INDEX ON nope (a)",
		"CREATE INDEX ON items (name", "CREATE CUSTOM INDEX ON items (name)", "CREATE KEYSPACE 5", "USE 'x'", "CREATE TABLE t (a int PRIMARY KEY); x",
		"CREATE TABLE entries (a int PRIMARY KEY)", "CREATE TABLE t (order int PRIMARY KEY)", "CREATE KEYSPACE schema", // reserved words
	} {
		func() {
			defer func() {
				message, ok := recover().(string)
				if !ok || !strings.HasPrefix(message, "astratest: DefineSchema: line 1: ") {
					t.Errorf("%s: %v", text, message)
				}
			}()
			s.DefineSchema(text)
		}()
	}
	c := connectCQL(t, s, s.Nodes()[0])
	if rows := c.queryRows("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'shop'").rows; len(rows) != 1 {
		t.Errorf("something was declared nevertheless: %v", rows)
	}
}

func TestSystemPaging(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	c := connectCQL(t, s, s.Nodes()[0])
	want := c.queryRows("SELECT * FROM system_schema.columns").rows
	var got [][]any
	var state []byte
	pages := 0
	for more := true; more; more = state != nil {
		rs := c.readRows(c.ask(cql.OpQuery, queryBody("SELECT * FROM system_schema.columns", cql.Parameters{PageSize: 50, PagingState: state})), nil)
		got = append(got, rs.rows...)
		state = rs.pagingState
		pages++
	}
	if pages != (len(want)+49)/50 {
		t.Errorf("%d rows in %d pages", len(want), pages)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSplitSchema(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	versions := func() map[any]bool {
		c := connectCQL(t, s, s.Nodes()[0])
		seen := make(map[any]bool)
		for _, table := range []string{"local", "peers"} {
			for _, row := range c.queryRows("SELECT schema_version FROM system." + table).rows {
				seen[row[0]] = true
			}
		}
		return seen
	}
	if n := len(versions()); n != 1 {
		t.Errorf("%d versions at first", n)
	}
	s.SplitSchema(time.Hour)
	if n := len(versions()); n != 3 {
		t.Errorf("%d versions of a split schema", n)
	}
	s.SplitSchema(0)
	if n := len(versions()); n != 1 {
		t.Errorf("%d versions at last", n)
	}
}
