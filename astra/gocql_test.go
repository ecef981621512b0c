package astra_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// The tests in this file name what this package assumes about gocql beyond its documentation. When one fails with a newer gocql, look for
// what relied on it.

// hostDialer is a gocql.HostDialer made of a function.
type hostDialer func(context.Context, *gocql.HostInfo) (*gocql.DialedHost, error)

func (f hostDialer) DialHost(ctx context.Context, h *gocql.HostInfo) (*gocql.DialedHost, error) {
	return f(ctx, h)
}

// Why Dialer sets a deadline of its own, and takes a host without ID for "any".
func TestGocqlDialsWithoutDeadlineAndContactPointsHaveNoHostID(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cluster := newCluster(t, config(s))
	inner := cluster.HostDialer
	var mu sync.Mutex
	var ids []string
	cluster.HostDialer = hostDialer(func(ctx context.Context, h *gocql.HostInfo) (*gocql.DialedHost, error) {
		if _, ok := ctx.Deadline(); ok {
			t.Error("gocql gives DialHost a deadline now")
		}
		mu.Lock()
		ids = append(ids, h.HostID())
		mu.Unlock()
		return inner.DialHost(ctx, h)
	})
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	mu.Lock()
	defer mu.Unlock()
	if ids[0] != "" || len(ids) < 2 || ids[1] == "" {
		t.Errorf("gocql dialed the host IDs %q, want none first and then those of nodes", ids)
	}
}

// Why a Dialer can tell sessions from each other, see sessions.of.
func TestGocqlDialsWithTheContextOfTheSession(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cluster := newCluster(t, config(s))
	inner := cluster.HostDialer
	var mu sync.Mutex
	contexts := make(map[<-chan struct{}]int)
	cluster.HostDialer = hostDialer(func(ctx context.Context, h *gocql.HostInfo) (*gocql.DialedHost, error) {
		mu.Lock()
		contexts[ctx.Done()]++
		mu.Unlock()
		return inner.DialHost(ctx, h)
	})
	for range 2 {
		session, err := cluster.CreateSession()
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "all pools are filled", func() bool { return s.Stats().OpenConns == 4 })
		session.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	for done, dials := range contexts {
		if !isClosed(done) || dials != 4 {
			t.Errorf("%d dials with a context that ended: %t; want 4, and the end with that of the session", dials, isClosed(done))
		}
	}
	if len(contexts) != 2 {
		t.Errorf("%d contexts for 2 sessions", len(contexts))
	}
}

// Why conn.RemoteAddr returns a *net.TCPAddr always.
func TestGocqlPanicsUnlessTheRemoteAddressIsTCP(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cluster := newCluster(t, config(s))
	inner := cluster.HostDialer
	cluster.HostDialer = hostDialer(func(ctx context.Context, h *gocql.HostInfo) (*gocql.DialedHost, error) {
		dialed, err := inner.DialHost(ctx, h)
		if err == nil {
			dialed.Conn = unixConn{dialed.Conn}
		}
		return dialed, err
	})
	defer func() {
		if r := recover(); r == nil {
			t.Error("gocql takes any remote address now")
		}
	}()
	session, err := cluster.CreateSession()
	if err == nil {
		session.Close()
	}
}

type unixConn struct{ net.Conn }

func (unixConn) RemoteAddr() net.Addr { return &net.UnixAddr{Name: "socket", Net: "unix"} }

// Why conn looks for REGISTER at the beginning of what is written.
func TestGocqlWritesOneFrameAtATime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	handle(s)
	cluster := newCluster(t, config(s))
	inner := cluster.HostDialer
	var registers atomic.Int64
	cluster.HostDialer = hostDialer(func(ctx context.Context, h *gocql.HostInfo) (*gocql.DialedHost, error) {
		dialed, err := inner.DialHost(ctx, h)
		if err == nil {
			dialed.Conn = frameConn{dialed.Conn, t, &registers}
		}
		return dialed, err
	})
	session := connect(t, cluster)
	var queries sync.WaitGroup
	for key := range 50 {
		queries.Go(func() {
			if err := query(session, key); err != nil {
				t.Error(err)
			}
		})
	}
	queries.Wait()
	if n := registers.Load(); n != 1 {
		t.Errorf("REGISTER was seen %d times, want once for the control connection", n)
	}
}

type frameConn struct {
	net.Conn
	t         *testing.T
	registers *atomic.Int64
}

func (c frameConn) Write(p []byte) (int, error) {
	if len(p) < cql.HeaderSize {
		c.t.Errorf("gocql wrote %d bytes", len(p))
		return c.Conn.Write(p)
	}
	h := cql.ParseHeader((*[cql.HeaderSize]byte)(p))
	if h.Version != cql.Version || h.Response || int(h.Length) != len(p)-cql.HeaderSize {
		c.t.Errorf("gocql wrote %d bytes that begin with %+v, want one whole frame", len(p), h)
	}
	if h.Opcode == cql.OpRegister {
		c.registers.Add(1)
	}
	return c.Conn.Write(p)
}

