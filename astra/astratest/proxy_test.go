package astratest_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
)

// nodeConfig is the client's side of a connection with this server name.
func nodeConfig(s *astratest.Server, serverName string) *tls.Config {
	return s.Bundle().NodeTLSConfig(bundle.Node{HostID: serverName, ProxyHost: s.Bundle().Host()})
}

func proxyAddr(s *astratest.Server) string { return s.ProxyAddrs()[0].String() }

func tryDial(t *testing.T, s *astratest.Server, serverName string) (*tls.Conn, error) {
	t.Helper()
	dialer := tls.Dialer{Config: nodeConfig(s, serverName)}
	conn, err := dialer.DialContext(t.Context(), "tcp", proxyAddr(s))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*tls.Conn), nil
}

func dial(t *testing.T, s *astratest.Server, serverName string) *tls.Conn {
	t.Helper()
	conn, err := tryDial(t, s, serverName)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// isReset says whether err is what RST leaves behind.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func expectClosedAfterHandshake(t *testing.T, s *astratest.Server, serverName string) {
	t.Helper()
	conn, err := tryDial(t, s, serverName)
	if err != nil {
		t.Errorf("handshake: %v; want it to succeed", err)
		return
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("first read: got %v, want EOF", err)
	}
}

const unknownHostID = "ffffffff-ffff-4fff-bfff-ffffffffffff"

func TestRefuseUnknown(t *testing.T) {
	t.Parallel()
	s, _ := newEchoServer(t, 1)

	if _, err := tryDial(t, s, unknownHostID); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("by alert: got %v, want unrecognized name", err)
	}

	s.RefuseUnknown(astratest.RefuseClose)
	expectClosedAfterHandshake(t, s, unknownHostID)

	s.RefuseUnknown(astratest.RefuseSilence)
	raw, err := net.Dial("tcp", proxyAddr(s))
	if err != nil {
		t.Fatal(err)
	}
	raw.SetDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if err := tls.Client(raw, nodeConfig(s, unknownHostID)).Handshake(); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("by silence: got %v, want a time-out", err)
	}
	raw.Close()
	waitFor(t, "the end of the silent connection", func() bool { return s.Stats().OpenConns == 0 })

	stats := s.Stats()
	if stats.RefusedUnknown != 3 || stats.BySNI[unknownHostID] != 3 || stats.Dials != 3 || stats.Handshakes != 1 {
		t.Errorf("got %+v; want 3 refused, 3 with that name, 3 dials, 1 handshake", stats)
	}
}

func TestAnyNode(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	if got := greeting(t, dial(t, s, "LOCALHOST")); got != echoes[0].hostID {
		t.Errorf("the bundle's host as server name: got %s", got)
	}
	config := s.Bundle().TLSConfig()
	config.ServerName = ""
	config.InsecureSkipVerify = true
	conn, err := tls.Dial("tcp", proxyAddr(s), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := greeting(t, conn); got != echoes[0].hostID {
		t.Errorf("no server name: got %s", got)
	}
	if got := s.Stats().BySNI; got[""] != 1 {
		t.Errorf("BySNI %v; want one with no name", got)
	}
}

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	for version, works := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config := nodeConfig(s, echoes[0].hostID)
		config.MinVersion, config.MaxVersion = version, version
		conn, err := tls.Dial("tcp", proxyAddr(s), config)
		if err == nil {
			conn.Close()
		}
		if works != (err == nil) {
			t.Errorf("%s: got %v", tls.VersionName(version), err)
		}
	}
}

func TestResumption(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			s, echoes := newEchoServer(t, 1)
			cache := tls.NewLRUClientSessionCache(4)
			handshake := func() bool {
				config := nodeConfig(s, echoes[0].hostID)
				config.ClientSessionCache = cache
				config.MaxVersion = version
				conn, err := tls.Dial("tcp", proxyAddr(s), config)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				greeting(t, conn) // reads the session ticket too
				return conn.ConnectionState().DidResume
			}
			if handshake() {
				t.Error("the first handshake resumed")
			}
			if !handshake() {
				t.Error("the second handshake did not resume")
			}
			s.MoveProxy()
			if !handshake() {
				t.Error("the proxy moved, and the session could not be resumed")
			}
			if stats := s.Stats(); stats.Handshakes != 3 || stats.Resumed != 2 {
				t.Errorf("got %+v; want 3 handshakes, 2 resumed", stats)
			}
		})
	}
}

