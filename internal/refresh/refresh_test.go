package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/refresh"
)

var errDown = errors.New("the source is down")

// source is something to fetch from, which counts its calls and can be made slow or down.
type source struct {
	calls atomic.Int64
	delay atomic.Int64 // a time.Duration
	down  atomic.Bool
}

func (s *source) fetch(ctx context.Context) (int64, error) {
	n := s.calls.Add(1)
	select {
	case <-time.After(time.Duration(s.delay.Load())):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if s.down.Load() {
		return 0, errDown
	}
	return n, nil
}

func (s *source) slow(d time.Duration) { s.delay.Store(int64(d)) }

func newCache(s *source) *refresh.Cache[int64] {
	return refresh.New(refresh.Config[int64]{Fetch: s.fetch, MaxAge: time.Minute})
}

// get is Get for a value that must be there, fresh or stale.
func get(t *testing.T, c *refresh.Cache[int64], wantData int64, wantStale error) refresh.Value[int64] {
	t.Helper()
	v, err := c.Get(t.Context())
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if v.Data != wantData || v.Stale != wantStale && !errors.Is(v.Stale, wantStale) {
		t.Fatalf("Get = %d, stale: %v; want %d, stale: %v", v.Data, v.Stale, wantData, wantStale)
	}
	return v
}

func TestConcurrentCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.slow(time.Second)
		c := newCache(&s)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { get(t, c, 1, nil) })
		}
		wg.Wait()
		get(t, c, 1, nil)
		if n := s.calls.Load(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}

func TestACallerLeavesAloneAndTheFetchLivesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.slow(time.Second)
		c := newCache(&s)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if _, err := c.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get = %v, want the error of its context", err)
		}
		if d := time.Since(begin); d != 300*time.Millisecond {
			t.Errorf("Get held its caller for %v, want 300 ms", d)
		}
		get(t, c, 1, nil)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("the second caller got the first one's fetch after %v, want 1 s", d)
		}
	})
}

func TestAgeLimitIsJittered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		caches := make([]*refresh.Cache[int64], 100)
		for i := range caches {
			caches[i] = newCache(&s)
			get(t, caches[i], int64(i+1), nil)
		}
		refetched := func() int64 {
			before := s.calls.Load()
			for _, c := range caches {
				if _, err := c.Get(t.Context()); err != nil {
					t.Error(err)
				}
			}
			return s.calls.Load() - before
		}
		time.Sleep(54*time.Second - 1)
		if n := refetched(); n != 0 {
			t.Errorf("%d of 100 values went out of date before 90 %% of MaxAge", n)
		}
		time.Sleep(3 * time.Second)
		if n := refetched(); n < 20 || n > 80 {
			t.Errorf("%d of 100 values went out of date by 95 %% of MaxAge, want about half", n)
		}
		time.Sleep(3*time.Second + 1)
		refetched()
		if n := s.calls.Load(); n != 200 {
			t.Errorf("%d fetches after MaxAge, want 2 for each of 100", n)
		}
	})
}

func TestLastGoodValueWhileTheSourceIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := newCache(&s)
		get(t, c, 1, nil)
		s.down.Store(true)
		time.Sleep(time.Minute)
		begin := time.Now()
		for range 1000 {
			get(t, c, 1, errDown)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("1000 callers waited %v for a source that fails at once", d)
		}
		s.down.Store(false)
		time.Sleep(150 * time.Millisecond)
		get(t, c, 3, nil)
	})
}

func TestAHangingSourceHoldsUpItsCallersOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := newCache(&s)
		get(t, c, 1, nil)
		s.slow(time.Hour)
		time.Sleep(time.Minute)
		begin := time.Now()
		for range 1000 {
			if v, err := c.Get(t.Context()); err != nil || v.Data != 1 || v.Stale == nil {
				t.Fatalf("Get = %+v, %v; want the last good value", v, err)
			}
		}
		if d := time.Since(begin); d != 100*time.Millisecond {
			t.Errorf("1000 callers waited %v, want 100 ms", d)
		}
		time.Sleep(5 * time.Second) // the fetch times out
		get(t, c, 1, context.DeadlineExceeded)
	})
}

func TestWithoutAValue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.down.Store(true)
		c := newCache(&s)
		begin := time.Now()
		if _, err := c.Get(t.Context()); !errors.Is(err, errDown) {
			t.Fatalf("first Get = %v, want the error of the fetch", err)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("the first caller learnt of a failure after %v, want at once", d)
		}

		// Within the interval after a failure: an error at once for whoever could not wait for the next fetch, …
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := c.Get(ctx); !errors.Is(err, errDown) {
			t.Errorf("Get with little time = %v, want the last error", err)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("a caller with little time learnt of it after %v, want at once", d)
		}
		// … the end of its context for whoever is canceled, …
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := c.Get(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, errDown) {
			t.Errorf("canceled Get = %v, want context.Canceled and the last error", err)
		}
		// … and the next fetch for everybody else.
		s.down.Store(false)
		get(t, c, 2, nil)
		if d := time.Since(begin); d > 150*time.Millisecond {
			t.Errorf("recovered after %v, want at most 150 ms", d)
		}
	})
}

