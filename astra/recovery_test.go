package astra_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/token"
)

// readThrough reads until every node of the server has answered and no other, and reports each failure. A node that is being replaced may
// still execute what had reached it.
func readThrough(t *testing.T, s *astratest.Server, session *gocql.Session, executed *executions) {
	t.Helper()
	var want []string
	for _, n := range s.Nodes() {
		want = append(want, n.HostID())
	}
	slices.Sort(want)
	key := 0
	var got []string
	eventually(t, "every node answers, and no other", func() bool {
		executed.reset()
		for range 30 {
			key++
			if err := query(session, key); err != nil {
				t.Error(err)
			}
		}
		got = slices.Sorted(maps.Keys(executed.reset()))
		return slices.Equal(got, want)
	})
	if !slices.Equal(got, want) {
		t.Errorf("%q answered, want %q", got, want)
	}
}

func TestEveryNodeAnswersAfterReplacement(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]astratest.Replacement{
		"all":                        {},
		"all, quietly":               {Quiet: true},
		"all, on the same addresses": {SameAddresses: true},
		"one, quietly":               {Nodes: []int{1}, Quiet: true},
		"one, quietly, same address": {Nodes: []int{2}, Quiet: true, SameAddresses: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			executed := handle(s)
			session := connect(t, newCluster(t, config(s)))
			readThrough(t, s, session, executed)
			s.ReplaceNodes(r)
			readThrough(t, s, session, executed)
		})
	}
}

func TestNodesThatShareOneAddressAllAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(t, astratest.SharedAddress())
	executed := handle(s)
	readThrough(t, s, connect(t, newCluster(t, config(s))), executed)
}

func TestRemoteDatacentersAreNotDialed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	executed := handle(s)
	remote := s.AddDatacenter("eu-west1", 2)
	session := connect(t, newCluster(t, config(s)))
	counts := make(map[string]int)
	eventually(t, "the 3 local nodes answer", func() bool {
		for key := range 30 {
			if err := query(session, key); err != nil {
				t.Fatal(err)
			}
		}
		maps.Copy(counts, executed.reset())
		return len(counts) >= 3
	})
	bySNI := s.Stats().BySNI
	for _, n := range remote {
		if bySNI[n.HostID()] != 0 {
			t.Errorf("the remote node %s was dialed", n.HostID())
		}
	}
	if len(counts) != 3 {
		t.Errorf("%d nodes answered, want the 3 local ones", len(counts))
	}
}

func TestKeyspaceMetadataIsReadFromTheNode(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	session := connect(t, newCluster(t, config(s)))
	if _, err := session.KeyspaceMetadata("later"); err == nil {
		t.Error("there is a keyspace that was not made yet")
	}
	s.DefineSchema(`CREATE KEYSPACE later WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east1': 3};
		CREATE TABLE later.t (k int PRIMARY KEY, v text);`)
	m, err := session.KeyspaceMetadata("later")
	if err != nil {
		t.Fatal(err)
	}
	if tables := slices.Collect(maps.Keys(m.Tables)); !slices.Equal(tables, []string{"t"}) {
		t.Errorf("the tables are %q, want t", tables)
	}
}

// A token that Astra refuses is shown to it less and less often, however often gocql dials.
func TestARefusedTokenIsNotTriedAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := config(s)
	s.RotateToken()
	cluster := newCluster(t, c)
	for range 20 {
		session, err := astra.Connect(t.Context(), cluster)
		if err == nil {
			session.Close()
			t.Fatal("the old token was accepted")
		}
		if !errors.Is(err, astra.ErrUnauthenticated) {
			t.Errorf("got %v, want ErrUnauthenticated", err)
		}
	}
	if n := s.Stats().Handshakes; n > 30 {
		t.Errorf("%d connections were made to show the token", n)
	}
}

