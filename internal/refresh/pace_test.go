package refresh

import (
	"testing"
	"time"
)

func TestFresh(t *testing.T) {
	t.Parallel()
	const limit = time.Minute
	now := time.Now()
	for name, test := range map[string]struct {
		fetched, now time.Time
		limit        time.Duration
		want         bool
	}{
		"new":                     {now, now, limit, true},
		"just below the limit":    {now, now.Add(limit - 1), limit, true},
		"at the limit":            {now, now.Add(limit), limit, false},
		"without a limit":         {now, now.Add(1000 * time.Hour), 0, true},
		"after a sleep":           {now, now.Round(0).Add(time.Hour), limit, false},
		"the clock was set back":  {now.Round(0), now.Round(0).Add(-time.Hour), limit, false},
		"monotonic reading apart": {now.Round(0), now.Add(limit - 1), limit, true},
	} {
		if got := fresh(test.fetched, test.now, test.limit); got != test.want {
			t.Errorf("%s: fresh = %t, want %t", name, got, test.want)
		}
	}
}

func TestIntervalGrowsWithTheTrouble(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	p := pacer{min: 100 * time.Millisecond, max: 2 * time.Second}
	for _, test := range []struct{ wrong, atLeast time.Duration }{
		{0, 100 * time.Millisecond},
		{time.Second, 100 * time.Millisecond},
		{8 * time.Second, 250 * time.Millisecond},
		{32 * time.Second, time.Second},
		{64 * time.Second, 2 * time.Second},
		{time.Hour, 2 * time.Second},
	} {
		p.since = begin
		for range 100 {
			got := p.interval(begin.Add(test.wrong))
			if got < test.atLeast || got > test.atLeast*3/2 {
				t.Fatalf("after %v the interval is %v, want %v and at most half more", test.wrong, got, test.atLeast)
			}
		}
	}
}
