package merging_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/internal/merging"
	"github.com/seed-5f06b232/astra-go/internal/pki"
)

// under is the connection below: it records what is written, and can be held, made to fail, and given answers to read. Like one of TLS over
// TCP, it fails when its base is closed.
type under struct {
	net.Conn // the end that is read from
	peer     net.Conn

	mu       sync.Mutex
	writes   [][]byte
	deadline time.Time
	reads    []time.Time // read deadlines set
	held     chan struct{}
	fail     error
	partial  int // bytes written before fail
	closed   chan struct{}
	once     sync.Once
	gathers  atomic.Int64 // how often requests began to gather
}

func newUnder() *under {
	u := &under{closed: make(chan struct{})}
	u.Conn, u.peer = net.Pipe()
	return u
}

// hold keeps further writes until release is called.
func (u *under) hold() (release func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	held := make(chan struct{})
	u.held = held
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.held = nil
		close(held)
	}
}

func (u *under) Write(p []byte) (int, error) {
	p = bytes.Clone(p)
	for {
		u.mu.Lock()
		held, deadline := u.held, u.deadline
		if held == nil {
			defer u.mu.Unlock()
			if u.fail != nil {
				n := min(u.partial, len(p))
				u.writes = append(u.writes, p[:n])
				return n, u.fail
			}
			u.writes = append(u.writes, p)
			return len(p), nil
		}
		u.mu.Unlock()
		late := time.NewTimer(time.Until(deadline))
		if deadline.IsZero() {
			late.Stop()
		}
		poll := time.NewTimer(time.Millisecond) // for a new deadline
		select {
		case <-held:
		case <-u.closed:
			return 0, net.ErrClosed
		case <-late.C:
			return 0, os.ErrDeadlineExceeded
		case <-poll.C:
		}
	}
}

func (u *under) SetWriteDeadline(t time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.deadline = t
	return nil
}

func (u *under) SetReadDeadline(t time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reads = append(u.reads, t)
	return u.Conn.SetReadDeadline(t)
}

// Close closes as TLS does, which wants to write a last record.
func (u *under) Close() error {
	_, err := u.Write([]byte("bye"))
	u.base().Close()
	return err
}

type base struct{ *under }

func (u *under) base() io.Closer { return base{u} }

func (b base) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Conn.Close()
}

func (u *under) written() (all []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, w := range u.writes {
		all = append(all, w...)
	}
	return all
}

func (u *under) wantWrites(t *testing.T, want ...string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	got := []string{}
	for _, w := range u.writes {
		got = append(got, string(w))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("writes below (-want +got):\n%s", diff)
	}
}

// answers is a number of CQL frames as a node sends them.
func answers(n int) (all []byte) {
	for i := range n {
		f := []byte{0x84, 0, 0, byte(i), 8, 0, 0, 0, 0}
		body := make([]byte, i*7%40)
		binary.BigEndian.PutUint32(f[5:], uint32(len(body)))
		all = append(append(all, f...), body...)
	}
	return all
}

// bubble runs a test with a connection in a synctest bubble, where goroutines that are left over are a failure.
func bubble(t *testing.T, test func(t *testing.T, u *under, c *merging.Conn)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUnder()
		test(t, u, merging.NewConn(u, u.base(), func() { u.gathers.Add(1) }))
		u.Conn.Close()
		u.peer.Close()
	})
}

func write(t *testing.T, c *merging.Conn, s string) {
	t.Helper()
	if n, err := c.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("Write = %d, %v; want %d", n, err, len(s))
	}
}

// answer sends n answers in one go and has them read.
func answer(t *testing.T, u *under, c *merging.Conn, n int) {
	t.Helper()
	go u.peer.Write(answers(n))
	if _, err := c.Read(make([]byte, 4096)); err != nil {
		t.Fatalf("Read: %v", err)
	}
	synctest.Wait()
}

func TestALoneRequestIsWrittenAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		var want []string
		for range 3 {
			write(t, c, "request")
			want = append(want, "request")
			u.wantWrites(t, want...) // no other goroutine had a chance to write it
			answer(t, u, c, 1)
		}
	})
}

func TestRequestsThatComeTogetherLeaveTogether(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		write(t, c, "a")
		release := u.hold()
		for _, s := range []string{"b", "c", "d", "e"} {
			write(t, c, s)
			synctest.Wait()
		}
		release()
		synctest.Wait()
		u.wantWrites(t, "a", "b", "cde")

		// Five answers at once: five requests are about to come.
		answer(t, u, c, 5)
		release = u.hold()
		write(t, c, "f")
		synctest.Wait()
		write(t, c, "g")
		write(t, c, "h")
		release()
		synctest.Wait()
		u.wantWrites(t, "a", "b", "cde", "f", "gh")
	})
}

