package astra

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// While there is no host with a connection, the present ones are offered again that often.
const offerInterval = 50 * time.Millisecond

// Overloaded answers make a statement wait before its next attempt, twice as long each time, less up to an eighth at random. With all five
// attempts of RetryPolicy that is 1.1 to 1.24 s: no statement fails because a rate limit was exceeded within one second.
const (
	minOverloadWait = 40 * time.Millisecond
	maxOverloadWait = 640 * time.Millisecond
)

// When connections end, gocql needs a moment to notice them all. So that a statement does not use up its attempts on dead ones, it waits from
// the second loss on, twice as long each time: with all five attempts of RetryPolicy 150 ms.
const minLossWait = 10 * time.Millisecond

// hostIterator offers hosts for one statement. gocql asks it for a host even when it will make no further attempt, so nothing waits there:
// what has to wait is a selection whose Info waits, which gocql calls just before an attempt.
type hostIterator struct {
	policy    *hostPolicy
	statement gocql.ExecutableStatement
	start     uint32

	mu        sync.Mutex // speculative executions share the iterator
	hosts     []*gocql.HostInfo
	replicas  []*gocql.HostInfo
	came      *chan struct{}
	offered   int       // of replicas and hosts
	overloads int       // answers of overloaded nodes
	losses    int       // attempts whose connection ended
	deadline  time.Time // of waiting for a host; zero: not waiting yet
	over      bool

	first selection // saves an allocation for the statements that need one host only
}

// selection is a host that is offered, or will be when it is needed.
type selection struct {
	iterator *hostIterator
	host     *gocql.HostInfo
	pause    time.Duration // before the attempt, since earlier ones failed
	late     bool          // host is not chosen yet
}

// begin starts with the present hosts, those first that the function prefers for the statement.
func (i *hostIterator) begin(prefer func(*topology, gocql.ExecutableStatement) []*gocql.HostInfo) {
	i.came = i.policy.came.Load() // before the topology: what changes it later wakes us
	t := i.policy.topology.Load()
	i.hosts, i.offered = t.hosts, 0
	if i.statement != nil {
		i.replicas = prefer(t, i.statement)
	}
	first := i.replicas
	if len(first) == 0 {
		first = i.hosts
	}
	i.start = i.policy.turn(t, first)
}

func (i *hostIterator) nextHost() gocql.SelectedHost {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over {
		return nil
	}
	s := &i.first
	if s.iterator != nil {
		s = new(selection)
	}
	s.iterator = i
	s.host = i.next()
	s.late = s.host == nil
	if s.late && i.policy.wait == 0 {
		i.over = true
		return nil
	}
	switch {
	case i.overloads > 0:
		s.pause = overloadWait(i.overloads)
	case i.losses > 1 && i.policy.wait > 0:
		s.pause = minLossWait << min(i.losses-2, 4)
	}
	return s
}

// next returns the next of the hosts, or nil after the last.
func (i *hostIterator) next() *gocql.HostInfo {
	for i.offered < len(i.replicas) {
		if h := i.offer(i.replicas); !i.lost(h) {
			return h
		}
	}
	for i.offered < len(i.replicas)+len(i.hosts) {
		if h := i.offer(i.hosts); !slices.Contains(i.replicas, h) && !i.lost(h) {
			return h
		}
	}
	return nil
}

// lost reports whether a host has lost its connections, where the statement may wait for others.
func (i *hostIterator) lost(h *gocql.HostInfo) bool {
	return i.policy.wait > 0 && i.policy.dialer.lost.has(h)
}

// offer returns the host whose turn it is. It counts without sign: the start wraps around.
func (i *hostIterator) offer(hosts []*gocql.HostInfo) *gocql.HostInfo {
	h := hosts[(i.start+uint32(i.offered))%uint32(len(hosts))]
	i.offered++
	return h
}

// Info returns the host. Where there was none left to offer, it waits for one.
func (s *selection) Info() *gocql.HostInfo {
	if s.pause > 0 {
		s.iterator.sleep(s.pause, nil)
		s.pause = 0
	}
	if s.late {
		s.host = s.iterator.await()
		s.late = false
	}
	return s.host
}

// Mark learns how the attempt ended.
func (s *selection) Mark(err error) {
	if err == nil {
		return
	}
	s.iterator.mu.Lock()
	defer s.iterator.mu.Unlock()
	var overloaded *gocql.RequestErrOverloaded
	var answer gocql.RequestError
	switch {
	case errors.As(err, &overloaded):
		s.iterator.overloads++
	case !errors.As(err, &answer):
		s.iterator.losses++
	}
}

// await begins again with the hosts of the present, after one has got a connection or a moment has passed.
func (i *hostIterator) await() *gocql.HostInfo {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if i.deadline.IsZero() {
		i.deadline = now.Add(i.policy.wait)
	}
	left, came := i.deadline.Sub(now), i.came
	i.mu.Unlock()
	waited := left > 0 && i.sleep(min(offerInterval, left), *came)
	i.mu.Lock()
	if !waited {
		i.over = true
		return nil
	}
	i.begin(knownReplicas)
	return i.next()
}

// sleep waits, or less if wake is closed. It reports false if the statement's context ended.
func (i *hostIterator) sleep(d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	ctx := contextOf(i.statement)
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
		return false
	}
	return ctx.Err() == nil
}

// overloadWait is how long to wait after that many overloaded answers.
func overloadWait(n int) time.Duration {
	d := min(minOverloadWait<<min(n-1, 10), maxOverloadWait)
	return d - rand.N(d/8)
}
