package merging

import (
	"net"
	"os"
	"sync"
	"time"
)

// Write writes p, or appends it to what will be written. After an error, nothing of p was or will be written, unless p was written by itself.
func (c *Conn) Write(p []byte) (int, error) {
	// It calls the connection below itself, and has few variables, for the sake of stacks: see Read. A driver's heartbeats come from a goroutine that a
	// connection has for nothing else.
	c.mu.Lock()
	defer c.mu.Unlock()
	if merged, err := c.merge(p); merged {
		return len(p), nil
	} else if err != nil {
		return 0, err
	}
	n, err := 0, c.beginWrite(c.deadline)
	if err == nil {
		n, err = c.conn.Write(p)
	}
	c.endWrite(err)
	c.endDirect()
	return n, err
}

// merge appends p to what will be written, waits for room if need be, and reports true; or it begins a direct write and reports false. Like all that follows
// down to SetWriteDeadline, it is called and returns with the lock held, but for beginWrite and endWrite.
func (c *Conn) merge(p []byte) (bool, error) {
	written.Add(1)
	alone := c.inFlight.Add(1) <= 1 && c.reads.batch.Load() <= 1 || c.yielder.busy()
	for {
		room := len(p) <= maxMerged && c.unwritten+len(p) <= maxPending
		switch {
		case c.err != nil:
			return false, c.err
		case c.closed:
			return false, c.writeError(net.ErrClosed)
		case c.state == idle && (alone || len(p) > maxMerged):
			c.state = direct
			return false, nil
		case room && (c.pending != nil || !c.late()): // what joins others has the deadline of the first
			c.append(p)
			return true, nil
		case c.late():
			return false, c.writeError(os.ErrDeadlineExceeded)
		}
		c.wait()
	}
}

// late reports whether the write deadline has passed.
func (c *Conn) late() bool { return !c.deadline.IsZero() && !time.Now().Before(c.deadline) }

func (c *Conn) writeError(err error) error {
	return &net.OpError{Op: "write", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// wait waits for a change or the write deadline.
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

// endDirect ends a direct write, and sees to what others have left pending meanwhile.
func (c *Conn) endDirect() {
	if c.pending != nil && c.yielder.busy() { // then a goroutine would get its turn late
		c.state = flushing
		c.writePending()
	}
	c.state = idle
	c.changed.Broadcast()
	if c.pending != nil {
		c.startFlush()
	}
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
		err := c.beginWrite(c.due)
		if err == nil {
			_, err = c.conn.Write(*batch)
		}
		c.endWrite(err)
	}
	c.unwritten -= len(*batch)
	c.changed.Broadcast()
	recycle(batch)
}

// beginWrite prepares a write to the connection below, which happens without the lock.
func (c *Conn) beginWrite(deadline time.Time) error {
	defer c.mu.Unlock()
	c.writing = true
	if c.applied == deadline {
		return nil
	}
	c.applied = deadline
	return c.conn.SetWriteDeadline(deadline)
}

// endWrite takes the lock again. An error of the write, or of beginWrite, fails the connection.
func (c *Conn) endWrite(err error) {
	if err != nil {
		c.fail(err)
	}
	c.mu.Lock()
	c.writing = false
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
