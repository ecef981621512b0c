package astra_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/token"
)

const (
	read  = "SELECT v FROM default_keyspace.t WHERE k = ?"
	write = "INSERT INTO default_keyspace.t (k, v) VALUES (?, ?)"
)

// handle makes nodes answer read and write, and counts the executions.
func handle(s *astratest.Server) *executions {
	e := &executions{byNode: make(map[string]int)}
	key := astratest.Column{Keyspace: "default_keyspace", Table: "t", Name: "k", Type: "int"}
	value := astratest.Column{Keyspace: "default_keyspace", Table: "t", Name: "v", Type: "text"}
	s.Handle(read, astratest.Statement{
		Params: []astratest.Column{key}, PartitionKey: []int{0}, Columns: []astratest.Column{value},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			e.add(r.Node.HostID())
			return &astratest.Result{Rows: [][]any{{fmt.Sprint("value of ", r.Values[0])}}}, nil
		},
	})
	s.Handle(write, astratest.Statement{
		Params: []astratest.Column{key, value}, PartitionKey: []int{0},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			e.add(r.Node.HostID())
			return nil, nil
		},
	})
	return e
}

type executions struct {
	mu     sync.Mutex
	byNode map[string]int
}

func (e *executions) add(hostID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.byNode[hostID]++
}

// reset returns the counts and begins again.
func (e *executions) reset() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	counts := e.byNode
	e.byNode = make(map[string]int)
	return counts
}

// nodes returns how many nodes have executed statements since reset.
func (e *executions) nodes() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.byNode)
}

// await reads until so many nodes answer: gocql uses a connection some time after it has been made.
func (e *executions) await(t testing.TB, session *gocql.Session, nodes int) {
	t.Helper()
	eventually(t, "gocql uses its connections to all nodes", func() bool {
		e.reset()
		for key := range 10 * nodes {
			if err := query(session, key); err != nil {
				t.Fatal(err)
			}
		}
		return len(e.reset()) == nodes
	})
}

