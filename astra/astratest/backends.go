package astratest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// Backend is a real Cassandra node behind the proxy.
type Backend struct {
	HostID string // as in the node's system.local
	Addr   string // host:port where it speaks CQL, without TLS
}

// Backends puts real Cassandra nodes behind the proxy in place of simulated ones. The metadata service names their host IDs, and the proxy
// copies bytes between a client and the node that it asked for. A node that refuses the proxy's connection is down, for which clients see
// a close after the handshake.
//
// Bytes are copied as they are, so some things are as Cassandra has them and not as Astra has them: SUPPORTED lacks PRODUCT_TYPE,
// system.peers_v2 exists, protocol version 5 is offered, and nothing is forbidden that Astra forbids. Credentials are the nodes' own:
// create a role whose name and password are those of [Server.Token]. [Datacenter] must be the nodes' own.
//
// What acts on simulated nodes, such as Handle and ReplaceNodes, has no effect then; [Server.SetBackends] replaces real nodes.
func Backends(backends ...Backend) Option {
	set := newBackends(backends)
	return func(s *settings) { s.backends = set }
}

// SetBackends replaces the nodes behind the proxy for new connections; open ones go on until their node or client ends them. It panics
// without the option [Backends].
func (s *Server) SetBackends(backends ...Backend) {
	if s.backends.Load() == nil {
		panic("astratest: SetBackends on a Server that was made without the option Backends")
	}
	set := newBackends(backends)
	s.backends.Store(&set)
	s.metadata.observe()
}

// backends implements upstreams.
type backends []*backend

type backend struct{ hostID, addr string }

func newBackends(list []Backend) backends {
	set := make(backends, 0, len(list))
	for _, b := range list {
		hostID := strings.ToLower(b.HostID)
		if _, _, err := net.SplitHostPort(b.Addr); err != nil || hostID == "" || slices.Contains(set.hostIDs(), hostID) {
			panic(fmt.Sprintf("astratest: backend %+v needs an address host:port and a host ID of its own", b))
		}
		set = append(set, &backend{hostID, b.Addr})
	}
	return set
}

func (bs backends) hostIDs() []string {
	ids := make([]string, len(bs))
	for i, b := range bs {
		ids[i] = b.hostID
	}
	return ids
}

func (bs backends) find(hostID string) (upstream, bool) {
	for _, b := range bs {
		if b.hostID == hostID {
			return b, true
		}
	}
	return nil, false
}

// any prefers nodes that are up.
func (bs backends) any() (upstream, bool) {
	if len(bs) == 0 {
		return nil, false
	}
	return anyBackend(bs), true
}

// anyBackend tries its nodes in turn.
type anyBackend []*backend

func (bs anyBackend) serve(ctx context.Context, client net.Conn) {
	for _, b := range bs {
		if node, err := b.dial(ctx); err == nil {
			relay(client, node)
			return
		}
	}
	client.Close()
}

func (b *backend) serve(ctx context.Context, client net.Conn) {
	anyBackend{b}.serve(ctx, client)
}

func (b *backend) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return dialer.DialContext(ctx, "tcp", b.addr)
}

// relay copies both ways until both ends have closed or either fails, and closes both. The end of one direction is passed on, with the other
// going on; a failure is passed on as one.
func relay(client, node net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		relayHalf(node, client)
	}()
	relayHalf(client, node)
	<-done
	client.Close()
	node.Close()
}

func relayHalf(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if err == nil {
		err = to.(interface{ CloseWrite() error }).CloseWrite()
	}
	if err != nil {
		abort(to)
		abort(from)
	}
}

// abort ends a connection with RST, through TLS too.
func abort(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if s, ok := conn.(*socket); ok {
		s.abort()
	} else {
		reset(conn)
	}
}
