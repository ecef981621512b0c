package astratest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// echo is a backend that says its host ID, and then whatever it is told.
type echo struct {
	hostID   string
	listener net.Listener

	mu    sync.Mutex
	conns []*net.TCPConn
}

func newEcho(t *testing.T, i int) *echo {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{hostID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), listener: ln}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conns = append(e.conns, conn.(*net.TCPConn))
			e.mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				fmt.Fprintln(conn, e.hostID)
				io.Copy(conn, conn)
			})
		}
	})
	t.Cleanup(func() {
		e.stop()
		wg.Wait()
	})
	return e
}

func (e *echo) backend() astratest.Backend {
	return astratest.Backend{HostID: e.hostID, Addr: e.listener.Addr().String()}
}

// stop is what the end of a node's process is.
func (e *echo) stop() {
	e.listener.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, conn := range e.conns {
		conn.Close()
	}
}

// newEchoServer starts a server with n echoes behind it.
func newEchoServer(t *testing.T, n int, options ...astratest.Option) (*astratest.Server, []*echo) {
	t.Helper()
	echoes := make([]*echo, n)
	backends := make([]astratest.Backend, n)
	for i := range echoes {
		echoes[i] = newEcho(t, i)
		backends[i] = echoes[i].backend()
	}
	s := astratest.NewServer(append(options, astratest.Backends(backends...))...)
	t.Cleanup(s.Close)
	return s, echoes
}

// greeting reads the host ID that an echo says first.
func greeting(t *testing.T, conn net.Conn) string {
	t.Helper()
	line, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	if err != nil {
		t.Fatalf("no greeting: %v", err)
	}
	return line[:len(line)-1]
}

func TestBackendsRoute(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 3)
	for _, e := range echoes {
		conn := dial(t, s, e.hostID)
		if got := greeting(t, conn); got != e.hostID {
			t.Errorf("SNI %s reached %s", e.hostID, got)
		}
	}
}

func TestBackendsHalfClose(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	conn := dial(t, s, echoes[0].hostID)
	greeting(t, conn)
	if _, err := io.WriteString(conn, "all of this comes back"); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "all of this comes back" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestBackendsBigData(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	conn := dial(t, s, echoes[0].hostID)
	greeting(t, conn)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * 7 / 3)
	}
	go conn.Write(data)
	got := make([]byte, len(data))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != string(data) {
		t.Errorf("data came back changed, or not: %v", err)
	}
}

func TestBackendsErrorPropagates(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	conn := dial(t, s, echoes[0].hostID)
	greeting(t, conn)
	echoes[0].mu.Lock()
	echoes[0].conns[0].SetLinger(0)
	echoes[0].conns[0].Close()
	echoes[0].mu.Unlock()
	if _, err := conn.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("after the node's reset: got %v, want a reset", err)
	}
	waitFor(t, "no open connections", func() bool { return s.Stats().OpenConns == 0 })
}

func TestBackendDownAndReplaced(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 2)
	old := dial(t, s, echoes[0].hostID)
	greeting(t, old)
	echoes[0].stop()
	if _, err := old.Read(make([]byte, 1)); err == nil {
		t.Error("the connection to a node that stopped goes on")
	}
	expectClosedAfterHandshake(t, s, echoes[0].hostID) // down, but known
	if got := metadata(t, s).ContactInfo.ContactPoints; len(got) != 2 {
		t.Errorf("contact points %v; want both nodes", got)
	}
	// A client that names no host ID gets the node that is up.
	if got := greeting(t, dial(t, s, "localhost")); got != echoes[1].hostID {
		t.Errorf("any node: got %s", got)
	}

	replacement := newEcho(t, 9)
	s.SetBackends(replacement.backend(), echoes[1].backend())
	if got := greeting(t, dial(t, s, replacement.hostID)); got != replacement.hostID {
		t.Errorf("got %s", got)
	}
	if _, err := tryDial(t, s, echoes[0].hostID); err == nil {
		t.Error("the host ID of a node that was replaced is still accepted")
	}
	if got := metadata(t, s).ContactInfo.ContactPoints; got[0] != replacement.hostID {
		t.Errorf("contact points %v; want the replacement", got)
	}
}
