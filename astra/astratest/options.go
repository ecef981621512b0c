package astratest

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/pki"
)

// Option changes how [NewServer] sets up a Server.
type Option func(*settings)

type settings struct {
	host       string
	addrs      int
	ipv6       bool
	keyType    pki.KeyType
	keyspace   string
	datacenter string
	backends   backends // nil: simulated nodes
	nodes      int
	latency    time.Duration
	peersV2    bool

	sharedAddress bool
	seed          uint64
}

func defaultSettings() settings {
	return settings{
		host:       "localhost",
		addrs:      1,
		keyspace:   "default_keyspace",
		datacenter: "us-east1",
		nodes:      3,
	}
}

// NodeCount sets the number of simulated nodes. The default is 3.
func NodeCount(n int) Option {
	if n < 1 {
		panic(fmt.Sprintf("astratest: NodeCount(%d): want at least 1", n))
	}
	return func(s *settings) { s.nodes = n }
}

// Host sets the name that the bundle, the metadata service's answer and the server's certificate have. The default, "localhost", and IP
// literals need no resolver; clients resolve any other name with [Server.Resolver].
func Host(name string) Option {
	if name == "" {
		panic("astratest: Host: the name is empty")
	}
	return func(s *settings) { s.host = name }
}

// ProxyAddrs makes the proxy and the metadata service listen on n addresses, 127.0.0.1 and those after it, with one port each. The default
// is 1. [Server.Resolver] gives all of them for [Host]'s name, which has to be another than "localhost". Some systems have to be told of
// 127.0.0.2 and higher first (macOS: ifconfig lo0 alias).
func ProxyAddrs(n int) Option {
	if n < 1 || n > 254 {
		panic(fmt.Sprintf("astratest: ProxyAddrs(%d): want 1 to 254", n))
	}
	return func(s *settings) { s.addrs = n }
}

// IPv6 makes the proxy and the metadata service listen on ::1 too, as the last of the addresses that [ProxyAddrs] describes.
func IPv6() Option { return func(s *settings) { s.ipv6 = true } }

// RSA makes RSA-2048 keys, as Astra has them. The default is ECDSA P-256, for which NewServer is a hundred times as fast.
func RSA() Option { return func(s *settings) { s.keyType = pki.RSA } }

// Keyspace sets the keyspace that the bundle names and that nodes have. The default is "default_keyspace".
func Keyspace(name string) Option { return func(s *settings) { s.keyspace = name } }

// Datacenter sets the name of the local datacenter, which Astra calls as the region. The default is "us-east1".
func Datacenter(name string) Option { return func(s *settings) { s.datacenter = name } }

// Latency makes every simulated node answer after d. The default is 0.
func Latency(d time.Duration) Option { return func(s *settings) { s.latency = d } }

// PeersV2 gives simulated nodes the table system.peers_v2, as Cassandra has it. By default they refuse it, as Astra does.
func PeersV2() Option { return func(s *settings) { s.peersV2 = true } }

// SharedAddress makes all simulated nodes report one and the same address, which Astra may do, since clients reach nodes by host ID alone.
func SharedAddress() Option { return func(s *settings) { s.sharedAddress = true } }

// Seed fixes the host IDs and token ranges of simulated nodes, for a test that has to be repeated exactly. By default they are random, and so
// they are with the seed 0.
func Seed(seed uint64) Option { return func(s *settings) { s.seed = seed } }

// listenAddrs are the addresses of the proxy and the metadata service.
func (s *settings) listenAddrs() []netip.Addr {
	var addrs []netip.Addr
	for i := range s.addrs {
		addrs = append(addrs, netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i)}))
	}
	if s.ipv6 {
		addrs = append(addrs, netip.IPv6Loopback())
	}
	return addrs
}
