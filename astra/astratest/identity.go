package astratest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"

	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// identity is one generation of certificates: a CA, what the server shows and what clients get in their bundle.
type identity struct {
	ca       *pki.Authority
	client   *pki.KeyPair
	metadata *tls.Config
	proxy    *tls.Config
}

type helloFunc = func(*tls.ClientHelloInfo) (*tls.Config, error)

// newIdentity makes keys and certificates. proxyHello sees each ClientHello at the proxy.
func newIdentity(host string, keyType pki.KeyType, proxyHello helloFunc) *identity {
	ca := must(pki.NewAuthority("ca.db.astra.test", keyType))
	server := pki.Leaf{CommonName: host, Server: true, Client: true, KeyType: keyType}
	if ip := net.ParseIP(host); ip != nil {
		server.IPs = []net.IP{ip}
	} else {
		server.DNSNames = []string{host}
	}
	id := &identity{
		ca:     ca,
		client: must(ca.Issue(pki.Leaf{CommonName: "client", Client: true, KeyType: keyType})),
	}
	clientCAs := x509.NewCertPool()
	clientCAs.AddCert(ca.Certificate())
	id.metadata = &tls.Config{
		Certificates: []tls.Certificate{must(ca.Issue(server)).TLS()},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clientCAs,
		MinVersion:   tls.VersionTLS12,
	}
	id.proxy = id.metadata.Clone()
	id.proxy.GetConfigForClient = proxyHello
	return id
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
