// Package refresh keeps one value that is fetched over an unreliable network and goes out of date. Start with [New] and
// [Cache.Get].
//
// A cache is lazy: it fetches only while somebody asks for the value, so it owns no standing goroutine and needs no Close.
// What it promises to those who ask:
//
//   - Callers that come together share one fetch. Each waits under its own context, and none of them takes the fetch
//     with it when it leaves.
//   - A value is served without asking anybody until it reaches its age limit or a user reports with [Cache.Expire] that it failed.
//   - While there is a last good value nobody waits for a slow or failing source longer than [Config.Wait].
//   - While there is none, a caller waits for a fetch and learns its error. If fetches have just failed, it waits
//     for the next permitted one, unless its context ends earlier: then it gets the last error at once.
//   - Fetches are never closer than [Config.MinInterval] while something is wrong, and further apart the longer it stays wrong.
package refresh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Config says how a value is fetched and how long it is kept.
type Config[T any] struct {
	// Fetch gets a new value. It must return soon after its context ends. Required.
	Fetch func(ctx context.Context) (T, error)

	// MaxAge is how long a value counts as fresh. Each value draws its own limit between 90 and 100 percent of it, so that
	// caches filled together do not ask again together. Zero: no limit.
	MaxAge time.Duration

	// Timeout bounds one fetch, which does not end with the context of the caller that started it. Zero: 5 seconds.
	Timeout time.Duration

	// Wait bounds how long a fetch may hold up callers that could use the last good value. Zero: 100 milliseconds.
	Wait time.Duration

	// MinInterval is the least time between fetches that failures and Expire cause. The first one after a calm
	// time starts within a random part of it. Zero: 100 milliseconds.
	MinInterval time.Duration

	// MaxInterval bounds the growth of that time: it is a thirty-second of how long things have been wrong, so that a recovery is
	// noticed soon after a short trouble and a long trouble costs few requests. Zero: 2 seconds.
	MaxInterval time.Duration
}

// Value is what a fetch returned.
type Value[T any] struct {
	Data       T
	Fetched    time.Time // wall clock, when the fetch ended
	Generation uint64    // 1 for the first value of a cache, one more for each next
	Stale      error     // why this is not a fresher value; nil if it is fresh
}

// Cache holds the last good value. It is safe for concurrent use.
type Cache[T any] struct {
	config Config[T]

	mu      sync.Mutex
	last    Value[T]      // Generation 0: none yet
	limit   time.Duration // age at which last goes out of date
	expired bool          // last failed its user
	failure error         // of the newest fetch, nil if it succeeded
	running *fetch[T]     // nil: none
	pacer   pacer
}

// fetch is one call of Config.Fetch.
type fetch[T any] struct {
	started time.Time
	done    chan struct{} // closed at its end; value and err are valid then
	value   Value[T]
	err     error
}

// New returns an empty cache. It fetches nothing yet.
func New[T any](config Config[T]) *Cache[T] {
	setDefault(&config.Timeout, 5*time.Second)
	setDefault(&config.Wait, 100*time.Millisecond)
	setDefault(&config.MinInterval, 100*time.Millisecond)
	setDefault(&config.MaxInterval, 2*time.Second)
	return &Cache[T]{config: config, pacer: pacer{min: config.MinInterval, max: max(config.MinInterval, config.MaxInterval)}}
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Get returns the value, fetching it if it is missing, out of date or expired. If that fails or takes longer than Config.Wait,
// it returns the last good value with Stale set. An error means that there is no good value yet, or that ctx ended.
func (c *Cache[T]) Get(ctx context.Context) (Value[T], error) {
	limit := time.Now().Add(c.config.Wait) // for a caller that can do without a new value
	for {
		c.mu.Lock()
		now := time.Now()
		if c.last.Generation > 0 && !c.expired && fresh(c.last.Fetched, now, c.limit) {
			v := c.last
			c.mu.Unlock()
			return v, nil
		}
		if c.running == nil && !now.Before(c.pacer.next) {
			c.start(ctx, now)
		}
		f, last, expired, failure, next := c.running, c.last, c.expired, c.failure, c.pacer.next
		c.mu.Unlock()

		switch {
		case f != nil && last.Generation == 0:
			return f.wait(ctx)
		case f != nil:
			// The time counts from the start of the fetch: a source that hangs holds up its callers once, not each of them.
			return f.waitUntil(ctx, earlier(limit, f.started.Add(c.config.Wait)), last)
		case last.Generation > 0 && (!expired || limit.Before(next)):
			// A value that is only old may well be good still; one that failed is worth a wait.
			last.Stale = cmp.Or(failure, errExpired)
			return last, nil
		}
		if deadline, ok := ctx.Deadline(); ok && deadline.Before(next) && last.Generation == 0 {
			return last, fmt.Errorf("not asked again before %v have passed: %w", next.Sub(now).Round(time.Millisecond), failure)
		}
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
			if failure == nil {
				return Value[T]{}, ctx.Err()
			}
			return Value[T]{}, fmt.Errorf("%w; before that: %w", ctx.Err(), failure)
		}
	}
}

// wait waits for the end of the fetch.
func (f *fetch[T]) wait(ctx context.Context) (Value[T], error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return Value[T]{}, fmt.Errorf("no answer in %v: %w", time.Since(f.started).Round(time.Millisecond), ctx.Err())
	}
}

// waitUntil is wait with a value to fall back to, which it returns if the fetch fails or has not ended by the limit.
func (f *fetch[T]) waitUntil(ctx context.Context, limit time.Time, last Value[T]) (Value[T], error) {
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	select {
	case <-f.done:
		if f.err == nil {
			return f.value, nil
		}
		last.Stale = f.err
	case <-timer.C:
		last.Stale = errSlow
	case <-ctx.Done():
		return Value[T]{}, ctx.Err()
	}
	return last, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

var (
	errExpired = errors.New("the value failed its user, and it is too early to fetch another")
	errSlow    = errors.New("the next value is slow to come")
	errNothing = errors.New("the fetch ended without a result")
)

// start starts a fetch. The lock is held.
func (c *Cache[T]) start(ctx context.Context, now time.Time) {
	f := &fetch[T]{started: now, done: make(chan struct{})}
	c.running = f
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.Timeout)
	go func() {
		defer cancel()
		var data T
		err := errNothing // stays if Fetch leaves by runtime.Goexit
		defer func() { c.finish(f, data, err) }()
		data, err = c.config.Fetch(ctx)
	}()
}

func (c *Cache[T]) finish(f *fetch[T], data T, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if err != nil {
		c.pacer.failed(now)
	} else {
		c.pacer.succeeded(f.started, c.failure != nil)
		c.last = Value[T]{Data: data, Fetched: now.Round(0), Generation: c.last.Generation + 1}
		c.limit = c.config.MaxAge - part(c.config.MaxAge/10)
		c.expired = false
		f.value = c.last
	}
	c.failure = err
	c.running = nil
	f.err = err
	close(f.done)
}

// Peek returns the last good value, however old, without waiting or fetching. Its Stale is nil. It reports false if there is none yet.
func (c *Cache[T]) Peek() (Value[T], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, c.last.Generation > 0
}

// Expire reports that the use of v failed. If v is still the current value, the next Get fetches a new one as soon as
// the intervals of Config permit; if not, Expire does nothing, for whoever used v saw the past.
func (c *Cache[T]) Expire(v Value[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v.Generation == 0 || v.Generation != c.last.Generation || c.expired {
		return
	}
	c.expired = true
	c.pacer.expired(time.Now())
}
