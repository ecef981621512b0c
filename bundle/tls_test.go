package bundle_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/pki"
)

// server accepts TLS connections on loopback from clients with a certificate by the shared authority, and greets each with one byte.
type server struct {
	addr   string
	states chan tls.ConnectionState // of the handshakes that succeeded
}

func serve(t testing.TB, certificate tls.Certificate, change ...func(*tls.Config)) *server {
	t.Helper()
	clients := x509.NewCertPool()
	clients.AddCert(sharedAuthority().Certificate())
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	for _, c := range change {
		c(config)
	}
	listener := must[net.Listener](t)(tls.Listen("tcp", "127.0.0.1:0", config))
	s := &server{addr: listener.Addr().String(), states: make(chan tls.ConnectionState, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if conn := conn.(*tls.Conn); conn.Handshake() == nil {
				s.states <- conn.ConnectionState()
				conn.Write([]byte{'!'})
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return s
}

// dial makes a whole connection: in TLS 1.3 the server's verdict on the client and its session tickets arrive after the handshake.
func (s *server) dial(config *tls.Config) (tls.ConnectionState, error) {
	conn, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	return conn.ConnectionState(), nil
}

// issue makes a certificate by the shared authority.
func issue(t testing.TB, leaf pki.Leaf) tls.Certificate {
	t.Helper()
	return must[*pki.KeyPair](t)(sharedAuthority().Issue(leaf)).TLS()
}

func TestHandshakeWithNode(t *testing.T) {
	t.Parallel()
	s := serve(t, issue(t, pki.Leaf{DNSNames: []string{"*.db.astra.datastax.com"}, Server: true, Client: true}))
	b := parse(t, files(t))
	if _, err := s.dial(b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost})); err != nil {
		t.Fatal(err)
	}
	if state := <-s.states; state.ServerName != hostID {
		t.Errorf("server name %q, want the host ID", state.ServerName)
	}
	_, err := s.dial(b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: "proxy.example.com"}))
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		t.Errorf("another name: %v, want a CertificateVerificationError", err)
	}
}

func TestHandshakeWithMetadataService(t *testing.T) {
	t.Parallel()
	s := serve(t, issue(t, pki.Leaf{DNSNames: []string{"*.db.astra.datastax.com"}, Server: true, Client: true}))
	if _, err := s.dial(parse(t, files(t)).TLSConfig()); err != nil {
		t.Fatal(err)
	}
}
