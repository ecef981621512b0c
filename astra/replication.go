package astra

import (
	"context"
	"maps"
	"strings"
	"sync"
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
	keyspace string
	first    chan struct{} // closed after the first read
	found    atomic.Pointer[foundPlacement]
	due      atomic.Bool // to be read again
}

type foundPlacement struct {
	replication ring.Replication
	replicas    *ring.Placement[*gocql.HostInfo]
	everywhere  bool // each host is a replica of everything
}

func (t *topology) place(replication ring.Replication) *foundPlacement {
	replicas := t.ring.Place(replication, "")
	return &foundPlacement{replication, replicas, replicas.Fewest() == len(t.hosts)}
}

func (p *placement) replicas(key []byte) []*gocql.HostInfo {
	found := p.found.Load()
	if found == nil {
		return nil
	}
	return found.replicas.Replicas(ring.TokenOf(key))
}

func (p *placement) everywhere() bool {
	found := p.found.Load()
	return found != nil && found.everywhere
}

// inherit takes over what an older topology knew, to be read again at the next use.
func (t *topology) inherit(old *topology) {
	old.placements.Range(func(keyspace, value any) bool {
		if found := value.(*placement).found.Load(); found != nil {
			p := &placement{keyspace: keyspace.(string), first: make(chan struct{})}
			close(p.first)
			p.found.Store(t.place(found.replication))
			p.due.Store(true)
			t.placements.Store(keyspace, p)
		}
		return true
	})
}

// replicas returns the replicas of a statement's partition key, or none if they are not known or no better than other hosts. The first
// statement on a keyspace reads its replication.
func (p *hostPolicy) replicas(t *topology, statement gocql.ExecutableStatement) []*gocql.HostInfo {
	text := textOf(statement)
	if known := t.everywhere.get(text); known != nil {
		p.renew(contextOf(statement), t, known)
		if known.everywhere() {
			return nil
		}
	}
	key, keyspace := partition(t, statement)
	if keyspace == "" {
		return nil
	}
	known := p.placement(t, contextOf(statement), keyspace)
	if known.everywhere() {
		if statement.Table() != "" { // the keyspace is the table's, and not what gocql takes for it where a program gives the routing key
			t.everywhere.add(text, known)
		}
		return nil
	}
	return known.replicas(key)
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
		value, ok = t.placements.LoadOrStore(keyspace, &placement{keyspace: keyspace, first: make(chan struct{})})
		known := value.(*placement)
		if !ok {
			defer close(known.first)
			p.read(ctx, t, known)
			return known
		}
		select {
		case <-known.first:
		case <-ctx.Done():
		}
		return known
	}
	known := value.(*placement)
	p.renew(ctx, t, known)
	return known
}

// renew reads a placement again when that is due.
func (p *hostPolicy) renew(ctx context.Context, t *topology, known *placement) {
	if known.due.Load() && known.due.CompareAndSwap(true, false) {
		go p.read(context.WithoutCancel(ctx), t, known)
	}
}

// read reads the replication of a keyspace and computes where the replicas are.
func (p *hostPolicy) read(ctx context.Context, t *topology, known *placement) {
	ctx, cancel := context.WithTimeout(ctx, replicationTimeout)
	defer cancel()
	again := replicationRetry
	defer func() { time.AfterFunc(again, func() { known.due.Store(true) }) }() // statements have no time to look at a clock
	session := p.session()
	if session == nil {
		return
	}
	var options map[string]string
	statement := "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '" + strings.ReplaceAll(known.keyspace, "'", "''") + "'"
	if err := session.Query(statement).Consistency(gocql.LocalOne).Idempotent(true).ScanContext(ctx, &options); err != nil {
		p.dialer.config.Logger.Debug("Reading the replication of a keyspace failed.", "keyspace", known.keyspace, "error", err)
		return
	}
	again = replicationAge
	replication, err := ring.ParseReplication(options)
	if err != nil {
		p.dialer.config.Logger.Warn("The replication of a keyspace is not understood; its statements go to any node.", "keyspace", known.keyspace, "error", err)
		return
	}
	known.found.Store(t.place(replication))
}

// text is that of a statement and the keyspace of the session that has it.
type text struct{ keyspace, cql string }

// textOf returns the zero text for a batch.
func textOf(statement gocql.ExecutableStatement) text {
	if q, ok := statement.Statement().(*gocql.Query); ok {
		return text{statement.Keyspace(), q.Statement()}
	}
	return text{}
}

// maxTexts bounds how many texts are remembered. Programs that prepare their statements have fewer.
const maxTexts = 1000

// texts remembers to which placement the text of a statement leads: where every host is a replica, that saves asking gocql for the partition
// key. Reading takes no lock.
type texts struct {
	mu    sync.Mutex // of what changes it
	known atomic.Pointer[map[text]*placement]
}

func (t *texts) get(what text) *placement {
	if known := t.known.Load(); known != nil {
		return (*known)[what]
	}
	return nil
}

func (t *texts) add(what text, p *placement) {
	if what.cql == "" || t.full() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known := make(map[text]*placement)
	if old := t.known.Load(); old != nil {
		maps.Copy(known, *old)
	}
	known[what] = p
	t.known.Store(&known)
}

func (t *texts) full() bool {
	known := t.known.Load()
	return known != nil && len(*known) >= maxTexts
}

func (t *texts) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known.Store(nil)
}
