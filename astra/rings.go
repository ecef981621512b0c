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
	r.wait = minRingBackOff
	r.again = time.AfterFunc(r.wait, again)
	return true
}

func (d *Dialer) compareRingsAgain() {
	m := d.lastMetadata() // nothing, if there is a new bundle
	r := &d.rings
	r.mu.Lock()
	lack := r.wait > 0 && r.lack(m.ContactPoints)
	r.mu.Unlock()
	// Without a control connection no session is left, or each is just making one.
	lack = lack && d.controls.giveUp(errNewNode) > 0
	r.mu.Lock()
	defer r.mu.Unlock()
	if !lack {
		r.wait = 0
		return
	}
	if r.wait < maxRingBackOff {
		r.wait = min(2*r.wait, maxRingBackOff)
		r.again.Reset(r.wait)
	}
}

// isLocal reports whether a host is in the local datacenter. Until the metadata service has named it, every host is.
func (d *Dialer) isLocal(h *gocql.HostInfo) bool {
	local := d.localDC()
	return local == "" || h.DataCenter() == local
}
