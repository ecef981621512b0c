//go:build integration

package cassandra

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-5f06b232/astra-go/internal/cql"
	"github.com/seed-5f06b232/astra-go/internal/recording"
)

var update = flag.Bool("update", false, "write the recording's file instead of comparing with it")

// TestIntegrationRecording asks real nodes what the recording in astratest's testdata says they answer.
func TestIntegrationRecording(t *testing.T) {
	c := startCluster(t, Options{})
	got := &recording.Recording{
		Cassandra:     Version,
		Conversations: record(t, c, conversations()),
		Events:        recordEvents(t, c),
		Tables:        recordTables(t, c),
	}
	name := filepath.Join("..", "..", "astra", "astratest", "testdata", "cassandra-"+Version+".json")
	data := encode(t, got)
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	forgiveLateCounter(want, got)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Cassandra does not answer as %s says (-file +now); go test -run TestIntegrationRecording -update writes it anew\n%s", name, diff)
	}
}

// forgiveLateCounter lets one read miss the update before it: both are at consistency ONE, and may be at different replicas.
func forgiveLateCounter(want, got *recording.Recording) {
	for i := range min(len(want.Conversations), len(got.Conversations)) {
		wanted, exchanges := want.Conversations[i].Exchanges, got.Conversations[i].Exchanges
		for j := range min(len(wanted), len(exchanges)) {
			if exchanges[j].Request.Statement == "SELECT n FROM recorded.counters WHERE k = 'a'" && len(exchanges[j].Answer.Rows) == 0 {
				exchanges[j].Answer.Rows = wanted[j].Answer.Rows
			}
		}
	}
}

// encode writes an exchange, an event and a column on one line each.
func encode(t *testing.T, r *recording.Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	line := func(indent string, v any, last bool) {
		b.WriteString(indent)
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		if !last {
			b.Truncate(b.Len() - 1)
			b.WriteString(",\n")
		}
	}
	fmt.Fprintf(&b, "{\n \"Cassandra\": %q,\n \"Conversations\": [\n", r.Cassandra)
	for i, c := range r.Conversations {
		fmt.Fprintf(&b, "  {\"Name\": %q, \"Exchanges\": [\n", c.Name)
		for j, x := range c.Exchanges {
			line("   ", x, j == len(c.Exchanges)-1)
		}
		b.WriteString("  ]}" + comma(i, len(r.Conversations)) + "\n")
	}
	b.WriteString(" ],\n \"Events\": [\n")
	for i, e := range r.Events {
		line("  ", e, i == len(r.Events)-1)
	}
	b.WriteString(" ],\n \"Tables\": {\n")
	for i, keyspace := range slices.Sorted(maps.Keys(r.Tables)) {
		tables := r.Tables[keyspace]
		fmt.Fprintf(&b, "  %q: {\n", keyspace)
		for j, name := range slices.Sorted(maps.Keys(tables)) {
			fmt.Fprintf(&b, "   %q: {\"Columns\": [\n", name)
			for k, c := range tables[name].Columns {
				line("    ", c, k == len(tables[name].Columns)-1)
			}
			b.WriteString("   ]}" + comma(j, len(tables)) + "\n")
		}
		b.WriteString("  }" + comma(i, len(r.Tables)) + "\n")
	}
	b.WriteString(" }\n}\n")
	return b.Bytes()
}

func comma(i, n int) string {
	if i == n-1 {
		return ""
	}
	return ","
}

