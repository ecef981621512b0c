package astra

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/internal/cql"
	"github.com/seed-5f06b232/astra-go/internal/merging"
	"github.com/seed-5f06b232/astra-go/token"
)

// gocql sends a heartbeat 5 s after the answer to the last one. A connection on which nothing has arrived for longer than two of
// these intervals is dead, whatever TCP thinks; gocql itself finds out after 96 s.
const readIdleLimit = 10*time.Second + 500*time.Millisecond

var errSilent = errors.New("nothing arrived for " + readIdleLimit.String() + ", although the node should have answered heartbeats")

// conn is a connection that gocql owns. It sees what gocql keeps to itself: that a node hung up before it said anything, that a token was
// refused, that a node has gone silent, and which connection is the control connection.
type conn struct {
	net.Conn // over TLS
	tcp      net.Conn
	dialer   *Dialer
	session  *session
	host     *gocql.HostInfo // as gocql dialed it
	attempt  attempt         // what the dial knew
	token    token.Token     // that gocql was given for this connection
	opened   time.Time

	startup  startup               // belongs to the reader
	starting bool                  // belongs to the reader: startup has not ended
	heard    atomic.Bool           // something has arrived
	refused  atomic.Pointer[error] // how the node answered gocql's first requests, if by an error

	gathering *gathering // nil: writes are not merged

	counted   atomic.Bool // among the connections of the host
	watching  atomic.Bool // REGISTER may still come
	settingUp atomic.Bool // gocql waits for an answer before this is the control connection

	lastRead atomic.Int64 // time since opened
	idle     *time.Timer

	closed atomic.Bool
	reason atomic.Pointer[error] // why this side gave the connection up
}

func newConn(d *Dialer, s *session, host *gocql.HostInfo, n nodeConn, tok token.Token) *conn {
	c := &conn{
		Conn: n.Conn, tcp: n.Conn.NetConn(), dialer: d, session: s, host: host, attempt: n.attempt, token: tok, opened: time.Now(), starting: true,
	}
	if !d.config.DisableWriteMerging {
		c.gathering = &gathering{hostID: n.hostID}
		m := merging.NewConn(n.Conn, c.tcp, func() {
			c.gathering.joined.Store(0)
			d.gathering.Store(c.gathering)
		})
		c.gathering.requests = m.Gathering
		c.Conn = m
	}
	c.watching.Store(true)
	c.idle = time.AfterFunc(readIdleLimit, c.checkIdle)
	return c
}

// checkIdle runs when the limit would be reached if nothing had arrived since it ran last.
func (c *conn) checkIdle() {
	idle := time.Since(c.opened) - time.Duration(c.lastRead.Load())
	if idle < readIdleLimit {
		c.idle.Reset(readIdleLimit - idle)
		return
	}
	c.giveUp(errSilent)
}

// giveUp closes the connection for a reason that the reader will learn.
func (c *conn) giveUp(reason error) {
	c.reason.CompareAndSwap(nil, &reason)
	c.end(reason)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.lastRead.Store(int64(time.Since(c.opened)))
		if c.starting {
			c.readStartup(p[:n])
		}
		if c.settingUp.Load() && !c.session.answers(c, p[:n]) {
			n, err = 0, errClosing
		}
	}
	if err != nil {
		err = c.readFailed(err)
	}
	return n, err
}

func (c *conn) readStartup(p []byte) {
	c.heard.Store(true)
	done, refused := c.startup.observe(p)
	if !done {
		return
	}
	c.starting = false
	c.startup = startup{}
	switch {
	case refused == nil:
		c.dialer.tokenAccepted(c.attempt, c.token)
		c.count()
		return
	case errors.Is(refused, ErrUnauthenticated):
		c.dialer.tokenRefused(c.attempt, c.token, refused)
	default:
		c.dialer.nodes.failed(c.attempt.hostID, c.attempt.listed(), refused)
	}
	c.refused.Store(&refused)
}

