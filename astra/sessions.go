package astra

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"runtime"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// gocql tells nobody that a session is being closed. Here that must be known, because Session.Close waits for the goroutine of the control
// connection's heartbeat. If that is just making the connection anew, Close takes as long as dials do. And if the connection comes about, Close
// never ends in gocql v2.1.2: for a new control connection gocql waits until the schema has been refreshed (control.go:368), by a
// goroutine that Close has ended before (session.go:570). So nothing may come about any more. That a session is being closed shows when
// its pools close their connections, which is what Close begins with.

// How long after a node has accepted a control connection gocql has surely begun to refresh the schema.
const refreshBegun = 100 * time.Millisecond

var errClosing = errors.New("the session is being closed")

// sessions are gocql's sessions that dial through a Dialer.
type sessions struct {
	mu     sync.Mutex
	byDone map[<-chan struct{}]*session
}

type sessionKey struct{}

// ofSession returns a context from which others may be derived for a dial to which gocql gave ctx.
func ofSession(ctx context.Context) context.Context {
	return context.WithValue(ctx, sessionKey{}, ctx)
}

// of returns the session whose dials have a context. gocql gives all dials of a session the same one, which ends when it has been closed.
func (s *sessions) of(ctx context.Context) *session {
	if given, ok := ctx.Value(sessionKey{}).(context.Context); ok {
		ctx = given
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	done := ctx.Done()
	if known := s.byDone[done]; known != nil {
		return known
	}
	known := new(session)
	known.closing, known.close = context.WithCancel(context.Background())
	if done == nil { // somebody else's
		return known
	}
	if s.byDone == nil {
		s.byDone = make(map[<-chan struct{}]*session)
	}
	s.byDone[done] = known
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.byDone, done)
	})
	return known
}

// session is one of gocql's sessions, as far as it shows in its dials and connections.
type session struct {
	closing context.Context // ends when Session.Close begins
	close   context.CancelFunc

	mu         sync.Mutex
	setup      *conn     // is about to become the control connection; nil: none
	ready      []byte    // in the frame by which the node accepts that; nil: gocql has not asked for events yet
	registered time.Time // when a node last did
}

// dialing returns a context that ends with a given one, and when the session is being closed.
func (s *session) dialing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.closing, func() { cancel(errClosing) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// setsUp notes that gocql begins to make a connection its control connection.
func (s *session) setsUp(c *conn) {
	s.mu.Lock()
	s.setup, s.ready = c, nil
	s.mu.Unlock()
	if s.closing.Err() != nil {
		c.giveUp(errClosing)
	}
}

// registers notes that gocql asks for events by a REGISTER frame, which is its last request before the connection is its control connection.
func (s *session) registers(c *conn, frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.setup == c {
		stream := frame[2:4]
		s.ready = []byte{stream[0], stream[1], byte(cql.OpReady), 0, 0, 0, 0}
	}
}

// answers notes what comes from the node of a connection that is being set up. It reports false if gocql must not learn it.
func (s *session) answers(c *conn, p []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return false
	}
	if s.setup == c && s.ready != nil && bytes.Contains(p, s.ready) {
		s.setup, s.registered = nil, time.Now()
		c.settingUp.Store(false)
	}
	return true
}

// ended notes the end of a connection. It reports whether it was being set up.
func (s *session) ended(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.setup != c {
		return false
	}
	s.setup = nil
	return true
}

// closes ends what would make Session.Close wait. Where there has just come about a control connection, it does not return, and Close with it,
// before gocql has begun to refresh the schema.
func (s *session) closes() {
	s.mu.Lock()
	s.close()
	c, wait := s.setup, refreshBegun-time.Since(s.registered)
	s.mu.Unlock()
	if c != nil {
		c.giveUp(errClosing)
	}
	time.Sleep(wait)
}

var sessionClose = runtime.FuncForPC(reflect.ValueOf((*gocql.Session).Close).Pointer()).Name()

// inSessionClose reports whether Session.Close is among its callers.
func inSessionClose() bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		frame, more := frames.Next()
		if frame.Function == sessionClose {
			return true
		}
		if !more {
			return false
		}
	}
}

// asksForSystemLocal reports whether a QUERY is that by which gocql begins to set up a control connection. Users' statements are prepared.
func asksForSystemLocal(frame []byte) bool {
	return bytes.Contains(frame, []byte("SELECT * FROM system.local "))
}
