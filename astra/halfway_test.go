package astra_test

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// gocql takes a node into its ring before it has made it the node of its control connection. If that fails, it never connects to the node for
// statements.
func TestANodeIsUsedThatFailedAsTheControlConnections(t *testing.T) {
	t.Parallel()
	s := newServer(t, astratest.NodeCount(2))
	executed := handle(s)
	cluster := newCluster(t, config(s))
	inner := cluster.HostDialer
	stays, comes := s.Nodes()[0].HostID(), make(chan *gocql.HostInfo, 1)
	broken, recovers := make(chan struct{}), make(chan struct{})
	broke := sync.OnceFunc(func() { close(broken) })
	var opened atomic.Bool
	cluster.HostDialer = hostDialer(func(ctx context.Context, h *gocql.HostInfo) (*gocql.DialedHost, error) {
		if !opened.Load() || !strings.Contains(string(debug.Stack()), ".(*controlConn).reconnect(") {
			return inner.DialHost(ctx, h)
		}
		switch {
		case isClosed(broken) && h.HostID() == stays:
			<-recovers
			return inner.DialHost(ctx, h)
		case isClosed(broken) || h.HostID() != "":
			return nil, errors.New("refused by the test")
		}
		dialed, err := inner.DialHost(ctx, <-comes)
		if err == nil {
			conn := dialed.Conn
			dialed.Conn = registering{conn, func() bool {
				conn.Close()
				broke()
				return false
			}}
		}
		return dialed, err
	})
	session := connect(t, cluster)
	readThrough(t, s, session, executed)
	opened.Store(true)
	s.ReplaceNodes(astratest.Replacement{Nodes: []int{1}, Quiet: true})
	came := s.Nodes()[1].HostID()
	other := connect(t, newCluster(t, config(s)))
	eventually(t, "another session knows the new node", func() bool {
		return slices.ContainsFunc(other.GetHosts(), func(h *gocql.HostInfo) bool {
			found := h.HostID() == came
			if found {
				comes <- h
			}
			return found
		})
	})
	select {
	case <-broken:
	case <-time.After(20 * time.Second):
		t.Fatal("the session does not make the new node that of its control connection")
	}

	// A session that opens meanwhile has nothing to do with it, though it has the same Dialer.
	third := connect(t, cluster)
	readThrough(t, s, third, executed)

	// When the metadata service is asked again, no node is missing: so nothing but the refusal of the host makes gocql read the ring again.
	requests := s.Stats().MetadataRequests
	eventually(t, "the metadata service is asked again", func() bool {
		if err := query(session, 1); err != nil {
			t.Error(err)
		}
		return s.Stats().MetadataRequests > requests+1
	})
	close(recovers)
	closeSession(t, third)
	readThrough(t, s, session, executed)
}
