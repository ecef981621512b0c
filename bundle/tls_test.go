package bundle_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

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
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	return conn.ConnectionState(), nil
}

// issue makes a certificate by the shared authority.
func issue(t testing.TB, leaf pki.Leaf) tls.Certificate {
	t.Helper()
	return must[*pki.KeyPair](t)(sharedAuthority().Issue(leaf)).TLS()
}

func dns(names ...string) pki.Leaf {
	return pki.Leaf{CommonName: names[0], DNSNames: names, Server: true, Client: true}
}

func ips(addresses ...string) pki.Leaf {
	leaf := pki.Leaf{CommonName: addresses[0], Server: true, Client: true}
	for _, address := range addresses {
		leaf.IPs = append(leaf.IPs, net.ParseIP(address))
	}
	return leaf
}

// bundleFor is the test bundle with another host.
func bundleFor(t testing.TB, host string) *bundle.Bundle {
	t.Helper()
	return parse(t, with(files(t), map[string][]byte{"cqlshrc": nil, "config.json": config(t, map[string]any{"host": host})}))
}

func TestNodeCertificateNames(t *testing.T) {
	t.Parallel()
	const wildcard = "*.db.astra.datastax.com"
	for name, test := range map[string]struct {
		leaf       pki.Leaf
		bundleHost string // empty: astraHost
		proxyHost  string
		ok         bool
	}{
		"exact":                                {leaf: dns(astraHost), proxyHost: astraHost, ok: true},
		"wildcard of one label":                {leaf: dns(wildcard), proxyHost: astraHost, ok: true},
		"custom domain":                        {leaf: dns(wildcard, "*.example.com", "*.customdomain.com"), proxyHost: "db.customdomain.com", ok: true},
		"proxy's name is not the bundle's":     {leaf: dns("proxy.test"), proxyHost: "proxy.test", ok: true},
		"capitals in the proxy's name":         {leaf: dns(wildcard), proxyHost: strings.ToUpper(astraHost), ok: true},
		"dot after the proxy's name":           {leaf: dns(wildcard), proxyHost: astraHost + ".", ok: true},
		"no proxy's name":                      {leaf: dns(wildcard), ok: true},
		"no proxy's name, another certificate": {leaf: dns("other.test")},
		"IPv4 proxy":                           {leaf: dns(wildcard), proxyHost: "192.0.2.1", ok: true},
		"IPv6 proxy":                           {leaf: dns(wildcard), proxyHost: "2001:db8::1", ok: true},
		"IPv6 proxy in brackets":               {leaf: dns(wildcard), proxyHost: "[2001:db8::1]", ok: true},
		"IPv6 proxy with zone":                 {leaf: dns(wildcard), proxyHost: "fe80::1%eth0", ok: true},
		"both are one IPv4 address":            {leaf: ips("192.0.2.1"), bundleHost: "192.0.2.1", proxyHost: "192.0.2.1", ok: true},
		"both are IPv6 addresses":              {leaf: ips("2001:db8::1"), bundleHost: "[2001:db8::1]", proxyHost: "2001:db8::2", ok: true},
		"wrong top-level domain":               {leaf: dns(wildcard), proxyHost: "x.db.astra.datastax.org"},
		"wrong subdomain":                      {leaf: dns(wildcard), proxyHost: "x.app.astra.datastax.com"},
		"wrong domain":                         {leaf: dns(wildcard), proxyHost: "x.db.astra.example.com"},
		"wildcard of another domain":           {leaf: dns("*.example.com"), proxyHost: astraHost},
		"wildcard for two labels":              {leaf: dns(wildcard), proxyHost: "a.b.db.astra.datastax.com"},
		"wildcard for no label":                {leaf: dns(wildcard), proxyHost: "db.astra.datastax.com"},
		"wildcard within a label":              {leaf: dns("x*.db.astra.datastax.com"), proxyHost: "xy.db.astra.datastax.com"},
		"wildcard not on the left":             {leaf: dns("db.*.datastax.com"), proxyHost: "db.astra.datastax.com"},
		"common name alone":                    {leaf: pki.Leaf{CommonName: astraHost, Server: true}, proxyHost: astraHost},
		"common name beside others":            {leaf: pki.Leaf{CommonName: astraHost, DNSNames: []string{"other.test"}, Server: true}, proxyHost: astraHost},
		"bundle's host for another proxy":      {leaf: dns(astraHost), proxyHost: "proxy.test"},
		"host ID":                              {leaf: dns(hostID), proxyHost: astraHost},
		"IPv4 proxy, its address alone":        {leaf: ips("192.0.2.1"), proxyHost: "192.0.2.1"},
		"IPv4 proxy, another name":             {leaf: dns("other.test"), proxyHost: "192.0.2.1"},
		"both are addresses, the proxy's":      {leaf: ips("192.0.2.2"), bundleHost: "192.0.2.1", proxyHost: "192.0.2.2"},
		"both are addresses, in a name":        {leaf: dns("192.0.2.1"), bundleHost: "192.0.2.1", proxyHost: "192.0.2.1"},
		"proxy has a name, bundle an address":  {leaf: ips("192.0.2.1"), bundleHost: "192.0.2.1", proxyHost: "proxy.test"},
		"the address that is dialed":           {leaf: ips("127.0.0.1"), proxyHost: astraHost},
		"no name":                              {leaf: pki.Leaf{Server: true}, proxyHost: astraHost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, issue(t, test.leaf))
			if test.bundleHost == "" {
				test.bundleHost = astraHost
			}
			b := bundleFor(t, test.bundleHost)
			_, err := s.dial(b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: test.proxyHost}))
			if test.ok {
				if err != nil {
					t.Fatal(err)
				}
				if state := <-s.states; state.ServerName != hostID {
					t.Errorf("server name %q, want the host ID", state.ServerName)
				}
				return
			}
			var verification *tls.CertificateVerificationError
			var hostname x509.HostnameError
			if !errors.As(err, &verification) || !errors.As(err, &hostname) {
				t.Errorf("%v, want a CertificateVerificationError of a HostnameError", err)
			}
			if strings.HasPrefix(name, "common name alone") && !strings.Contains(err.Error(), "legacy Common Name") {
				t.Errorf("the error does not mention the common name: %v", err)
			}
		})
	}
}

