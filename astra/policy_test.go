package astra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// statement is what gocql hands to Pick, as far as the policy uses it.
type statement struct {
	gocql.ExecutableStatement
	ctx context.Context
}

func (s statement) Context() context.Context       { return s.ctx }
func (s statement) GetRoutingKey() ([]byte, error) { return nil, nil }
func (s statement) Keyspace() string               { return "" }
func (s statement) Table() string                  { return "" }
func (s statement) Statement() gocql.Statement     { return nil }

// newHost returns the n-th host. All have the same address, as behind a proxy.
func newHost(t testing.TB, n int) *gocql.HostInfo {
	t.Helper()
	h, err := gocql.NewTestHostInfoFromRow(map[string]any{
		"host_id": fmt.Sprintf("7a5d1b7e-0f3c-4c7e-9d2a-%012d", n), "rpc_address": net.IPv4(127, 0, 0, 1),
		"data_center": "dc1", "rack": "rack1", "tokens": []string{fmt.Sprint(n)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newHosts(t testing.TB, n int) []*gocql.HostInfo {
	var hosts []*gocql.HostInfo
	for i := range n {
		hosts = append(hosts, newHost(t, i))
	}
	return hosts
}

func newTestPolicy(wait time.Duration) *hostPolicy {
	return newHostPolicy(&Dialer{config: Config{RecoveryWait: wait, Logger: slog.New(slog.DiscardHandler)}})
}

// offered returns the hosts that an iterator offers before it would wait.
func offered(next gocql.NextHost) (hosts []*gocql.HostInfo) {
	for s := next(); s != nil && !s.(*selection).late; s = next() {
		hosts = append(hosts, s.Info())
	}
	return hosts
}

func TestHostsThatShareAnAddressAllGetStatements(t *testing.T) {
	t.Parallel()
	p := newTestPolicy(0)
	hosts := newHosts(t, 3)
	p.AddHosts(hosts)
	first := make(map[*gocql.HostInfo]int)
	for range 300 {
		got := offered(p.Pick(statement{ctx: t.Context()}))
		if len(got) != 3 || got[0] == got[1] || got[1] == got[2] || got[0] == got[2] {
			t.Fatalf("offered %v, want three different hosts", got)
		}
		first[got[0]]++
	}
	for _, h := range hosts {
		if first[h] != 100 {
			t.Errorf("%s came first %d times of 300", h.HostID(), first[h])
		}
	}
}

func TestStatementsJoinThoseThatGather(t *testing.T) {
	t.Parallel()
	p := newTestPolicy(0)
	hosts := newHosts(t, 3)
	p.AddHosts(hosts)
	counts := func(hostID string, requests int) (first [3]int) {
		t.Helper()
		p.dialer.gathering.Store(&gathering{hostID: hostID, requests: func() int { return requests }})
		p.next.Store(0)
		for range maxJoined + 30 {
			got := offered(p.Pick(statement{ctx: t.Context()}))
			if len(got) != 3 || got[0] == got[1] || got[1] == got[2] || got[0] == got[2] {
				t.Fatalf("offered %v, want three different hosts", got)
			}
			first[slices.Index(hosts, got[0])]++
		}
		return first
	}
	const third = (maxJoined + 30) / 3
	for name, test := range map[string]struct {
		hostID   string
		requests int
		want     [3]int
	}{
		"a request gathers, and enough join": {hosts[1].HostID(), 1, [3]int{10, maxJoined + 10, 10}},
		"none does":                          {hosts[1].HostID(), 0, [3]int{third, third, third}},
		"for a node that is no host":         {newHost(t, 7).HostID(), 1, [3]int{third, third, third}},
	} {
		if got := counts(test.hostID, test.requests); got != test.want {
			t.Errorf("%s: the hosts came first %v times, want %v", name, got, test.want)
		}
	}

	// It must be as good as another: a replica where there are any.
	p.dialer.gathering.Store(&gathering{hostID: hosts[1].HostID(), requests: func() int { return 1 }})
	if turn := p.turn(p.topology.Load(), hosts[1:]); turn != 0 {
		t.Errorf("among the last two hosts it is the turn of index %d, want 0", turn)
	}
	before := p.next.Load()
	if turn := p.turn(p.topology.Load(), hosts[2:]); turn != before+1 {
		t.Errorf("without that host it is the turn of %d, want %d", turn, before+1)
	}
}

func TestAHostIsItsHostID(t *testing.T) {
	t.Parallel()
	p := newTestPolicy(0)
	old, renewed := newHost(t, 1), newHost(t, 1)
	p.AddHost(old)
	p.AddHost(renewed)
	if got := offered(p.Pick(nil)); !slices.Equal(got, []*gocql.HostInfo{renewed}) {
		t.Errorf("offered %v, want the newest HostInfo alone", got)
	}
	p.RemoveHost(old)
	if got := offered(p.Pick(nil)); !slices.Equal(got, []*gocql.HostInfo{renewed}) {
		t.Errorf("offered %v after the older HostInfo was removed, want the newest", got)
	}
	p.RemoveHost(renewed)
	if got := offered(p.Pick(nil)); len(got) != 0 {
		t.Errorf("offered %v after both were removed", got)
	}
}

func TestAStatementWaitsForAHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newTestPolicy(2 * time.Second)
		start := time.Now()
		next := p.Pick(statement{ctx: t.Context()})
		h := newHost(t, 1)
		time.AfterFunc(1020*time.Millisecond, func() { p.HostUp(h) })
		var got *gocql.HostInfo
		for s := next(); s != nil; s = next() {
			if got = s.Info(); got != nil {
				break
			}
		}
		if got != h || time.Since(start) != 1020*time.Millisecond {
			t.Errorf("got %v after %v, want the host as soon as it is up", got, time.Since(start))
		}
	})
}

func TestAStatementWaitsNoLongerThanRecoveryWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newTestPolicy(2 * time.Second)
		h := newHost(t, 1)
		p.AddHost(h) // known, but gocql finds no connection
		start, offers := time.Now(), 0
		next := p.Pick(statement{ctx: t.Context()})
		for s := next(); s != nil; s = next() {
			if s.Info() != nil {
				offers++
			}
		}
		if took := time.Since(start); took != 2*time.Second || offers != 41 {
			t.Errorf("%d offers in %v, want one at once and one each 50 ms for 2 s", offers, took)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newTestPolicy(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		next := p.Pick(statement{ctx: ctx})
		for s := next(); s != nil; s = next() {
			s.Info()
		}
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("it took %v, want the context's 300 ms", took)
		}
	})
}

