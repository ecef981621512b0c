package astra

import (
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A new bundle makes a new endpoint, which knows nothing yet when the rings are compared again.
func TestRingsAreComparedAgainAfterANewBundle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &Dialer{config: Config{Logger: slog.New(slog.DiscardHandler), DialTimeout: time.Second}}
		d.endpoint = newEndpoint(d, nil)
		d.rings.mu.Lock()
		d.rings.compareSoon(d.compareRingsAgain)
		d.rings.mu.Unlock()
		time.Sleep(2 * minRingBackOff)
		synctest.Wait()
	})
}

// In the moment in which a control connection is new, gocql reads the ring over it; without it, gocql would wait for seconds.
func TestNewControlConnectionsAreNotGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s controls
		first, second := new(conn), new(conn)
		for _, step := range []struct {
			do  func()
			old []*conn
			all int
		}{
			{func() {}, nil, 0},
			{func() { s.add(first) }, nil, 1},
			{func() { time.Sleep(ringTime - 1) }, nil, 1},
			{func() { time.Sleep(1) }, []*conn{first}, 1},
			{func() { s.add(second) }, []*conn{first}, 2},
			{func() { s.remove(first) }, nil, 1},
			{func() { time.Sleep(ringTime) }, []*conn{second}, 1},
		} {
			step.do()
			if old, all := s.list(); !slices.Equal(old, step.old) || all != step.all {
				t.Errorf("%d of %d control connections can be given up, want %d of %d", len(old), all, len(step.old), step.all)
			}
		}
	})
}
