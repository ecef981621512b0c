package astratest_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
)

// sniDialer is the least that gocql needs: it dials the proxy and names the host ID. It reads the metadata once.
type sniDialer struct {
	bundle        *bundle.Bundle
	proxy         string
	contactPoints []string
}

func (d *sniDialer) DialHost(ctx context.Context, host *gocql.HostInfo) (*gocql.DialedHost, error) {
	hostID := host.HostID()
	if hostID == "" {
		hostID = d.contactPoints[0]
	}
	dialer := tls.Dialer{Config: d.bundle.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: d.bundle.Host()})}
	conn, err := dialer.DialContext(ctx, "tcp", d.proxy)
	if err != nil {
		return nil, err
	}
	return &gocql.DialedHost{Conn: conn, DisableCoalesce: true}, nil
}

func newGocqlCluster(t *testing.T, s *astratest.Server) *gocql.ClusterConfig {
	t.Helper()
	m := metadata(t, s)
	cluster := gocql.NewCluster("0.0.0.1")
	cluster.ProtoVersion = 4
	cluster.HostDialer = &sniDialer{s.Bundle(), m.ContactInfo.SNIProxyAddress, m.ContactInfo.ContactPoints}
	username, password := s.Token().CQL()
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: username, Password: password}
	cluster.Consistency = gocql.LocalQuorum
	cluster.Timeout = 10 * time.Second
	cluster.Logger = gocql.NewLogger(gocql.LogLevelNone)
	return cluster
}

func TestGocql(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]astratest.Option{
		"default":        nil,
		"peers_v2":       {astratest.PeersV2()},
		"shared address": {astratest.SharedAddress()},
		"one node":       {astratest.NodeCount(1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := astratest.NewServer(options...)
			defer s.Close()
			session, err := newGocqlCluster(t, s).CreateSession()
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			var datacenter string
			for range 20 {
				if err := session.Query("SELECT data_center FROM system.local").Scan(&datacenter); err != nil {
					t.Fatal(err)
				}
			}
			if datacenter != "us-east1" {
				t.Errorf("datacenter %q", datacenter)
			}
			stats := s.Stats()
			for _, n := range s.Nodes() {
				if stats.BySNI[n.HostID()] == 0 && name != "shared address" { // gocql mixes such nodes up
					t.Errorf("node %s was not dialed: %v", n.HostID(), stats.BySNI)
				}
			}
			session.Close()
			waitFor(t, "gocql's connections to end", func() bool { return s.Stats().OpenConns == 0 })
		})
	}
}

func TestGocqlTokenRotated(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	cluster := newGocqlCluster(t, s)
	s.RotateToken()
	session, err := cluster.CreateSession()
	if err == nil {
		session.Close()
		t.Fatal("the old token is still accepted")
	}
	if !strings.Contains(err.Error(), "incorrect") {
		t.Errorf("got %v, want the server's words", err)
	}
	session, err = newGocqlCluster(t, s).CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	session.Close()
}

// A client that goes to the addresses that nodes report finds nobody.
func TestNodesCannotBeDialedDirectly(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	session, err := newGocqlCluster(t, s).CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	iter := session.Query("SELECT rpc_address FROM system.peers").Iter()
	var addr net.IP
	count := 0
	for iter.Scan(&addr) {
		count++
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(addr.String(), "9042"), time.Second)
		if err == nil {
			conn.Close()
			t.Errorf("something listens on %v", addr)
		}
	}
	if err := iter.Close(); err != nil || count != 2 {
		t.Errorf("%d peers, %v", count, err)
	}
}
