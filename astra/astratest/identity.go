package astratest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// identity is one generation of certificates: a CA, what the server shows and what clients get in their bundle.
type identity struct {
	ca     *pki.Authority
	client *pki.KeyPair

	host       string
	keyType    pki.KeyType
	proxyHello helloFunc
	metadata   atomic.Pointer[tls.Config]
	proxy      atomic.Pointer[tls.Config]
}

type helloFunc = func(*tls.ClientHelloInfo) (*tls.Config, error)

// newIdentity makes keys and certificates. proxyHello sees each ClientHello at the proxy.
func newIdentity(host string, keyType pki.KeyType, proxyHello helloFunc, q Quirks) *identity {
	ca := must(pki.NewAuthority("ca.db.astra.test", keyType))
	id := &identity{
		ca:         ca,
		client:     must(ca.Issue(pki.Leaf{CommonName: "client", Client: true, KeyType: keyType})),
		host:       host,
		keyType:    keyType,
		proxyHello: proxyHello,
	}
	id.serve(q)
	return id
}

// serve makes a certificate for the server, and what it does with it.
func (id *identity) serve(q Quirks) {
	server := pki.Leaf{CommonName: id.host, DNSNames: q.CertificateNames, Server: true, Client: true, KeyType: id.keyType}
	if ip := net.ParseIP(id.host); q.CommonNameOnly || len(q.CertificateNames) > 0 {
		// no name of its own
	} else if ip != nil {
		server.IPs = []net.IP{ip}
	} else {
		server.DNSNames = []string{id.host}
	}
	clientCAs := x509.NewCertPool()
	clientCAs.AddCert(id.ca.Certificate())
	metadata := &tls.Config{
		Certificates: []tls.Certificate{must(id.ca.Issue(server)).TLS()},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clientCAs,
		MinVersion:   tls.VersionTLS12,
	}
	q.serverTLS(metadata, id.ca.Certificate().Raw)
	proxy := metadata.Clone()
	proxy.GetConfigForClient = id.proxyHello
	id.metadata.Store(metadata)
	id.proxy.Store(proxy)
}

// zip writes the bundle that holds this identity.
func (id *identity) zip(c scb.Contents) []byte {
	c.CA = id.ca.Certificate()
	c.Certificate = id.client.Certificate
	c.Key = id.client.Key
	return must(scb.Zip(must(scb.Files(c))))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("astratest: %v", err))
	}
	return value
}
