package merging

import (
	"net"
	"slices"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		took   time.Duration
		gained int64
		want   time.Duration
	}{
		"nobody else":             {time.Microsecond, 0, 0},
		"a hundred requests":      {10 * time.Millisecond, 100, 0},
		"goroutines that compute": {10 * time.Millisecond, 3, 100 * time.Millisecond},
	} {
		if got := pause(test.took, test.gained); got != test.want {
			t.Errorf("%s: pause = %v, want %v", name, got, test.want)
		}
	}
}

// sink records what is written to it.
type sink struct {
	net.Conn
	writes []string
	first  func() // called by the first write
}

func (s *sink) Write(p []byte) (int, error) {
	s.writes = append(s.writes, string(p))
	if len(s.writes) == 1 && s.first != nil {
		s.first()
	}
	return len(p), nil
}

func (s *sink) SetWriteDeadline(time.Time) error { return nil }
func (s *sink) Close() error                     { return nil }

// Where goroutines compute, one that merges writes would get its turn 10 ms later.
func TestABusyProcessWritesAtOnce(t *testing.T) {
	t.Parallel()
	s := new(sink)
	c := NewConn(s, s, nil)
	c.yielder.until.Store(int64(time.Hour))
	for _, request := range []string{"a", "b", "c"} { // only the first is alone
		if _, err := c.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(s.writes, []string{"a", "b", "c"}) { // without a lock: this goroutine wrote them
		t.Errorf("written: %q", s.writes)
	}

	// What comes while a write is under way is written by the same call.
	s = new(sink)
	c = NewConn(s, s, nil)
	c.yielder.until.Store(int64(time.Hour))
	s.first = func() { c.Write([]byte("b")); c.Write([]byte("c")) }
	c.Write([]byte("a"))
	if !slices.Equal(s.writes, []string{"a", "bc"}) {
		t.Errorf("written: %q", s.writes)
	}

	c.yielder.until.Store(1)
	if c.yielder.busy() || c.yielder.until.Load() != 0 {
		t.Error("it stays busy when the time has passed")
	}
}

func TestGatheringIsNotRecommended(t *testing.T) {
	t.Parallel()
	c := NewConn(nil, nil, nil)
	c.gathering.Store(1)
	if c.Gathering() != 1 {
		t.Error("one request gathers, and Gathering does not say so")
	}
	c.inFlight.Store(maxUnanswered + 1)
	if c.Gathering() != 0 {
		t.Error("a peer that owes many answers is recommended")
	}
	c.inFlight.Store(maxUnanswered)
	c.yielder.until.Store(int64(time.Hour))
	if c.Gathering() != 0 {
		t.Error("a write is recommended that a busy process may make late")
	}
}