// conversations returns what to ask, each on a connection of its own.
func conversations() []recording.Conversation {
	type request = recording.Request
	query := func(statement string) request { return request{Opcode: "QUERY", Statement: statement} }
	prepare := func(statement string) request { return request{Opcode: "PREPARE", Statement: statement} }
	startup := request{Opcode: "STARTUP", Options: map[string]string{"CQL_VERSION": "3.0.0"}}
	login := request{Opcode: "AUTH_RESPONSE", Credentials: "right"}
	const keyspace = "CREATE KEYSPACE recorded WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}"

	var list []recording.Conversation
	// raw begins with nothing said, session with a client that has logged in.
	raw := func(name string, requests ...request) {
		c := recording.Conversation{Name: name}
		for _, r := range requests {
			c.Exchanges = append(c.Exchanges, recording.Exchange{Request: r})
		}
		list = append(list, c)
	}
	session := func(name string, requests ...request) {
		raw(name, append([]request{startup, login}, requests...)...)
	}

	raw("options", request{Opcode: "OPTIONS"}, request{Opcode: "OPTIONS"})
	for _, version := range []byte{1, 2, 3, 5, 6, 7, 65, 66} { // the last two are those of DSE, which Java's driver tries first
		raw(fmt.Sprintf("options in version %d", version), request{Version: version, Opcode: "OPTIONS"}, request{Opcode: "OPTIONS"})
		r := startup
		r.Version = version
		raw(fmt.Sprintf("startup in version %d", version), r)
	}
	raw("options in version 6 with the beta flag", request{Version: 6, Flags: cql.FlagBeta, Opcode: "OPTIONS"})
	raw("query before startup", query("SELECT key FROM system.local"))
	raw("register before startup", request{Opcode: "REGISTER", Events: []string{"STATUS_CHANGE"}})
	raw("startup without a CQL version", request{Opcode: "STARTUP"})
	raw("startup with an unknown CQL version", request{Opcode: "STARTUP", Options: map[string]string{"CQL_VERSION": "9.9.9"}})
	raw("startup with an unknown compression", request{Opcode: "STARTUP", Options: map[string]string{"CQL_VERSION": "3.0.0", "COMPRESSION": "none"}})
	raw("startup with unknown options", request{Opcode: "STARTUP", Options: map[string]string{"CQL_VERSION": "3.0.0", "DRIVER_NAME": "a", "DRIVER_VERSION": "b", "C": "d"}})
	raw("query before credentials", startup, query("SELECT key FROM system.local"))
	raw("options before credentials", startup, request{Opcode: "OPTIONS"}, login)
	raw("wrong password", startup, request{Opcode: "AUTH_RESPONSE", Credentials: "wrong"}, login)
	raw("unknown user", startup, request{Opcode: "AUTH_RESPONSE", Credentials: "\x00nobody\x00x"})
	raw("credentials without a password", startup, request{Opcode: "AUTH_RESPONSE", Credentials: "\x00cassandra"})
	raw("credentials that are empty", startup, request{Opcode: "AUTH_RESPONSE"})

	session("startup again", startup)
	session("credentials again", login)
	session("a response as a request", request{Opcode: "READY"})
	session("options after login", request{Opcode: "OPTIONS"})
	session("register",
		request{Opcode: "REGISTER", Events: []string{"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"}},
		request{Opcode: "REGISTER", Events: []string{"TOPOLOGY_CHANGE"}},
		request{Opcode: "REGISTER"},
		request{Opcode: "REGISTER", Events: []string{"NO_SUCH_EVENT"}},
		query("SELECT key FROM system.local"))

	session("system tables",
		query("SELECT * FROM system.local WHERE key='local'"),
		query("SELECT * FROM system.local"),
		query("SELECT * FROM system.peers"),
		query("SELECT * FROM system.peers_v2"),
		query("SELECT host_id, data_center, rack, release_version FROM system.local"),
		query("SELECT peer, host_id, rpc_address FROM system.peers"),
		query("SELECT schema_version FROM system.local WHERE key='local'"),
		query("SELECT schema_version FROM system.peers"),
		query("SELECT host_id, schema_version FROM system.peers"),
		query("SELECT cluster_name, release_version, cql_version FROM system.local"),
		query("SELECT key FROM system.local WHERE key='other'"),
		query("SELECT no_such_column FROM system.local"),
		query("select KEY from SYSTEM.LOCAL;"),
		query("SELECT count(*) FROM system.local"),
		query("SELECT now() FROM system.local"),
		query("SELECT * FROM system.no_such_table"),
		query("SELECT * FROM no_such_keyspace.no_such_table"),
		query("SELECT * FROM local"),
		prepare("SELECT * FROM system.local WHERE key=?"),
		request{Opcode: "EXECUTE", Values: []string{"6c6f63616c"}},
		request{Opcode: "EXECUTE", Values: []string{"6c6f63616c"}, SkipMetadata: true},
		prepare("SELECT * FROM system.no_such_table"),
		query("DROP TABLE system.local"))

	var schema []request
	for _, table := range []string{"keyspaces", "tables", "columns", "types", "functions", "aggregates", "views", "indexes", "triggers",
		"dropped_columns", "column_masks"} {
		schema = append(schema, query("SELECT * FROM system_schema."+table+" WHERE keyspace_name = 'no_such_keyspace'"))
	}
	for _, table := range []string{"keyspaces", "tables", "columns"} {
		schema = append(schema, query("SELECT * FROM system_virtual_schema."+table+" WHERE keyspace_name = 'no_such_keyspace'"))
	}
	session("schema tables", schema...)

	session("use",
		query("USE no_such_keyspace"), query("USE system"), query("SELECT key FROM local"), query(`USE "system"`), query("USE SYSTEM"))
	session("errors",
		query("SELEC"), query(""), query("SELECT"), query("SELECT * FROM"), query("SELECT * FROM system.local WHERE"), query("SELECT key FROM system.local 'x"),
		query("SELECT key FROM system.local; SELECT key FROM system.local"),
		prepare("SELEC"),
		query("SELECT key FROM system.local WHERE key = ?"),
		query("SELECT key FROM system.local WHERE key = 1"),
		request{Opcode: "EXECUTE", Unprepared: true},
		prepare("SELECT key FROM system.local WHERE key = ?"),
		request{Opcode: "EXECUTE"},
		request{Opcode: "QUERY", Statement: "SELECT key FROM system.local", Consistency: "SERIAL"},
		request{Opcode: "QUERY", Statement: "SELECT key FROM system.local", Consistency: "ANY"},
		request{Opcode: "QUERY", Statement: "SELECT key FROM system.local", Flags: cql.FlagTracing})

	session("definitions",
		query("CREATE TABLE recorded.none (k int PRIMARY KEY)"),
		query("DROP KEYSPACE recorded"),
		query("DROP KEYSPACE IF EXISTS recorded"),
		query(keyspace), query(keyspace), query(strings.Replace(keyspace, "KEYSPACE", "KEYSPACE IF NOT EXISTS", 1)),
		query("ALTER KEYSPACE recorded WITH durable_writes = true"),
		query("CREATE TYPE recorded.address (street text, numbers frozen<list<int>>)"),
		query(`CREATE TABLE recorded.types (pk1 int, pk2 text, ck1 timeuuid, ck2 text, st text STATIC, a ascii, b bigint, bl blob, bo boolean, d date, de decimal,
			"do" double, du duration, f float, i inet, l list<int>, fl frozen<list<int>>, m map<text, int>, s set<uuid>, si smallint, t time, ts timestamp, ti tinyint,
			tu tuple<int, text>, u frozen<address>, lu list<frozen<address>>, uu address, v vector<float, 3>, vi varint, PRIMARY KEY ((pk1, pk2), ck1, ck2))
			WITH CLUSTERING ORDER BY (ck1 DESC, ck2 ASC) AND comment = 'all types'`),
		query("CREATE TABLE recorded.types (k int PRIMARY KEY)"),
		query("CREATE TABLE recorded.small (k text PRIMARY KEY, v int)"),
		query("CREATE TABLE recorded.counters (k text PRIMARY KEY, n counter)"),
		query("ALTER TABLE recorded.small ADD w text"),
		query("ALTER TABLE recorded.small DROP w"),
		query("CREATE INDEX by_v ON recorded.small (v)"),
		query("CREATE CUSTOM INDEX by_vector ON recorded.types (v) USING 'StorageAttachedIndex'"),
		query("CREATE MATERIALIZED VIEW recorded.small_by_v AS SELECT * FROM recorded.small WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)"),
		query("CREATE FUNCTION recorded.twice (n int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return 2 * n;'"),
		query("CREATE FUNCTION recorded.plus (a int, b int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a + b;'"),
		query("CREATE AGGREGATE recorded.total (int) SFUNC plus STYPE int INITCOND 0"),
		query("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'recorded'"),
		query("SELECT * FROM system_schema.tables WHERE keyspace_name = 'recorded'"),
		query("SELECT * FROM system_schema.columns WHERE keyspace_name = 'recorded'"),
		query("SELECT * FROM system_schema.types WHERE keyspace_name = 'recorded'"),
		query("SELECT * FROM system_schema.functions WHERE keyspace_name = 'recorded'"),
		query("SELECT * FROM system_schema.aggregates WHERE keyspace_name = 'recorded'"),
		query("SELECT * FROM system_schema.views WHERE keyspace_name = 'recorded'"),
		query("SELECT * FROM system_schema.indexes WHERE keyspace_name = 'recorded'"),
		query("SELECT * FROM system_schema.dropped_columns WHERE keyspace_name = 'recorded'"),
		query("SELECT * FROM recorded.types"),
		query("SELECT * FROM recorded.small"),
		query("DESCRIBE KEYSPACES"), query("DESCRIBE KEYSPACE recorded"), query("DESCRIBE TABLE recorded.small"), query("DESCRIBE CLUSTER"),
		query("DESCRIBE TABLE recorded.none"))

	session("rows",
		prepare("INSERT INTO recorded.small (k, v) VALUES (?, ?)"),
		request{Opcode: "EXECUTE", Values: []string{"61", "00000001"}, Consistency: "LOCAL_QUORUM"},
		request{Opcode: "EXECUTE", Values: []string{"62", "00000002"}, Consistency: "LOCAL_QUORUM"},
		request{Opcode: "EXECUTE", Values: []string{"62", "02"}},
		request{Opcode: "EXECUTE", Values: []string{"62"}},
		request{Opcode: "EXECUTE", Values: []string{"61", "00000001"}, Consistency: "ANY"},
		prepare("SELECT * FROM recorded.types WHERE pk1 = ? AND pk2 = ? AND ck1 > ?"),
		prepare("SELECT v FROM recorded.small WHERE k IN ?"),
		prepare("INSERT INTO recorded.types (pk1, pk2, ck1, ck2, v, uu) VALUES (:a, :b, :c, :d, :e, :f)"),
		prepare("BEGIN BATCH INSERT INTO recorded.small (k) VALUES (?) APPLY BATCH"),
		prepare("USE system"),
		prepare("SELECT k, v FROM recorded.small"),
		request{Opcode: "EXECUTE", PageSize: 1, Consistency: "LOCAL_QUORUM"},
		request{Opcode: "EXECUTE", PageSize: 1, NextPage: true, SkipMetadata: true, Consistency: "LOCAL_QUORUM"},
		request{Opcode: "EXECUTE", PageSize: 1, NextPage: true, Consistency: "LOCAL_QUORUM"},
		request{Opcode: "QUERY", Statement: "SELECT v FROM recorded.small WHERE k = ?", Values: []string{"61"}},
		request{Opcode: "QUERY", Statement: "SELECT v FROM recorded.small WHERE k = ?", Values: []string{"61", "61"}},
		query("INSERT INTO recorded.small (k, v) VALUES ('c', 3) IF NOT EXISTS"),
		query("INSERT INTO recorded.small (k, v) VALUES ('c', 4) IF NOT EXISTS"),
		query("UPDATE recorded.small SET v = 5 WHERE k = 'c' IF v = 4"),
		query("UPDATE recorded.small SET v = 5 WHERE k = 'c' IF v = 3"),
		query("UPDATE recorded.small SET v = 'x' WHERE k = 'c'"),
		query("UPDATE recorded.counters SET n = n + 1 WHERE k = 'a'"),
		query("SELECT n FROM recorded.counters WHERE k = 'a'"),
		request{Opcode: "BATCH", Batch: []string{"INSERT INTO recorded.small (k, v) VALUES ('d', 1)", "INSERT INTO recorded.small (k, v) VALUES ('e', 1)"}},
		request{Opcode: "BATCH", BatchKind: cql.BatchUnlogged, Batch: []string{"INSERT INTO recorded.small (k, v) VALUES ('d', 1)"}},
		request{Opcode: "BATCH", BatchKind: cql.BatchCounter, Batch: []string{"UPDATE recorded.counters SET n = n + 1 WHERE k = 'a'"}},
		request{Opcode: "BATCH", BatchKind: cql.BatchCounter, Batch: []string{"INSERT INTO recorded.small (k, v) VALUES ('d', 1)"}},
		request{Opcode: "BATCH", Batch: []string{"SELECT k FROM recorded.small"}},
		request{Opcode: "BATCH"},
		request{Opcode: "BATCH", Batch: []string{
			fmt.Sprintf("INSERT INTO recorded.small (k, v) VALUES ('%s', 1)", strings.Repeat("long", 2000)), "INSERT INTO recorded.small (k, v) VALUES ('f', 1)"}},
		query("SELECT sum(v) FROM recorded.small"),
		query("SELECT k FROM recorded.small WHERE v > 1"),
		query("SELECT k FROM recorded.small WHERE v > 1 ALLOW FILTERING"),
		query("TRUNCATE recorded.small"),
		query("SELECT k FROM recorded.small"))
	session("drops",
		query("DROP AGGREGATE recorded.total"), query("DROP FUNCTION recorded.plus"), query("DROP MATERIALIZED VIEW recorded.small_by_v"),
		query("DROP INDEX recorded.by_v"), query("DROP TABLE recorded.types"), query("DROP TYPE recorded.address"), query("DROP KEYSPACE recorded"))
	return list
}

