package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/token"
)

// This file is the baseline: the least that plain gocql needs to reach Astra's nodes, and gocql's own settings for everything else. It asks the metadata
// service once and has the library's rule for certificates.

// plainDialer is a gocql.HostDialer that dials hosts by their IDs through the SNI proxy, and placeholders as contact points.
type plainDialer struct {
	bundle *bundle.Bundle
	info   contactInfo

	mu   sync.Mutex
	next int
}

type contactInfo struct {
	ContactPoints []string `json:"contact_points"`
	Proxy         string   `json:"sni_proxy_address"`
}

func newPlainDialer(ctx context.Context, b *bundle.Bundle) (*plainDialer, error) {
	transport := &http.Transport{TLSClientConfig: b.TLSConfig(), DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.MetadataURL(), nil)
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		ContactInfo contactInfo `json:"contact_info"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	return &plainDialer{bundle: b, info: answer.ContactInfo}, nil
}

func (d *plainDialer) DialHost(ctx context.Context, host *gocql.HostInfo) (*gocql.DialedHost, error) {
	id := host.HostID()
	if id == "" {
		d.mu.Lock()
		id = d.info.ContactPoints[d.next%len(d.info.ContactPoints)]
		d.next++
		d.mu.Unlock()
	}
	proxyHost, _, err := net.SplitHostPort(d.info.Proxy)
	if err != nil {
		return nil, err
	}
	config := d.bundle.NodeTLSConfig(bundle.Node{HostID: id, ProxyHost: proxyHost})
	config.ClientSessionCache = nil // as it is unless one asks for it
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", d.info.Proxy)
	if err != nil {
		return nil, err
	}
	return &gocql.DialedHost{Conn: conn, DisableCoalesce: true}, nil // gocql says that one must with TLS
}

// plainCluster returns a configuration for gocql with the baseline's dialer.
func plainCluster(ctx context.Context, b *bundle.Bundle, t token.Token) (*gocql.ClusterConfig, error) {
	d, err := newPlainDialer(ctx, b)
	if err != nil {
		return nil, err
	}
	var placeholders []string
	for i := range d.info.ContactPoints {
		placeholders = append(placeholders, fmt.Sprintf("0.0.0.%d", i+1))
	}
	cluster := gocql.NewCluster(placeholders...)
	username, password := t.CQL()
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: username, Password: password}
	cluster.Consistency = gocql.LocalQuorum
	cluster.HostDialer = d
	return cluster, nil
}
