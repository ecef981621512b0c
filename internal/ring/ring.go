// Package ring finds the nodes that have the rows of a partition key. Start with [New] and [Ring.Place]: a [Placement] then
// answers for a [Token] without allocating.
//
// It knows the Murmur3 partitioner, SimpleStrategy and NetworkTopologyStrategy, and places replicas as Cassandra 4 and later do.
package ring

import (
	"cmp"
	"slices"
)

// Node is a member of the ring.
type Node[H any] struct {
	Host       H // what lookups return
	Datacenter string
	Rack       string
	Tokens     []Token
}

// Ring is a set of nodes in the order of their tokens. It is immutable.
type Ring[H any] struct {
	hosts       []H
	homes       []home // of each host
	ranges      []tokenRange
	datacenters map[string]*datacenter
}

// tokenRange ends at a token, which it includes, and belongs to one host.
type tokenRange struct {
	end  Token
	host int // index
}

// home is where a host stands.
type home struct {
	datacenter *datacenter
	rack       int // index within the datacenter
}

type datacenter struct {
	index int
	name  string
	hosts int
	racks map[string]int // index by name
}

// New returns a ring. Nodes without tokens are left out.
func New[H any](nodes []Node[H]) *Ring[H] {
	r := &Ring[H]{datacenters: make(map[string]*datacenter)}
	for _, n := range nodes {
		if len(n.Tokens) == 0 {
			continue
		}
		for _, t := range n.Tokens {
			r.ranges = append(r.ranges, tokenRange{t, len(r.hosts)})
		}
		r.hosts = append(r.hosts, n.Host)
		r.homes = append(r.homes, r.settle(n.Datacenter, n.Rack))
	}
	slices.SortStableFunc(r.ranges, func(a, b tokenRange) int { return cmp.Compare(a.end, b.end) })
	return r
}

func (r *Ring[H]) settle(name, rack string) home {
	dc := r.datacenters[name]
	if dc == nil {
		dc = &datacenter{index: len(r.datacenters), name: name, racks: make(map[string]int)}
		r.datacenters[name] = dc
	}
	dc.hosts++
	if _, ok := dc.racks[rack]; !ok {
		dc.racks[rack] = len(dc.racks)
	}
	return home{dc, dc.racks[rack]}
}

// Placement tells the replicas of each token. It is immutable. A nil Placement has none.
type Placement[H any] struct {
	ends  []Token // of the ranges
	first []int   // index of each range's first replica; one more entry marks the end
	hosts []H     // all replicas, range by range
}

// Replicas returns the hosts that keep the rows of a token, the owner of its range first. The result is shared: do not modify it. It is
// empty if nothing is known.
func (p *Placement[H]) Replicas(t Token) []H {
	if p == nil || len(p.ends) == 0 {
		return nil
	}
	i, _ := slices.BinarySearch(p.ends, t)
	if i == len(p.ends) {
		i = 0 // the ring closes
	}
	return p.hosts[p.first[i]:p.first[i+1]:p.first[i+1]]
}

// Place computes the replicas of every range in one datacenter, or in all of them if the name is empty.
func (r *Ring[H]) Place(replication Replication, datacenter string) *Placement[H] {
	p := new(Placement[H])
	pick := r.picker(replication, datacenter)
	if pick == nil {
		return p
	}
	p.ends = make([]Token, 0, len(r.ranges))
	p.first = make([]int, 1, len(r.ranges)+1)
	for i, rg := range r.ranges {
		p.ends = append(p.ends, rg.end)
		pick(i, func(host int) { p.hosts = append(p.hosts, r.hosts[host]) })
		p.first = append(p.first, len(p.hosts))
	}
	p.hosts = slices.Clip(p.hosts)
	return p
}

// Fewest returns the number of replicas of the token that has fewest.
func (p *Placement[H]) Fewest() int {
	fewest := 0
	for i := range p.ends {
		if n := p.first[i+1] - p.first[i]; i == 0 || n < fewest {
			fewest = n
		}
	}
	return fewest
}
