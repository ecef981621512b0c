package astra

// gathering is a connection on which requests wait for a write that is about to happen, or did.
type gathering struct {
	hostID   string
	requests func() int // that wait
}

// maxGathered is how many requests may wait on a connection for further statements to go there. The node should get its share of those in flight,
// and not many more.
const maxGathered = 15

// join returns the ID of the node if a further statement should go there.
func (g *gathering) join() string {
	if g == nil {
		return ""
	}
	if n := g.requests(); n == 0 || n > maxGathered {
		return ""
	}
	return g.hostID
}