func TestATokenIsAskedForAtEachConnection(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	executed := handle(s)
	c := config(s)
	tokens := &rotating{server: s}
	c.Token = tokens
	session := connect(t, newCluster(t, c))
	readThrough(t, s, session, executed)
	s.RotateToken()
	if err := query(session, 1); err != nil {
		t.Errorf("open connections go on: %v", err)
	}
	s.DropConns()
	for key := range 50 {
		if err := query(session, key); err != nil {
			t.Error(err)
		}
	}
	tokens.mu.Lock()
	defer tokens.mu.Unlock()
	if tokens.refused == 0 {
		t.Error("the source was not told that its token was refused")
	}
}

// A statement that is not idempotent is executed at most once, whatever happens.
func TestWritesAreNotRepeated(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var mu sync.Mutex
	executed := make(map[int32]int)
	handle(s)
	s.Handle(write, astratest.Statement{
		Params: []astratest.Column{{Name: "k", Type: "int"}, {Name: "v", Type: "text"}}, PartitionKey: []int{0},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			executed[r.Values[0].(int32)]++
			return nil, nil
		},
	})
	session := connect(t, newCluster(t, config(s)))
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 100 {
				if w == 0 && i%20 == 10 {
					s.DropConns()
				}
				// It may fail where it was on its way, or met a connection that gocql has not found dead yet; it must not run twice.
				if err := session.Query(write, w*1000+i, "x").Exec(); err != nil {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	writers.Wait()
	mu.Lock()
	defer mu.Unlock()
	for key, n := range executed {
		if n > 1 {
			t.Errorf("write %d ran %d times", key, n)
		}
	}
	if len(executed) < 200 {
		t.Errorf("only %d of 400 writes ran", len(executed))
	}
}

func TestConnectionsOverAnythingHaveATCPAddress(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	handle(s)
	c := config(s)
	c.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return unixConn{conn}, nil
	}
	if err := query(connect(t, newCluster(t, c)), 1); err != nil {
		t.Error(err)
	}
}

// With waiting switched off, a statement without a connection fails at once.
func TestNoWaiting(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	handle(s)
	c := config(s)
	c.RecoveryWait = -1
	session := connect(t, newCluster(t, c))
	s.Hibernate()
	var err error
	eventually(t, "statements fail", func() bool { err = query(session, 1); return errors.Is(err, gocql.ErrNoConnections) })
	start := time.Now()
	for range 10 {
		err = query(session, 1)
	}
	if took := time.Since(start); err == nil || took > 10*time.Second {
		t.Errorf("ten statements took %v and gave %v", took, err)
	}
}

// rotating is a source of tokens that keeps its value until it is told that it was refused.
type rotating struct {
	server  *astratest.Server
	mu      sync.Mutex
	value   token.Token
	refused int
}

func (r *rotating) Current(context.Context) (token.Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.value.IsZero() {
		r.value = r.server.Token()
	}
	return r.value, nil
}

func (r *rotating) Invalidate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value = token.Token{}
	r.refused++
}

// gocql goes on using a connection for a moment after it has ended, and a write that is not sent for that reason fails as if it had been. So
// writers who do not pause would fail by the hundreds; here each may have one write on its way to each node when the connections end.
func TestNothingIsSentOnConnectionsThatHaveEnded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	executed := handle(s)
	session := connect(t, newCluster(t, config(s)))
	readThrough(t, s, session, executed)
	const writers, drops = 8, 20
	var failed atomic.Int64
	var running sync.WaitGroup
	stop := make(chan struct{})
	for w := range writers {
		running.Go(func() {
			for k := w; !isClosed(stop); k += writers {
				if err := session.Query(write, k, "v").Exec(); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	for range drops {
		executed.reset()
		eventually(t, "all nodes execute writes", func() bool { return executed.nodes() == 3 })
		s.DropConns()
	}
	close(stop)
	running.Wait()
	if limit := int64(drops * writers * len(s.Nodes())); failed.Load() > limit {
		t.Errorf("%d writes failed, want %d at most", failed.Load(), limit)
	}
}
