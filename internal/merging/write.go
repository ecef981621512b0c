package merging

import (
	"net"
	"os"
	"sync"
	"time"
)

// Write writes p, or appends it to what will be written. After an error, nothing of p was or will be written, unless p was written by itself.
func (c *Conn) Write(p []byte) (int, error) {
	written.Add(1)
	alone := c.inFlight.Add(1) <= 1 && c.reads.batch.Load() <= 1 || c.yielder.busy()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		room := len(p) <= maxMerged && c.unwritten+len(p) <= maxPending
		switch {
		case c.err != nil:
			return 0, c.err
		case c.closed:
			return 0, c.writeError(net.ErrClosed)
		case c.state == idle && (alone || len(p) > maxMerged):
			return c.writeDirect(p)
		case room && (c.pending != nil || !c.late()): // what joins others has the deadline of the first
			c.append(p)
			return len(p), nil
		case c.late():
			return 0, c.writeError(os.ErrDeadlineExceeded)
		}
		c.wait()
	}
}

// late reports whether the write deadline has passed.
func (c *Conn) late() bool { return !c.deadline.IsZero() && !time.Now().Before(c.deadline) }

func (c *Conn) writeError(err error) error {
	return &net.OpError{Op: "write", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// wait waits for a change or the write deadline. Like all that follows down to SetWriteDeadline, it is called and returns with the lock held.
func (c *Conn) wait() {
	if !c.deadline.IsZero() {
		timer := time.AfterFunc(time.Until(c.deadline), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.changed.Broadcast()
		})
		defer timer.Stop()
	}
	c.changed.Wait()
}

func (c *Conn) writeDirect(p []byte) (int, error) {
	c.state = direct
	n, err := c.write(p, c.deadline)
	if c.pending != nil && c.yielder.busy() { // then a goroutine would get its turn late
		c.state = flushing
		c.writePending()
	}
	c.state = idle
	c.changed.Broadcast()
	if c.pending != nil {
		c.startFlush()
	}
	return n, err
}

func (c *Conn) append(p []byte) {
	if c.pending == nil {
		c.pending = buffers.Get().(*[]byte)
		c.due = c.deadline
	}
	*c.pending = append(*c.pending, p...)
	c.unwritten += len(p)
	if c.state == idle {
		c.startFlush()
	}
	if !c.writing && c.gathering.Add(1) == 1 && c.gathers != nil {
		c.gathers()
	}
}

func (c *Conn) startFlush() {
	c.state = flushing
	go c.flush()
}

func (c *Conn) flush() {
	c.gather(c.yielder.yield)
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.pending != nil {
		c.writePending()
	}
	c.state = idle
	c.changed.Broadcast()
}

// gather yields to whoever is about to write. While the peer has enough to do, the first request is in no hurry, and gather goes on for as long as that
// brings more.
func (c *Conn) gather(yield func()) {
	for range maxYields {
		before := c.gathering.Load()
		yield()
		if c.gathering.Load() == before || c.inFlight.Load() <= maxUnanswered {
			return
		}
	}
}

func (c *Conn) writePending() {
	batch := c.pending
	c.pending = nil
	c.gathering.Store(0)
	if c.err == nil {
		c.write(*batch, c.due)
	}
	c.unwritten -= len(*batch)
	c.changed.Broadcast()
	recycle(batch)
}

// write writes to the connection below, without the lock.
func (c *Conn) write(p []byte, deadline time.Time) (n int, err error) {
	if c.applied != deadline {
		c.applied = deadline
		err = c.conn.SetWriteDeadline(deadline)
	}
	c.writing = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.writing = false
	}()
	if err == nil {
		n, err = c.conn.Write(p)
	}
	if err != nil {
		c.fail(err)
	}
	return n, err
}

// SetWriteDeadline sets the deadline of calls of Write, also of one that waits already. What earlier calls have left pending
// keeps the deadline that it has.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	if c.state != direct {
		c.changed.Broadcast()
		return nil
	}
	c.applied = t
	return c.conn.SetWriteDeadline(t)
}

// buffers holds buffers that no connection needs at the moment.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10)
	return &b
}}

func recycle(b *[]byte) {
	if cap(*b) <= 64<<10 {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}