func newCluster(t testing.TB, c astra.Config) *gocql.ClusterConfig {
	t.Helper()
	cluster, err := astra.NewCluster(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

func connect(t testing.TB, cluster *gocql.ClusterConfig) *gocql.Session {
	t.Helper()
	session, err := astra.Connect(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSession(t, session) })
	return session
}

// closeSession closes a session, but does not wait for ever.
func closeSession(t testing.TB, session *gocql.Session) {
	select {
	case <-startClosing(session):
	case <-time.After(20 * time.Second):
		t.Error("Session.Close does not end")
	}
}

// startClosing returns a channel that is closed when the session is.
func startClosing(session *gocql.Session) <-chan struct{} {
	closed := make(chan struct{})
	go func() {
		session.Close()
		close(closed)
	}()
	return closed
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func query(session *gocql.Session, key int) error {
	var v string
	err := session.Query(read, key).Idempotent(true).Scan(&v)
	if want := fmt.Sprint("value of ", key); err == nil && v != want {
		return fmt.Errorf("read %q, want %q", v, want)
	}
	return err
}

// eventually polls, since gocql does much beside its calls.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Errorf("not within 20 s: %s", what)
			return
		}
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	executed := handle(s)
	cluster := newCluster(t, config(s))
	session := connect(t, cluster)
	eventually(t, "all pools are filled", func() bool { return s.Stats().OpenConns == int64(1+3*cluster.NumConns) })
	stats := s.Stats()
	if stats.MetadataRequests != 1 || stats.Dials != int64(1+3*cluster.NumConns) {
		t.Errorf("opening took %d requests for metadata and %d dials, want 1 and 1 + 3 nodes × %d", stats.MetadataRequests, stats.Dials, cluster.NumConns)
	}
	executed.await(t, session, 3)
	for key := range 300 {
		if err := query(session, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := session.Query(write, 1, "x").Exec(); err != nil {
		t.Error(err)
	}
	counts := executed.reset()
	for _, n := range s.Nodes() {
		if counts[n.HostID()] < 50 {
			t.Errorf("node %s answered %d of 300 statements", n.HostID(), counts[n.HostID()])
		}
	}
}

// gocql's Close awaits nothing, so the counts are polled until they are equal.
func TestNothingIsLeft(t *testing.T) { // not parallel: it counts goroutines
	before := runtime.NumGoroutine()
	s := astratest.NewServer()
	handle(s)
	cluster := newCluster(t, config(s))
	session, err := astra.Connect(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	for key := range 20 {
		if err := query(session, key); err != nil {
			t.Error(err)
		}
	}
	session.Close()
	eventually(t, "no connection is left", func() bool { return s.Stats().OpenConns == 0 })
	s.Close()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	if n := runtime.NumGoroutine(); n > before {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", before, n, stacks[:runtime.Stack(stacks, true)])
	}
}

func TestCreateSessionWorksAsWell(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	executed := handle(s)
	cluster := newCluster(t, config(s))
	var sessions []*gocql.Session
	for range 3 { // of one configuration, as a retry loop at the start does
		session, err := cluster.CreateSession()
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		sessions = append(sessions, session)
	}
	sessions[1].Close()
	for _, session := range []*gocql.Session{sessions[0], sessions[2]} {
		executed.await(t, session, 3)
	}
	if n := s.Stats().MetadataRequests; n > 2 { // the second where the machine is so busy that a handshake looked suspicious
		t.Errorf("%d requests for metadata, want 1 for all sessions", n)
	}
}

func TestKeysGoToTheirReplicas(t *testing.T) {
	t.Parallel()
	s := newServer(t, astratest.NodeCount(6))
	s.DefineSchema(`CREATE KEYSPACE single WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east1': 1};
		CREATE TABLE single.t (k int PRIMARY KEY, v text);`)
	var mu sync.Mutex
	nodes := make(map[int]map[string]bool)
	statement := "SELECT v FROM single.t WHERE k = ?"
	s.Handle(statement, astratest.Statement{
		Params:       []astratest.Column{{Keyspace: "single", Table: "t", Name: "k", Type: "int"}},
		PartitionKey: []int{0},
		Columns:      []astratest.Column{{Keyspace: "single", Table: "t", Name: "v", Type: "text"}},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			key := int(r.Values[0].(int32))
			if nodes[key] == nil {
				nodes[key] = make(map[string]bool)
			}
			nodes[key][r.Node.HostID()] = true
			return &astratest.Result{Rows: [][]any{{"v"}}}, nil
		},
	})
	session := connect(t, newCluster(t, config(s)))
	read := func() {
		t.Helper()
		var v string
		for key := range 200 {
			if err := session.Query(statement, key).Scan(&v); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "gocql has a connection to each node", func() bool {
		clear(nodes)
		read()
		all := make(map[string]bool)
		for _, by := range nodes {
			maps.Copy(all, by)
		}
		return len(all) == 6
	})
	clear(nodes)
	for range 3 {
		read()
	}
	used := make(map[string]bool)
	for key, by := range nodes {
		if len(by) != 1 {
			t.Errorf("key %d was read from %d nodes, want its one replica", key, len(by))
		}
		for id := range by {
			used[id] = true
		}
	}
	if len(used) != 6 {
		t.Errorf("%d of 6 nodes were used", len(used))
	}
}

func TestConnectErrors(t *testing.T) {
	t.Parallel()
	other, err := token.FromClientSecret("abcdefghijklmnopqrstuvwx", "some-secret-that-is-unknown-here")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		fault    func(*astratest.Server)
		change   func(*astra.Config)
		is       error
		metadata bool
		says     string
	}{
		"wrong token":        {change: func(c *astra.Config) { c.Token = other }, is: astra.ErrUnauthenticated, says: "refused the token"},
		"unknown keyspace":   {change: func(c *astra.Config) { c.Keyspace = "nowhere" }, is: astra.ErrKeyspace, says: "nowhere"},
		"metadata down":      {fault: func(s *astratest.Server) { s.SetMetadata(astratest.MetadataDown) }, metadata: true, says: "hibernated"},
		"metadata garbage":   {fault: func(s *astratest.Server) { s.SetMetadata(astratest.MetadataGarbage) }, metadata: true, says: "not the JSON"},
		"metadata status":    {fault: func(s *astratest.Server) { s.SetMetadata(astratest.MetadataStatus(503)) }, metadata: true, says: "status 503"},
		"metadata hanging":   {fault: func(s *astratest.Server) { s.SetMetadata(astratest.MetadataHang) }, is: context.DeadlineExceeded, metadata: true, says: "/metadata"},
		"hibernated":         {fault: func(s *astratest.Server) { s.Hibernate() }, metadata: true, says: "hibernated"},
		"proxy silent":       {fault: func(s *astratest.Server) { s.SilenceProxy(true) }, is: context.DeadlineExceeded, says: "through localhost:"},
		"another database's": {fault: func(s *astratest.Server) { s.RotateBundle() }, metadata: true, says: "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			c := config(s)
			if test.is == context.DeadlineExceeded {
				c.DialTimeout = 2 * time.Second // long enough for a busy machine to get to the fault
			}
			if test.change != nil {
				test.change(&c)
			}
			if test.fault != nil {
				test.fault(s)
			}
			session, err := astra.Connect(t.Context(), newCluster(t, c))
			if err == nil {
				session.Close()
				t.Fatal("it connected")
			}
			t.Log(err)
			var metadata *astra.MetadataError
			if test.is != nil && !errors.Is(err, test.is) || test.metadata != errors.As(err, &metadata) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error that is %v and says %q; *MetadataError in it: %v", err, test.is, test.says, test.metadata)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), s.Token().Secret()) {
				t.Errorf("several lines or a secret: %v", err)
			}
		})
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.SilenceProxy(true)
	cluster := newCluster(t, config(s))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := astra.Connect(ctx, cluster); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
	// A node that accepts the connection and then does not answer.
	s.SilenceProxy(false)
	slow := newServer(t, astratest.Latency(time.Minute))
	cluster = newCluster(t, config(slow))
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := astra.Connect(ctx, cluster); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
}

func TestTheSessionOutlivesTheContextOfConnect(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	executed := handle(s)
	ctx, cancel := context.WithCancel(t.Context())
	session, err := astra.Connect(ctx, newCluster(t, config(s)))
	if err != nil {
		t.Fatal(err)
	}
	defer closeSession(t, session)
	readThrough(t, s, session, executed) // so that no statement is being prepared when its connection ends, see Connect
	cancel()
	s.DropConns()
	if err := query(session, 1); err != nil {
		t.Error(err)
	}
}