// record has the conversations with the first node.
func record(t *testing.T, c *Cluster, list []recording.Conversation) []recording.Conversation {
	for i := range list {
		s := newSession(t, c)
		for j := range list[i].Exchanges {
			x := &list[i].Exchanges[j]
			var err error
			if x.Answer, err = s.Ask(x.Request); err != nil {
				t.Fatalf("%s: %+v: %v (%+v)", list[i].Name, x.Request, err, x.Answer)
			}
			if x.Answer.Result == "schema change" {
				awaitAgreement(t, c)
			}
			if x.Answer.Closed {
				list[i].Exchanges = list[i].Exchanges[:j+1]
				break
			}
		}
	}
	return list
}

// awaitAgreement waits until all nodes have the same schema.
func awaitAgreement(t *testing.T, c *Cluster) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		versions := make(map[string]bool)
		for _, n := range c.Nodes() {
			rows, err := c.query(t.Context(), n, "SELECT schema_version FROM system.local", cql.One)
			if err != nil {
				t.Fatal(err)
			}
			versions[string(rows[0][0])] = true
		}
		if len(versions) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the nodes do not agree on the schema")
		}
	}
}

func newSession(t *testing.T, c *Cluster) *recording.Session {
	t.Helper()
	conn, err := net.Dial("tcp", c.Nodes()[0].Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	return recording.NewSession(conn, User, c.Password())
}

// recordEvents does what nodes tell clients about.
func recordEvents(t *testing.T, c *Cluster) []recording.Event {
	listener, speaker := newSession(t, c), newSession(t, c)
	ask := func(s *recording.Session, r recording.Request) recording.Answer {
		t.Helper()
		a, err := s.Ask(r)
		if err != nil || a.Error != nil {
			t.Fatalf("%+v: %v, %+v", r, err, a.Error)
		}
		return a
	}
	for _, s := range []*recording.Session{listener, speaker} {
		ask(s, recording.Request{Opcode: "STARTUP", Options: map[string]string{"CQL_VERSION": "3.0.0"}})
		ask(s, recording.Request{Opcode: "AUTH_RESPONSE", Credentials: "right"})
	}
	ask(listener, recording.Request{Opcode: "REGISTER", Events: []string{"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"}})

	var list []recording.Event
	told := func(when string, count int) {
		t.Helper()
		e := recording.Event{When: when}
		for range count {
			a, err := listener.Next()
			if err != nil {
				t.Fatalf("after %q: %v", when, err)
			}
			e.Events = append(e.Events, a)
		}
		list = append(list, e)
	}
	for _, statement := range []string{
		"CREATE KEYSPACE told WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}",
		"ALTER KEYSPACE told WITH durable_writes = false",
		"CREATE TYPE told.pair (a int, b int)",
		"ALTER TYPE told.pair ADD c int",
		"CREATE TABLE told.t (k text PRIMARY KEY, v int)",
		"ALTER TABLE told.t ADD w int",
		"CREATE INDEX by_v ON told.t (v)",
		"CREATE MATERIALIZED VIEW told.by_value AS SELECT * FROM told.t WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)",
		"CREATE FUNCTION told.plus (a int, b int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a + b;'",
		"CREATE AGGREGATE told.total (int) SFUNC plus STYPE int INITCOND 0",
		"DROP AGGREGATE told.total",
		"DROP FUNCTION told.plus",
		"DROP MATERIALIZED VIEW told.by_value",
		"DROP TABLE told.t",
		"DROP TYPE told.pair",
		"DROP KEYSPACE told",
	} {
		a := ask(speaker, recording.Request{Opcode: "QUERY", Statement: statement})
		if a.Result != "schema change" {
			t.Fatalf("%s: %+v", statement, a)
		}
		told(statement, 1)
	}
	last := c.Nodes()[2]
	if err := last.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	told("a node is stopped", 1)
	if err := last.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	told("the node is started", 1)
	return list
}

// recordTables reads the definitions of the tables that drivers read.
func recordTables(t *testing.T, c *Cluster) map[string]map[string]recording.Table {
	tables := make(map[string]map[string]recording.Table)
	for _, from := range []string{"system_schema", "system_virtual_schema"} {
		rows, err := c.query(t.Context(), c.Nodes()[0],
			"SELECT keyspace_name, table_name, column_name, type, kind, position, clustering_order FROM "+from+".columns", cql.One)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			keyspace, table := string(row[0]), string(row[1])
			switch {
			case keyspace == "system_schema", keyspace == "system_virtual_schema":
			case keyspace == "system" && slices.Contains([]string{"local", "peers", "peers_v2"}, table):
			default:
				continue
			}
			position, err := cql.Type{Kind: cql.Int}.Decode(row[5])
			if err != nil {
				t.Fatal(err)
			}
			if tables[keyspace] == nil {
				tables[keyspace] = make(map[string]recording.Table)
			}
			def := tables[keyspace][table]
			def.Columns = append(def.Columns, recording.Column{
				Name: string(row[2]), Type: string(row[3]), Kind: string(row[4]), Position: int(position.(int32)), ClusteringOrder: string(row[6]),
			})
			tables[keyspace][table] = def
		}
	}
	return tables
}