func TestRecoveryIsQuickAfterALongOutage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		outage, recovery time.Duration
		fetches          int64
	}{
		{time.Second, 150 * time.Millisecond, 10},
		{5 * time.Second, 250 * time.Millisecond, 50},
		{time.Minute, 3 * time.Second, 130},
		{24 * time.Hour, 3 * time.Second, 44_000},
	} {
		t.Run(test.outage.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s source
				s.down.Store(true)
				c := newCache(&s)
				end := time.Now().Add(test.outage)
				time.AfterFunc(test.outage, func() { s.down.Store(false) })
				for {
					if _, err := c.Get(t.Context()); err == nil {
						break
					}
				}
				if d := time.Since(end); d > test.recovery {
					t.Errorf("recovered after %v, want at most %v", d, test.recovery)
				}
				if n := s.calls.Load(); n > test.fetches {
					t.Errorf("%d fetches during the outage, want at most %d", n, test.fetches)
				}
			})
		})
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := newCache(&s)
		first := get(t, c, 1, nil)
		time.Sleep(10 * time.Second)

		c.Expire(refresh.Value[int64]{}) // nobody's value
		get(t, c, 1, nil)

		c.Expire(first)
		begin := time.Now()
		second := get(t, c, 2, nil)
		if d := time.Since(begin); d >= 100*time.Millisecond {
			t.Errorf("the new value came after %v, want less than MinInterval", d)
		}
		c.Expire(first) // late news of the past
		get(t, c, 2, nil)

		// Too early for a third one, and Wait too short to see it.
		s.slow(time.Second)
		c.Expire(second)
		begin = time.Now()
		v, err := c.Get(t.Context())
		if err != nil || v.Data != 2 || v.Stale == nil {
			t.Errorf("Get = %+v, %v; want the old value and why it is old", v, err)
		}
		if d := time.Since(begin); d > 100*time.Millisecond {
			t.Errorf("Get held its caller for %v, want at most Wait", d)
		}
		if last, ok := c.Peek(); !ok || last.Generation != 2 {
			t.Errorf("Peek = %+v, %t; want generation 2", last, ok)
		}
		s.slow(0)
		time.Sleep(50 * time.Millisecond)
		get(t, c, 3, nil)
	})
}

func TestExpireIsRateLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := newCache(&s)
		for begin := time.Now(); time.Since(begin) < time.Hour; {
			v, err := c.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.Expire(v)
			time.Sleep(50 * time.Millisecond)
		}
		// 2 to 3 seconds apart, after a denser beginning.
		if n := s.calls.Load(); n > 1900 || n < 1200 {
			t.Errorf("%d fetches in an hour of failing values", n)
		}
	})
}

// A thousand clients lose their database at the same moment and get stale answers for three seconds.
func TestNoHerd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const clients, slot = 1000, 10 * time.Millisecond
		var s source
		var mu sync.Mutex
		perSlot := make(map[time.Duration]int)
		begin := time.Now().Add(time.Hour)
		right := begin.Add(3 * time.Second)
		var slowest atomic.Int64

		var wg sync.WaitGroup
		for range clients {
			c := refresh.New(refresh.Config[bool]{Fetch: func(ctx context.Context) (bool, error) {
				mu.Lock()
				if at := time.Since(begin); at >= 0 {
					perSlot[at.Truncate(slot)]++
				}
				mu.Unlock()
				_, err := s.fetch(ctx)
				return !time.Now().Before(right), err
			}})
			if _, err := c.Get(t.Context()); err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				time.Sleep(time.Until(begin))
				for {
					v, err := c.Get(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if v.Data {
						break
					}
					c.Expire(v)
					time.Sleep(5 * time.Millisecond)
				}
				slowest.Store(max(slowest.Load(), int64(time.Since(right))))
			})
		}
		wg.Wait()

		most := 0
		for at, n := range perSlot {
			most = max(most, n)
			if n > 200 {
				t.Errorf("%d requests within %v, %v after the fault; want at most 200 of %d clients", n, slot, at, clients)
			}
		}
		t.Logf("at most %d requests within %v", most, slot)
		if n := s.calls.Load() - clients; n > 30*clients {
			t.Errorf("%d requests in all, want at most 10 a second and client", n)
		}
		if d := time.Duration(slowest.Load()); d > 300*time.Millisecond {
			t.Errorf("the last client learnt of the recovery after %v, want at most 300 ms", d)
		}
	})
}

func TestAFetchThatLeavesWithoutAResult(t *testing.T) {
	t.Parallel()
	c := refresh.New(refresh.Config[int]{Fetch: func(context.Context) (int, error) {
		runtime.Goexit()
		return 1, nil
	}})
	if v, err := c.Get(t.Context()); err == nil {
		t.Errorf("Get = %+v, want an error", v)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.slow(time.Millisecond)
		c := newCache(&s)
		var generation atomic.Uint64
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				for j := range 200 {
					v, err := c.Get(t.Context())
					if err != nil && !errors.Is(err, errDown) {
						t.Error(err)
					}
					if seen := generation.Load(); v.Generation > seen {
						generation.CompareAndSwap(seen, v.Generation)
					}
					switch (i + j) % 10 {
					case 0:
						c.Expire(v)
					case 1:
						s.down.Store(i%2 == 0)
					case 2:
						c.Peek()
					case 3:
						time.Sleep(time.Duration(i) * time.Millisecond)
					}
				}
			})
		}
		wg.Wait()
		if last, _ := c.Peek(); last.Generation != generation.Load() {
			t.Errorf("generation %d, but users saw %d", last.Generation, generation.Load())
		}
	})
}

func ExampleCache() {
	cache := refresh.New(refresh.Config[string]{
		Fetch:  func(context.Context) (string, error) { return "proxy.example.com:29042", nil },
		MaxAge: 5 * time.Minute,
	})
	v, err := cache.Get(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Data)
	cache.Expire(v) // the address did not work
	// Output: proxy.example.com:29042
}
