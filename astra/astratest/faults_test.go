package astratest_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// exchange sends one byte and waits for it to come back.
func exchange(conn net.Conn) error {
	if _, err := conn.Write([]byte{'x'}); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

// connect dials and reads the greeting.
func connect(t *testing.T, s *astratest.Server, hostID string) *tls.Conn {
	t.Helper()
	conn := dial(t, s, hostID)
	greeting(t, conn)
	return conn
}

func TestDropConns(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	conn := connect(t, s, echoes[0].hostID)
	if got := s.Stats().OpenConns; got != 1 {
		t.Errorf("OpenConns %d, want 1", got)
	}
	s.DropConns()
	if _, err := conn.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("got %v, want a reset", err)
	}
	waitFor(t, "no open connections", func() bool { return s.Stats().OpenConns == 0 })
	connect(t, s, echoes[0].hostID)
}

func TestMoveProxy(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	oldBundle, oldAddr := s.Bundle(), proxyAddr(s)
	conn := connect(t, s, echoes[0].hostID)
	s.MoveProxy()
	if _, err := conn.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("open connection: got %v, want a reset", err)
	}
	if _, err := net.Dial("tcp", oldAddr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("old port: got %v, want refused", err)
	}
	if proxyAddr(s) == oldAddr || s.Bundle().CQLPort() == oldBundle.CQLPort() {
		t.Error("the port is the same")
	}
	connect(t, s, echoes[0].hostID)
}

func TestStall(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	conn := connect(t, s, echoes[0].hostID)
	resume := s.Stall()
	again := s.Stall()
	answered := make(chan error, 1)
	go func() { answered <- exchange(conn) }()
	if err := exchange(connect(t, s, echoes[0].hostID)); err != nil {
		t.Errorf("a new connection during the stall: %v", err)
	}
	select {
	case err := <-answered:
		t.Errorf("a stalled connection was answered, or closed: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	resume()
	resume() // a second call does nothing
	select {
	case err := <-answered:
		t.Errorf("a connection that another stall holds was answered, or closed: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	again()
	if err := <-answered; err != nil {
		t.Errorf("after the stall: %v", err)
	}
}

// The end of a node is not seen through a stalled connection before the stall is over.
func TestStallHidesClose(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	conn := connect(t, s, echoes[0].hostID)
	resume := s.Stall()
	echoes[0].stop()
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v, want silence", err)
	}
	conn.NetConn().SetReadDeadline(time.Time{})
	resume()
	if _, err := conn.NetConn().Read(make([]byte, 100)); err != nil && err != io.EOF && !isReset(err) {
		t.Errorf("after the stall: %v", err)
	}
	waitFor(t, "the connection's end", func() bool { return s.Stats().OpenConns == 0 })
}

func TestStalledConnectionsCanBeDroppedAndClosed(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	conn := connect(t, s, echoes[0].hostID)
	s.Stall()
	s.DropConns()
	if _, err := conn.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("dropped: got %v, want a reset", err)
	}
	conn = connect(t, s, echoes[0].hostID)
	resume := s.Stall()
	s.Close() // does not wait for the stall to end
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlived the server")
	}
	resume()
}

// dialRaw makes a TCP connection and leaves the handshake to the caller.
func dialRaw(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestSilenceProxy(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	open := connect(t, s, echoes[0].hostID)
	s.SilenceProxy(true)
	handshake := make(chan error, 1)
	waiting := tls.Client(dialRaw(t, proxyAddr(s)), nodeConfig(s, echoes[0].hostID))
	go func() { handshake <- waiting.Handshake() }()
	if err := exchange(open); err != nil {
		t.Errorf("a connection from before: %v", err)
	}
	select {
	case err := <-handshake:
		t.Errorf("the handshake ended: %v; want silence", err)
	case <-time.After(30 * time.Millisecond):
	}
	s.SilenceProxy(false)
	if err := <-handshake; err != nil {
		t.Errorf("after the silence: %v", err)
	}
	s.SilenceProxy(true)
	dialRaw(t, proxyAddr(s))
	s.Close() // does not wait for the silence to end
}

func TestProxyAddrFaults(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1, astratest.ProxyAddrs(3), astratest.Host("db.astra.test"))
	config := nodeConfig(s, echoes[0].hostID)
	try := func(i int) error {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 50 * time.Millisecond}, "tcp", s.ProxyAddrs()[i].String(), config)
		if err == nil {
			conn.Close()
		}
		return err
	}
	s.SilenceProxyAddr(1, true)
	s.RefuseProxyAddr(2, true)
	s.RefuseProxyAddr(2, true) // again: no change
	var timeout net.Error
	if err := try(1); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("silent address: got %v, want a time-out", err)
	}
	if err := try(2); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refusing address: got %v, want refused", err)
	}
	conn, err := tls.Dial("tcp", s.ProxyAddrs()[0].String(), config)
	if err != nil {
		t.Fatalf("the other address: %v", err)
	}
	defer conn.Close()
	greeting(t, conn)
	s.SilenceProxyAddr(1, false)
	s.RefuseProxyAddr(2, false)
	s.RefuseProxyAddr(0, true)
	if _, err := conn.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("connection through an address that refuses now: got %v, want a reset", err)
	}
	s.RefuseProxyAddr(0, false)
	for i, addr := range s.ProxyAddrs() {
		conn, err := tls.Dial("tcp", addr.String(), config)
		if err != nil {
			t.Errorf("address %d afterwards: %v", i, err)
			continue
		}
		conn.Close()
	}
}

