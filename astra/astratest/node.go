package astratest

import (
	"context"
	"net"
)

// A Node is a simulated node of the database.
type Node struct {
	cluster *cluster
	hostID  string
}

// HostID returns the node's host ID, a UUID in lower case. It never changes.
func (n *Node) HostID() string { return n.hostID }

// serve speaks the native protocol on conn until conn or ctx ends. It closes
// conn and returns when no goroutine of its own is left.
func (n *Node) serve(ctx context.Context, conn net.Conn) {
	conn.Close()
}
