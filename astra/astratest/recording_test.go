package astratest_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/recording"
)

// These tests ask simulated nodes what real ones were asked when testdata/cassandra-5.0.5.json was recorded, and compare the answers field by
// field. What may differ stands in kept, with the reason. The recording is made, and checked against Cassandra, by the integration tests of
// internal/cassandra.

// A kept difference changes what is expected of a simulated node, where it applies.
type kept struct {
	what, why string
	apply     func(conversation string, r recording.Request, a *recording.Answer) bool
}

var keptDifferences = []kept{
	{
		"SUPPORTED", "PRODUCT_TYPE tells drivers that this is Astra; an older CQL version; no compression",
		func(_ string, _ recording.Request, a *recording.Answer) bool {
			if a.Supported == nil {
				return false
			}
			a.Supported = map[string][]string{
				"PRODUCT_TYPE": {"DATASTAX_APOLLO"}, "CQL_VERSION": {"3.4.5"}, "PROTOCOL_VERSIONS": {"3/v3", "4/v4"}, "COMPRESSION": nil,
			}
			return true
		},
	},
	{
		"AUTHENTICATE", "Astra's class",
		func(_ string, _ recording.Request, a *recording.Answer) bool {
			if a.Authenticator == "" {
				return false
			}
			a.Authenticator = "org.apache.cassandra.auth.AstraAuthenticator"
			return true
		},
	},
	{
		"versions other than 4", "the nodes speak version 4 only, and refuse others in it",
		func(_ string, r recording.Request, a *recording.Answer) bool {
			if r.Version == 0 || r.Version == 4 {
				return false
			}
			lowest := 3
			if r.Version == 3 {
				lowest = 4
			}
			*a = recording.Answer{Version: 4, Stream: "0", Opcode: "ERROR", Error: &recording.Error{
				Code:    "0x000A",
				Message: fmt.Sprintf("Invalid or unsupported protocol version (%d); the lowest supported version is %d and the greatest is 4", r.Version, lowest),
			}}
			return true
		},
	},
	{
		"a request after one in a version that never was, or is no more", "the connection is closed: how long the header of such a frame is, nobody knows",
		func(conversation string, r recording.Request, a *recording.Answer) bool {
			m := regexp.MustCompile(`^options in version (1|2|7|65|66)$`).MatchString(conversation)
			if !m || r.Version != 0 {
				return false
			}
			*a = recording.Answer{Closed: true}
			return true
		},
	},
	{
		"a request after one in version 6", "Cassandra takes the connection for one of version 6 from then on",
		func(conversation string, r recording.Request, a *recording.Answer) bool {
			if conversation != "options in version 6" || r.Version != 0 {
				return false
			}
			*a = recording.Answer{Version: 4, Opcode: "SUPPORTED", Supported: map[string][]string{
				"PRODUCT_TYPE": {"DATASTAX_APOLLO"}, "CQL_VERSION": {"3.4.5"}, "PROTOCOL_VERSIONS": {"3/v3", "4/v4"}, "COMPRESSION": nil,
			}}
			return true
		},
	},
	{
		"names and versions", "a simulated cluster has its own; nothing was ever truncated",
		func(_ string, _ recording.Request, a *recording.Answer) bool {
			return replaceValues(a, map[string]map[string]string{
				"cluster_name":            {"'astra-go'": "'cndb'"},
				"cluster":                 {"'astra-go'": "'cndb'"},
				"cql_version":             {"'3.4.7'": "'3.4.5'"},
				"data_center":             {"'dc1'": "'us-east1'"},
				"native_protocol_version": {"'5'": "'4'"},
				"release_version":         {"'5.0.5'": "'4.0.11'"},
				"truncated_at":            {"<truncations>": "null"},
			})
		},
	},
	{
		"system.peers_v2", "Astra has none; astratest.PeersV2 adds it",
		func(_ string, r recording.Request, a *recording.Answer) bool {
			return strings.Contains(r.Statement, "peers_v2") && unconfigured(a, "peers_v2")
		},
	},
	{
		"system_schema.column_masks", "it came with Cassandra 5",
		func(_ string, r recording.Request, a *recording.Answer) bool {
			return strings.Contains(r.Statement, "column_masks") && unconfigured(a, "column_masks")
		},
	},
	{
		"an unknown table", "the words of Cassandra 4",
		func(_ string, _ recording.Request, a *recording.Answer) bool {
			return replaceMessage(a, "table no_such_table does not exist", "unconfigured table no_such_table")
		},
	},
	{
		"columns of system_schema.tables and views", "they came with Cassandra 4.1 and 5",
		func(_ string, _ recording.Request, a *recording.Answer) (applied bool) {
			for i := len(a.Columns) - 1; i >= 0; i-- {
				if a.Columns[i].Keyspace == "system_schema" && slices.Contains(newColumns, a.Columns[i].Name) {
					a.Columns = slices.Delete(a.Columns, i, i+1)
					for j := range a.Rows {
						a.Rows[j] = slices.Delete(a.Rows[j], i, i+1)
					}
					applied = true
				}
			}
			return applied
		},
	},
	{
		"functions of CQL and the warnings about them", "simulated nodes compute nothing in reads of system tables, but count(*)",
		func(_ string, r recording.Request, a *recording.Answer) bool {
			if a.Warnings != nil && strings.Contains(r.Statement, "count(*)") {
				a.Warnings, a.Flags = nil, 0
				return true
			}
			return strings.Contains(r.Statement, "now()") &&
				refuse(a, "0x2200", "Undefined column name now in table system.local")
		},
	},
	{
		"syntax errors", "where they are is told less exactly",
		func(_ string, r recording.Request, a *recording.Answer) bool {
			message, ok := map[string]string{
				"SELECT * FROM system.local WHERE":                           "line 1:32 no viable alternative at input ''",
				"SELECT key FROM system.local 'x":                            "line 1:29 no viable alternative at input 'x'",
				"SELECT key FROM system.local; SELECT key FROM system.local": "line 1:30 no viable alternative at input 'select'",
				"SELECT key FROM system.local WHERE key = 1":                 `Invalid constant (1) for "key" of type text`,
			}[r.Statement]
			if ok {
				a.Error.Message = message
			}
			return ok
		},
	},
	{
		"statements about other than system tables", "simulated nodes answer to them what a test says with Handle",
		func(_ string, r recording.Request, a *recording.Answer) bool {
			if !slices.Contains([]string{"", "SELEC", "SELECT", "SELECT * FROM", "SELECT * FROM local", "SELECT * FROM no_such_keyspace.no_such_table", "DROP TABLE system.local"}, r.Statement) ||
				r.Opcode != "QUERY" && r.Opcode != "PREPARE" || a.Opcode != "ERROR" {
				return false
			}
			return refuse(a, "0x0000", fmt.Sprintf("astratest: nothing is registered for this statement; call Server.Handle(%q, ...)", r.Statement))
		},
	},
}

