package astra

import (
	"fmt"
	"sync"
	"time"
)

// Back-off of a node that fails: it doubles from the first to the last.
const (
	minNodeBackOff      = 50 * time.Millisecond
	maxNodeBackOff      = 250 * time.Millisecond
	minUnlistedBackOff  = 250 * time.Millisecond // of one that the metadata service does not list
	maxUnlistedBackOff  = time.Second
	maxRememberedNodes  = 1000
	rememberedNodesTime = time.Minute
)

// nodes remembers which nodes failed lately, because gocql dials a dead one a dozen times a second.
type nodes struct {
	mu       sync.Mutex
	failures map[string]failure // by host ID
}

type failure struct {
	wait  time.Duration
	until time.Time
	err   error
}

// blocked returns why a node should not be dialed now, or nil.
func (n *nodes) blocked(hostID string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, ok := n.failures[hostID]
	if left := time.Until(f.until); ok && left > 0 {
		return fmt.Errorf("not tried again for %v: %w", left.Round(time.Millisecond), f.err)
	}
	return nil
}

func (n *nodes) failed(hostID string, listed bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	f := n.failures[hostID]
	if now.Before(f.until) {
		return // one of several connections that failed together
	}
	shortest, longest := minNodeBackOff, maxNodeBackOff
	if !listed {
		shortest, longest = minUnlistedBackOff, maxUnlistedBackOff
	}
	f.wait = min(max(2*f.wait, shortest), longest)
	f.until, f.err = now.Add(f.wait), err
	if n.failures == nil || len(n.failures) > maxRememberedNodes {
		n.forget(now)
	}
	n.failures[hostID] = f
}

func (n *nodes) forget(now time.Time) {
	remembered := make(map[string]failure)
	for id, f := range n.failures {
		if now.Sub(f.until) < rememberedNodesTime && len(remembered) < maxRememberedNodes {
			remembered[id] = f
		}
	}
	n.failures = remembered
}

func (n *nodes) succeeded(hostID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.failures, hostID)
}