// Requests gather from the one that starts a merged write until that write begins, and no longer: it may be stuck.
func TestGathering(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		want := func(gathers int64) {
			t.Helper()
			if n := u.gathers.Load(); n != gathers || c.Gathering() != 0 {
				t.Errorf("requests began to gather %d times, and %d gather now; want %d and 0", n, c.Gathering(), gathers)
			}
		}
		write(t, c, "alone")
		want(0)
		release := u.hold()
		write(t, c, "starts a write")
		synctest.Wait()
		want(1)
		write(t, c, "comes while that is under way")
		want(1)
		release()
		synctest.Wait()
		want(1)
		write(t, c, "starts another one")
		synctest.Wait()
		want(2)
		u.wantWrites(t, "alone", "starts a write", "comes while that is under way", "starts another one")
	})
}

func TestAMergedRequestIsNotHeldBack(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		begin := time.Now()
		for range 4 {
			write(t, c, "x")
			synctest.Wait()
		}
		u.wantWrites(t, "x", "x", "x", "x")
		if took := time.Since(begin); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestOtherProtocolsAreMergedToo(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		go u.peer.Write([]byte("HTTP/1.1 200 OK\r\n"))
		if _, err := c.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		write(t, c, "a")
		write(t, c, "b")
		synctest.Wait()
		if got := string(u.written()); got != "ab" {
			t.Errorf("written: %q", got)
		}
	})
}

func TestBackPressure(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		write(t, c, "first")
		release := u.hold()
		want := []byte("first")
		part := bytes.Repeat([]byte("x"), 10_000)
		for accepted := 0; accepted+len(part) <= 256<<10; accepted += len(part) {
			write(t, c, string(part))
			want = append(want, part...)
			synctest.Wait()
		}

		begin := time.Now()
		c.SetWriteDeadline(begin.Add(time.Second))
		var timeout net.Error
		if n, err := c.Write(part); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("Write on a full connection = %d, %v; want a time-out", n, err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("Write waited %v, want 1 s", took)
		}

		c.SetWriteDeadline(time.Time{})
		time.AfterFunc(time.Second, release)
		write(t, c, string(part))
		want = append(want, part...)
		synctest.Wait()
		if !bytes.Equal(u.written(), want) {
			t.Error("what was written is not what was accepted")
		}
	})
}

func TestADeadlineEndsAWriteThatWaitsAlready(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		write(t, c, "first")
		defer u.hold()()
		write(t, c, string(make([]byte, 16<<10)))
		synctest.Wait()
		time.AfterFunc(time.Second, func() { c.SetWriteDeadline(time.Unix(1, 0)) })
		begin := time.Now()
		if _, err := c.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %v, want a time-out", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v, want 1 s", took)
		}
	})
}

func TestPendingBytesKeepTheirDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		begin := time.Now()
		write(t, c, "first")
		u.hold()
		for i := range 10 { // as a driver does that goes on sending
			c.SetWriteDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Write([]byte("more")); err != nil {
				t.Fatalf("Write %d: %v", i, err)
			}
			time.Sleep(400 * time.Millisecond)
		}
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want the time-out of the write", err)
		}
		if took := time.Since(begin).Round(10 * time.Millisecond); took != 5*time.Second {
			t.Errorf("the connection failed after %v, want 5 s", took)
		}
		if _, again := c.Write([]byte("more")); again == nil || again.Error() != err.Error() {
			t.Errorf("Write = %v\nwant    %v", again, err)
		}
	})
}

func TestAFailedWriteFailsTheConnection(t *testing.T) {
	for name, direct := range map[string]bool{"direct": true, "merged": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
				if !direct {
					write(t, c, "first")
				}
				cause := errors.New("cable bitten through")
				u.mu.Lock()
				u.fail, u.partial = cause, 3
				u.mu.Unlock()
				read := make(chan error)
				go func() {
					_, err := c.Read(make([]byte, 1))
					read <- err
				}()
				synctest.Wait()
				n, err := c.Write([]byte("request"))
				if direct && (n != 3 || !errors.Is(err, cause)) || !direct && (n != 7 || err != nil) {
					t.Errorf("Write = %d, %v", n, err)
				}
				if err := <-read; !errors.Is(err, cause) {
					t.Errorf("Read = %v, want the cause", err)
				}
				if _, err := c.Write([]byte("more")); !errors.Is(err, cause) {
					t.Errorf("next Write = %v, want the cause", err)
				}
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, cause) {
					t.Errorf("next Read = %v, want the cause", err)
				}
				c.Close()
				if _, err := c.Write([]byte("more")); !errors.Is(err, cause) {
					t.Errorf("Write after Close = %v, want the cause", err)
				}
			})
		})
	}
}

