package astratest

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// pipe lets a node serve one end of a pipe. The caller closes the other one, and serving ends then.
func pipe(n *Node) (client net.Conn, served *sync.WaitGroup) {
	client, server := net.Pipe()
	served = new(sync.WaitGroup)
	served.Go(func() { n.serve(context.Background(), server) })
	return client, served
}

func appendFrame(dst []byte, stream int16, op cql.Opcode, body []byte) []byte {
	start := len(dst)
	dst = append(cql.AppendHeader(dst, cql.Header{Version: cql.Version, Stream: stream, Opcode: op}), body...)
	cql.FinishFrame(dst[start:])
	return dst
}

// connecting returns the frames by which a client gets ready for statements.
func connecting() []byte {
	frames := appendFrame(nil, 1, cql.OpStartup, cql.AppendStringMap(nil, map[string]string{"CQL_VERSION": "3.0.0"}))
	return appendFrame(frames, 2, cql.OpAuthResponse, cql.AppendBytes(nil, []byte("\x00u\x00p")))
}

func readHeader(t *testing.T, r io.Reader) cql.Header {
	t.Helper()
	var b [cql.HeaderSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		t.Fatal(err)
	}
	h := cql.ParseHeader(&b)
	if _, err := io.CopyN(io.Discard, r, int64(h.Length)); err != nil {
		t.Fatal(err)
	}
	return h
}

// Each answer comes a latency after its request; requests do not wait for one another.
func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const latency = 50 * time.Millisecond
		c := newCluster(clusterSettings{nodes: 1, datacenter: "dc", latency: latency})
		if err := c.handle("SELECT a FROM slow", Statement{Func: func(*Request) (*Result, error) {
			time.Sleep(4 * latency)
			return nil, nil
		}}); err != nil {
			t.Fatal(err)
		}
		client, served := pipe(c.nodes[0])
		start := time.Now()
		step := func(stream int16, want time.Duration) {
			t.Helper()
			if h := readHeader(t, client); h.Stream != stream {
				t.Errorf("stream %d, want %d", h.Stream, stream)
			}
			if took := time.Since(start); took != want {
				t.Errorf("stream %d was answered after %v, want %v", stream, took, want)
			}
		}
		client.Write(connecting())
		step(1, latency)
		step(2, latency)

		start = time.Now()
		slow := cql.AppendParameters(cql.AppendLongString(nil, "SELECT a FROM slow"), &cql.Parameters{Consistency: cql.One})
		client.Write(appendFrame(nil, 3, cql.OpQuery, slow))
		client.Write(appendFrame(nil, 4, cql.OpOptions, nil))
		time.Sleep(latency / 2)
		client.Write(appendFrame(nil, 5, cql.OpOptions, nil))
		step(4, latency)
		step(5, latency*3/2)
		step(3, 4*latency) // not a latency more: it took longer anyway
		client.Close()
		served.Wait()
		c.close()
	})
}

// A connection with answers that are not due yet ends at once.
func TestLatencyEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(clusterSettings{nodes: 1, datacenter: "dc", latency: time.Hour})
		start := time.Now()
		client, served := pipe(c.nodes[0])
		client.Write(connecting())
		synctest.Wait()
		c.close()
		served.Wait()
		if took := time.Since(start); took > time.Second {
			t.Errorf("it ended after %v", took)
		}
		client.Close()
	})
}

// A client that reads nothing is given up soon after the node has closed its connection.
func TestFinishDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(clusterSettings{nodes: 1, datacenter: "dc"})
		client, served := pipe(c.nodes[0])
		client.Write(connecting()) // the answers fit into no buffer
		synctest.Wait()
		c.nodes[0].Stop()
		served.Wait()
		client.Close()
		c.close()
	})
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT a FROM b":                    "SELECT a FROM b",
		"\n SELECT\t a\r\nFROM  b ; ; ":      "SELECT a FROM b",
		"INSERT INTO t (a) VALUES (' x  ;')": "INSERT INTO t (a) VALUES (' x  ;')",
		`SELECT "A  b" FROM c`:               `SELECT "A  b" FROM c`,
		"SELECT 'it''s  ' ,  b":              "SELECT 'it''s  ' , b",
		"":                                   "",
		";":                                  "",
	} {
		if got := normalize(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestTableOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT a FROM b WHERE c = 1": ".b", "INSERT INTO ks.t (a) VALUES (?)": "ks.t", `UPDATE "Ks"."T" SET a = 1`: "Ks.T",
		"DELETE a FROM KS . T": "ks.t", "SELECT 'from x' FROM y": ".y", "TRUNCATE t": ".", "SELECT a FROM": ".",
	} {
		if keyspace, name := tableOf(text); keyspace+"."+name != want {
			t.Errorf("%s: %s.%s, want %s", text, keyspace, name, want)
		}
	}
}

func newFuzzCluster() *cluster {
	c := newCluster(clusterSettings{nodes: 2, seed: 1, datacenter: "dc", keyspace: "ks", peersV2: true})
	echo := []Column{{Name: "a", Type: "int"}, {Name: "b", Type: "list<text>"}}
	err := c.handle("INSERT INTO t (a, b) VALUES (?, ?)", Statement{Params: echo, Columns: echo, Func: func(r *Request) (*Result, error) {
		return &Result{Rows: [][]any{r.Values}}, nil
	}})
	if err != nil {
		panic(err)
	}
	return c
}

