package astra

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// For how long gocql may go on to use a connection that has ended: it tells everybody who waits for an answer first, one after the other.
const lostTime = 100 * time.Millisecond

// lostHosts are hosts whose last connection has ended, of which gocql may not know yet. Statements that it gives to such a connection fail, and are
// not repeated unless they are idempotent. But they have not been sent, so they can go to another host, or wait for a connection.
type lostHosts struct {
	lost atomic.Pointer[map[*gocql.HostInfo]*time.Timer] // replaced at each change; nil: none

	mu    sync.Mutex
	conns map[*gocql.HostInfo]int // that are open, without control connections
}

func (l *lostHosts) has(h *gocql.HostInfo) bool {
	lost := l.lost.Load()
	if lost == nil {
		return false
	}
	_, ok := (*lost)[h]
	return ok
}

// opened counts a connection.
func (l *lostHosts) opened(h *gocql.HostInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		l.conns = make(map[*gocql.HostInfo]int)
	}
	l.conns[h]++
}

// isControl counts a connection off that turned out to be a control connection.
func (l *lostHosts) isControl(h *gocql.HostInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countOff(h)
}

// ended counts a connection off that has ended.
func (l *lostHosts) ended(h *gocql.HostInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countOff(h)
	if l.conns[h] > 0 {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(lostTime, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if lost := l.lost.Load(); lost != nil && (*lost)[h] == timer {
			l.set(h, nil)
		}
	})
	l.set(h, timer)
}

func (l *lostHosts) countOff(h *gocql.HostInfo) {
	l.conns[h]--
	if l.conns[h] == 0 {
		delete(l.conns, h)
	}
}

// up notes that gocql uses a new connection of a host. It says so from another goroutine, so the connection may have ended since.
func (l *lostHosts) up(h *gocql.HostInfo) {
	if !l.has(h) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns[h] > 0 {
		l.set(h, nil)
	}
}

// set makes a host one of the lost ones, or, without a timer, none of them. The lock is held.
func (l *lostHosts) set(h *gocql.HostInfo, timer *time.Timer) {
	lost := make(map[*gocql.HostInfo]*time.Timer)
	if old := l.lost.Load(); old != nil {
		maps.Copy(lost, *old)
	}
	if old := lost[h]; old != nil {
		old.Stop()
	}
	if timer == nil {
		delete(lost, h)
	} else {
		lost[h] = timer
	}
	if len(lost) == 0 {
		l.lost.Store(nil)
		return
	}
	l.lost.Store(&lost)
}
