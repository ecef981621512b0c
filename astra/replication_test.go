package astra

import (
	"fmt"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/internal/ring"
)

// asked is a statement that counts how often it is asked for its partition key.
type asked struct {
	keyed
	text  string // empty: a batch
	table string
	count int
}

func (s *asked) Table() string { return s.table }

func (s *asked) GetRoutingKey() ([]byte, error) {
	s.count++
	return s.keyed.GetRoutingKey()
}

func (s *asked) Statement() gocql.Statement {
	if s.text == "" {
		return nil
	}
	return new(gocql.Session).Query(s.text)
}

func replicated(t testing.TB, n int) ring.Replication {
	t.Helper()
	r, err := ring.ParseReplication(map[string]string{"class": "NetworkTopologyStrategy", "dc1": fmt.Sprint(n)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// known makes a policy with some hosts know the replication of the keyspace "ks".
func known(t testing.TB, p *hostPolicy, hosts, replicas int) *placement {
	p.SetPartitioner("org.apache.cassandra.dht.Murmur3Partitioner")
	p.AddHosts(newHosts(t, hosts))
	topology := p.topology.Load()
	k := &placement{keyspace: "ks", first: make(chan struct{})}
	close(k.first)
	k.found.Store(topology.place(replicated(t, replicas)))
	topology.placements.Store("ks", k)
	return k
}

func TestNoPartitionKeyWhereEveryHostIsAReplica(t *testing.T) {
	t.Parallel()
	p := newTestPolicy(0)
	placement := known(t, p, 3, 3)
	s := &asked{keyed: keyed{statement{ctx: t.Context()}, []byte("key")}, text: "SELECT", table: "items"}
	first := make(map[*gocql.HostInfo]int)
	for range 30 {
		first[offered(p.Pick(s))[0]]++
	}
	if s.count != 1 {
		t.Errorf("asked %d times for the partition key, want once", s.count)
	}
	for h, n := range first {
		if n != 10 {
			t.Errorf("%s came first %d times of 30", h.HostID(), n)
		}
	}

	// The keyspace gets another replication, which is noticed when it is read again.
	placement.found.Store(p.topology.Load().place(replicated(t, 1)))
	s.count = 0
	clear(first)
	for range 30 {
		first[offered(p.Pick(s))[0]]++
	}
	if s.count != 30 || len(first) != 1 {
		t.Errorf("asked %d times of 30, %d hosts came first; want 30 and the only replica", s.count, len(first))
	}
}

func TestPartitionKeyIsAskedForWhereItMatters(t *testing.T) {
	t.Parallel()
	p := newTestPolicy(0)
	known(t, p, 6, 3)
	everywhere := newTestPolicy(0)
	known(t, everywhere, 3, 3)
	for name, test := range map[string]struct {
		policy      *hostPolicy
		text, table string
	}{
		"more hosts than replicas":        {p, "SELECT", "items"},
		"batches, which have no one text": {everywhere, "", "items"},
		// gocql asks no node for the table then, and takes the session's keyspace for that of the statement.
		"programs that give the routing key": {everywhere, "SELECT", ""},
	} {
		s := &asked{keyed: keyed{statement{ctx: t.Context()}, []byte("key")}, text: test.text, table: test.table}
		for range 10 {
			test.policy.Pick(s)
		}
		if s.count != 10 {
			t.Errorf("%s: asked %d times of 10", name, s.count)
		}
	}
}

func TestTextsAreBounded(t *testing.T) {
	t.Parallel()
	var all texts
	p := new(placement)
	for i := range maxTexts + 10 {
		all.add(text{"ks", fmt.Sprint(i)}, p)
	}
	if n := len(*all.known.Load()); n != maxTexts || all.get(text{"ks", "1"}) != p || all.get(text{"ks", fmt.Sprint(maxTexts)}) != nil {
		t.Errorf("%d texts are remembered, want %d, the first", n, maxTexts)
	}
	if all.get(text{"other", "1"}) != nil {
		t.Error("a text is remembered for another keyspace")
	}
	all.forget()
	if all.get(text{"ks", "1"}) != nil {
		t.Error("a text is remembered after forget")
	}
}