// gocql asks for a next host also after the last attempt.
func TestAskingForAHostDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newTestPolicy(2 * time.Second)
		p.AddHost(newHost(t, 1))
		start := time.Now()
		next := p.Pick(statement{ctx: t.Context()})
		next().Mark(&gocql.RequestErrOverloaded{})
		if next() == nil || time.Since(start) != 0 {
			t.Errorf("it took %v", time.Since(start))
		}
	})
}

func TestOverloadedAnswersMakeAttemptsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newTestPolicy(2 * time.Second)
		p.AddHosts(newHosts(t, 5))
		next := p.Pick(statement{ctx: t.Context()})
		least := []time.Duration{0, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond}
		for i, min := range least {
			start := time.Now()
			s := next()
			s.Info()
			if took := time.Since(start); took < min || took > 2*min {
				t.Errorf("attempt %d waited %v, want between %v and %v", i, took, min, 2*min)
			}
			s.Mark(fmt.Errorf("as gocql may wrap it: %w", &gocql.RequestErrOverloaded{}))
		}
		start := time.Now()
		s := p.Pick(statement{ctx: t.Context()})()
		s.Info()
		s.Mark(io.EOF)
		if time.Since(start) != 0 {
			t.Error("another statement waited too")
		}
	})
}

// gocql needs a moment to notice that connections have ended; attempts must not be used up before.
func TestLostConnectionsMakeAttemptsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newTestPolicy(2 * time.Second)
		p.AddHosts(newHosts(t, 6))
		next := p.Pick(statement{ctx: t.Context()})
		for i, want := range []time.Duration{0, 0, 10, 20, 40, 80} {
			start := time.Now()
			s := next()
			s.Info()
			if took := time.Since(start); took != want*time.Millisecond {
				t.Errorf("attempt %d waited %v, want %v ms", i, took, int(want))
			}
			s.Mark(io.EOF)
		}
	})
}

func TestNoWaitingWithNegativeRecoveryWait(t *testing.T) {
	t.Parallel()
	p := newTestPolicy(-1)
	p.AddHosts(newHosts(t, 2))
	next := p.Pick(statement{ctx: t.Context()})
	next()
	next()
	if next() != nil {
		t.Error("a third host was offered of two")
	}
}

// Speculative executions use one iterator at once.
func TestAnIteratorIsSharedByExecutions(t *testing.T) {
	t.Parallel()
	p := newTestPolicy(100 * time.Millisecond)
	p.AddHosts(newHosts(t, 3))
	next := p.Pick(statement{ctx: t.Context()})
	var asking sync.Mutex
	var executions sync.WaitGroup
	for range 4 {
		executions.Go(func() {
			for {
				asking.Lock()
				s := next()
				asking.Unlock()
				if s == nil {
					return
				}
				h := s.Info()
				if s.Info() != h {
					t.Error("Info returned another host at the second call")
				}
				s.Mark(errors.New("failed"))
			}
		})
	}
	executions.Wait()
}

// What counts is the remainder of a number that wraps around, which is negative as an int of 32 bits.
func TestPickAfterManyStatements(t *testing.T) {
	t.Parallel()
	p := newTestPolicy(0)
	p.AddHosts(newHosts(t, 3))
	for _, n := range []uint32{math.MaxInt32 - 4, math.MaxUint32 - 4} {
		p.next.Store(n)
		for range 10 {
			if got := offered(p.Pick(statement{ctx: t.Context()})); len(got) != 3 {
				t.Fatalf("offered %v, want three hosts", got)
			}
		}
	}
}

func TestPickAllocatesNoMoreThanRoundRobin(t *testing.T) {
	p := newTestPolicy(time.Second)
	plain := gocql.RoundRobinHostPolicy()
	for _, h := range newHosts(t, 3) {
		p.AddHost(h)
		plain.AddHost(h)
	}
	allocations := func(p gocql.HostSelectionPolicy) float64 {
		return testing.AllocsPerRun(100, func() {
			s := p.Pick(nil)()
			s.Info()
			s.Mark(nil)
		})
	}
	if ours, theirs := allocations(p), allocations(plain); ours > theirs {
		t.Errorf("%v allocations for each pick, gocql's round robin has %v", ours, theirs)
	}
}
