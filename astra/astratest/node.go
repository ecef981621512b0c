package astratest

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Node is a simulated node. Its methods are safe for concurrent use.
type Node struct {
	cluster          *cluster
	hostID           string
	datacenter, rack string
	started          time.Time

	prepared preparedStatements
	queries  atomic.Int64

	// Guarded by cluster.mu.
	addr   netip.Addr
	tokens []int64
	up     bool

	mu     sync.Mutex
	conns  map[*conn]struct{}
	refuse bool // connections, as the node is down or gone
}

// HostID returns the node's host ID, a UUID in lower case. It never changes.
func (n *Node) HostID() string { return n.hostID }

// Datacenter returns the name of the datacenter that the node is in.
func (n *Node) Datacenter() string { return n.datacenter }

// Addr returns the address that the node tells clients. Nothing listens there.
func (n *Node) Addr() netip.Addr {
	n.cluster.mu.RLock()
	defer n.cluster.mu.RUnlock()
	return n.cluster.rpcAddr(n)
}

// Tokens returns the tokens on the Murmur3 ring that the node owns, sorted.
func (n *Node) Tokens() []int64 {
	n.cluster.mu.RLock()
	defer n.cluster.mu.RUnlock()
	return slices.Clone(n.tokens)
}

// Queries returns how many statements the node has answered that were registered with [Server.Handle]. Each page of a result counts, and each
// statement of a batch.
func (n *Node) Queries() int64 { return n.queries.Load() }

// Conns returns how many connections the node has, and how many of them have registered for events.
func (n *Node) Conns() (open, registered int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if c.events.Load() != 0 {
			registered++
		}
	}
	return len(n.conns), registered
}

// serve speaks the native protocol on netConn until netConn or ctx ends. It
// closes netConn and returns when no goroutine of its own is left.
func (n *Node) serve(ctx context.Context, netConn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := newConn(ctx, n, netConn)
	if !n.add(c) {
		netConn.Close()
		return
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		netConn.Close()
		close(closed)
	})
	c.serve()
	n.remove(c)
	if stop() {
		netConn.Close()
	} else {
		<-closed
	}
	cancel()
	c.goroutines.Wait()
	n.cluster.serving.Done()
}

// add counts a connection, unless the node is down or the cluster closed.
func (n *Node) add(c *conn) bool {
	n.cluster.mu.RLock()
	defer n.cluster.mu.RUnlock()
	if n.cluster.closed {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuse {
		return false
	}
	n.conns[c] = struct{}{}
	n.cluster.serving.Add(1)
	return true
}

func (n *Node) remove(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// closeConns closes every connection, after what is to be sent at once.
func (n *Node) closeConns() {
	n.mu.Lock()
	conns := make([]*conn, 0, len(n.conns))
	for c := range n.conns {
		conns = append(conns, c)
	}
	n.mu.Unlock()
	for _, c := range conns {
		c.out.finish()
	}
}

// setRefuse says whether connections are refused from now on.
func (n *Node) setRefuse(refuse bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = refuse
}
