package astratest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// tokensPerNode is how many ranges of the ring each node owns.
const tokensPerNode = 8

// addNodes adds nodes to a datacenter that has none, and returns them.
func (c *cluster) addNodes(datacenter string, count int) []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	tokens := c.spreadTokens(count)
	added := make([]*Node, count)
	for i := range added {
		rack := fmt.Sprintf("rack%d", 1+i%3)
		added[i] = c.newNode(datacenter, rack, c.newAddr(), tokens[i])
	}
	c.statements.change(func() { c.nodes = slices.Concat(c.nodes, added) }) // what DESCRIBE tells of replicas changes
	return added
}

// newNode makes a node with a host ID that no other has. c.mu is held.
func (c *cluster) newNode(datacenter, rack string, addr netip.Addr, tokens []int64) *Node {
	return &Node{
		cluster: c, hostID: cql.FormatUUID(c.newUUID()), datacenter: datacenter, rack: rack, started: time.Now(),
		addr: addr, tokens: tokens, up: true, conns: make(map[*conn]struct{}),
	}
}

// spreadTokens divides the Murmur3 ring among nodes: at random, but so that
// all own about as much of it. c.mu is held.
func (c *cluster) spreadTokens(nodes int) [][]int64 {
	tokens := make([][]int64, nodes)
	width := ^uint64(0) / uint64(nodes*tokensPerNode)
	start := uint64(1) << 63 // the lowest token
	for range tokensPerNode {
		for _, i := range c.random.Perm(nodes) {
			tokens[i] = append(tokens[i], int64(start+1+c.random.Uint64N(width)))
			start += width
		}
	}
	return tokens
}

// Nodes returns the nodes that there are, up or down, in an order that stays: those of the local datacenter first, and each in the place of the
// one that it replaced.
func (s *Server) Nodes() []*Node {
	s.cluster.mu.RLock()
	defer s.cluster.mu.RUnlock()
	return slices.Clone(s.cluster.nodes)
}

// Stop takes the node down: its connections are closed, new ones refused, and the other nodes announce that it is down. What it knows, such as
// prepared statements, stays.
func (n *Node) Stop() {
	c := n.cluster
	c.mu.Lock()
	was := n.up
	n.up = false
	n.setRefuse(true)
	addr := c.rpcAddr(n)
	c.mu.Unlock()
	n.closeConns()
	if was {
		c.announce(nodeEvent(cql.StatusChange, "DOWN", addr))
	}
}

// Start brings the node up again, which the other nodes announce. A node that was replaced stays away.
func (n *Node) Start() {
	c := n.cluster
	c.mu.Lock()
	starts := !n.up && slices.Contains(c.nodes, n)
	if starts {
		n.up = true
		n.setRefuse(false)
	}
	addr := c.rpcAddr(n)
	c.mu.Unlock()
	if starts {
		c.announce(nodeEvent(cql.StatusChange, "UP", addr))
	}
}

// Replacement says how [Server.ReplaceNodes] replaces nodes. The zero value replaces all nodes of the local datacenter and announces it.
type Replacement struct {
	Nodes         []int // indexes in [Server.Nodes]; empty means all of the local datacenter
	Quiet         bool  // send no events
	SameAddresses bool  // the new nodes report the addresses of the old ones
}

// ReplaceNodes puts new nodes, with other host IDs, in the place of old ones, and returns them. A new node owns the tokens of the old one and
// has prepared no statements. Clients that have registered are told, unless it is quiet, before the connections of the old nodes are closed.
// The metadata service names the new nodes; the proxy knows the old ones no more.
func (s *Server) ReplaceNodes(r Replacement) []*Node {
	old, added := s.cluster.replace(r)
	s.metadata.observe()
	if !r.Quiet {
		audience := slices.Concat(s.Nodes(), old)
		for i := range old {
			announce(audience, arrival(added[i].Addr())...)
		}
		for i := range old {
			if addr := old[i].Addr(); addr != added[i].Addr() {
				announce(audience, departure(addr)...)
			}
		}
	}
	for _, n := range old {
		n.closeConns()
	}
	return added
}

func (c *cluster) replace(r Replacement) (old, added []*Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := slices.Clone(c.nodes)
	indexes := r.Nodes
	if len(indexes) == 0 {
		for i := range c.local() {
			indexes = append(indexes, i)
		}
	}
	for _, i := range indexes {
		was := nodes[i]
		addr := was.addr
		if !r.SameAddresses {
			addr = c.newAddr()
		}
		nodes[i] = c.newNode(was.datacenter, was.rack, addr, was.tokens)
		was.up = false
		was.setRefuse(true)
		old, added = append(old, was), append(added, nodes[i])
	}
	c.nodes = nodes
	return old, added
}

// MoveNode gives the i-th of [Server.Nodes] another address, as a restart in another place does: its connections are closed, its host ID and
// tokens stay. Clients that have registered with other nodes are told.
func (s *Server) MoveNode(i int) {
	from, to := s.cluster.move(i)
	if from != to {
		announce(s.Nodes(), departure(from)...)
	}
	announce(s.Nodes(), arrival(to)...)
}

// MoveNodeQuietly is MoveNode of which clients are not told.
func (s *Server) MoveNodeQuietly(i int) { s.cluster.move(i) }

// move gives a node another address and returns what clients were and are told it is.
func (c *cluster) move(i int) (from, to netip.Addr) {
	c.mu.Lock()
	n := c.nodes[i]
	from = c.rpcAddr(n)
	n.addr = c.newAddr()
	to = c.rpcAddr(n)
	c.mu.Unlock()
	n.closeConns()
	return from, to
}

// AddDatacenter adds nodes in another datacenter and returns them. The nodes of the local one have them as peers, but the metadata service
// does not name them and the proxy does not know them, as it is with another region's nodes in Astra.
func (s *Server) AddDatacenter(name string, nodes int) []*Node {
	if name == s.cluster.settings.datacenter || slices.ContainsFunc(s.Nodes(), func(n *Node) bool { return n.datacenter == name }) {
		panic(fmt.Sprintf("astratest: AddDatacenter: there is a datacenter %q already", name))
	}
	added := s.cluster.addNodes(name, nodes)
	for _, n := range added {
		announce(s.Nodes(), arrival(n.Addr())...)
	}
	return added
}

// SetOverloaded makes nodes answer each statement, prepared ones and reads of system tables included, with the error Overloaded (0x1001), as
// Astra does where a database goes beyond its rate limit.
func (s *Server) SetOverloaded(on bool) { s.cluster.overloaded.Store(on) }

// SplitSchema makes nodes disagree on the version of the schema for d from now on.
func (s *Server) SplitSchema(d time.Duration) {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	s.cluster.splitUntil = time.Now().Add(d)
}

// DefineSchema declares keyspaces, tables, types and indexes for the tables of system_schema, and tells clients that have registered. It takes
// CREATE and USE statements, each but the last ended by a semicolon:
//
//	CREATE KEYSPACE shop;
//	CREATE TABLE shop.items (id int PRIMARY KEY, name text, tags set<text>);
//
// A name without a keyspace belongs to that of USE, or else to the Server's own. A keyspace without WITH replication has up to three replicas
// in each datacenter, as all of Astra's have. What exists is left as it is. Nodes keep no rows of these tables; say with [Server.Handle] what
// they answer. It panics when the text is wrong.
func (s *Server) DefineSchema(text string) {
	if _, err := s.cluster.define(text); err != nil {
		panic("astratest: DefineSchema: " + strings.TrimSpace(err.Error()))
	}
}
