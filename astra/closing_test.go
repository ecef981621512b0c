package astra_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// reconnecting is a session whose control connection has ended and is being made anew by the goroutine of its heartbeat, for which
// Session.Close waits.
type reconnecting struct {
	config func(*astra.Config)                                // nil: changes nothing
	open   func(*gocql.ClusterConfig) (*gocql.Session, error) // nil: Connect
	wrap   func(net.Conn) net.Conn                            // what gocql gets as the new control connection; nil: the connection
	drop   func(s *astratest.Server, control net.Conn)        // ends the old one, and perhaps others

	server  *astratest.Server
	session *gocql.Session
	dial    chan struct{} // close it to let the goroutine go on
}

func (r *reconnecting) start(t *testing.T) {
	t.Helper()
	s := newServer(t)
	executed := handle(s)
	c := config(s)
	c.DialTimeout = time.Minute // nothing ends by itself
	if r.config != nil {
		r.config(&c)
	}
	cluster := newCluster(t, c)
	cluster.ConnectTimeout = time.Minute
	r.server, r.dial = s, make(chan struct{})
	dialing := make(chan struct{}, 100)
	var control net.Conn
	inner := cluster.HostDialer
	cluster.HostDialer = hostDialer(func(ctx context.Context, h *gocql.HostInfo) (*gocql.DialedHost, error) {
		stack := string(debug.Stack())
		switch {
		case strings.Contains(stack, ".(*controlConn).connect("):
			dialed, err := inner.DialHost(ctx, h)
			if err == nil {
				control = dialed.Conn
			}
			return dialed, err
		case !strings.Contains(stack, ".(*controlConn).reconnect("):
			return inner.DialHost(ctx, h)
		case !strings.Contains(stack, ".(*controlConn).heartBeat("):
			return nil, errors.New("the goroutine that noticed the end of the connection does not get a new one")
		}
		dialing <- struct{}{}
		<-r.dial
		dialed, err := inner.DialHost(ctx, h)
		if err == nil && r.wrap != nil {
			dialed.Conn = r.wrap(dialed.Conn)
		}
		return dialed, err
	})
	open := r.open
	if open == nil {
		open = func(cluster *gocql.ClusterConfig) (*gocql.Session, error) { return astra.Connect(t.Context(), cluster) }
	}
	session, err := open(cluster)
	if err != nil {
		t.Fatal(err)
	}
	r.session = session
	readThrough(t, s, session, executed)
	r.drop(s, control)
	<-dialing
	eventually(t, "the pools are filled", func() bool { return s.Stats().OpenConns == 3 })
}

// mustClose closes the session, and calls during as soon as no more than left connections are open.
func (r *reconnecting) mustClose(t *testing.T, left int64, during func()) {
	t.Helper()
	closed := startClosing(r.session)
	eventually(t, "the pools are closed", func() bool { return r.server.Stats().OpenConns <= left })
	during()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("Session.Close does not end")
	}
	eventually(t, "all connections are closed", func() bool { return r.server.Stats().OpenConns == 0 })
}

func dropAll(s *astratest.Server, _ net.Conn)           { s.DropConns() }
func dropControl(_ *astratest.Server, control net.Conn) { control.Close() }

// gocql refreshes the schema for a new control connection, by a goroutine that Close has ended, and waits for it for good.
func TestCloseEndsWhileTheControlConnectionIsDialed(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*reconnecting{
		"first connections": {drop: dropControl},
		"new connections":   {drop: dropAll},
		"CreateSession":     {drop: dropControl, open: func(c *gocql.ClusterConfig) (*gocql.Session, error) { return c.CreateSession() }},
		"not merging":       {drop: dropAll, config: func(c *astra.Config) { c.DisableWriteMerging = true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r.start(t)
			r.mustClose(t, 0, func() { close(r.dial) })
		})
	}
}

func TestCloseEndsADialThatHangs(t *testing.T) {
	t.Parallel()
	var hang atomic.Bool
	hanging := make(chan struct{}, 100)
	r := &reconnecting{drop: dropAll, config: func(c *astra.Config) {
		c.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if hang.Load() {
				hanging <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}}
	r.start(t)
	hang.Store(true)
	close(r.dial)
	<-hanging
	r.mustClose(t, 0, func() {})
}

// registering is a connection that calls a function at REGISTER, which makes it the control connection, and does not send it if that
// returns false.
type registering struct {
	net.Conn
	registers func() (send bool)
}

func (c registering) Write(p []byte) (int, error) {
	if len(p) > 4 && cql.Opcode(p[4]) == cql.OpRegister && !c.registers() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func TestCloseEndsWhileTheControlConnectionIsSetUp(t *testing.T) {
	t.Parallel()
	for name, answered := range map[string]bool{"accepted": true, "no answer": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registers, goOn := make(chan struct{}), make(chan struct{})
			r := &reconnecting{drop: dropAll, wrap: func(inner net.Conn) net.Conn {
				return registering{inner, func() bool {
					close(registers)
					if answered {
						<-goOn
					}
					return answered
				}}
			}}
			r.start(t)
			close(r.dial)
			<-registers
			r.mustClose(t, 1, func() { close(goOn) })
		})
	}
}

// The last moment: gocql has a new control connection, and is about to refresh the schema.
func TestCloseEndsAfterTheControlConnectionHasComeAbout(t *testing.T) {
	t.Parallel()
	var again atomic.Bool
	about, goOn := make(chan struct{}), make(chan struct{})
	r := &reconnecting{drop: dropAll, config: func(c *astra.Config) {
		c.Logger = slog.New(messages{slog.DiscardHandler, func(message string) {
			if again.Load() && message == "Control connection connected to host." {
				close(about)
				<-goOn
			}
		}})
	}}
	r.start(t)
	again.Store(true)
	close(r.dial)
	<-about
	r.mustClose(t, 3, func() { close(goOn) }) // of 3 and the control connection: Close has begun
}

// messages is a log that calls a function with each message.
type messages struct {
	slog.Handler
	got func(string)
}

func (m messages) Enabled(context.Context, slog.Level) bool { return true }

func (m messages) Handle(_ context.Context, r slog.Record) error {
	m.got(r.Message)
	return nil
}
