package astra

import "sync/atomic"

// gathering is a connection on which requests wait for a write that is about to happen, or did.
type gathering struct {
	hostID   string
	requests func() int   // that wait
	joined   atomic.Int32 // statements that went to the node for that, since the first request waits
}

// maxJoined bounds how many statements go to one node because requests wait there. It should get its share of those in flight, and not
// many more.
const maxJoined = 15

// join returns the ID of the node if a further statement should go there.
func (g *gathering) join() string {
	if g == nil || g.requests() == 0 || g.joined.Add(1) > maxJoined {
		return ""
	}
	return g.hostID
}
