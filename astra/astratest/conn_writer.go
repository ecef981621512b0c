package astratest

import (
	"context"
	"net"
	"runtime"
	"sync"
	"time"
)

// A frameWriter sends frames on a connection. Frames that come while others
// are being written go out together, so that many answers cost one TLS record
// and one system call. With a latency, each waits for its time first.
type frameWriter struct {
	ctx     context.Context // ends with the connection
	conn    net.Conn
	latency time.Duration

	mu      sync.Mutex
	idle    sync.Cond // writing became false, or pending was taken
	pending []byte    // to be written now
	spare   []byte    // the other buffer, while it is not being written
	writing bool      // somebody writes, and goes on until pending is empty
	last    time.Time // when the last write began
	delayed delayLine
	ending  bool // the connection is closed as soon as all is written
	err     error

	goroutines *sync.WaitGroup // of the connection
}

const (
	// maxPending is how much may wait to be written, in bytes, before the
	// connection stops reading requests.
	maxPending = 1 << 20

	// maxSpare is how big a buffer is kept for later.
	maxSpare = 64 << 10

	// inlinePause is how long nothing must have been written for a flush to
	// write at once; else it lets other answers join first.
	inlinePause = 50 * time.Microsecond

	// finishTimeout bounds what finish waits for a client that reads nothing.
	finishTimeout = time.Second
)

func newFrameWriter(ctx context.Context, conn net.Conn, latency time.Duration, goroutines *sync.WaitGroup) *frameWriter {
	w := &frameWriter{ctx: ctx, conn: conn, latency: latency, goroutines: goroutines}
	w.idle.L = &w.mu
	return w
}

// lock returns the buffer to append frames to. The caller gives it back to
// unlock.
func (w *frameWriter) lock() []byte {
	w.mu.Lock()
	return w.pending
}

// unlock takes back the buffer of lock. It holds one frame more, which
// answers a request that arrived at this time.
func (w *frameWriter) unlock(buffer []byte, arrived time.Time) {
	if w.latency > 0 {
		if due := arrived.Add(w.latency); time.Until(due) > 0 {
			w.delay(buffer[len(w.pending):], due)
			buffer = buffer[:len(w.pending)]
		}
	}
	w.pending = buffer
	w.mu.Unlock()
}

// flush sees to it that what is pending is written. It waits while too much
// is.
func (w *frameWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.writing && len(w.pending) > maxPending && w.err == nil {
		w.idle.Wait()
	}
	if len(w.pending) == 0 || w.writing {
		return
	}
	if time.Since(w.last) > inlinePause {
		w.write()
		return
	}
	w.writeLater()
}

// flushSoon sees to it that what is pending is written, without waiting.
func (w *frameWriter) flushSoon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) > 0 && !w.writing {
		w.writeLater()
	}
}

// flushNow returns when what is pending was written.
func (w *frameWriter) flushNow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.writing {
		w.idle.Wait()
	}
	w.write()
}

// send sends one frame, without waiting.
func (w *frameWriter) send(frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.ending {
		return
	}
	w.pending = append(w.pending, frame...)
	if !w.writing {
		w.writeLater()
	}
}

// writeLater lets a goroutine write what is pending by then. w.mu is held.
func (w *frameWriter) writeLater() {
	w.writing = true
	w.goroutines.Go(func() {
		runtime.Gosched() // others append meanwhile
		w.mu.Lock()
		defer w.mu.Unlock()
		w.write()
	})
}

// write writes until nothing is pending. w.mu is held, but not during writes.
func (w *frameWriter) write() {
	w.writing = true
	for len(w.pending) > 0 && w.err == nil {
		out := w.pending
		w.pending, w.spare = w.spare[:0], nil
		w.last = time.Now()
		w.mu.Unlock()
		_, err := w.conn.Write(out)
		w.mu.Lock()
		if cap(out) <= maxSpare {
			w.spare = out[:0]
		}
		if err != nil && w.err == nil {
			w.err = err
			w.conn.Close() // so that the reader ends too
		}
		w.idle.Broadcast()
	}
	if w.err != nil {
		w.pending = w.pending[:0]
	}
	w.writing = false
	w.idle.Broadcast()
	if w.ending {
		w.conn.Close()
	}
}

// finish closes the connection when what is pending has been written, and
// soon in any case. It does not wait for that.
func (w *frameWriter) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ending || w.err != nil {
		return
	}
	w.ending = true
	w.conn.SetWriteDeadline(time.Now().Add(finishTimeout))
	if !w.writing {
		w.writeLater()
	}
}

// A delayLine holds frames until they are due.
type delayLine struct {
	frames  []byte
	marks   []delayMark
	running bool // a goroutine sends them
}

type delayMark struct {
	due  time.Time
	size int
}

// delay keeps a frame until it is due. w.mu is held.
func (w *frameWriter) delay(frame []byte, due time.Time) {
	d := &w.delayed
	if n := len(d.marks); n > 0 && due.Before(d.marks[n-1].due) {
		due = d.marks[n-1].due // a handler took its time: by less than the latency
	}
	d.frames = append(d.frames, frame...)
	d.marks = append(d.marks, delayMark{due, len(frame)})
	if !d.running {
		d.running = true
		w.goroutines.Go(func() { w.sendDelayed(due) })
	}
}

// sendDelayed sends frames as they become due, until none is left.
func (w *frameWriter) sendDelayed(due time.Time) {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-w.ctx.Done():
			return
		}
		var more bool
		if due, more = w.releaseDelayed(); !more {
			return
		}
		timer.Reset(time.Until(due))
	}
}

// releaseDelayed writes what is due, and returns when the next frame is.
func (w *frameWriter) releaseDelayed() (next time.Time, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := &w.delayed
	now := time.Now()
	frames, size := 0, 0
	for frames < len(d.marks) && !d.marks[frames].due.After(now) {
		size += d.marks[frames].size
		frames++
	}
	w.pending = append(w.pending, d.frames[:size]...)
	d.frames = append(d.frames[:0], d.frames[size:]...)
	d.marks = append(d.marks[:0], d.marks[frames:]...)
	if len(w.pending) > 0 && !w.writing {
		w.write()
	}
	if len(d.marks) == 0 {
		d.running = false
		return next, false
	}
	return d.marks[0].due, true
}
