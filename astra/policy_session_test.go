package astra

import (
	"slices"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// gocql reports a connection from another goroutine, so the report may come after the host was removed. Such a host would be offered for ever,
// and its tokens would lead to wrong replicas.
func TestAHostThatWasRemovedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	t.Cleanup(s.Close)
	cluster, err := NewCluster(t.Context(), Config{Bundle: s.Bundle(), Token: s.Token(), Resolver: s.Resolver()})
	if err != nil {
		t.Fatal(err)
	}
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	p := cluster.PoolConfig.HostSelectionPolicy.(*hostPolicy)
	old := session.GetHosts()
	s.ReplaceNodes(astratest.Replacement{})
	remains := func() bool {
		return slices.ContainsFunc(old, func(h *gocql.HostInfo) bool { return slices.Contains(session.GetHosts(), h) })
	}
	for limit := time.Now().Add(20 * time.Second); remains() && time.Now().Before(limit); {
		time.Sleep(5 * time.Millisecond)
	}
	for _, h := range old {
		p.HostUp(h)
	}
	for _, h := range p.topology.Load().hosts {
		if slices.Contains(old, h) {
			t.Errorf("the replaced node %s is offered again", h.HostID())
		}
	}
}

// A session that is opening does not know all nodes yet. It must not lose its control connection for that.
func TestASessionThatIsOpeningLacksNothing(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	t.Cleanup(s.Close)
	cluster, err := NewCluster(t.Context(), Config{Bundle: s.Bundle(), Token: s.Token(), Resolver: s.Resolver()})
	if err != nil {
		t.Fatal(err)
	}
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	opening := newHostPolicy(cluster.HostDialer.(*Dialer))
	opening.Init(session) // what follows has not come yet
	if unknown := []string{"7a5d1b7e-0f3c-4c7e-9d2a-000000000000"}; opening.lacks(unknown) {
		t.Error("a session that is opening counts as one that lacks a node")
	} else if opening.HostUp(session.GetHosts()[0]); !opening.lacks(unknown) {
		t.Error("an open session does not count")
	}
}
