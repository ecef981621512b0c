package refresh

import (
	"math/rand/v2"
	"time"
)

// fresh tells whether a value fetched at a wall-clock time is younger than limit; zero is no limit. It looks at the wall clock only, because the
// monotonic clock stands still while a machine sleeps. A value from the future means that the clock was set back,
// so nothing is known about its age.
func fresh(fetched, now time.Time, limit time.Duration) bool {
	if limit == 0 {
		return true
	}
	age := now.Round(0).Sub(fetched.Round(0))
	return age >= 0 && age < limit
}

// pacer decides when the next fetch may start. It lives on the monotonic clock: a wall clock that was set back must not
// keep a cache from fetching.
type pacer struct {
	min, max time.Duration // of the interval between fetches in times of trouble

	next    time.Time // no fetch before it
	started time.Time // the last successful fetch
	since   time.Time // begin of the trouble
	latest  time.Time // its last sign
}

// failed notes a fetch that failed at time now.
func (p *pacer) failed(now time.Time) {
	p.trouble(now)
	p.next = now.Add(p.interval(now))
}

// succeeded notes a successful fetch that started at the given time. One that ends a row of failures ends the trouble.
func (p *pacer) succeeded(started time.Time, afterFailure bool) {
	p.started = started
	if afterFailure {
		p.latest = time.Time{}
	}
}

// expired notes that a value turned out to be wrong at time now. Many caches may notice that at the same moment, as
// when a database moves: the random delay keeps them from asking at the same moment.
func (p *pacer) expired(now time.Time) {
	p.trouble(now)
	p.next = now.Add(part(p.min))
	if next := p.started.Add(p.interval(now)); next.After(p.next) {
		p.next = next
	}
}

// trouble notes a sign of trouble. Trouble is over when there was no sign of it for twice the longest interval.
func (p *pacer) trouble(now time.Time) {
	if now.Sub(p.latest) > 2*p.max {
		p.since = now
	}
	p.latest = now
}

// interval is the time between two fetches: a thirty-second of how long the trouble lasts, within its bounds, and up to half as
// much again at random.
func (p *pacer) interval(now time.Time) time.Duration {
	d := min(max(now.Sub(p.since)/32, p.min), p.max)
	return d + part(d/2)
}

// part returns a random part of d.
func part(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
