package astra

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/internal/ring"
)

// hostPolicy selects hosts by their host IDs, where gocql's policies go by addresses, which mean nothing behind an SNI proxy. It prefers the
// replicas of a statement's partition key, knows the local datacenter only, and waits for a host where there is none.
//
// gocql does not say which session calls. Several may live on one ClusterConfig, so the policy knows each host by the HostInfo of every session,
// and forgets a session's when the session is closed.
type hostPolicy struct {
	dialer   *Dialer
	wait     time.Duration
	next     atomic.Uint32 // where the next statement begins
	topology atomic.Pointer[topology]
	came     atomic.Pointer[chan struct{}] // closed when a host gets a connection; then there is a new one

	mu          sync.Mutex
	sessions    []*gocql.Session
	infos       map[string][]*gocql.HostInfo // by host ID, the newest last
	up          map[*gocql.HostInfo]bool     // had a connection
	partitioner string
}

// topology is what Pick goes by. It is immutable but for the placements, which are computed at first use, and for what follows from them.
type topology struct {
	hosts      []*gocql.HostInfo // in the order of their host IDs
	byID       map[string]*gocql.HostInfo
	ring       *ring.Ring[*gocql.HostInfo] // nil: the partitioner is not known
	placements sync.Map                    // *placement by keyspace
	everywhere texts                       // of statements on keyspaces with replicas on all hosts
}

var (
	_ gocql.HostSelectionPolicy = (*hostPolicy)(nil)
	_ gocql.ReadyPolicy         = (*hostPolicy)(nil)
)

func newHostPolicy(d *Dialer) *hostPolicy {
	p := &hostPolicy{
		dialer: d,
		wait:   max(d.config.RecoveryWait, 0),
		infos:  make(map[string][]*gocql.HostInfo),
		up:     make(map[*gocql.HostInfo]bool),
	}
	p.topology.Store(&topology{})
	p.wake()
	return p
}

// Init takes a further session in. It leaves the others alone.
func (p *hostPolicy) Init(s *gocql.Session) {
	p.mu.Lock()
	if p.prune() {
		p.update()
	}
	p.sessions = append(p.sessions, s)
	p.mu.Unlock()
	p.dialer.rings.add(p)
}

// prune drops what no open session knows, and reports whether there was any: what closed sessions have brought, and hosts that gocql had
// removed already when it reported a connection to them, which it does from another goroutine. The lock is held.
func (p *hostPolicy) prune() bool {
	if len(p.sessions) == 0 {
		return false
	}
	p.sessions = slices.DeleteFunc(p.sessions, (*gocql.Session).Closed)
	known := make(map[*gocql.HostInfo]bool)
	for _, s := range p.sessions {
		for _, h := range s.GetHosts() {
			known[h] = true
		}
	}
	pruned := false
	for _, infos := range p.infos {
		for _, h := range slices.Clone(infos) {
			if !known[h] {
				p.forget(h)
				pruned = true
			}
		}
	}
	return pruned
}

// forget drops one HostInfo. The lock is held.
func (p *hostPolicy) forget(h *gocql.HostInfo) {
	id := h.HostID()
	infos := slices.DeleteFunc(p.infos[id], func(known *gocql.HostInfo) bool { return known == h })
	if len(infos) == 0 {
		delete(p.infos, id)
	} else {
		p.infos[id] = infos
	}
	delete(p.up, h)
}

// IsLocal reports whether a host is in the local datacenter. Until the metadata service has named it, every host is.
func (p *hostPolicy) IsLocal(h *gocql.HostInfo) bool { return p.dialer.isLocal(h) }

func (p *hostPolicy) AddHost(h *gocql.HostInfo) { p.AddHosts([]*gocql.HostInfo{h}) }

// AddHosts saves computing the topology once for each host.
func (p *hostPolicy) AddHosts(hosts []*gocql.HostInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := false
	for _, h := range hosts {
		id := h.HostID()
		if id == "" || !p.IsLocal(h) || slices.Contains(p.infos[id], h) {
			continue
		}
		p.infos[id] = append(p.infos[id], h)
		changed = true
	}
	if p.prune() || changed {
		p.update()
	}
}

func (p *hostPolicy) RemoveHost(h *gocql.HostInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prune()
	p.forget(h)
	p.update()
}

// HostUp wakes the statements that wait for a connection.
func (p *hostPolicy) HostUp(h *gocql.HostInfo) {
	p.AddHost(h)
	p.dialer.lost.up(h)
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.infos[h.HostID()], h) {
		p.up[h] = true
		p.wake()
	}
}

func (p *hostPolicy) wake() {
	came := make(chan struct{})
	if old := p.came.Swap(&came); old != nil {
		close(*old)
	}
}

// HostDown does nothing: gocql skips a host that is down.
func (p *hostPolicy) HostDown(*gocql.HostInfo) {}

// Ready reports whether a session may start: every starting session has a host with a connection. gocql asks after each pool that has been
// filled or could not be, and reports the connected host from another goroutine; so Ready gives that report a moment.
func (p *hostPolicy) Ready() bool {
	const moment = 10 * time.Millisecond
	limit := time.NewTimer(moment)
	defer limit.Stop()
	for {
		came := p.came.Load()
		if p.allStarted() {
			return true
		}
		select {
		case <-*came:
		case <-limit.C:
			return false
		}
	}
}