// Whatever a client sends, it gets frames, and its connection ends when it closes it.
func FuzzConn(f *testing.F) {
	params := &cql.Parameters{Consistency: cql.LocalQuorum, Values: []cql.Value{{Bytes: []byte{0, 0, 0, 1}}, {}}, PageSize: 1}
	insert := cql.AppendParameters(cql.AppendLongString(nil, "INSERT INTO t (a, b) VALUES (?, ?)"), params)
	for _, text := range []string{"SELECT * FROM system.local", "USE ks", "SELECT table_name FROM system_schema.tables WHERE keyspace_name IN ('ks') LIMIT 1"} {
		f.Add(appendFrame(nil, 3, cql.OpQuery, cql.AppendParameters(cql.AppendLongString(nil, text), &cql.Parameters{Consistency: cql.One})))
	}
	f.Add(appendFrame(nil, 3, cql.OpQuery, insert))
	f.Add(appendFrame(nil, 3, cql.OpPrepare, cql.AppendLongString(nil, "SELECT peer FROM system.peers WHERE peer = ?")))
	f.Add(appendFrame(nil, 3, cql.OpExecute, cql.AppendParameters(cql.AppendShortBytes(nil, make([]byte, 16)), params)))
	f.Add(appendFrame(nil, 3, cql.OpBatch, cql.AppendBatch(nil, 0, []cql.BatchEntry{{Statement: []byte("INSERT INTO t (a, b) VALUES (?, ?)"), Values: params.Values}}, params)))
	f.Add(appendFrame(nil, 3, cql.OpRegister, cql.AppendStringList(nil, []string{cql.StatusChange})))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		c := newFuzzCluster()
		client, served := pipe(c.nodes[0])
		var reading sync.WaitGroup
		reading.Go(func() {
			var b [cql.HeaderSize]byte
			for {
				if _, err := io.ReadFull(client, b[:]); err != nil {
					if err == io.ErrUnexpectedEOF {
						t.Error("a header that is cut off")
					}
					return
				}
				h := cql.ParseHeader(&b)
				if h.Version != cql.Version || !h.Response || h.Length < 0 {
					t.Errorf("header %+v", h)
					return
				}
				if _, err := io.CopyN(io.Discard, client, int64(h.Length)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		client.Write(append(connecting(), input...))
		c.close() // after what was read is answered
		served.Wait()
		reading.Wait()
		client.Close()
	})
}

func FuzzSelect(f *testing.F) {
	for _, text := range []string{
		"SELECT * FROM system.local WHERE key='local'", "SELECT count(*), peer AS p FROM system.peers WHERE peer IN ('127.0.0.1', ?) LIMIT ?;",
		`SELECT "key" /* c */ FROM "system".local -- c`, "SELECT a FROM b", "SELECT $$a$$ FROM system.local", "SELECT key FROM system.local WHERE key = :k ALLOW FILTERING",
		"SELECT parent_id FROM system.repairs WHERE parent_id = 01234567-89ab-cdef-0123-456789abcdef", "USE ks", "CREATE KEYSPACE x",
	} {
		f.Add(text)
	}
	c := newFuzzCluster()
	f.Fuzz(func(t *testing.T, text string) {
		p := c.newPlan("system", text)
		if p.err != nil || p.system == nil {
			return
		}
		values := make([]cql.Value, len(p.params))
		for i := range values {
			values[i].Bytes = []byte{0, 0, 0, 1}
		}
		rows, err := p.system.run(c.nodes[0].systemRows(p.system.table), values)
		if err != nil {
			return
		}
		if _, err := encodeRows(p.columns, &Result{Rows: rows}); err != nil {
			t.Error(err)
		}
	})
}

func FuzzDefine(f *testing.F) {
	f.Add("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy'} AND durable_writes = true; USE k; CREATE TABLE t (a int, PRIMARY KEY ((a)))")
	f.Add("CREATE TYPE u (a frozen<list<int>>); CREATE TABLE t (a int PRIMARY KEY, b frozen<u>, c vector<float, 3>) WITH CLUSTERING ORDER BY (a ASC)")
	f.Add("CREATE CUSTOM INDEX i ON items (values(name)) USING 'x' WITH OPTIONS = {'a': 'b'}; CREATE INDEX ON items (keys(\"name\"))")
	base := newFuzzCluster().schema.Load()
	f.Fuzz(func(t *testing.T, text string) {
		s := base.clone()
		if _, err := s.define(text, "ks"); err != nil && !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("an error without a line: %v", err)
		}
		c := newFuzzCluster()
		c.schema.Store(s)
		for _, query := range []string{"columns", "tables", "keyspaces", "types", "indexes"} {
			p := c.newPlan("", "SELECT * FROM system_schema."+query)
			rows, err := p.system.run(c.nodes[0].systemRows(p.system.table), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := encodeRows(p.columns, &Result{Rows: rows}); err != nil {
				t.Error(err)
			}
		}
	})
}
