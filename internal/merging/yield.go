package merging

import (
	"runtime"
	"sync/atomic"
	"time"
)

// A yield lets goroutines run that are about to write. In a process that is busy with other work it takes long and gains nothing, so its
// price is watched: more than this, and as much again for each request that it gained, is too dear.
const yieldPrice = 50 * time.Microsecond

// yielder yields, unless that was too dear a short time ago. It belongs to one goroutine at a time.
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
	took := time.Since(begin)
	if took > yieldPrice*time.Duration(1+requests.Load()-before) {
		y.after = begin.Add(100 * took)
	}
}
