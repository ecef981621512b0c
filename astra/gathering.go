package astra

// gathering is a connection on which requests wait for a write that is about to happen, or did.
type gathering struct {
	hostID   string
	requests func() int
}

// maxGathering bounds how many statements in a row go to one node for that. It should get its share of those in flight, and not many more.
const maxGathering = 16

// host returns the ID of the node if a further request would leave with others now.
func (g *gathering) host() string {
	if g != nil {
		if n := g.requests(); 0 < n && n < maxGathering {
			return g.hostID
		}
	}
	return ""
}
