package astratest_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func lookup(t *testing.T, s *astratest.Server, network, name string) ([]netip.Addr, error) {
	t.Helper()
	return s.Resolver().LookupNetIP(t.Context(), network, name)
}

var sorted = cmpopts.SortSlices(netip.Addr.Less)

func TestResolver(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Host("db.astra.test"), astratest.ProxyAddrs(3))
	defer s.Close()

	check := func(network, name string, want ...string) {
		t.Helper()
		got, err := lookup(t, s, network, name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i] = got[i].Unmap()
		}
		if diff := cmp.Diff(addrs(want...), got, sorted, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", network, name, diff)
		}
	}
	check("ip", "db.astra.test", "127.0.0.1", "127.0.0.2", "127.0.0.3")
	check("ip", "DB.Astra.Test.", "127.0.0.1", "127.0.0.2", "127.0.0.3")

	s.SetProxyAddrs(addrs("127.0.0.9", "::1")...)
	check("ip", "db.astra.test", "127.0.0.9", "::1")
	check("ip4", "db.astra.test", "127.0.0.9")
	check("ip6", "db.astra.test", "::1")

	if s.Stats().DNSQueries == 0 {
		t.Error("no DNS queries were counted")
	}
}

func TestResolverTCP(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Host("db.astra.test"))
	defer s.Close()
	many := make([]netip.Addr, 200) // more than fit into a UDP answer
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{127, 0, 1, byte(i)})
	}
	s.SetProxyAddrs(many...)
	got, err := lookup(t, s, "ip4", "db.astra.test")
	if err != nil || len(got) != len(many) {
		t.Errorf("got %d addresses, %v; want %d", len(got), err, len(many))
	}
}

func TestSetDNS(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.Host("db.astra.test"))
	defer s.Close()

	var dnsErr *net.DNSError
	if _, err := lookup(t, s, "ip", "other.astra.test"); !errors.As(err, &dnsErr) || !dnsErr.IsNotFound {
		t.Errorf("another name: got %v, want not found", err)
	}
	s.SetDNS(astratest.DNSNotFound)
	if _, err := lookup(t, s, "ip", "db.astra.test"); !errors.As(err, &dnsErr) || !dnsErr.IsNotFound {
		t.Errorf("DNSNotFound: got %v, want not found", err)
	}
	s.SetDNS(astratest.DNSFail)
	if _, err := lookup(t, s, "ip", "db.astra.test"); !errors.As(err, &dnsErr) || dnsErr.IsNotFound || dnsErr.IsTimeout {
		t.Errorf("DNSFail: got %v, want a server failure", err)
	}
	s.SetDNS(astratest.DNSSilent)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Resolver().LookupNetIP(ctx, "ip", "db.astra.test"); err == nil || ctx.Err() == nil {
		t.Errorf("DNSSilent: got %v before the context ended", err)
	}
	s.SetDNS(astratest.DNSOK)
	if _, err := lookup(t, s, "ip", "db.astra.test"); err != nil {
		t.Errorf("DNSOK again: %v", err)
	}
}