func TestNodeCertificateChains(t *testing.T) {
	t.Parallel()
	other := must[*pki.Authority](t)(pki.NewAuthority("other", pki.ECDSA))
	namesake := must[*pki.Authority](t)(pki.NewAuthority(sharedAuthority().Certificate().Subject.CommonName, pki.ECDSA))
	between := must[*pki.Authority](t)(sharedAuthority().Subordinate("between", pki.ECDSA))
	rsa := must[*pki.Authority](t)(pki.NewAuthority("rsa", pki.RSA))
	by := func(authority *pki.Authority, leaf pki.Leaf, chain ...*pki.Authority) tls.Certificate {
		certificate := must[*pki.KeyPair](t)(authority.Issue(leaf)).TLS()
		for _, a := range chain {
			certificate.Certificate = append(certificate.Certificate, a.Certificate().Raw)
		}
		return certificate
	}
	server := dns(astraHost)
	change := func(change func(*pki.Leaf)) pki.Leaf { leaf := server; change(&leaf); return leaf }
	now := time.Now()
	for name, test := range map[string]struct {
		certificate tls.Certificate
		trust       *pki.Authority // nil: the shared one
		refused     func(error) bool
	}{
		"root not sent":      {certificate: by(sharedAuthority(), server)},
		"root sent":          {certificate: by(sharedAuthority(), server, sharedAuthority())},
		"server usage alone": {certificate: by(sharedAuthority(), change(func(l *pki.Leaf) { l.Client = false }))},
		"no usage":           {certificate: by(sharedAuthority(), change(func(l *pki.Leaf) { l.Client, l.Server = false, false }))},
		"intermediate sent":  {certificate: by(between, server, between)},
		"RSA":                {certificate: by(rsa, change(func(l *pki.Leaf) { l.KeyType = pki.RSA })), trust: rsa},

		"another authority":                   {certificate: by(other, server), refused: unknownAuthority},
		"another authority, sent":             {certificate: by(other, server, other), refused: unknownAuthority},
		"another authority of the same name":  {certificate: by(namesake, server, namesake), refused: unknownAuthority},
		"bundle's authority sent with it":     {certificate: by(other, server, sharedAuthority()), refused: unknownAuthority},
		"intermediate not sent":               {certificate: by(between, server), refused: unknownAuthority},
		"another bundle's client certificate": {certificate: by(sharedAuthority(), change(func(l *pki.Leaf) { l.Server = false })), refused: incompatibleUsage},
		"expired":                             {certificate: by(sharedAuthority(), change(func(l *pki.Leaf) { l.NotBefore, l.NotAfter = now.AddDate(-2, 0, 0), now.Add(-time.Hour) })), refused: expired},
		"not yet valid":                       {certificate: by(sharedAuthority(), change(func(l *pki.Leaf) { l.NotBefore = now.Add(time.Hour) })), refused: expired},
		"version 1 client certificate":        {certificate: by(sharedAuthority(), pki.Leaf{CommonName: astraHost, V1: true}), refused: hostnameError},
		"signed by a leaf":                    {certificate: signedByLeaf(t), refused: notAuthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.certificate)
			trust := sharedAuthority()
			if test.trust != nil {
				trust = test.trust
			}
			b := parse(t, with(files(t), map[string][]byte{"ca.crt": trust.CertPEM()}))
			_, err := s.dial(b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost}))
			_, metadataErr := s.dial(b.TLSConfig())
			if test.refused == nil {
				if err != nil || metadataErr != nil {
					t.Errorf("node: %v, metadata service: %v", err, metadataErr)
				}
				return
			}
			for _, err := range []error{err, metadataErr} {
				var verification *tls.CertificateVerificationError
				if !errors.As(err, &verification) || !test.refused(err) {
					t.Errorf("%v (%T), want another reason", err, errors.Unwrap(err))
				}
			}
		})
	}
}