func TestRotateToken(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	old := s.Token()
	fresh := s.RotateToken()
	if fresh.Equal(old) || !fresh.Equal(s.Token()) {
		t.Errorf("old %v, returned %v, now %v", old, fresh, s.Token())
	}
}

func TestRotateBundle(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	open := connect(t, s, echoes[0].hostID)
	oldConfig, oldClient, url := nodeConfig(s, echoes[0].hostID), metadataClient(t, s), s.Bundle().MetadataURL()
	// Even a client that does not check the server is refused, as is a session from before.
	careless := oldConfig.Clone()
	careless.InsecureSkipVerify = true
	careless.VerifyConnection = nil
	careless.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	if conn, err := tls.Dial("tcp", proxyAddr(s), careless); err != nil {
		t.Fatal(err)
	} else {
		greeting(t, conn)
		conn.Close()
	}

	if zip := s.RotateBundle(); string(zip) != string(s.BundleZip()) {
		t.Error("RotateBundle and BundleZip differ")
	}
	if _, err := tls.Dial("tcp", proxyAddr(s), oldConfig); err == nil {
		t.Error("the proxy takes the old bundle")
	}
	if conn, err := tls.Dial("tcp", proxyAddr(s), careless); err == nil {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the proxy takes the old client certificate")
		}
		conn.Close()
	}
	if _, _, err := get(t, oldClient, url); err == nil {
		t.Error("the metadata service takes the old bundle")
	}
	if err := exchange(open); err != nil {
		t.Errorf("a connection from before: %v", err)
	}
	connect(t, s, echoes[0].hostID)
	metadata(t, s)
}

func TestHibernate(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	conn := connect(t, s, echoes[0].hostID)
	client, url := metadataClient(t, s), s.Bundle().MetadataURL()
	if _, _, err := get(t, client, url); err != nil {
		t.Fatal(err)
	}
	s.Hibernate()
	if _, err := conn.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("open connection: got %v, want a reset", err)
	}
	if _, err := tryDial(t, s, echoes[0].hostID); err == nil {
		t.Error("the proxy of a hibernated database accepts")
	}
	if _, _, err := get(t, client, url); err == nil {
		t.Error("the metadata service of a hibernated database answers")
	}
	s.Wake()
	connect(t, s, echoes[0].hostID)
	metadata(t, s)
}

// All faults at once, under traffic: nothing may race, hang, or be left over.
func TestFaultsTogether(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 3, astratest.ProxyAddrs(2), astratest.Host("db.astra.test"))
	end := time.Now().Add(300 * time.Millisecond)
	var wg sync.WaitGroup
	repeat := func(f func()) {
		wg.Go(func() {
			for time.Now().Before(end) {
				f()
				time.Sleep(time.Millisecond)
			}
		})
	}
	for i := range 6 {
		repeat(func() {
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Millisecond}, "tcp",
				s.ProxyAddrs()[i%2].String(), nodeConfig(s, echoes[i%3].hostID))
			if err != nil {
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Millisecond))
			for exchange(conn) == nil {
				if time.Now().After(end) {
					return
				}
			}
		})
	}
	repeat(func() {
		client := &http.Client{
			Transport: &http.Transport{TLSClientConfig: s.Bundle().TLSConfig(), DisableKeepAlives: true},
			Timeout:   20 * time.Millisecond,
		}
		get(t, client, "https://"+netip.AddrPortFrom(s.ProxyAddrs()[0].Addr(), uint16(s.Bundle().Port())).String()+"/metadata")
	})
	repeat(s.DropConns)
	repeat(s.MoveProxy)
	repeat(func() { s.Stall()() })
	repeat(func() { s.SilenceProxy(true); s.SilenceProxy(false) })
	repeat(func() { s.SilenceProxyAddr(1, true); s.SilenceProxyAddr(1, false) })
	repeat(func() { s.RefuseProxyAddr(1, true); s.RefuseProxyAddr(1, false) })
	repeat(func() { s.RefuseUnknown(astratest.RefuseClose) })
	repeat(func() { s.SetMetadata(astratest.MetadataDown); s.SetMetadata(astratest.MetadataOK) })
	repeat(func() { s.DelayMetadata(time.Millisecond); s.DelayMetadata(0) })
	repeat(func() { s.SetDNS(astratest.DNSFail); s.SetDNS(astratest.DNSOK) })
	repeat(func() { s.RotateToken(); s.RotateBundle() })
	repeat(func() { s.Hibernate(); s.Wake() })
	repeat(func() { s.SetBackends(echoes[0].backend(), echoes[2].backend()) })
	repeat(func() { s.Stats() })
	wg.Wait()

	s.SetBackends(echoes[0].backend())
	connect(t, s, echoes[0].hostID)
	metadata(t, s)
}
