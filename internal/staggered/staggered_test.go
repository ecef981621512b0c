package staggered_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/internal/staggered"
)

const (
	a = "192.0.2.1:29042"
	b = "192.0.2.2:29042"
	c = "192.0.2.3:29042"
	x = "[2001:db8::1]:29042"
	y = "[2001:db8::2]:29042"
)

var errRefused = errors.New("refused")

// network is what attempts meet: each address answers, refuses or stays silent. It counts what is open.
type network struct {
	mu     sync.Mutex
	peers  map[string]peer
	asked  []string
	opened atomic.Int64
	closed atomic.Int64
}

type peer struct {
	after  time.Duration // of the answer
	silent bool
	err    error
}

type conn struct {
	*network
	addr string
	once sync.Once
}

func (c *conn) Close() error {
	c.once.Do(func() { c.closed.Add(1) })
	return nil
}

func (n *network) attempt(ctx context.Context, addr string) (*conn, error) {
	n.mu.Lock()
	n.asked = append(n.asked, addr)
	p := n.peers[addr]
	n.mu.Unlock()
	answer := time.After(p.after)
	if p.silent {
		answer = nil
	}
	select {
	case <-answer:
		if p.err != nil {
			return nil, p.err
		}
		n.opened.Add(1)
		return &conn{network: n, addr: addr}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dial dials with a fresh record of who was asked, and checks who answered.
func (n *network) dial(t *testing.T, d *staggered.Dialer[*conn], want string, addrs ...string) {
	t.Helper()
	n.asked = nil
	got, err := d.Dial(t.Context(), addrs, n.attempt)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	defer got.Close()
	if got.addr != want {
		t.Fatalf("connected to %s, want %s", got.addr, want)
	}
}

func (n *network) wantAsked(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	if diff := cmp.Diff(want, n.asked); diff != "" {
		t.Errorf("addresses asked (-want +got):\n%s", diff)
	}
}

func TestFirstAddressAnswersInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]peer{a: {after: 249 * time.Millisecond}}}
		n.dial(t, new(staggered.Dialer[*conn]), a, a, b, c)
		n.wantAsked(t, a)
	})
}

func TestSilentAddressIsOvertakenAndThenTriedLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]peer{a: {silent: true}}}
		var d staggered.Dialer[*conn]
		begin := time.Now()
		n.dial(t, &d, b, a, b, c)
		n.wantAsked(t, a, b)
		if took := time.Since(begin); took != 250*time.Millisecond {
			t.Errorf("took %v, want 250 ms", took)
		}

		for range 6 { // each address has its turn to be first, if it is not slow
			begin = time.Now()
			got, err := d.Dial(t.Context(), []string{a, b, c}, n.attempt)
			if err != nil {
				t.Fatal(err)
			}
			got.Close()
			if took := time.Since(begin); took != 0 {
				t.Errorf("took %v with a known silent address, want no time", took)
			}
		}

		time.Sleep(time.Minute)
		n.peers[a] = peer{}
		n.asked = nil
		for range 3 {
			if _, err := d.Dial(t.Context(), []string{a, b, c}, n.attempt); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(n.asked)
		n.wantAsked(t, a, b, c)
	})
}

func TestFailureStartsTheNextAttemptAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]peer{a: {err: errRefused}, b: {err: errRefused, after: 10 * time.Millisecond}}}
		var d staggered.Dialer[*conn]
		begin := time.Now()
		n.dial(t, &d, c, a, b, c)
		if took := time.Since(begin); took != 10*time.Millisecond {
			t.Errorf("took %v, want 10 ms", took)
		}
	})
}

func TestLateAnswersAreClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		late := make(chan struct{})
		attempt := func(ctx context.Context, addr string) (*conn, error) {
			if addr == a {
				<-late // an attempt that does not listen to its context
			}
			n.opened.Add(1)
			return &conn{network: n, addr: addr}, nil
		}
		var d staggered.Dialer[*conn]
		got, err := d.Dial(t.Context(), []string{a, b}, attempt)
		if err != nil || got.addr != b {
			t.Fatalf("Dial = %v, %v", got, err)
		}
		close(late)
		synctest.Wait()
		if o, c := n.opened.Load(), n.closed.Load(); o != 2 || c != 1 {
			t.Errorf("%d connections opened and %d closed, want 2 and 1", o, c)
		}
	})
}

func TestErrorsNameEachAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opError := &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(b)), Err: errRefused}
		n := &network{peers: map[string]peer{a: {err: errRefused}, b: {err: opError}, c: {silent: true}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var d staggered.Dialer[*conn]
		_, err := d.Dial(ctx, []string{a, b, c, x}, func(ctx context.Context, addr string) (*conn, error) {
			if addr == x {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return n.attempt(ctx, addr)
		})
		want := a + ": refused; " + x + ": no answer: context deadline exceeded; dial tcp " + b + ": refused; " + c + ": no answer: context deadline exceeded"
		if err == nil || err.Error() != want {
			t.Errorf("Dial = %v\nwant    %s", err, want)
		}
		var asOp *net.OpError
		if !errors.Is(err, errRefused) || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &asOp) {
			t.Errorf("the error does not wrap its parts: %v", err)
		}
	})
}

func TestErrorOfAnEarlyEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]peer{a: {silent: true}}}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var d staggered.Dialer[*conn]
		_, err := d.Dial(ctx, []string{a, b}, n.attempt)
		var opError *net.OpError
		if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &opError) || strings.Contains(err.Error(), b) {
			t.Errorf("Dial = %v", err)
		}
		if _, err := d.Dial(ctx, []string{a, b}, n.attempt); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial with an ended context = %v", err)
		}
		if _, err := d.Dial(t.Context(), nil, n.attempt); err == nil {
			t.Error("Dial without addresses: no error")
		}
	})
}

func TestAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]peer{a: {silent: true}}}
		d := staggered.Dialer[*conn]{Again: time.Second}
		time.AfterFunc(2500*time.Millisecond, func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.peers[a] = peer{}
		})
		begin := time.Now()
		n.dial(t, &d, a, a)
		n.wantAsked(t, a, a, a, a)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("took %v, want 3 s", took)
		}

		n.peers[a] = peer{err: errRefused}
		if _, err := d.Dial(t.Context(), []string{a}, n.attempt); !errors.Is(err, errRefused) {
			t.Errorf("Dial = %v, want the error of the only attempt", err)
		}
	})
}

func TestFailureEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]peer{a: {after: 1500 * time.Millisecond, err: errRefused}}}
		for ends, want := range map[bool]time.Duration{true: 1500 * time.Millisecond, false: 2500 * time.Millisecond} {
			d := staggered.Dialer[*conn]{Again: time.Second, FailureEnds: ends}
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			_, err := d.Dial(ctx, []string{a}, n.attempt)
			cancel()
			if took := time.Since(begin); took != want || ends && !errors.Is(err, errRefused) {
				t.Errorf("FailureEnds %v: Dial = %v after %v, want %v", ends, err, took, want)
			}
		}
	})
}

func TestFamiliesTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refuse := peer{err: errRefused}
		n := &network{peers: map[string]peer{a: refuse, b: refuse, c: refuse, x: refuse, y: refuse}}
		for _, test := range []struct{ addrs, first, second []string }{
			{[]string{x, y, a, b, c}, []string{x, a, y, b, c}, []string{y, b, x, c, a}},
			{[]string{a, b, c, x, y}, []string{a, x, b, y, c}, []string{b, y, c, x, a}},
			{[]string{a, a, b}, []string{a, b}, []string{b, a}},
			{[]string{"one.example.com:1", a, x}, []string{"one.example.com:1", x, a}, []string{a, x, "one.example.com:1"}},
		} {
			n.peers["one.example.com:1"] = refuse
			var d staggered.Dialer[*conn]
			for _, want := range [][]string{test.first, test.second} {
				n.asked = nil
				if _, err := d.Dial(t.Context(), test.addrs, n.attempt); err == nil {
					t.Error("no error")
				}
				n.wantAsked(t, want...)
			}
		}
	})
}

func TestLoadIsSpread(t *testing.T) {
	t.Parallel()
	n := &network{}
	var d staggered.Dialer[*conn]
	answered := make(map[string]int)
	for range 300 {
		got, err := d.Dial(t.Context(), []string{a, b, c}, n.attempt)
		if err != nil {
			t.Fatal(err)
		}
		answered[got.addr]++
	}
	if diff := cmp.Diff(map[string]int{a: 100, b: 100, c: 100}, answered); diff != "" {
		t.Errorf("connections per address (-want +got):\n%s", diff)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: make(map[string]peer)}
		var d staggered.Dialer[*conn]
		for i := range 1000 { // a proxy that moves at each dial
			silent, answers := fmt.Sprintf("192.0.2.1:%d", 2*i+1), fmt.Sprintf("192.0.2.1:%d", 2*i+2)
			n.peers[silent] = peer{err: errRefused}
			got, err := d.Dial(t.Context(), []string{silent, answers}, n.attempt)
			if err != nil {
				t.Fatal(err)
			}
			got.Close()
		}
		if size := staggered.Remembered(&d); size > 64 {
			t.Errorf("%d addresses are remembered, want at most 64", size)
		}
	})
}

// Whatever the network does: one connection is open after a success and none after a failure, and Dial ends with its context.
func TestRandomNetworks(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			n := &network{peers: make(map[string]peer)}
			addrs := []string{a, b, c, x, y}[:1+r.IntN(5)]
			ms := func(n int) time.Duration { return time.Duration(r.IntN(n)) * time.Millisecond }
			for _, addr := range addrs {
				p := peer{after: ms(800), silent: r.IntN(3) == 0}
				if r.IntN(3) == 0 {
					p.err = errRefused
				}
				n.peers[addr] = p
			}
			d := staggered.Dialer[*conn]{Delay: ms(300), Again: ms(2) * 500}
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					limit := ms(2000)
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					defer cancel()
					begin := time.Now()
					got, err := d.Dial(ctx, addrs, n.attempt)
					if took := time.Since(begin); took > limit {
						t.Errorf("seed %d: took %v of %v", seed, took, limit)
					}
					if err == nil {
						time.Sleep(time.Second)
						got.Close()
					}
				})
				synctest.Wait() // for the use of r above
			}
			wg.Wait()
			synctest.Wait()
			if o, c := n.opened.Load(), n.closed.Load(); o != c {
				t.Errorf("seed %d: %d connections were opened, %d closed", seed, o, c)
			}
		})
	}
}

func ExampleDialer() {
	answers, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answers.Close()

	var dialer staggered.Dialer[io.Closer]
	conn, err := dialer.Dial(context.Background(), []string{"127.0.0.1:0", answers.Addr().String()},
		func(ctx context.Context, addr string) (io.Closer, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Println(conn.(net.Conn).RemoteAddr().String() == answers.Addr().String())
	// Output: true
}
