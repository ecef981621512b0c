package merging

import (
	"runtime"
	"sync/atomic"
	"time"
)

// yielder lets goroutines run that are about to write. Where the process is busy with other work, that takes long and gains little; then
// it stops for a while. It is safe for concurrent use.
type yielder struct {
	begin time.Time
	until atomic.Int64 // when the process may be less busy, in nanoseconds since begin; 0: it is not busy
}

// written counts the requests of all connections. Whoever yields lets the whole process run, so what that gains is not only its own.
var written atomic.Int64

// busy reports whether the process was too busy for a yield, a moment ago.
func (y *yielder) busy() bool {
	until := y.until.Load()
	if until == 0 { // without a look at the clock
		return false
	}
	if time.Since(y.begin) < time.Duration(until) {
		return true
	}
	y.until.CompareAndSwap(until, 0)
	return false
}

// yield yields once and returns how long that took.
func (y *yielder) yield() time.Duration {
	if y.busy() {
		return 0
	}
	begin, before := time.Now(), written.Load()
	runtime.Gosched()
	took := time.Since(begin)
	if d := pause(took, written.Load()-before); d > 0 {
		y.until.Store(int64(begin.Sub(y.begin) + d))
	}
	return took
}

// pause returns how long not to yield after a yield that took so long and gained that many requests. A goroutine that computes
// holds its processor for 10 ms. A request may take a fifth of a millisecond, which is ten times what the driver needs, for what the program
// does beside it and for a processor that others use, too.
func pause(took time.Duration, gained int64) time.Duration {
	if took <= 2*time.Millisecond+time.Duration(gained)*200*time.Microsecond {
		return 0
	}
	return 10 * took
}