func TestCloseWritesWhatIsPending(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		for _, s := range []string{"a", "b", "c"} {
			write(t, c, s)
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if got := string(u.written()); got != "abcbye" {
			t.Errorf("written: %q", got)
		}
		if n, err := c.Write([]byte("d")); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close = %d, %v", n, err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("Read after Close: no error")
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close = %v", err)
		}
	})
}

func TestCloseDoesNotWaitForAStuckPeer(t *testing.T) {
	for name, pending := range map[string]bool{"with pending bytes": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
				write(t, c, "first")
				u.hold()
				var blocked sync.WaitGroup
				if pending {
					write(t, c, "more")
					blocked.Go(func() {
						if _, err := c.Write(make([]byte, 1<<20)); !errors.Is(err, net.ErrClosed) {
							t.Errorf("blocked Write = %v", err)
						}
					})
				}
				synctest.Wait()
				begin := time.Now()
				c.Close()
				if took := time.Since(begin); took != 100*time.Millisecond {
					t.Errorf("Close took %v, want 100 ms", took)
				}
				blocked.Wait()
				if got := string(u.written()); got != "first" {
					t.Errorf("written: %q", got)
				}
			})
		})
	}
}

func TestReadDeadlines(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		// Those that no Read has met are not passed on.
		for range 10 {
			c.SetReadDeadline(time.Now().Add(time.Hour))
			c.SetReadDeadline(time.Time{})
		}
		answer(t, u, c, 1)
		if n := len(u.reads); n != 0 {
			t.Errorf("%d deadlines were set below, want none", n)
		}

		c.SetReadDeadline(time.Now().Add(time.Second))
		begin := time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want a time-out", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("Read took %v, want 1 s", took)
		}

		c.SetDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { c.SetReadDeadline(time.Now()) })
		begin = time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want a time-out", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("a deadline reached a waiting Read after %v, want 1 s", took)
		}
	})
}

func TestWriteAfterItsDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		write(t, c, "first")
		c.SetWriteDeadline(time.Now())
		if _, err := c.Write([]byte("late")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %v, want a time-out", err)
		}
		c.SetWriteDeadline(time.Now().Add(time.Second))
		write(t, c, "in time")
		synctest.Wait()
		u.wantWrites(t, "first", "in time")

		// Beside requests that have more time, or all of it.
		for _, due := range []time.Time{time.Now().Add(time.Second), {}} {
			release := u.hold()
			c.SetWriteDeadline(due)
			write(t, c, "stuck")
			synctest.Wait()
			write(t, c, "pending")
			c.SetWriteDeadline(time.Unix(1, 0))
			if _, err := c.Write([]byte("late")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Write = %v, want a time-out", err)
			}
			release()
			synctest.Wait()
		}
		u.wantWrites(t, "first", "in time", "stuck", "pending", "stuck", "pending")
	})
}

// Whoever writes how much and when, and however the connection below behaves: what arrives is what was accepted, in the order of each writer.
func TestOrder(t *testing.T) {
	t.Parallel()
	const writers = 8
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 4))
		client, server := tcpPair(t)
		c := merging.NewConn(client, client, nil)
		var group sync.WaitGroup
		var mu sync.Mutex // of r
		failAfter := -1
		if seed%4 == 3 {
			failAfter = r.IntN(1 << 20)
		}
		accepted := make([]int, writers) // messages
		for w := range writers {
			group.Go(func() {
				for i := range 200 {
					mu.Lock()
					size, pause := 9+r.IntN(200), r.IntN(10) == 0
					if r.IntN(50) == 0 {
						size = r.IntN(300_000)
					}
					mu.Unlock()
					if pause {
						time.Sleep(time.Microsecond)
					}
					c.SetWriteDeadline(time.Now().Add(time.Minute))
					if _, err := c.Write(message(w, i, size)); err != nil {
						if failAfter < 0 {
							t.Errorf("seed %d: Write: %v", seed, err)
						}
						return
					}
					accepted[w]++
				}
			})
		}
		go func() {
			group.Wait()
			c.Close()
		}()
		arrived := make([]int, writers)
		in := bufio.NewReader(server)
		for total := 0; ; {
			if failAfter >= 0 && total > failAfter {
				server.Close()
				break
			}
			w, i, size, err := readMessage(in)
			if err != nil {
				if err != io.EOF {
					t.Errorf("seed %d: %v", seed, err)
				}
				break
			}
			total += size
			if i != arrived[w] {
				t.Fatalf("seed %d: message %d of writer %d came as its %d.", seed, i, w, arrived[w])
			}
			arrived[w]++
		}
		group.Wait()
		if failAfter < 0 {
			if diff := cmp.Diff(accepted, arrived); diff != "" {
				t.Errorf("seed %d: messages of each writer (-accepted +arrived):\n%s", seed, diff)
			}
		}
	}
}

