package astratest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/scb"
	"github.com/seed-5f06b232/astra-go/token"
)

// Server is one Astra database with what surrounds it. Its methods are safe for concurrent use.
type Server struct {
	URL        string // of the DevOps API: http://127.0.0.1:PORT/v2
	DatabaseID string // a UUID

	settings settings
	cancel   context.CancelFunc
	cluster  *cluster
	backends atomic.Pointer[backends] // nil: the cluster's nodes are behind the proxy
	identity atomic.Pointer[identity]
	proxy    *proxy
	metadata *metadataService
	devops   *httpService
	dns      *dnsServer
	client   *http.Client

	mu     sync.Mutex
	token  token.Token
	status string
	bundle struct { // the last that was written
		identity *identity
		cqlPort  uint16
		zip      []byte
		parsed   *bundle.Bundle
	}
}

// NewServer starts an Astra with one region and three simulated nodes, unless options say otherwise. It panics when it cannot listen. The
// caller calls Close when it is done.
func NewServer(options ...Option) *Server {
	s := &Server{
		DatabaseID: newUUID(),
		settings:   defaultSettings(),
		token:      newToken(),
		status:     "ACTIVE",
	}
	for _, option := range options {
		option(&s.settings)
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	addrs := s.settings.listenAddrs()

	if s.settings.backends != nil {
		s.backends.Store(&s.settings.backends)
	}
	s.cluster = newCluster(clusterSettings{
		nodes:         s.settings.nodes,
		seed:          s.settings.seed,
		datacenter:    s.settings.datacenter,
		keyspace:      s.settings.keyspace,
		latency:       s.settings.latency,
		peersV2:       s.settings.peersV2,
		sharedAddress: s.settings.sharedAddress,
		authenticate:  s.authenticate,
	})
	// Whatever serves is started after what it uses.
	s.proxy = newProxy(ctx, s.settings.host, addrs, func() *tls.Config { return s.identity.Load().proxy.Load() }, s.upstreams)
	s.rotateIdentity()
	s.dns = newDNSServer(s.settings.host, addrs)
	s.metadata = newMetadataService(ctx, addrs, func() *tls.Config { return s.identity.Load().metadata.Load() }, s.present)
	listener := listen("127.0.0.1:0")
	s.URL = "http://" + listener.Addr().String() + "/v2"
	s.devops = newHTTPService(ctx, newDevOps(s), listener)
	s.proxy.start()
	s.metadata.observe()
	s.client = &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Resolver: s.Resolver()}).DialContext}}
	return s
}

// Close ends all connections and waits for every goroutine of the Server, also those of handlers.
func (s *Server) Close() {
	s.cancel()
	s.client.CloseIdleConnections()
	s.devops.close()
	s.metadata.close()
	s.proxy.close()
	s.cluster.close()
	s.dns.close()
}

// upstreams returns what is behind the proxy now.
func (s *Server) upstreams() upstreams {
	if b := s.backends.Load(); b != nil {
		return *b
	}
	return simulated{s.cluster}
}

// simulated makes the nodes of a cluster upstreams.
type simulated struct{ *cluster }

func (c simulated) find(hostID string) (upstream, bool) {
	if c.quirks.Load().IgnoreServerName {
		return c.anyNode()
	}
	return c.node(hostID)
}

func (c simulated) any() (upstream, bool) { return c.anyNode() }

// present is what an up-to-date metadata service answers.
func (s *Server) present() metadataDocument {
	return metadataDocument{
		Version: 1,
		Region:  s.settings.datacenter,
		ContactInfo: contactInfo{
			Type:            "sni_proxy",
			LocalDC:         s.settings.datacenter,
			ContactPoints:   s.upstreams().hostIDs(),
			SNIProxyAddress: net.JoinHostPort(s.settings.host, fmt.Sprint(s.proxy.currentPort())),
		},
	}
}

// authenticate is called for each CQL connection.
func (s *Server) authenticate(username, password string) error {
	if !s.DevOps().accepts(username, password) {
		return fmt.Errorf("Provided username %s and/or password are incorrect", username)
	}
	return nil
}

func (s *Server) rotateIdentity() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identity.Store(newIdentity(s.settings.host, s.settings.keyType, s.proxy.hello, *s.cluster.quirks.Load()))
}

// Token returns the application token that the Server accepts.
func (s *Server) Token() token.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// BundleZip returns a Secure Connect Bundle with all eight files, as Astra would give it out now. The caller must not change it.
func (s *Server) BundleZip() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeBundle()
	return s.bundle.zip
}

// Bundle returns the bundle of [Server.BundleZip]: the same one until that changes.
func (s *Server) Bundle() *bundle.Bundle {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeBundle()
	if s.bundle.parsed == nil {
		s.bundle.parsed = must(bundle.Parse(s.bundle.zip))
	}
	return s.bundle.parsed
}

// writeBundle brings s.bundle up to date. It is done only when somebody asks, because key stores take time. s.mu is held.
func (s *Server) writeBundle() {
	id, port := s.identity.Load(), s.proxy.currentPort()
	if b := &s.bundle; b.identity != id || b.cqlPort != port {
		b.identity, b.cqlPort, b.parsed = id, port, nil
		b.zip = id.zip(scb.Contents{
			Host:     s.settings.host,
			Port:     int(s.metadata.port),
			CQLPort:  int(port),
			Keyspace: s.settings.keyspace,
			LocalDC:  s.settings.datacenter,
		})
	}
}

// Client returns a client for URL. It takes no notice of proxy variables, and resolves names as [Server.Resolver] does.
func (s *Server) Client() *http.Client { return s.client }

func newUUID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
