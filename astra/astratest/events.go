package astratest

import (
	"net/netip"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// eventMask has a bit for each kind of event that a connection registered for.
type eventMask uint32

const (
	topologyEvents eventMask = 1 << iota
	statusEvents
	schemaEvents
)

// maskOf returns the bit of a kind of event, or 0 when there is none.
func maskOf(kind string) eventMask {
	switch kind {
	case cql.TopologyChange:
		return topologyEvents
	case cql.StatusChange:
		return statusEvents
	case cql.SchemaChange:
		return schemaEvents
	}
	return 0
}

// announce sends an event to every connection that registered for its kind.
func (c *cluster) announce(e cql.Event) {
	c.mu.RLock()
	nodes := c.nodes
	c.mu.RUnlock()
	announce(nodes, e)
}

// announce sends an event to the connections of some nodes.
func announce(nodes []*Node, events ...cql.Event) {
	for _, e := range events {
		frame := cql.AppendHeader(nil, cql.Header{Version: cql.Version, Response: true, Stream: cql.EventStream, Opcode: cql.OpEvent})
		frame = cql.AppendEvent(frame, e)
		cql.FinishFrame(frame)
		for _, n := range nodes {
			n.announce(maskOf(e.Kind), frame)
		}
	}
}

func (n *Node) announce(mask eventMask, frame []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for conn := range n.conns {
		if eventMask(conn.events.Load())&mask != 0 {
			conn.out.send(frame)
		}
	}
}

// arrival and departure are what Cassandra's gossip tells of a node that
// clients know by addr.
func arrival(addr netip.Addr) []cql.Event {
	return []cql.Event{nodeEvent(cql.TopologyChange, "NEW_NODE", addr), nodeEvent(cql.StatusChange, "UP", addr)}
}

func departure(addr netip.Addr) []cql.Event {
	return []cql.Event{nodeEvent(cql.StatusChange, "DOWN", addr), nodeEvent(cql.TopologyChange, "REMOVED_NODE", addr)}
}

func nodeEvent(kind, change string, addr netip.Addr) cql.Event {
	return cql.Event{Kind: kind, Change: change, Addr: netip.AddrPortFrom(addr, nativePort)}
}
