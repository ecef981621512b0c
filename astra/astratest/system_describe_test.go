package astratest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// As Cassandra describes them, but for the options that 4.0 has not.
func TestDescribe(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Keyspace("ks"), astratest.Datacenter("us-east-1"), astratest.NodeCount(1))
	defer s.Close()
	s.DefineSchema(`CREATE TYPE addr (street text, zip int);
		CREATE TABLE t (id int, c1 text, c2 timeuuid, s int static, v vector<float,3>, a frozen<addr>, l list<int>,
			m map<text,frozen<list<int>>>, "Q" int, tp tuple<int,text>, PRIMARY KEY ((id), c1, c2)) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC);
		CREATE TABLE e (a int, b int, PRIMARY KEY ((a, b))) WITH comment = 'it''s' AND gc_grace_seconds = 5;
		CREATE CUSTOM INDEX by_v ON t (v) USING 'StorageAttachedIndex' WITH OPTIONS = {'similarity_function': 'dot_product'};
		CREATE INDEX ON t (values(m));
		CREATE KEYSPACE "Other" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2} AND durable_writes = false;`)
	c := connectCQL(t, s, s.Nodes()[0])
	options := func(comment, gcGrace string) string {
		return `additional_write_policy = '99p'
    AND bloom_filter_fp_chance = 0.01
    AND caching = {'keys': 'ALL', 'rows_per_partition': 'NONE'}
    AND cdc = false
    AND comment = '` + comment + `'
    AND compaction = {'class': 'org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy', 'max_threshold': '32', 'min_threshold': '4'}
    AND compression = {'chunk_length_in_kb': '16', 'class': 'org.apache.cassandra.io.compress.LZ4Compressor'}
    AND crc_check_chance = 1.0
    AND default_time_to_live = 0
    AND extensions = {}
    AND gc_grace_seconds = ` + gcGrace + `
    AND max_index_interval = 2048
    AND memtable_flush_period_in_ms = 0
    AND min_index_interval = 128
    AND read_repair = 'BLOCKING'
    AND speculative_retry = '99p';`
	}
	ks := []any{"ks", "keyspace", "ks", "CREATE KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east-1': '1'}  AND durable_writes = true;"}
	other := []any{"Other", "keyspace", `"Other"`, "CREATE KEYSPACE \"Other\" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '2'}  AND durable_writes = false;"}
	addr := []any{"ks", "type", "addr", "CREATE TYPE ks.addr (\n    street text,\n    zip int\n);"}
	e := []any{"ks", "table", "e", "CREATE TABLE ks.e (\n    a int,\n    b int,\n    PRIMARY KEY ((a, b))\n) WITH " + options("it''s", "5")}
	items := []any{"ks", "table", "items", "CREATE TABLE ks.items (\n    id int PRIMARY KEY,\n    name text\n) WITH " + options("", "864000")}
	table := []any{"ks", "table", "t", `CREATE TABLE ks.t (
    id int,
    c1 text,
    c2 timeuuid,
    s int static,
    "Q" int,
    a frozen<addr>,
    tp frozen<tuple<int, text>>,
    v vector<float, 3>,
    l list<int>,
    m map<text, frozen<list<int>>>,
    PRIMARY KEY (id, c1, c2)
) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC)
    AND ` + options("", "864000")}
	byV := []any{"ks", "index", "by_v", "CREATE CUSTOM INDEX by_v ON ks.t (v) USING 'StorageAttachedIndex' WITH OPTIONS = {'similarity_function': 'dot_product'};"}
	byM := []any{"ks", "index", "t_m_idx", "CREATE INDEX t_m_idx ON ks.t (values(m));"}
	whole := [][]any{ks, addr, e, items, table, byV, byM}
	for text, want := range map[string][][]any{
		"DESCRIBE KEYSPACE ks": whole, "DESC ks;": whole, "DESCRIBE ONLY KEYSPACE ks": {ks}, "describe schema": append([][]any{other}, whole...),
		"DESCRIBE TABLE ks.t": {table, byV, byM}, "DESC ks.t": {table, byV, byM}, "DESC ks.e": {e}, "DESCRIBE TYPE ks.addr": {addr}, "DESC ks.addr": {addr},
		"DESCRIBE INDEX ks.by_v": {byV}, "DESC ks.by_v": {byV}, `DESCRIBE "Other"`: {other},
		"DESCRIBE CLUSTER": {{"cndb", "Murmur3Partitioner", "DynamicEndpointSnitch"}}, "DESCRIBE TYPES": {{"ks", "type", "addr"}},
		"DESCRIBE FUNCTIONS": nil,
		"DESCRIBE KEYSPACES": {
			{"Other", "keyspace", `"Other"`}, {"ks", "keyspace", "ks"}, {"system", "keyspace", "system"}, {"system_auth", "keyspace", "system_auth"},
			{"system_distributed", "keyspace", "system_distributed"}, {"system_schema", "keyspace", "system_schema"},
			{"system_traces", "keyspace", "system_traces"}, {"system_virtual_schema", "keyspace", "system_virtual_schema"},
		},
		"DESCRIBE system_virtual_schema.keyspaces": {{"system_virtual_schema", "table", "keyspaces", `/*
Warning: Table system_virtual_schema.keyspaces is a virtual table and cannot be recreated with CQL.
Structure, for reference:
VIRTUAL TABLE system_virtual_schema.keyspaces (
    keyspace_name text PRIMARY KEY
) WITH comment = 'virtual keyspace definitions';
*/`}},
	} {
		if diff := cmp.Diff(want, c.queryRows(text).rows); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
	}
	for text, message := range map[string]string{
		"DESCRIBE KEYSPACE nope": "'nope' not found in keyspaces", "DESCRIBE nope": "'nope' not found in keyspaces", "DESCRIBE TABLE nope.t": "'nope' not found in keyspaces",
		"DESCRIBE TABLE ks.nope": "Table 'nope' not found in keyspace 'ks'", "DESCRIBE TYPE ks.nope": "User defined type 'nope' not found in 'ks'",
		"DESCRIBE INDEX ks.nope": "Table for existing index 'nope' not found in 'ks'", "DESCRIBE ks.nope": "'nope' not found in keyspace 'ks'",
		"DESCRIBE TABLE t": "No keyspace specified and no current keyspace", "DESCRIBE KEYSPACE": "No keyspace specified and no current keyspace",
	} {
		c.expectError(c.query(text), cql.CodeInvalid, message)
	}
	c.expectError(c.query("DESCRIBE"), cql.CodeSyntax, "line 1:8 no viable alternative at input ''")
	c.expectError(c.query("DESCRIBE CLUSTER nonsense"), cql.CodeSyntax, "line 1:17 no viable alternative at input 'nonsense'")

	c.expect(c.query("USE ks"), cql.OpResult)
	for text, want := range map[string][][]any{
		"DESCRIBE TABLES": {{"ks", "table", "e"}, {"ks", "table", "items"}, {"ks", "table", "t"}}, "DESCRIBE KEYSPACE": whole, "DESCRIBE e": {e},
	} {
		if diff := cmp.Diff(want, c.queryRows(text).rows); diff != "" {
			t.Errorf("%s in ks:\n%s", text, diff)
		}
	}

	// What a client can recreate a keyspace with, a Server can be given.
	again := astratest.NewServer(astratest.Keyspace("ks"), astratest.Datacenter("us-east-1"), astratest.NodeCount(1))
	defer again.Close()
	for _, row := range whole {
		again.DefineSchema(row[3].(string))
	}
	c = connectCQL(t, again, again.Nodes()[0])
	if diff := cmp.Diff(whole, c.queryRows("DESCRIBE KEYSPACE ks").rows); diff != "" {
		t.Errorf("after a round trip:\n%s", diff)
	}
}