var newColumns = []string{"allow_auto_snapshot", "incremental_backups", "memtable"}

func refuse(a *recording.Answer, code, message string) bool {
	*a = recording.Answer{Version: 4, Opcode: "ERROR", Error: &recording.Error{Code: code, Message: message}}
	return true
}

func unconfigured(a *recording.Answer, table string) bool {
	return refuse(a, "0x2200", "unconfigured table "+table)
}

func replaceMessage(a *recording.Answer, from, to string) bool {
	if a.Error == nil || !strings.Contains(a.Error.Message, from) {
		return false
	}
	e := *a.Error
	e.Message = strings.Replace(e.Message, from, to, 1)
	a.Error = &e
	return true
}

// replaceValues replaces values in the columns with these names.
func replaceValues(a *recording.Answer, values map[string]map[string]string) (applied bool) {
	for i, c := range a.Columns {
		for _, row := range a.Rows {
			if to, ok := values[c.Name][row[i]]; ok {
				row[i] = to
				applied = true
			}
		}
	}
	return applied
}

func readRecording(t *testing.T) *recording.Recording {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "cassandra-5.0.5.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recording.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ask opens a connection to the first node.
func ask(t *testing.T, s *astratest.Server) *recording.Session {
	t.Helper()
	b := s.Bundle()
	addr := net.JoinHostPort("127.0.0.1", fmt.Sprint(b.CQLPort()))
	conn, err := tls.Dial("tcp", addr, b.NodeTLSConfig(bundle.Node{HostID: s.Nodes()[0].HostID()}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	user, password := s.Token().CQL()
	return recording.NewSession(conn, user, password)
}

// compare asks and compares. It returns which differences were kept.
func compare(t *testing.T, session *recording.Session, conversation string, x recording.Exchange) (met []string) {
	t.Helper()
	want := x.Answer
	for _, k := range keptDifferences {
		if k.apply(conversation, x.Request, &want) {
			met = append(met, k.what)
		}
	}
	got, err := session.Ask(x.Request)
	if err != nil {
		t.Fatalf("%+v: %v", x.Request, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s %s: (-Cassandra +simulated)\n%s", x.Request.Opcode, x.Request.Statement, diff)
	}
	return met
}

func login(t *testing.T, s *recording.Session) {
	t.Helper()
	for _, r := range []recording.Request{
		{Opcode: "STARTUP", Options: map[string]string{"CQL_VERSION": "3.0.0"}},
		{Opcode: "AUTH_RESPONSE", Credentials: "right"},
	} {
		if a, err := s.Ask(r); err != nil || a.Error != nil {
			t.Fatalf("%s: %v, %+v", r.Opcode, err, a.Error)
		}
	}
}

func TestRecording(t *testing.T) {
	t.Parallel()
	r := readRecording(t)
	s := astratest.NewServer()
	t.Cleanup(s.Close)
	var met []string
	for _, c := range r.Conversations {
		switch c.Name {
		case "definitions", "rows", "drops": // need a database
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			session := ask(t, s)
			for _, x := range c.Exchanges {
				met = append(met, compare(t, session, c.Name, x)...)
			}
		})
	}
	for _, k := range keptDifferences {
		if !slices.Contains(met, k.what) {
			t.Errorf("the difference %q is kept and there is none", k.what)
		}
		t.Logf("differs: %s, because %s", k.what, k.why)
	}
}

// conversation returns the answers of a conversation by statement.
func conversation(t *testing.T, r *recording.Recording, name string) []recording.Exchange {
	t.Helper()
	for _, c := range r.Conversations {
		if c.Name == name {
			return c.Exchanges
		}
	}
	t.Fatalf("no conversation %q", name)
	return nil
}

// What is declared with DefineSchema is in the tables of system_schema as if it had been created in Cassandra.
func TestRecordedDefinitions(t *testing.T) {
	t.Parallel()
	exchanges := conversation(t, readRecording(t), "definitions")
	s := astratest.NewServer(astratest.Datacenter("dc1"))
	defer s.Close()
	var text []string
	simulable := regexp.MustCompile(`^CREATE (KEYSPACE|TYPE|TABLE|INDEX|CUSTOM INDEX) `)
	for _, x := range exchanges {
		if x.Answer.Result == "schema change" && simulable.MatchString(x.Request.Statement) {
			text = append(text, x.Request.Statement)
		}
	}
	s.DefineSchema(strings.Join(text, ";\n"))
	session := ask(t, s)
	login(t, session)
	for _, x := range exchanges {
		table, ok := strings.CutPrefix(x.Request.Statement, "SELECT * FROM system_schema.")
		table, _, _ = strings.Cut(table, " ")
		if !ok {
			continue
		}
		t.Run(table, func(t *testing.T) {
			switch table {
			case "functions", "aggregates", "views", "dropped_columns":
				x.Answer.Rows = nil // cannot be declared
			case "columns":
				x.Answer.Rows = slices.DeleteFunc(x.Answer.Rows, func(row []string) bool { return row[1] == "'small_by_v'" })
			}
			compare(t, session, "definitions", x)
		})
	}
}

// What a test registers with Handle is prepared, executed and paged as in Cassandra, frame by frame.
func TestRecordedStatements(t *testing.T) {
	t.Parallel()
	r := readRecording(t)
	s := astratest.NewServer()
	defer s.Close()
	for _, x := range conversation(t, r, "definitions") {
		if regexp.MustCompile(`^CREATE (KEYSPACE|TYPE|TABLE) recorded`).MatchString(x.Request.Statement) && x.Answer.Result == "schema change" {
			s.DefineSchema(x.Request.Statement)
		}
	}
	session := ask(t, s)
	login(t, session)
	columns := func(fields []recording.Field) (list []astratest.Column) {
		for _, f := range fields {
			list = append(list, astratest.Column{Keyspace: f.Keyspace, Table: f.Table, Name: f.Name, Type: astratest.Type(f.Type)})
		}
		return list
	}
	const paged = "SELECT k, v FROM recorded.small"
	seen := 0
	last := ""
	for _, x := range conversation(t, r, "rows") {
		switch {
		case x.Request.Opcode == "PREPARE" && x.Request.Statement != "USE system":
			last = x.Request.Statement
			st := astratest.Statement{Params: columns(x.Answer.Bind), PartitionKey: x.Answer.KeyIndex, Columns: columns(x.Answer.Columns)}
			if last == paged {
				st.Result = &astratest.Result{Rows: [][]any{{"a", 1}, {"b", 2}}}
			}
			s.Handle(last, st)
		case x.Request.Opcode == "EXECUTE" && x.Answer.Error == nil && x.Request.Consistency == "LOCAL_QUORUM":
			// Cassandra looks no further than its page, and finds a further, empty one after the last row. Simulated nodes know the last page.
			if last == paged && len(x.Answer.Rows) == 0 {
				continue
			}
			x.Answer.MorePages = x.Answer.MorePages && !x.Request.NextPage
		default:
			continue
		}
		seen++
		compare(t, session, "rows", x)
	}
	if seen < 10 {
		t.Errorf("%d exchanges were compared", seen)
	}
}

// Nodes tell of changes as Cassandra's do.
func TestRecordedEvents(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	session := ask(t, s)
	login(t, session)
	if a, err := session.Ask(recording.Request{Opcode: "REGISTER", Events: []string{"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"}}); err != nil || a.Opcode != "READY" {
		t.Fatalf("REGISTER: %v, %+v", err, a)
	}
	compared := 0
	for _, e := range readRecording(t).Events {
		switch node := s.Nodes()[2]; {
		case regexp.MustCompile(`^CREATE (KEYSPACE|TYPE|TABLE|INDEX) `).MatchString(e.When):
			s.DefineSchema(e.When)
		case e.When == "a node is stopped":
			node.Stop()
		case e.When == "the node is started":
			node.Start()
		default:
			continue
		}
		compared++
		for _, want := range e.Events {
			got, err := session.Next()
			if err != nil {
				t.Fatalf("%s: %v", e.When, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-Cassandra +simulated)\n%s", e.When, diff)
			}
		}
	}
	if compared != 6 {
		t.Errorf("%d events were compared, want 6", compared)
	}
}

// The system tables have Cassandra's columns.
func TestRecordedTables(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.PeersV2())
	defer s.Close()
	session := ask(t, s)
	login(t, session)
	onlyReal := map[string]string{
		"system_schema.column_masks": "came with Cassandra 5",
	}
	for keyspace, tables := range readRecording(t).Tables {
		for table, want := range tables {
			name := keyspace + "." + table
			a, err := session.Ask(recording.Request{Opcode: "QUERY", Statement: fmt.Sprintf(
				"SELECT column_name, type, kind, position, clustering_order FROM %s WHERE keyspace_name = '%s' AND table_name = '%s'",
				columnsTable(keyspace), keyspace, table)})
			if err != nil || a.Error != nil {
				t.Fatalf("%s: %v, %+v", name, err, a.Error)
			}
			if why := onlyReal[name]; why != "" {
				if len(a.Rows) != 0 {
					t.Errorf("%s is there, although it %s", name, why)
				}
				continue
			}
			wantRows := [][]string{}
			for _, c := range want.Columns {
				if keyspace == "system_schema" && slices.Contains(newColumns, c.Name) {
					continue
				}
				wantRows = append(wantRows, []string{"'" + c.Name + "'", "'" + c.Type + "'", "'" + c.Kind + "'", fmt.Sprint(c.Position), "'" + c.ClusteringOrder + "'"})
			}
			if diff := cmp.Diff(wantRows, a.Rows); diff != "" {
				t.Errorf("%s (-Cassandra +simulated)\n%s", name, diff)
			}
		}
	}
}

func columnsTable(keyspace string) string {
	if keyspace == "system_virtual_schema" {
		return "system_virtual_schema.columns"
	}
	return "system_schema.columns"
}
