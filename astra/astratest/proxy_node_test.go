package astratest_test

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// The proxy and the metadata service with simulated nodes behind them.

func hostIDs(nodes []*astratest.Node) (ids []string) {
	for _, n := range nodes {
		ids = append(ids, n.HostID())
	}
	return ids
}

func TestMetadataNamesNodes(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	old := hostIDs(s.Nodes())
	check := func(when string, want []string) {
		t.Helper()
		if diff := cmp.Diff(want, metadata(t, s).ContactInfo.ContactPoints); diff != "" {
			t.Errorf("contact points %s (-want +got):\n%s", when, diff)
		}
	}
	check("at first", old)
	s.AddDatacenter("eu-west-1", 2)
	check("after another datacenter was added", old)
	s.Nodes()[1].Stop()
	check("with one node down", old)

	s.DelayMetadata(time.Hour)
	s.ReplaceNodes(astratest.Replacement{})
	check("before the delay is over", old)
	s.DelayMetadata(0)
	check("after the delay", hostIDs(s.Nodes())[:3])
	if slices.Contains(hostIDs(s.Nodes()), old[0]) {
		t.Error("the nodes were not replaced")
	}
}

func TestProxyKnowsNodes(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	remote := s.AddDatacenter("eu-west-1", 1)[0]
	node := s.Nodes()[0]

	if _, err := tryDial(t, s, node.HostID()); err != nil {
		t.Errorf("a node: %v", err)
	}
	if _, err := tryDial(t, s, remote.HostID()); err == nil {
		t.Error("a node of another datacenter is reached")
	}
	node.Stop()
	expectClosedAfterHandshake(t, s, node.HostID())
	node.Start()
	s.ReplaceNodes(astratest.Replacement{Nodes: []int{0}})
	if _, err := tryDial(t, s, node.HostID()); err == nil {
		t.Error("a node that was replaced is reached")
	}
	if got := s.Stats().RefusedUnknown; got != 2 {
		t.Errorf("RefusedUnknown %d, want 2", got)
	}
}

// options exchanges an OPTIONS request for a SUPPORTED answer, by protocol v4.
func options(conn net.Conn) error {
	if _, err := conn.Write([]byte{4, 0, 0, 0, 5, 0, 0, 0, 0}); err != nil {
		return err
	}
	var header [9]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return err
	}
	if header[4] != 6 {
		return fmt.Errorf("opcode %d, want SUPPORTED", header[4])
	}
	_, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(header[5:])))
	return err
}

// Nodes come and go while the proxy does what it may: nothing may race, hang, or be left over.
func TestNodeFaultsTogether(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	end := time.Now().Add(300 * time.Millisecond)
	var wg sync.WaitGroup
	repeat := func(f func()) {
		wg.Go(func() {
			for time.Now().Before(end) {
				f()
				time.Sleep(time.Millisecond)
			}
		})
	}
	for i := range 6 {
		repeat(func() {
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Millisecond}, "tcp", proxyAddr(s), nodeConfig(s, s.Nodes()[i%3].HostID()))
			if err != nil {
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Millisecond))
			for options(conn) == nil && time.Now().Before(end) {
			}
		})
	}
	repeat(func() { s.ReplaceNodes(astratest.Replacement{}) })
	repeat(func() { s.ReplaceNodes(astratest.Replacement{Nodes: []int{1}, Quiet: true, SameAddresses: true}) })
	repeat(func() { s.MoveNode(2) })
	repeat(func() { n := s.Nodes()[0]; n.Stop(); n.Start() })
	repeat(s.DropConns)
	repeat(s.MoveProxy)
	repeat(func() { s.Stall()() })
	repeat(func() { s.RefuseUnknown(astratest.RefuseSilence); s.RefuseUnknown(astratest.RefuseClose) })
	repeat(func() { s.DelayMetadata(time.Millisecond); s.DelayMetadata(0) })
	wg.Wait()

	for _, n := range s.Nodes() {
		n.Start()
		if err := options(dial(t, s, n.HostID())); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
	s.Close()
	if got := s.Stats().OpenConns; got != 0 {
		t.Errorf("%d connections after Close", got)
	}
}

func BenchmarkOptions(b *testing.B) {
	s := astratest.NewServer()
	defer s.Close()
	conn, err := tls.Dial("tcp", proxyAddr(s), nodeConfig(s, s.Nodes()[0].HostID()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for b.Loop() {
		if err := options(conn); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	s := astratest.NewServer()
	defer s.Close()
	for name, cache := range map[string]tls.ClientSessionCache{"full": nil, "resumed": tls.NewLRUClientSessionCache(1)} {
		b.Run(name, func(b *testing.B) {
			config := nodeConfig(s, s.Nodes()[0].HostID())
			config.ClientSessionCache = cache
			for b.Loop() {
				conn, err := tls.Dial("tcp", proxyAddr(s), config)
				if err != nil {
					b.Fatal(err)
				}
				if err := options(conn); err != nil {
					b.Fatal(err)
				}
				conn.Close()
			}
		})
	}
}
