package merging

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"
)

// readSide is what calls of Read and SetReadDeadline share.
type readSide struct {
	reader  sync.Mutex   // held by one call of Read
	answers frames       // belongs to the reader
	batch   atomic.Int64 // answers that came with the last read

	mu       sync.Mutex // of what follows
	reading  bool       // a call of Read waits in the connection below
	deadline time.Time  // of calls of Read
	applied  time.Time  // the read deadline of the connection below
}

// Read reads from the connection below.
func (c *Conn) Read(p []byte) (int, error) {
	// It has no variables of its own: the goroutine that waits here, one for each connection, would need a larger stack for them.
	if err := c.beginRead(); err != nil {
		return 0, c.endRead(nil, err)
	}
	n, err := c.conn.Read(p)
	return n, c.endRead(p[:n], err)
}

func (c *Conn) beginRead() error {
	r := &c.reads
	r.reader.Lock()
	if r.batch.Load() > 1 {
		c.yielder.yield() // to those who have just got answers
	}
	return r.begin(c.conn.SetReadDeadline)
}

func (c *Conn) endRead(p []byte, err error) error {
	r := &c.reads
	defer r.reader.Unlock()
	r.end()
	answers := r.answers.count(p)
	r.batch.Store(answers)
	if r.answers.unknown {
		c.inFlight.Store(uncounted)
	} else {
		c.inFlight.Add(-answers)
	}
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return cmp.Or(c.err, err)
}

// begin sets the deadline that was asked for. Drivers ask for two or three of them a frame and read many frames at once, so they are
// set only when it matters.
func (r *readSide) begin(set func(time.Time) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reading = true
	return r.apply(set)
}

func (r *readSide) end() {
	r.mu.Lock()
	r.reading = false
	r.mu.Unlock()
}

func (r *readSide) apply(set func(time.Time) error) error {
	if r.applied == r.deadline {
		return nil
	}
	r.applied = r.deadline
	return set(r.deadline)
}

// SetReadDeadline sets the deadline of calls of Read, also of one that waits already.
func (c *Conn) SetReadDeadline(t time.Time) error {
	r := &c.reads
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadline = t
	if !r.reading {
		return nil
	}
	return r.apply(c.conn.SetReadDeadline)
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}