func TestProxyNeedsClientCertificate(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 1)
	config := nodeConfig(s, echoes[0].hostID)
	config.Certificates, config.GetClientCertificate = nil, nil
	conn, err := tls.Dial("tcp", proxyAddr(s), config)
	if err == nil { // the server's refusal comes after the client's part of the handshake
		_, err = conn.Read(make([]byte, 1))
		conn.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("got %v, want: certificate required", err)
	}
	if got := s.Stats().Handshakes; got != 0 {
		t.Errorf("Handshakes %d, want 0", got)
	}
}

func TestNoTLS(t *testing.T) {
	t.Parallel()
	s, _ := newEchoServer(t, 1)
	conn, err := net.Dial("tcp", proxyAddr(s))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "\x04\x00\x00\x00\x05\x00\x00\x00\x00 is not TLS")
	if _, err := io.Copy(io.Discard, conn); err != nil && !isReset(err) {
		t.Errorf("got %v, want the connection closed", err)
	}
}

func TestHostOption(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"db.astra.test", "127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			options := []astratest.Option{astratest.Host(host)}
			if host == "::1" {
				if ln, err := net.Listen("tcp", "[::1]:0"); err != nil {
					t.Skip("no IPv6 here")
				} else {
					ln.Close()
				}
				options = append(options, astratest.IPv6())
			}
			s, echoes := newEchoServer(t, 1, options...)
			if got := s.Bundle().Host(); got != host {
				t.Errorf("bundle's host %q", got)
			}
			addr := net.JoinHostPort(host, strconv.Itoa(s.Bundle().CQLPort()))
			dialer := tls.Dialer{NetDialer: &net.Dialer{Resolver: s.Resolver()}, Config: nodeConfig(s, echoes[0].hostID)}
			conn, err := dialer.DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := greeting(t, conn); got != echoes[0].hostID {
				t.Errorf("reached %s", got)
			}
		})
	}
}

func TestBundleIdentities(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]astratest.Option{"ECDSA": nil, "RSA": {astratest.RSA()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, echoes := newEchoServer(t, 1, options...)
			if err := s.Bundle().Verify(); err != nil {
				t.Errorf("Verify: %v", err)
			}
			for _, kind := range [][]string{{"ca.crt", "cert", "key"}, {"identity.jks", "trustStore.jks"}, {"cert.pfx"}} {
				b, err := bundle.ParseFS(only(t, s.BundleZip(), append(kind, "config.json")...))
				if err != nil {
					t.Errorf("%v: %v", kind, err)
					continue
				}
				config := b.NodeTLSConfig(bundle.Node{HostID: echoes[0].hostID, ProxyHost: b.Host()})
				conn, err := tls.Dial("tcp", proxyAddr(s), config)
				if err != nil {
					t.Errorf("%v: %v", kind, err)
					continue
				}
				if got := greeting(t, conn); got != echoes[0].hostID {
					t.Errorf("%v: reached %s", kind, got)
				}
				conn.Close()
			}
		})
	}
}

func TestBundleEntries(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Keyspace("shop"), astratest.Datacenter("eu-west-1"))
	defer s.Close()
	want := []string{"ca.crt", "cert", "cert.pfx", "config.json", "cqlshrc", "identity.jks", "key", "trustStore.jks"}
	if diff := cmp.Diff(want, entryNames(t, s.BundleZip())); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	b := s.Bundle()
	if b.Keyspace() != "shop" || b.LocalDC() != "eu-west-1" || b.CQLPort() != int(s.ProxyAddrs()[0].Port()) {
		t.Errorf("keyspace %q, local datacenter %q, CQL port %d", b.Keyspace(), b.LocalDC(), b.CQLPort())
	}
	if b != s.Bundle() {
		t.Error("Bundle returns another one though nothing changed")
	}
}
