package ring

// picker returns the function that finds the replicas of the range with a given index, or nil if the replication has none.
func (r *Ring[H]) picker(replication Replication, datacenter string) func(index int, replica func(host int)) {
	switch {
	case replication.simple.total > 0:
		return r.simple(replication.simple, datacenter)
	case len(replication.datacenters) > 0:
		return r.networkTopology(replication.datacenters, datacenter)
	}
	return nil
}

// simple walks the ring until it has met enough distinct hosts, wherever they stand.
func (r *Ring[H]) simple(f factor, only string) func(int, func(int)) {
	met := make([]int, len(r.hosts)) // number of the walk that met a host last
	walk := 0
	return func(index int, replica func(int)) {
		walk++
		full := min(f.total-f.transient, len(r.hosts))
		for i := 0; i < len(r.ranges) && full > 0; i++ {
			host := r.ranges[(index+i)%len(r.ranges)].host
			if met[host] == walk {
				continue
			}
			met[host] = walk
			full--
			if only == "" || r.homes[host].datacenter.name == only {
				replica(host)
			}
		}
	}
}

// quota is what one datacenter still lacks during a walk.
type quota struct {
	missing int // replicas
	repeats int // of them those that may stand in a rack that has one already
}

// networkTopology walks the ring until each datacenter has its replicas, in as many racks as possible.
func (r *Ring[H]) networkTopology(factors map[string]factor, only string) func(int, func(int)) {
	quotas := make([]quota, len(r.datacenters))  // at the begin of a walk
	transient := make([]int, len(r.datacenters)) // replicas that come last and are left out
	rackMet := make([][]int, len(r.datacenters)) // number of the walk that met a rack last
	for name, dc := range r.datacenters {
		f := factors[name]
		if only != "" && name != only {
			f = factor{}
		}
		missing := min(f.total, dc.hosts)
		quotas[dc.index] = quota{missing: missing, repeats: f.total - len(dc.racks)}
		transient[dc.index] = max(f.transient-(f.total-missing), 0)
		rackMet[dc.index] = make([]int, len(dc.racks))
	}
	met := make([]int, len(r.hosts))
	left := make([]quota, len(quotas))
	walk := 0
	return func(index int, replica func(int)) {
		walk++
		open := 0 // datacenters that lack something
		for i, q := range quotas {
			left[i] = q
			if q.missing > 0 {
				open++
			}
		}
		for i := 0; i < len(r.ranges) && open > 0; i++ {
			host := r.ranges[(index+i)%len(r.ranges)].host
			dc := r.homes[host].datacenter.index
			q := &left[dc]
			if met[host] == walk || q.missing == 0 {
				continue
			}
			if rack := &rackMet[dc][r.homes[host].rack]; *rack != walk {
				*rack = walk
			} else if q.repeats > 0 {
				q.repeats--
			} else {
				continue
			}
			met[host] = walk
			if q.missing > transient[dc] {
				replica(host)
			}
			q.missing--
			if q.missing == 0 {
				open--
			}
		}
	}
}