var noise = func() []byte {
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}()

// message is one with a header that tells the writer, the number and the size, and a body that depends on them.
func message(writer, number, size int) []byte {
	m := make([]byte, 12+size)
	binary.BigEndian.PutUint32(m, uint32(writer))
	binary.BigEndian.PutUint32(m[4:], uint32(number))
	binary.BigEndian.PutUint32(m[8:], uint32(size))
	copy(m[12:], noise[(writer*200+number)*100:])
	return m
}

func readMessage(r io.Reader) (writer, number, size int, err error) {
	var header [12]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, 0, 0, err
	}
	writer, number = int(binary.BigEndian.Uint32(header[:])), int(binary.BigEndian.Uint32(header[4:]))
	size = int(binary.BigEndian.Uint32(header[8:]))
	rest := make([]byte, size)
	if _, err := io.ReadFull(r, rest); err != nil {
		return 0, 0, 0, err
	}
	if !bytes.Equal(message(writer, number, size)[12:], rest) {
		return 0, 0, 0, errors.New("a message arrived garbled")
	}
	return writer, number, size, nil
}

func tcpPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestOverTLS(t *testing.T) {
	t.Parallel()
	authority, err := pki.NewAuthority("test", pki.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	node, err := authority.Issue(pki.Leaf{CommonName: "node", DNSNames: []string{"node"}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	serverConfig := &tls.Config{Certificates: []tls.Certificate{node.TLS()}, SessionTicketsDisabled: true}
	clientConfig := &tls.Config{RootCAs: roots, ServerName: "node", Time: func() time.Time { return node.Certificate.NotBefore.Add(time.Minute) }}

	connect := func(t *testing.T) (*merging.Conn, *tls.Conn) {
		c, s := net.Pipe()
		server, client := tls.Server(s, serverConfig), tls.Client(c, clientConfig)
		go server.Handshake()
		if err := client.Handshake(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return merging.NewConn(client, c, nil), server
	}

	t.Run("a peer that reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, server := connect(t)
			var want []byte
			go func() {
				for i := range 100 {
					m := message(1, i, i*10)
					want = append(want, m...)
					write(t, c, string(m))
				}
				c.Close()
			}()
			got, err := io.ReadAll(server)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d of %d bytes arrived, %v", len(got), len(want), err)
			}
		})
	})
	t.Run("a peer that does not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, _ := connect(t)
			written := make(chan error, 1)
			go func() {
				_, err := c.Write([]byte("request"))
				written <- err
			}()
			synctest.Wait()
			begin := time.Now()
			c.Close()
			if took := time.Since(begin); took != 100*time.Millisecond { // TLS alone would wait for 5 s
				t.Errorf("Close took %v, want 100 ms", took)
			}
			if err := <-written; err == nil {
				t.Error("Write: no error")
			}
		})
	})
}

// A peer that does not read must not keep the answers from being read: it may be waiting for that.
func TestReadingGoesOnWhileWritesAreStuck(t *testing.T) {
	bubble(t, func(t *testing.T, u *under, c *merging.Conn) {
		write(t, c, "first")
		defer u.hold()()
		write(t, c, "second")
		write(t, c, "third")
		for range 3 {
			answer(t, u, c, 2)
		}
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	client, server := tcpPair(t)
	c := merging.NewConn(client, client, nil)
	// gocql takes the address for one of TCP without asking.
	if got, ok := c.RemoteAddr().(*net.TCPAddr); !ok || got.String() != server.LocalAddr().String() {
		t.Errorf("RemoteAddr = %v", c.RemoteAddr())
	}
	if c.LocalAddr() != client.LocalAddr() {
		t.Errorf("LocalAddr = %v", c.LocalAddr())
	}
}
