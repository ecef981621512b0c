package merging

import (
	"testing"
	"time"
)

func TestGatherGoesOnWhileThePeerHasEnoughToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		atPeer int64
		gains  []int64 // of each yield, in requests
		slow   bool
		want   int // yields
	}{
		"an idle peer":              {atPeer: 20, gains: []int64{1, 1, 1, 1, 1}, want: 1},
		"an idle peer, many come":   {atPeer: 20, gains: []int64{200, 200, 200, 200, 200}, want: 1},
		"a busy peer":               {atPeer: 200, gains: []int64{1, 1, 1, 1, 1}, want: maxYields},
		"a busy peer, nobody comes": {atPeer: 200, gains: []int64{0, 1, 1, 1, 1}, want: 1},
		"a busy peer, few come":     {atPeer: 200, gains: []int64{7, 1, 0, 1, 1}, want: 3},
		"a busy peer, slow yields":  {atPeer: 200, gains: []int64{1, 1, 1, 1, 1}, slow: true, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c Conn
			c.inFlight.Store(test.atPeer)
			yields := 0
			c.gather(func() time.Duration {
				c.inFlight.Add(test.gains[yields])
				c.gathering.Add(test.gains[yields])
				yields++
				if test.slow {
					return maxGather + time.Millisecond
				}
				return 0
			})
			if yields != test.want {
				t.Errorf("gather yielded %d times, want %d", yields, test.want)
			}
		})
	}
}

func TestOtherProtocolsAreNotCounted(t *testing.T) {
	t.Parallel()
	var c Conn
	c.inFlight.Store(1000)
	c.reads.reader.Lock() // as Read does
	c.endRead([]byte("HTTP/1.1 200 OK"), nil)
	if n := c.inFlight.Load(); n <= 1 || n > maxUnanswered {
		t.Errorf("%d requests count as unanswered, want more than one and not many", n)
	}
}
