package astratest_test

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// What is sent on an unplugged connection arrives when it is plugged in again, and not before; new connections work.
func TestUnplug(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer(astratest.NodeCount(1))
	defer s.Close()
	dial := func() *tls.Conn {
		node := bundle.Node{HostID: s.Nodes()[0].HostID(), ProxyHost: "localhost"}
		conn, err := tls.Dial("tcp", s.ProxyAddrs()[0].String(), s.Bundle().NodeTLSConfig(node))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	send := func(conn net.Conn) {
		if _, err := conn.Write(cql.AppendHeader(nil, cql.Header{Version: cql.Version, Opcode: cql.OpOptions})); err != nil {
			t.Fatal(err)
		}
	}
	answered := func(conn net.Conn, within time.Duration) bool {
		conn.SetReadDeadline(time.Now().Add(within))
		_, err := io.ReadFull(conn, make([]byte, cql.HeaderSize))
		if err != nil && !os.IsTimeout(err) {
			t.Fatal(err)
		}
		return err == nil
	}

	conn := dial()
	replug, ok := s.Unplug()
	if !ok {
		t.Skip("this system cannot drop the packets of one connection")
	}
	send(conn)
	if answered(conn, 300*time.Millisecond) {
		t.Error("a node answered a request that should have been lost")
	}
	other := dial()
	send(other)
	if !answered(other, 10*time.Second) {
		t.Error("a new connection does not work")
	}
	replug()
	replug()
	if !answered(conn, 20*time.Second) {
		t.Error("what was lost is not sent again")
	}
}
