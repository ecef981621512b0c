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

// yield yields once. The counter is that of the requests so far.
func (y *yielder) yield(requests *atomic.Int64) {
	begin := time.Now()
	if begin.Before(y.after) {
		return
	}
	before := requests.Load()
	runtime.Gosched()
	y.after = begin.Add(pause(time.Since(begin), requests.Load()-before))
}

// pause returns how long not to yield after a yield that took so long and gained that many requests.
func pause(took time.Duration, gained int64) time.Duration {
	if took <= time.Millisecond+time.Duration(gained)*50*time.Microsecond {
		return 0
	}
	return 30 * took
}