// count counts the connection among those of its host.
func (c *conn) count() {
	c.dialer.lost.opened(c.host)
	c.counted.Store(true)
	if c.closed.Load() && c.counted.Swap(false) {
		c.dialer.lost.ended(c.host)
	}
}

func (c *conn) readFailed(err error) error {
	if reason := c.reason.Load(); reason != nil {
		return *reason
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return err // gocql's deadline; it decides
	}
	if !c.heard.Load() && !c.closed.Load() {
		// An SNI proxy may refuse a host ID by hanging up after the handshake.
		c.dialer.hungUp(c.attempt, err)
	}
	// gocql learns that the connection is over, closes it, and only then uses it no more. What is prepared on it in between fails by
	// context.Canceled and is not repeated: so there must be nothing left to close.
	c.end(err)
	return err
}

func (c *conn) Write(p []byte) (int, error) {
	if c.watching.Load() {
		c.watch(p)
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		c.end(err) // as readFailed does: gocql closes a connection that it could not write to
	}
	return n, err
}

// watch looks for REGISTER, which makes this the control connection. It comes before any request of a user. gocql writes whole frames.
func (c *conn) watch(frame []byte) {
	if len(frame) < cql.HeaderSize {
		return
	}
	switch cql.Opcode(frame[4]) {
	case cql.OpOptions, cql.OpStartup, cql.OpAuthResponse:
		return
	case cql.OpQuery:
		if asksForSystemLocal(frame) {
			c.settingUp.Store(true)
			if c.counted.Swap(false) {
				c.dialer.lost.isControl(c.host)
			}
			c.session.setsUp(c)
		}
		return
	case cql.OpRegister:
		c.session.registers(c, frame)
		c.dialer.controls.add(c)
		if c.closed.Load() {
			c.dialer.controls.remove(c)
		}
	}
	c.watching.Store(false)
}

// RemoteAddr returns a *net.TCPAddr always, since gocql panics on any other.
func (c *conn) RemoteAddr() net.Addr {
	if addr, ok := c.Conn.RemoteAddr().(*net.TCPAddr); ok {
		return addr
	}
	return &net.TCPAddr{IP: placeholder}
}

// Close ends the connection at once. A TLS goodbye could wait for a stuck peer.
func (c *conn) Close() error {
	if c.closed.Load() {
		return nil
	}
	err := c.end(nil)
	if inSessionClose() {
		c.session.closes()
	}
	return err
}

func (c *conn) end(reason error) (err error) {
	if c.closed.Swap(true) {
		return nil
	}
	if c.counted.Swap(false) {
		c.dialer.lost.ended(c.host)
	}
	c.idle.Stop()
	c.dialer.controls.remove(c)
	c.dialer.gathering.CompareAndSwap(c.gathering, nil)
	err = c.tcp.Close()
	c.Conn.Close()
	if c.session.ended(c) {
		c.dialer.rings.stoppedHalfway(c.attempt.hostID)
	}
	c.dialer.config.Trace.connClosed(ConnInfo{
		HostID: c.attempt.hostID, Addr: c.RemoteAddr().String(), Lifetime: time.Since(c.opened), Err: reason,
	})
	return err
}

// controls are the control connections of a Dialer's sessions, one each, and since when they are that.
type controls struct {
	mu    sync.Mutex
	conns map[*conn]time.Time
}

func (s *controls) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.conns = make(map[*conn]time.Time)
	}
	s.conns[c] = time.Now()
}

func (s *controls) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// giveUp closes those that are no new ones, and returns how many there are of either kind.
func (s *controls) giveUp(reason error) int {
	old, all := s.list()
	for _, c := range old {
		c.giveUp(reason)
	}
	return all
}

// How long gocql may take to read the ring over a new control connection.
const ringTime = 250 * time.Millisecond

// list returns the control connections that are not new, and the number of all. Over a new one gocql is just reading the ring; and if it ends before
// that is done, gocql makes another one only after its next heartbeat, which may be 5 s later (control.go:425).
func (s *controls) list() (old []*conn, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, since := range s.conns {
		if time.Since(since) >= ringTime {
			old = append(old, c)
		}
	}
	return old, len(s.conns)
}
