// Package merging makes requests that come together leave together. Start with [NewConn].
//
// A driver that multiplexes requests over one TLS connection writes each one on its own: a TLS record and a system call
// for some tens of bytes. A [Conn] gathers what is written at about the same time and writes it in one go.
//
// # When a write is merged
//
// Handing a request to another goroutine costs more than it gains while a connection has one request at a time, and gains much when it
// has several. So a Conn counts requests and answers, by the frame headers of CQL's native protocol:
//
//   - A request that is alone goes out at once, in the call that writes it. It is alone if all others are answered, and the last
//     answer did not come together with others, which are about to cause requests of their own.
//   - Any other request is appended to a buffer. The first one starts a goroutine, which yields, so that
//     whoever is ready to write may do so, writes the buffer, and ends when nothing is left. It yields once; while more than 128 requests are
//     at the peer, up to four times, as long as that brings more.
//   - Before it waits for more answers, the reader yields to those who have just got some.
//   - Where a yield turns out to be too dear, because the process is busy with other things, yields are left out for a while, and requests are
//     written by those who have them.
//
// Whoever has a choice of connections gains most by those that gather requests already: see [Conn.Gathering].
//
// Protocol versions from 5 on wrap frames in segments, which are not counted: there no request counts as alone, and the peer never has enough to do.
package merging

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxPending bounds the bytes that are accepted and not written. Beyond it Write waits.
	maxPending = 256 << 10

	// maxMerged bounds the size of a write that is merged. A larger one fills TLS records by itself and is not worth a copy.
	maxMerged = 16 << 10

	// uncounted is what stands for the requests without an answer where answers are not understood: more than one, and not many.
	uncounted = 2

	// maxUnanswered is how many requests without an answer say that the peer has enough to do.
	maxUnanswered = 128

	// maxYields and maxGather bound how often, and for how long, a write is put off for more requests while the peer has enough to do.
	maxYields = 4
	maxGather = 10 * time.Millisecond

	// closeWait bounds how long Close waits for a peer that does not read.
	closeWait = 100 * time.Millisecond
)

// Conn is a net.Conn that merges writes. Unlike others it may return from Write before the bytes are written. It writes them in
// order, before the write deadline of the first call whose bytes leave together. If that fails, the connection fails: it is closed, and further calls of
// Read and Write return the reason.
//
// It is safe for concurrent use as any net.Conn. At most 256 KiB wait to be written; then Write waits. A Conn owns buffers and a goroutine only while something waits.
type Conn struct {
	conn  net.Conn
	base  io.Closer
	reads readSide

	inFlight  atomic.Int64 // requests without an answer
	gathering atomic.Int64 // requests that wait for the begin of the next write
	gathers   func()
	yielder   yielder

	mu        sync.Mutex
	changed   sync.Cond // of whatever Write or Close may wait for
	state     state
	pending   *[]byte   // to be written next; nil: nothing
	due       time.Time // write deadline of pending
	unwritten int       // bytes in pending and on their way
	deadline  time.Time // of calls of Write
	applied   time.Time // the write deadline of conn
	closed    bool
	err       error // why the connection failed
}

// state tells who may write to the connection below: one at a time, and whoever is not idle looks for pending bytes when done.
type state int

const (
	idle     state = iota
	direct         // a call of Write writes its own bytes
	putOff         // the goroutine is about to write
	flushing       // the goroutine writes
)

// NewConn returns a connection that merges what is written to conn, and owns conn. Where closing conn could wait for the peer, base is
// closed: the TCP connection, if conn is one of TLS. The function, if there is one, is called when requests begin to
// gather; it must not use the connection.
func NewConn(conn net.Conn, base io.Closer, gathers func()) *Conn {
	c := &Conn{conn: conn, base: base, gathers: gathers, yielder: yielder{begin: time.Now()}}
	c.changed.L = &c.mu
	return c
}

// Gathering returns how many requests wait for the begin of a write that is about to happen: a further one on this connection costs no write. It
// is zero while a write is under way, since nobody knows how long that takes; in a busy process, where the write may be late; and while more
// than 128 requests have no answer, which says that the peer has enough to do.
func (c *Conn) Gathering() int {
	if c.inFlight.Load() > maxUnanswered || c.yielder.busy() {
		return 0
	}
	return int(c.gathering.Load())
}

// LocalAddr returns the local address of the connection below.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the remote address of the connection below.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// Close writes what is pending and closes the connection. If the peer does not read, Close gives up after 100 milliseconds.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	c.changed.Broadcast() // to calls of Write that wait for room
	timer := time.AfterFunc(closeWait, func() { c.base.Close() })
	defer timer.Stop()
	for c.state != idle {
		c.changed.Wait()
	}
	c.mu.Unlock()
	return c.conn.Close()
}

// fail ends the connection. It is called without the lock.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = fmt.Errorf("the connection failed on a write: %w", err)
	}
	c.mu.Unlock()
	c.base.Close()
}
