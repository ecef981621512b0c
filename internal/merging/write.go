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
	merged, err := c.merge(p)
	if err != nil {
		return 0, err
	}
	if merged {
		return len(p), nil
	}
	n, err := c.conn.Write(p)
	c.endDirect(err)
	return n, err
}

// merge appends p to what will be written, once there is room, and reports true; or it begins a direct write of p and reports false.
func (c *Conn) merge(p []byte) (bool, error) {
	written.Add(1)
	alone := c.inFlight.Add(1) <= 1 && c.reads.batch.Load() <= 1 || c.yielder.busy()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		room := len(p) <= maxMerged && c.unwritten+len(p) <= maxPending
		switch {
		case c.err != nil:
			return false, c.err
		case c.closed:
			return false, c.writeError(net.ErrClosed)
		case c.state == idle && (alone || len(p) > maxMerged):
			c.state = direct
			c.beginWrite(c.deadline)
			return false, nil
		case !(room && c.inTime()) && c.late():
			return false, c.writeError(os.ErrDeadlineExceeded)
		case room:
			c.append(p)
			return true, nil
		}
		c.wait()
	}
}

// inTime reports, without a look at the clock, that the write deadline is not over unless that of the pending bytes is, too.
func (c *Conn) inTime() bool { return c.pending != nil && !c.due.IsZero() && !c.deadline.Before(c.due) }

// late reports whether the write deadline has passed.
func (c *Conn) late() bool { return !c.deadline.IsZero() && !time.Now().Before(c.deadline) }

func (c *Conn) writeError(err error) error {
	return &net.OpError{Op: "write", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// wait waits for a change or the write deadline. Like inTime, late, append and writePending, it is called and returns with the lock held.
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
func (c *Conn) endDirect(err error) {
	c.endWrite(err)
	defer c.mu.Unlock()
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
	if (c.state == idle || c.state == putOff) && c.gathering.Add(1) == 1 && c.gathers != nil {
		c.gathers()
	}
	if c.state == idle {
		c.startFlush()
	}
}

func (c *Conn) startFlush() {
	c.state = putOff
	go c.flush()
}

func (c *Conn) flush() {
	c.gather(c.yielder.yield)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = flushing
	for c.pending != nil {
		c.writePending()
	}
	c.state = idle
	c.changed.Broadcast()
}

// gather yields to whoever is about to write. While the peer has enough to do, the first request is in no hurry, and gather goes on for as long as that
// brings more.
func (c *Conn) gather(yield func() time.Duration) {
	var took time.Duration
	for range maxYields {
		before := c.gathering.Load()
		took += yield()
		gathering := c.gathering.Load()
		if gathering == before || c.inFlight.Load()-gathering <= maxUnanswered || took > maxGather {
			return
		}
	}
}

func (c *Conn) writePending() {
	batch := c.pending
	c.pending = nil
	c.gathering.Store(0)
	if c.err == nil {
		c.beginWrite(c.due)
		c.mu.Unlock()
		_, err := c.conn.Write(*batch)
		c.endWrite(err)
	}
	c.unwritten -= len(*batch)
	c.changed.Broadcast()
	recycle(batch)
}

// beginWrite is called with the lock held, before a write to the connection below without it.
func (c *Conn) beginWrite(deadline time.Time) {
	if c.applied != deadline {
		c.applied = deadline
		c.conn.SetWriteDeadline(deadline) // fails where the write will, too
	}
}

// endWrite takes the lock after a write. An error fails the connection.
func (c *Conn) endWrite(err error) {
	if err != nil {
		c.fail(err)
	}
	c.mu.Lock()
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