// allStarted reports whether each session has started.
func (p *hostPolicy) allStarted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.sessions, func(s *gocql.Session) bool { return !s.Closed() && !p.started(s) })
}

// started reports whether a session has a host that had a connection. The lock is held.
func (p *hostPolicy) started(s *gocql.Session) bool {
	return slices.ContainsFunc(s.GetHosts(), func(h *gocql.HostInfo) bool { return p.up[h] })
}

func (p *hostPolicy) SetPartitioner(partitioner string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.partitioner != partitioner {
		p.partitioner = partitioner
		p.update()
	}
}

// KeyspaceChanged is called where gocql's metadata cache is switched on.
func (p *hostPolicy) KeyspaceChanged(e gocql.KeyspaceUpdateEvent) {
	t := p.topology.Load()
	t.placements.Delete(e.Keyspace)
	t.everywhere.forget()
}

// update computes the topology anew. The lock is held.
func (p *hostPolicy) update() {
	t := &topology{byID: make(map[string]*gocql.HostInfo, len(p.infos))}
	for _, id := range slices.Sorted(maps.Keys(p.infos)) {
		infos := p.infos[id]
		t.byID[id] = infos[len(infos)-1]
		t.hosts = append(t.hosts, t.byID[id])
	}
	if ring.IsMurmur3(p.partitioner) {
		t.ring = newRing(t.hosts)
		t.inherit(p.topology.Load())
	}
	p.topology.Store(t)
}

func newRing(hosts []*gocql.HostInfo) *ring.Ring[*gocql.HostInfo] {
	nodes := make([]ring.Node[*gocql.HostInfo], 0, len(hosts))
	for _, h := range hosts {
		node := ring.Node[*gocql.HostInfo]{Host: h, Datacenter: h.DataCenter(), Rack: h.Rack()}
		for _, text := range h.Tokens() {
			if token, err := ring.ParseToken(text); err == nil {
				node.Tokens = append(node.Tokens, token)
			}
		}
		nodes = append(nodes, node)
	}
	return ring.New(nodes)
}

// filter returns a filter of hosts that lets gocql make up for one that it knows without using it.
func (p *hostPolicy) filter(inner gocql.HostFilter) gocql.HostFilter {
	return gocql.HostFilterFunc(func(h *gocql.HostInfo) bool {
		return inner.Accept(h) && !p.dialer.rings.refuses(p, h, p.dialer.compareRingsAgain)
	})
}

// withoutPool counts the sessions whose ring has a host of the same ID as h that gocql has not added here, and all sessions that are open.
func (p *hostPolicy) withoutPool(h *gocql.HostInfo) (without, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := h.HostID()
	for _, s := range p.sessions {
		if s.Closed() {
			continue
		}
		open++
		if p.started(s) && slices.ContainsFunc(s.GetHosts(), func(known *gocql.HostInfo) bool {
			return known != h && known.HostID() == id && !slices.Contains(p.infos[id], known)
		}) {
			without++
		}
	}
	return without, open
}

// lacks reports whether a session does not know all the nodes. One that has no connection yet may be about to learn of them.
func (p *hostPolicy) lacks(hostIDs []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.sessions, func(s *gocql.Session) bool {
		if s.Closed() || !p.started(s) {
			return false
		}
		known := make(map[string]bool)
		for _, h := range s.GetHosts() {
			known[h.HostID()] = true
		}
		return slices.ContainsFunc(hostIDs, func(id string) bool { return !known[id] })
	})
}

// session returns an open session, the newest, or nil.
func (p *hostPolicy) session() *gocql.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range slices.Backward(p.sessions) {
		if !s.Closed() {
			return s
		}
	}
	return nil
}

// Pick returns the hosts for a statement: the replicas of its partition key first, then the others, each group from another host on each
// time, or from the one that is about to be written to; and then, as long as RecoveryWait and the statement's context permit, whatever hosts there are at that time.
func (p *hostPolicy) Pick(statement gocql.ExecutableStatement) gocql.NextHost {
	i := &hostIterator{policy: p, statement: statement}
	i.begin(p.replicas)
	return i.nextHost
}

// turn returns the index of the host to begin with. Statements that come together go to one node where that is as good as another: they
// leave in one write then, and their answers are likely to come in one read.
func (p *hostPolicy) turn(t *topology, hosts []*gocql.HostInfo) uint32 {
	if hostID := p.dialer.gathering.Load().join(); hostID != "" {
		if i := slices.Index(hosts, t.byID[hostID]); i >= 0 {
			return uint32(i)
		}
	}
	return p.next.Add(1)
}

// contextOf returns the context of a statement, which gocql's statements have although the interface does not say so.
func contextOf(statement gocql.ExecutableStatement) context.Context {
	if s, ok := statement.(interface{ Context() context.Context }); ok && s.Context() != nil {
		return s.Context()
	}
	return context.Background()
}
