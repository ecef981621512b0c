package astratest

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// sockets are the open connections of one service. They can be reset, or made to go silent, together.
type sockets struct {
	mu     sync.Mutex
	open   map[*socket]bool
	closed bool
	woken  chan struct{} // closed and replaced when a stall ends
}

// socket is one TCP connection. While it is stalled, it neither reads nor writes, and closing it sends nothing: its peer sees only silence.
type socket struct {
	net.Conn
	set  *sockets
	gone chan struct{} // closed by Close

	stalls        atomic.Int32 // how many stalls hold it; changed under set.mu
	writeDeadline atomic.Bool  // one is set

	closing, rst bool // Close or abort was called; guarded by set.mu
	shut         sync.Once
}

func newSockets() *sockets {
	return &sockets{open: make(map[*socket]bool), woken: make(chan struct{})}
}

// add takes over conn, and resets it when the set is closed already.
func (ss *sockets) add(conn net.Conn) (s *socket, ok bool) {
	s = &socket{Conn: conn, set: ss, gone: make(chan struct{})}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.closed {
		reset(conn)
		return nil, false
	}
	ss.open[s] = true
	return s, true
}

func (ss *sockets) len() int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return len(ss.open)
}

// close resets all connections, those that are added later too.
func (ss *sockets) close() {
	ss.mu.Lock()
	ss.closed = true
	ss.mu.Unlock()
	ss.reset(func(*socket) bool { return true })
}

// reset resets those connections that match, stalled or not.
func (ss *sockets) reset(match func(*socket) bool) {
	for _, s := range ss.matching(match) {
		s.disconnect(true)
		s.Close()
	}
}

func (ss *sockets) matching(match func(*socket) bool) []*socket {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	var found []*socket
	for s := range ss.open {
		if match(s) {
			found = append(found, s)
		}
	}
	return found
}

// stall silences the connections that are open now, until resume is called.
func (ss *sockets) stall() (resume func()) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	stalled := make([]*socket, 0, len(ss.open))
	for s := range ss.open {
		s.stalls.Add(1)
		stalled = append(stalled, s)
	}
	return sync.OnceFunc(func() { ss.resume(stalled) })
}

func (ss *sockets) resume(stalled []*socket) {
	ss.mu.Lock()
	var closing []*socket
	for _, s := range stalled {
		if s.stalls.Add(-1) == 0 && s.closing {
			closing = append(closing, s)
		}
	}
	close(ss.woken)
	ss.woken = make(chan struct{})
	ss.mu.Unlock()
	for _, s := range closing {
		s.disconnect(s.rst)
	}
}

func (ss *sockets) wakeUp() <-chan struct{} {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.woken
}

func (s *socket) Read(p []byte) (int, error) {
	if s.stalls.Load() > 0 {
		if err := s.wait(); err != nil {
			return 0, err
		}
	}
	n, err := s.Conn.Read(p)
	if s.stalls.Load() > 0 { // since the read began: what came is not there yet
		if err := s.wait(); err != nil {
			return 0, err
		}
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	if s.stalls.Load() > 0 {
		if s.writeDeadline.Load() {
			return 0, os.ErrDeadlineExceeded // so that no close_notify waits for the end of the stall
		}
		if err := s.wait(); err != nil {
			return 0, err
		}
	}
	return s.Conn.Write(p)
}

// wait returns when no stall holds the connection, or with an error when it was closed.
func (s *socket) wait() error {
	for {
		woken := s.set.wakeUp()
		if s.stalls.Load() == 0 {
			return nil
		}
		select {
		case <-woken:
		case <-s.gone:
			return net.ErrClosed
		}
	}
}

func (s *socket) SetWriteDeadline(t time.Time) error {
	s.writeDeadline.Store(!t.IsZero())
	return s.Conn.SetWriteDeadline(t)
}

func (s *socket) SetDeadline(t time.Time) error {
	s.writeDeadline.Store(!t.IsZero())
	return s.Conn.SetDeadline(t)
}

// Close closes the connection, for its peer only when no stall holds it any more.
func (s *socket) Close() error { return s.end(false) }

// abort is Close with RST instead of FIN.
func (s *socket) abort() { s.end(true) }

func (s *socket) end(rst bool) error {
	s.set.mu.Lock()
	if s.closing {
		s.set.mu.Unlock()
		return net.ErrClosed
	}
	s.closing, s.rst = true, rst
	stalled := s.stalls.Load() > 0
	s.set.mu.Unlock()
	close(s.gone)
	if stalled {
		return s.Conn.SetDeadline(time.Unix(1, 0)) // ends a read or write that began before the stall
	}
	s.disconnect(rst)
	return nil
}

func (s *socket) disconnect(rst bool) {
	s.shut.Do(func() {
		if rst {
			reset(s.Conn)
		} else {
			s.Conn.Close()
		}
		s.set.mu.Lock()
		delete(s.set.open, s)
		s.set.mu.Unlock()
	})
}

// reset closes a TCP connection with RST instead of FIN.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }
