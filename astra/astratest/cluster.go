package astratest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// clusterSettings is what a Server fixes when it makes its cluster.
type clusterSettings struct {
	nodes         int           // of the local datacenter; less than 1 means 3
	seed          uint64        // of host IDs and tokens; 0 means a random one
	datacenter    string        // the local one
	keyspace      string        // exists from the start, with one table; empty: none
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
	settings   clusterSettings
	statements statements
	traces     traces
	schema     atomic.Pointer[schema]
	overloaded atomic.Bool
	quirks     atomic.Pointer[Quirks]
	turn       atomic.Uint64 // of anyNode

	mu         sync.RWMutex
	nodes      []*Node // present ones; those of the local datacenter first, each in the place of the one that it replaced
	addresses  int     // given to nodes so far
	random     *rand.Rand
	splitUntil time.Time // until then nodes tell different schema versions
	closed     bool

	serving sync.WaitGroup // calls of Node.serve
}

func newCluster(settings clusterSettings) *cluster {
	if settings.nodes < 1 {
		settings.nodes = 3
	}
	if settings.seed == 0 {
		settings.seed = rand.Uint64()
	}
	c := &cluster{settings: settings, random: rand.New(rand.NewPCG(settings.seed, 0))}
	c.quirks.Store(new(Quirks))
	c.statements.registered = make(map[string]*registered)
	c.statements.plans = make(map[planKey]*plan)
	c.schema.Store(&schema{keyspaces: make(map[string]*keyspace), version: c.newUUID()})
	if _, err := c.define(systemCQL); err != nil {
		panic("astratest: system.cql: " + err.Error())
	}
	if !settings.peersV2 {
		s := c.schema.Load().clone()
		delete(s.keyspaces["system"].tables, "peers_v2")
		c.schema.Store(s)
	}
	if settings.keyspace != "" {
		name := cql.QuoteName(settings.keyspace)
		if _, err := c.define(fmt.Sprintf("CREATE KEYSPACE %s; CREATE TABLE %[1]s.items (id int PRIMARY KEY, name text);", name)); err != nil {
			panic("astratest: " + err.Error())
		}
	}
	c.addNodes(settings.datacenter, settings.nodes)
	return c
}

// node returns the node of the local datacenter with this host ID, in upper
// or lower case. It reports false when there is none or when it is down.
func (c *cluster) node(hostID string) (*Node, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, n := range c.local() {
		if strings.EqualFold(n.hostID, hostID) {
			return n, n.up
		}
	}
	return nil, false
}

// anyNode returns the nodes of the local datacenter that are up in turn. It
// reports false when none is.
func (c *cluster) anyNode() (*Node, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	nodes := c.local()
	first := c.turn.Add(1)
	for i := range uint64(len(nodes)) {
		if n := nodes[(first+i)%uint64(len(nodes))]; n.up {
			return n, true
		}
	}
	return nil, false
}

// hostIDs returns the host IDs of the local datacenter, also of nodes that
// are down: what the metadata service names.
func (c *cluster) hostIDs() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var ids []string
	for _, n := range c.local() {
		ids = append(ids, n.hostID)
	}
	return ids
}

// local returns the nodes of the local datacenter. c.mu is held.
func (c *cluster) local() []*Node {
	for i, n := range c.nodes {
		if n.datacenter != c.settings.datacenter {
			return c.nodes[:i]
		}
	}
	return c.nodes
}

// close ends every connection and waits for each call of serve to return.
func (c *cluster) close() {
	c.mu.Lock()
	c.closed = true
	nodes := c.nodes
	c.mu.Unlock()
	for _, n := range nodes {
		n.closeConns()
	}
	c.serving.Wait()
}

// newUUID returns a UUID of version 4. c.mu is held, or c is not shared yet.
func (c *cluster) newUUID() (id [16]byte) {
	for i := range id {
		id[i] = byte(c.random.Uint32())
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// newAddr returns an address that no other node has had, of a part of the
// loopback network where nothing listens. c.mu is held.
func (c *cluster) newAddr() netip.Addr {
	c.addresses++
	return netip.AddrFrom4([4]byte{127, byte(100 + c.addresses>>16), byte(c.addresses >> 8), byte(c.addresses)})
}

// rpcAddr returns the address that n tells clients. c.mu is held.
func (c *cluster) rpcAddr(n *Node) netip.Addr {
	if c.settings.sharedAddress {
		return netip.AddrFrom4([4]byte{127, 100, 0, 0})
	}
	return n.addr
}

// schemaVersion returns the version that n has. c.mu is held.
func (c *cluster) schemaVersion(n *Node) [16]byte {
	version := c.schema.Load().version
	if time.Now().Before(c.splitUntil) {
		id, _ := cql.ParseUUID(n.hostID)
		for i := range 6 {
			version[i] ^= id[i]
		}
	}
	return version
}

// define declares what the CREATE statements of text say, and tells clients.
func (c *cluster) define(text string) ([]cql.Event, error) {
	c.mu.Lock()
	s := c.schema.Load().clone()
	changes, err := s.define(text, c.settings.keyspace)
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	s.version = c.newUUID()
	c.statements.change(func() { c.schema.Store(s) })
	c.mu.Unlock()
	for _, e := range changes {
		c.announce(e)
	}
	return changes, nil
}