// Why waiting for a host ends with the statement's context, and how replicas are found.
func TestGocqlStatementsTellTheirContext(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	handle(s)
	cluster := newCluster(t, config(s))
	policy := &pickObserver{HostSelectionPolicy: cluster.PoolConfig.HostSelectionPolicy}
	cluster.PoolConfig.HostSelectionPolicy = policy
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	if err := session.Query(write, 1, "x").ExecContext(ctx); err != nil {
		t.Error(err)
	}
	b := session.Batch(gocql.LoggedBatch)
	b.Query(write, 1, "x")
	if err := b.ExecContext(ctx); err != nil {
		t.Error(err)
	}
	policy.mu.Lock()
	defer policy.mu.Unlock()
	if len(policy.picked) < 2 {
		t.Fatalf("%d statements were picked for", len(policy.picked))
	}
	for _, statement := range policy.picked {
		c, ok := statement.(interface{ Context() context.Context })
		if !ok || c.Context().Value(key{}) != "mine" {
			t.Errorf("%T does not tell its context", statement)
		}
	}
}

type pickObserver struct {
	gocql.HostSelectionPolicy
	mu     sync.Mutex
	picked []gocql.ExecutableStatement
}

func (p *pickObserver) Pick(statement gocql.ExecutableStatement) gocql.NextHost {
	if !strings.Contains(statementText(statement), "system_schema") {
		p.mu.Lock()
		p.picked = append(p.picked, statement)
		p.mu.Unlock()
	}
	return p.HostSelectionPolicy.Pick(statement)
}

func statementText(statement gocql.ExecutableStatement) string {
	if q, ok := statement.Statement().(*gocql.Query); ok {
		return q.Statement()
	}
	return ""
}

// Why DialHost returns a *net.OpError and not an error that wraps one.
func TestGocqlGivesUpADialAtOnceForAnOpErrorOnly(t *testing.T) {
	t.Parallel()
	failure := &net.OpError{Op: "dial", Err: errors.New("down")}
	for name, test := range map[string]struct {
		err   error
		dials int64
	}{
		"a *net.OpError":       {failure, 1},
		"one that is wrapped":  {errors.Join(failure), 4},
		"an error of any kind": {errors.New("down"), 4},
	} {
		s := newServer(t)
		cluster := newCluster(t, config(s))
		cluster.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 4, Interval: time.Millisecond}
		inner := cluster.HostDialer
		down := s.Nodes()[0].HostID()
		var dials atomic.Int64
		cluster.HostDialer = hostDialer(func(ctx context.Context, h *gocql.HostInfo) (*gocql.DialedHost, error) {
			if h.HostID() == down {
				dials.Add(1)
				return nil, test.err
			}
			return inner.DialHost(ctx, h)
		})
		// Without Ready gocql waits for every pool to be filled or given up.
		cluster.PoolConfig.HostSelectionPolicy = gocql.RoundRobinHostPolicy()
		session, err := cluster.CreateSession()
		if err != nil {
			t.Fatal(err)
		}
		session.Close()
		if n := dials.Load(); n != test.dials {
			t.Errorf("%s: %d dials, want %d", name, n, test.dials)
		}
	}
}

// How Connect tells causes that gocql makes text of.
func TestGocqlTellsObserversTypedErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cluster := newCluster(t, config(s))
	cluster.Keyspace = "nowhere"
	conviction := new(convictionObserver)
	cluster.ConvictionPolicy = conviction
	if session, err := cluster.CreateSession(); err == nil {
		session.Close()
		t.Fatal("it connected")
	}
	var invalid *gocql.RequestErrInvalid
	if err := conviction.last(); !errors.As(err, &invalid) {
		t.Errorf("the conviction policy was told %v, want a *gocql.RequestErrInvalid", err)
	}

	s.RotateToken()
	observer := new(connectObserver)
	cluster.ConnectObserver = observer
	if session, err := cluster.CreateSession(); err == nil {
		session.Close()
		t.Fatal("it connected")
	}
	var refused *gocql.RequestErrCredentials
	if err := observer.last(); !errors.As(err, &refused) {
		t.Errorf("the connect observer was told %v, want a *gocql.RequestErrCredentials", err)
	}
}

type lastError struct {
	mu  sync.Mutex
	err error
}

func (l *lastError) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *lastError) last() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

type convictionObserver struct{ lastError }

func (o *convictionObserver) AddFailure(err error, _ *gocql.HostInfo) bool {
	o.note(err)
	return false
}

func (o *convictionObserver) Reset(*gocql.HostInfo) {}

type connectObserver struct{ lastError }

func (o *connectObserver) ObserveConnect(c gocql.ObservedConnect) { o.note(c.Err) }
