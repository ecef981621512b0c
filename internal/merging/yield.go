package merging

import (
	"runtime"
	"sync/atomic"
	"time"
)

// yielder lets goroutines run that are about to write. Where the process is busy with other work, that may take long and gain little;
// then it stops for a while. It belongs to one goroutine at a time.
type yielder struct {
	after time.Time // no yield before
}

// written counts the requests of all connections. Whoever yields lets the whole process run, so what that gains is not only its own.
var written atomic.Int64

// yield yields once.
func (y *yielder) yield() {
	begin := time.Now()
	if begin.Before(y.after) {
		return
	}
	before := written.Load()
	runtime.Gosched()
	y.after = begin.Add(pause(time.Since(begin), written.Load()-before))
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
