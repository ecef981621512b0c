package astra

import (
	"errors"
	"slices"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// gocql reads the ring again on events and when its control connection is new. So a node that comes without an event is found by giving the
// control connection up, but not too often: after the first time, twice as much, and so on up to the last; then the node is
// taken for one that this program's HostFilter does not want.
const (
	minRingBackOff = time.Second
	maxRingBackOff = time.Minute
)

var errNewNode = errors.New("the metadata service names a node that gocql does not know: reading the ring again")

// rings are what the sessions of a Dialer know about the nodes.
type rings struct {
	mu       sync.Mutex
	policies []*hostPolicy
	wait     time.Duration // zero: every node is known
	again    *time.Timer
	halfway  map[string]bool // host IDs that a session may know without a pool
}

// add takes in the policy of a session that starts, and drops those whose sessions have ended.
func (r *rings) add(p *hostPolicy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policies = append(slices.DeleteFunc(r.policies, func(known *hostPolicy) bool {
		return known == p || known.session() == nil
	}), p)
}

// lack reports whether a session does not know all the nodes. The lock is held.
func (r *rings) lack(hostIDs []string) bool {
	return slices.ContainsFunc(r.policies, func(p *hostPolicy) bool { return p.lacks(hostIDs) })
}

// compareRings makes gocql read the ring again if a session does not know a node that the metadata service names.
func (d *Dialer) compareRings(m *Metadata) {
	if d.rings.compare(m, d.compareRingsAgain) {
		d.controls.giveUp(errNewNode)
	}
}

// compare reports whether it is time to read the rings again, and has again called if so.
func (r *rings) compare(m *Metadata, again func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.lack(m.ContactPoints) {
		r.wait = 0
		return false
	}
	if r.wait > 0 {
		return false
	}
	r.compareSoon(again)
	return true
}

// compareSoon has again called after the shortest time. The lock is held.
func (r *rings) compareSoon(again func()) {
	if r.again != nil {
		r.again.Stop()
	}
	r.wait = minRingBackOff
	r.again = time.AfterFunc(r.wait, again)
}

func (d *Dialer) compareRingsAgain() {
	m := d.lastMetadata() // nothing, if there is a new bundle
	r := &d.rings
	r.mu.Lock()
	timer, lack := r.again, r.lack(m.ContactPoints)
	r.mu.Unlock()
	// Without a control connection no session is left, or each is just making one.
	lack = lack && d.controls.giveUp(errNewNode) > 0
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.again != timer: // another one has been set meanwhile
	case !lack:
		r.wait = 0
	case r.wait < maxRingBackOff:
		r.wait = min(max(2*r.wait, minRingBackOff), maxRingBackOff)
		r.again.Reset(r.wait)
	}
}

// stoppedHalfway notes that a connection to a node ended while gocql was making it its control connection. In gocql v2.1.2 the ring may have the
// node since then, but the node has no pool, and will never get one while it is in the ring (control.go:337, host_source.go:869).
func (r *rings) stoppedHalfway(hostID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.halfway == nil || len(r.halfway) > maxRememberedNodes {
		r.halfway = make(map[string]bool)
	}
	r.halfway[hostID] = true
}

// refuses reports whether a policy's session must not accept a host that it has just read from a node, because its ring has one of the same ID
// without a pool. gocql removes that one then; so the node is missing, and again is called, and gocql adds it as a new one.
func (r *rings) refuses(p *hostPolicy, h *gocql.HostInfo, again func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := h.HostID()
	if !r.halfway[id] {
		return false
	}
	here, open := p.withoutPool(h)
	all := 0
	for _, p := range r.policies {
		without, _ := p.withoutPool(h)
		all += without
	}
	refuse := here > 0 && open == 1 // of several, gocql does not say which session it is
	if refuse {
		all--
		r.compareSoon(again)
	}
	if all == 0 {
		delete(r.halfway, id)
	}
	return refuse
}

// isLocal reports whether a host is in the local datacenter. Until the metadata service has named it, every host is.
func (d *Dialer) isLocal(h *gocql.HostInfo) bool {
	local := d.localDC()
	return local == "" || h.DataCenter() == local
}
