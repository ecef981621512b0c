package bundle

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// TLSConfig returns a new configuration for the metadata service, which the caller may change. The server must show a certificate for the bundle's
// host that an authority in the bundle has signed; no other authority counts. It asks for TLS 1.2 at least and shows the client certificate.
func (b *Bundle) TLSConfig() *tls.Config {
	c := b.contents()
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		ServerName:   c.config.host,
		RootCAs:      c.roots.Clone(),
		Certificates: c.certificates(),
	}
}

func (c *contents) certificates() []tls.Certificate {
	if c.identity.Leaf == nil {
		return nil
	}
	return []tls.Certificate{c.identity}
}

// Node is a Cassandra node behind the SNI proxy.
type Node struct {
	HostID    string // the node's host ID, which is the server name that tells the proxy where to go
	ProxyHost string // host of the proxy's address as the metadata service states it, without the port; empty: the bundle's host
}

// NodeTLSConfig returns a new configuration for a connection to a node through the SNI proxy, whatever address is dialed. It asks for TLS 1.2 at
// least and shows the client certificate.
//
// It has InsecureSkipVerify set, only because crypto/tls would compare the certificate with the server name, which is a host ID. Its
// VerifyConnection checks the server by the certificate rule of Astra, on resumed connections too. What it refuses is a
// [*tls.CertificateVerificationError], in which there is the error of [crypto/x509].
//
// TLS sessions are resumed, from a cache that belongs to this bundle: a bundle that replaces it never resumes with the old identity. The cache
// holds the sessions of 512 nodes. Set ClientSessionCache to nil to go without.
func (b *Bundle) NodeTLSConfig(node Node) *tls.Config {
	c := b.contents()
	name := c.proxyName(node)
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         node.HostID,
		Certificates:       c.certificates(),
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(state tls.ConnectionState) error {
			return verifyNode(state.PeerCertificates, c.roots, name)
		},
	}
	if c.sessions != nil {
		config.ClientSessionCache = sessionsOf{c.sessions, name}
	}
	return config
}

// proxyName is the name that the proxy's certificate must have: see verifyNode, 3.
func (c *contents) proxyName(node Node) string {
	if _, err := netip.ParseAddr(strings.Trim(node.ProxyHost, "[]")); node.ProxyHost == "" || err == nil {
		return c.config.host
	}
	return node.ProxyHost
}

// verifyNode is the certificate rule for connections to nodes. The proxy passes a connection on by its server name and shows its own certificate:
//
//  1. The server name sent (SNI) is the node's host ID. No certificate has it as its name, so it is not compared with any.
//  2. The chain must end in an authority of the bundle, and in no other, whatever the system trusts. The server need not send that authority. The
//     certificate must be valid now and be made for servers: the client certificate of another bundle comes from the same authority.
//  3. Exactly one name is accepted: the host of the proxy that the metadata service stated over a connection that was itself verified. Where that is
//     an IP address, it is the bundle's host, since Astra's certificates have no addresses; where the bundle's host is an address as well, the
//     certificate must have that address.
//  4. Names are those of the subject alternative name extension; a wildcard stands for one label. A common name is not looked at.
//  5. The address that is dialed does not matter: names resolve to several, private links and tunnels to others.
//  6. Resumed connections are verified like others, with the certificates of the session.
func verifyNode(peer []*x509.Certificate, roots *x509.CertPool, name string) error {
	fail := func(err error) error {
		return &tls.CertificateVerificationError{UnverifiedCertificates: peer, Err: err}
	}
	if name == "" { // which would be any to crypto/x509
		return fail(errors.New("neither the proxy nor the bundle has a host name"))
	}
	if len(peer) == 0 {
		return fail(fmt.Errorf("SNI proxy, expected to be %s: no certificate", name))
	}
	intermediates := x509.NewCertPool()
	for _, cert := range peer[1:] {
		intermediates.AddCert(cert)
	}
	_, err := peer[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		DNSName:       name,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if errors.As(err, new(x509.UnknownAuthorityError)) {
		err = fmt.Errorf("%w: is the bundle up to date, and does nothing on the way intercept TLS?", err)
	}
	if err != nil {
		return fail(fmt.Errorf("SNI proxy, expected to be %s: %w", name, err))
	}
	return nil
}

const maxSessions = 512

// sessionsOf keeps apart the sessions of one node under different names of the proxy. A session carries the certificate of the server that it was
// made with, which would not have the new name.
type sessionsOf struct {
	tls.ClientSessionCache
	proxyName string
}

func (s sessionsOf) Get(serverName string) (*tls.ClientSessionState, bool) {
	return s.ClientSessionCache.Get(s.key(serverName))
}

func (s sessionsOf) Put(serverName string, session *tls.ClientSessionState) {
	s.ClientSessionCache.Put(s.key(serverName), session)
}

func (s sessionsOf) key(serverName string) string { return s.proxyName + " " + serverName }
