package astra

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/internal/ring"
)

// gocql can keep the replications of all keyspaces, but then it waits for nodes to agree on the schema before it uses new ones. So the policy
// reads those that statements need, at first use and again from time to time, since nothing announces a change.
const (
	replicationTimeout = time.Second
	replicationAge     = time.Minute
	replicationRetry   = time.Second // after a failed read
)

// placement is where the replicas of a keyspace are.
type placement struct {
	first chan struct{} // closed after the first read
	found atomic.Pointer[foundPlacement]
	next  atomic.Int64 // when to read again, Unix nanoseconds; 0: it is being read
}

type foundPlacement struct {
	replication ring.Replication
	replicas    *ring.Placement[*gocql.HostInfo]
}

func (p *placement) replicas(key []byte) []*gocql.HostInfo {
	found := p.found.Load()
	if found == nil {
		return nil
	}
	return found.replicas.Replicas(ring.TokenOf(key))
}

// inherit takes over what an older topology knew, to be read again at the next use.
func (t *topology) inherit(old *topology) {
	old.placements.Range(func(keyspace, value any) bool {
		if found := value.(*placement).found.Load(); found != nil {
			p := &placement{first: make(chan struct{})}
			close(p.first)
			p.found.Store(&foundPlacement{found.replication, t.ring.Place(found.replication, "")})
			p.next.Store(1)
			t.placements.Store(keyspace, p)
		}
		return true
	})
}

// replicas returns the replicas of a statement's partition key, or none if they are not known. The first statement on a keyspace reads
// its replication.
func (p *hostPolicy) replicas(t *topology, statement gocql.ExecutableStatement) []*gocql.HostInfo {
	key, keyspace := partition(t, statement)
	if keyspace == "" {
		return nil
	}
	return p.placement(t, contextOf(statement), keyspace).replicas(key)
}

// knownReplicas is replicas without reading.
func knownReplicas(t *topology, statement gocql.ExecutableStatement) []*gocql.HostInfo {
	key, keyspace := partition(t, statement)
	if value, ok := t.placements.Load(keyspace); ok {
		return value.(*placement).replicas(key)
	}
	return nil
}

// partition returns the partition key of a statement and its keyspace, which is empty if the statement has no key. The statement that reads
// replications has none on purpose.
func partition(t *topology, statement gocql.ExecutableStatement) (key []byte, keyspace string) {
	if t.ring == nil {
		return nil, ""
	}
	key, err := statement.GetRoutingKey() // tells gocql the keyspace, too
	if err != nil || len(key) == 0 {
		return nil, ""
	}
	return key, statement.Keyspace()
}

// placement returns that of a keyspace. Its first caller reads it, others wait for that; later reads are made beside the statements.
func (p *hostPolicy) placement(t *topology, ctx context.Context, keyspace string) *placement {
	value, ok := t.placements.Load(keyspace)
	if !ok {
		value, ok = t.placements.LoadOrStore(keyspace, &placement{first: make(chan struct{})})
		known := value.(*placement)
		if !ok {
			defer close(known.first)
			p.read(ctx, t, known, keyspace)
			return known
		}
		select {
		case <-known.first:
		case <-ctx.Done():
		}
		return known
	}
	known := value.(*placement)
	if next := known.next.Load(); next > 0 && time.Now().UnixNano() >= next && known.next.CompareAndSwap(next, 0) {
		go p.read(context.WithoutCancel(ctx), t, known, keyspace)
	}
	return known
}

// read reads the replication of a keyspace and computes where the replicas are.
func (p *hostPolicy) read(ctx context.Context, t *topology, known *placement, keyspace string) {
	ctx, cancel := context.WithTimeout(ctx, replicationTimeout)
	defer cancel()
	again := replicationRetry
	defer func() { known.next.Store(time.Now().Add(again).UnixNano()) }()
	session := p.session()
	if session == nil {
		return
	}
	var options map[string]string
	statement := "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '" + strings.ReplaceAll(keyspace, "'", "''") + "'"
	if err := session.Query(statement).Consistency(gocql.LocalOne).Idempotent(true).ScanContext(ctx, &options); err != nil {
		p.dialer.config.Logger.Debug("Reading the replication of a keyspace failed.", "keyspace", keyspace, "error", err)
		return
	}
	again = replicationAge
	replication, err := ring.ParseReplication(options)
	if err != nil {
		p.dialer.config.Logger.Warn("The replication of a keyspace is not understood; its statements go to any node.", "keyspace", keyspace, "error", err)
		return
	}
	known.found.Store(&foundPlacement{replication, t.ring.Place(replication, "")})
}