// signedByLeaf is a server certificate signed with the key of another that is no authority.
func signedByLeaf(t testing.TB) tls.Certificate {
	t.Helper()
	leaf := must[*pki.KeyPair](t)(sharedAuthority().Issue(dns("leaf.test")))
	certificate := must[*pki.KeyPair](t)(pki.AuthorityOf(leaf).Issue(dns(astraHost))).TLS()
	certificate.Certificate = append(certificate.Certificate, leaf.Certificate.Raw)
	return certificate
}

func unknownAuthority(err error) bool { return errors.As(err, new(x509.UnknownAuthorityError)) }
func hostnameError(err error) bool    { return errors.As(err, new(x509.HostnameError)) }

func invalid(reasons ...x509.InvalidReason) func(error) bool {
	return func(err error) bool {
		var e x509.CertificateInvalidError
		if !errors.As(err, &e) {
			return false
		}
		for _, reason := range reasons {
			if e.Reason == reason {
				return true
			}
		}
		return false
	}
}

var (
	expired           = invalid(x509.Expired)
	incompatibleUsage = invalid(x509.IncompatibleUsage)
)

func notAuthorized(err error) bool {
	return invalid(x509.NotAuthorizedToSign)(err) || unknownAuthority(err)
}

func TestServersThatDemandOtherClients(t *testing.T) {
	t.Parallel()
	other := must[*pki.Authority](t)(pki.NewAuthority("other", pki.ECDSA))
	s := serve(t, issue(t, dns(astraHost)), func(c *tls.Config) {
		c.ClientCAs = x509.NewCertPool()
		c.ClientCAs.AddCert(other.Certificate())
	})
	if _, err := s.dial(parse(t, files(t)).NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost})); err == nil {
		t.Error("a server that trusts another authority accepted the client")
	}
}

func TestVersionsOfTLS(t *testing.T) {
	t.Parallel()
	b := parse(t, files(t))
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		s := serve(t, issue(t, dns(astraHost)), func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version })
		for name, config := range map[string]*tls.Config{"node": b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost}), "metadata": b.TLSConfig()} {
			if _, err := s.dial(config); (err == nil) != ok {
				t.Errorf("%s, %s: %v", tls.VersionName(version), name, err)
			}
		}
	}
}

func TestConfigurationsAreFresh(t *testing.T) {
	t.Parallel()
	b := parse(t, files(t))
	s := astraServer(t)
	stranger := must[*pki.Authority](t)(pki.NewAuthority("stranger", pki.ECDSA))
	strangers := serve(t, must[*pki.KeyPair](t)(stranger.Issue(dns("stranger.test"))).TLS())
	for _, config := range []*tls.Config{b.TLSConfig(), b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost})} {
		config.ServerName = "stranger.test"
		config.Certificates[0] = tls.Certificate{}
		config.VerifyConnection = nil
		if config.RootCAs != nil {
			config.RootCAs.AddCert(stranger.Certificate())
		}
	}
	handshake(t, b, s)
	changed := b.TLSConfig()
	changed.ServerName = "stranger.test"
	if _, err := strangers.dial(changed); !unknownAuthority(err) {
		t.Errorf("an authority that was added to one configuration counts in another: %v", err)
	}
}

