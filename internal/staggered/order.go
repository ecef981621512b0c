package staggered

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	slowFor = time.Minute // how long an overtaken address is tried last
	maxSlow = 64          // how many of them are remembered
)

// order decides which address is tried when.
type order struct {
	mu   sync.Mutex
	turn uint
	slow map[string]time.Time // when an address was last overtaken
}

// arrange returns the distinct addresses in the order of their attempts: IPv6 and IPv4 in turn, starting with the family that the caller put
// first, each family from another address on at each call, and slow ones last.
func (o *order) arrange(addrs []string) []string {
	o.mu.Lock()
	turn := o.turn
	o.turn++
	slow := make(map[string]bool, len(o.slow))
	for addr, at := range o.slow {
		if time.Since(at) < slowFor {
			slow[addr] = true
		} else {
			delete(o.slow, addr)
		}
	}
	o.mu.Unlock()

	var first, second []string
	for i, addr := range addrs {
		switch {
		case slices.Contains(addrs[:i], addr):
		case isIPv6(addr) == isIPv6(addrs[0]):
			first = append(first, addr)
		default:
			second = append(second, addr)
		}
	}
	var quick, last []string
	for _, addr := range interleave(rotate(first, turn), rotate(second, turn)) {
		if slow[addr] {
			last = append(last, addr)
		} else {
			quick = append(quick, addr)
		}
	}
	return append(quick, last...)
}

// won notes that one address answered before others that had been asked earlier.
func (o *order) won(winner string, overtaken []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, addr := range overtaken {
		if o.slow == nil {
			o.slow = make(map[string]time.Time)
		}
		o.slow[addr] = time.Now()
	}
	delete(o.slow, winner)
	for len(o.slow) > maxSlow {
		delete(o.slow, o.oldest())
	}
}

// oldest returns the slow address that was overtaken longest ago. The lock is held.
func (o *order) oldest() (oldest string) {
	for addr, at := range o.slow {
		if oldest == "" || at.Before(o.slow[oldest]) {
			oldest = addr
		}
	}
	return oldest
}

func isIPv6(addr string) bool {
	ap, err := netip.ParseAddrPort(addr)
	return err == nil && ap.Addr().Unmap().Is6()
}

func rotate(addrs []string, turn uint) []string {
	if len(addrs) == 0 {
		return nil
	}
	n := int(turn % uint(len(addrs)))
	return append(slices.Clone(addrs[n:]), addrs[:n]...)
}

func interleave(a, b []string) []string {
	var all []string
	for i := range max(len(a), len(b)) {
		all = append(all, a[min(i, len(a)):min(i+1, len(a))]...)
		all = append(all, b[min(i, len(b)):min(i+1, len(b))]...)
	}
	return all
}