func TestResumption(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			s := serve(t, issue(t, dns(astraHost, "proxy.test")), func(c *tls.Config) { c.MaxVersion = version })
			all := files(t)
			b := parse(t, all)
			node := bundle.Node{HostID: hostID, ProxyHost: astraHost}
			resumed := func(what string, config *tls.Config, want bool) {
				t.Helper()
				state, err := s.dial(config)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if state.DidResume != want {
					t.Errorf("%s: resumed %v, want %v", what, state.DidResume, want)
				}
			}
			resumed("first connection", b.NodeTLSConfig(node), false)
			resumed("second connection", b.NodeTLSConfig(node), true)
			resumed("another node", b.NodeTLSConfig(bundle.Node{HostID: "other", ProxyHost: astraHost}), false)
			resumed("another name of the proxy", b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: "proxy.test"}), false)
			resumed("address of the proxy, so that the name is the bundle's", b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: "192.0.2.1"}), true)
			resumed("the same bundle parsed again", parse(t, all).NodeTLSConfig(node), false)
			off := b.NodeTLSConfig(node)
			off.ClientSessionCache = nil
			resumed("cache taken away", off, false)
			resumed("the bundle still", b.NodeTLSConfig(node), true)
		})
	}
}

// A configuration for another name gets the session of the first one by force. crypto/tls then verifies nothing but what VerifyConnection does.
func TestResumedConnectionsAreVerified(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		s := serve(t, issue(t, dns(astraHost)), func(c *tls.Config) { c.MaxVersion = version })
		b := parse(t, files(t))
		first := b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost})
		if _, err := s.dial(first); err != nil {
			t.Fatal(err)
		}
		for name, strange := range map[string]*tls.Config{
			"another name":      b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: "proxy.test"}),
			"another authority": otherBundle(t).NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost}),
		} {
			if _, err := s.dial(b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost})); err != nil { // a new session
				t.Fatal(err)
			}
			strange.ClientSessionCache = first.ClientSessionCache
			resumed := false
			verify := strange.VerifyConnection
			strange.VerifyConnection = func(state tls.ConnectionState) error {
				resumed = state.DidResume
				return verify(state)
			}
			_, err := s.dial(strange)
			var verification *tls.CertificateVerificationError
			if !errors.As(err, &verification) || !resumed {
				t.Errorf("%s, %s: %v on a connection with resumption %v", tls.VersionName(version), name, err, resumed)
			}
		}
	}
}

// otherBundle trusts another authority, with the client certificate of the test bundle.
func otherBundle(t testing.TB) *bundle.Bundle {
	t.Helper()
	other := must[*pki.Authority](t)(pki.NewAuthority("other", pki.ECDSA))
	return parse(t, with(files(t), map[string][]byte{"ca.crt": other.CertPEM()}))
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	b := parse(t, files(t))
	cache := b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost}).ClientSessionCache
	const most = 512
	for i := range most + 1 {
		cache.Put(fmt.Sprint(i), new(tls.ClientSessionState))
	}
	kept := 0
	for i := range most + 1 {
		if _, ok := cache.Get(fmt.Sprint(i)); ok {
			kept++
		}
	}
	if kept != most {
		t.Errorf("%d sessions kept, want %d", kept, most)
	}
}

func TestBundleOfNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, issue(t, dns(astraHost)), func(c *tls.Config) { c.ClientAuth = tls.NoClientCert })
	for _, b := range []*bundle.Bundle{nil, new(bundle.Bundle)} {
		if got, err := b.Current(t.Context()); got != nil || err == nil {
			t.Errorf("Current() = %v, %v", got, err)
		}
		if err := b.Verify(); err == nil {
			t.Error("Verify finds nothing wrong")
		}
		config := b.TLSConfig()
		config.ServerName = astraHost
		if _, err := s.dial(config); !unknownAuthority(err) {
			t.Errorf("metadata service: %v", err)
		}
		if _, err := s.dial(b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost})); !unknownAuthority(err) {
			t.Errorf("node: %v", err)
		}
		if _, err := s.dial(b.NodeTLSConfig(bundle.Node{HostID: hostID})); err == nil || !strings.Contains(err.Error(), "neither the proxy nor the bundle") {
			t.Errorf("node without any name: %v", err)
		}
		if b.Host() != "" || b.Port() != 0 || b.CQLPort() != 0 || b.Keyspace() != "" || b.LocalDC() != "" || b.DatabaseID() != "" || b.Region() != "" {
			t.Errorf("it says something: %v", b)
		}
		if b.Certificate() != nil || b.CQLSHRC() != nil || len(b.Warnings()) > 0 {
			t.Error("it has something")
		}
	}
}
