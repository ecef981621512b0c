package astratest_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// eventTexts returns n events in a short form. Addresses are "#i", the i-th of those given.
func (c *cqlClient) eventTexts(n int, addrs ...netip.Addr) []string {
	c.t.Helper()
	var texts []string
	for _, e := range c.events(n) {
		texts = append(texts, fmt.Sprintf("%s #%d:%d", e.Change, slices.Index(addrs, e.Addr.Addr()), e.Addr.Port()))
	}
	return texts
}

func (c *cqlClient) expectEnd() {
	c.t.Helper()
	if a, err := c.tryReceive(); !isEnd(err) {
		c.t.Errorf("got %v, %v; want the connection to be closed", a.Header, err)
	}
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	nodes := s.Nodes()
	stopped, watcher, unregistered := connectCQL(t, s, nodes[0]), connectCQL(t, s, nodes[1]), connectCQL(t, s, nodes[1])
	watcher.register(cql.TopologyChange, cql.StatusChange)
	if open, registered := nodes[1].Conns(); open != 2 || registered != 1 {
		t.Errorf("%d connections, %d registered", open, registered)
	}

	nodes[0].Stop()
	nodes[0].Stop()
	stopped.expectEnd()
	expectClosedAfterHandshake(t, s, nodes[0].HostID())
	if got := watcher.eventTexts(1, nodes[0].Addr()); got[0] != "DOWN #0:9042" {
		t.Error(got)
	}
	if rows := watcher.queryRows("SELECT peer FROM system.peers").rows; len(rows) != 2 {
		t.Errorf("a node that is down is not among the peers: %v", rows)
	}
	if diff := cmp.Diff(hostIDs(nodes), metadata(t, s).ContactInfo.ContactPoints); diff != "" {
		t.Error(diff)
	}
	// Without a host ID, a client is given a node that is up.
	for range 6 {
		c := &cqlClient{t: t, conn: dial(t, s, "localhost")}
		c.expect(c.ask(cql.OpOptions, nil), cql.OpSupported)
	}

	nodes[0].Start()
	nodes[0].Start()
	connectCQL(t, s, nodes[0])
	if got := watcher.eventTexts(1, nodes[0].Addr()); got[0] != "UP #0:9042" {
		t.Error(got)
	}
	unregistered.expect(unregistered.ask(cql.OpOptions, nil), cql.OpSupported) // and no event came before
}

func TestReplaceNodes(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	old := s.Nodes()
	onOld, onOther := connectCQL(t, s, old[1]), connectCQL(t, s, old[2])
	onOld.register(cql.TopologyChange)
	onOther.register(cql.TopologyChange, cql.StatusChange)
	from, tokens := old[1].Addr(), old[1].Tokens()

	added := s.ReplaceNodes(astratest.Replacement{Nodes: []int{1}})[0]
	if got, want := onOther.eventTexts(4, from, added.Addr()), []string{"NEW_NODE #1:9042", "UP #1:9042", "DOWN #0:9042", "REMOVED_NODE #0:9042"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	if got := onOld.eventTexts(2, from, added.Addr()); got[0] != "NEW_NODE #1:9042" {
		t.Errorf("events at the old node: %v", got)
	}
	onOld.expectEnd()
	if _, err := tryDial(t, s, old[1].HostID()); err == nil {
		t.Error("the proxy knows the old node")
	}
	nodes := s.Nodes()
	if nodes[0] != old[0] || nodes[1] != added || nodes[2] != old[2] || added.HostID() == old[1].HostID() || !slices.Equal(added.Tokens(), tokens) {
		t.Errorf("nodes %v after %v", hostIDs(nodes), hostIDs(old))
	}
	if diff := cmp.Diff(hostIDs(nodes), metadata(t, s).ContactInfo.ContactPoints); diff != "" {
		t.Error(diff)
	}
	if rows := onOther.queryRows("SELECT host_id FROM system.peers").rows; len(rows) != 2 || rows[1][0] != added.HostID() {
		t.Errorf("peers %v", rows)
	}
	old[1].Start() // a node that is gone stays away
	if _, err := tryDial(t, s, old[1].HostID()); err == nil {
		t.Error("a node that was replaced came back")
	}
}

func TestReplaceAllNodes(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	s.AddDatacenter("remote", 1)
	old := s.Nodes()
	var clients []*cqlClient
	for _, n := range old[:3] {
		c := connectCQL(t, s, n)
		c.register(cql.TopologyChange)
		clients = append(clients, c)
	}
	var addrs []netip.Addr
	for _, n := range old {
		addrs = append(addrs, n.Addr())
	}
	added := s.ReplaceNodes(astratest.Replacement{Quiet: true, SameAddresses: true})
	for _, c := range clients {
		c.expectEnd() // and no event before
	}
	nodes := s.Nodes()
	if len(added) != 3 || len(nodes) != 4 || nodes[3] != old[3] {
		t.Errorf("%d new nodes, %d in all", len(added), len(nodes))
	}
	for i, n := range nodes {
		if n.Addr() != addrs[i] {
			t.Errorf("node %d has another address", i)
		}
	}
	connectCQL(t, s, added[0])

	// The same, announced: nothing goes away where the addresses stay.
	watcher := connectCQL(t, s, added[2])
	watcher.register(cql.TopologyChange)
	s.ReplaceNodes(astratest.Replacement{SameAddresses: true})
	if got, want := watcher.eventTexts(3, addrs...), []string{"NEW_NODE #0:9042", "NEW_NODE #1:9042", "NEW_NODE #2:9042"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	watcher.expectEnd()
}

func TestMoveNode(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	n := s.Nodes()[0]
	moved, watcher := connectCQL(t, s, n), connectCQL(t, s, s.Nodes()[1])
	watcher.register(cql.TopologyChange, cql.StatusChange)
	from, id := n.Addr(), n.HostID()
	s.MoveNodeQuietly(2) // not to be seen among the events
	s.MoveNode(0)
	if n.Addr() == from || n.HostID() != id {
		t.Errorf("host ID %s at %v, and before that %s at %v", n.HostID(), n.Addr(), id, from)
	}
	moved.expectEnd()
	if got, want := watcher.eventTexts(4, from, n.Addr()), []string{"DOWN #0:9042", "REMOVED_NODE #0:9042", "NEW_NODE #1:9042", "UP #1:9042"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	c := connectCQL(t, s, n)
	if row := c.queryRows("SELECT rpc_address, host_id FROM system.local").rows[0]; row[0] != n.Addr() || row[1] != id {
		t.Errorf("system.local: %v", row)
	}
}

func TestAddDatacenter(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	c := connectCQL(t, s, s.Nodes()[0])
	c.register(cql.TopologyChange)
	remote := s.AddDatacenter("eu-west1", 2)
	c.events(2)
	var datacenters []string
	for _, row := range c.queryRows("SELECT data_center, tokens FROM system.peers").rows {
		datacenters = append(datacenters, row[0].(string))
		if row[1] == nil {
			t.Error("a peer without tokens")
		}
	}
	if want := []string{"us-east1", "us-east1", "eu-west1", "eu-west1"}; !slices.Equal(datacenters, want) {
		t.Errorf("datacenters of peers: %v", datacenters)
	}
	if got := len(metadata(t, s).ContactInfo.ContactPoints); got != 3 {
		t.Errorf("%d contact points", got)
	}
	if _, err := tryDial(t, s, remote[0].HostID()); err == nil {
		t.Error("the proxy knows a remote node")
	}
	want := [][]any{{map[any]any{"class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "us-east1": "3", "eu-west1": "2"}}}
	if diff := cmp.Diff(want, c.queryRows("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'default_keyspace'").rows); diff != "" {
		t.Error(diff)
	}
	if got := remote[1].Datacenter(); got != "eu-west1" {
		t.Error(got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a datacenter was added twice")
		}
	}()
	s.AddDatacenter("eu-west1", 1)
}

// All at once, for the race detector. Each request is answered or its connection ends; no statement is executed twice.
func TestNodesUnderLoad(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	s.Handle(insertItem, astratest.Statement{Params: itemParams(), Func: func(*astratest.Request) (*astratest.Result, error) { return nil, nil }})
	s.Handle("SELECT name FROM items", astratest.Statement{
		Columns: []astratest.Column{{Name: "name", Type: "text"}}, Result: &astratest.Result{Rows: [][]any{{strings.Repeat("x", 1000)}}},
	})
	done := make(chan struct{})
	var clients, changes sync.WaitGroup
	for i := range 6 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				load(t, s, i)
			}
		})
	}
	for _, change := range []func(int){
		func(i int) { s.ReplaceNodes(astratest.Replacement{Nodes: []int{i % 3}, Quiet: i%2 == 0}) },
		func(i int) { s.MoveNode(i % 3) },
		func(i int) { n := s.Nodes()[i%3]; n.Stop(); n.Start() },
		func(i int) { s.DefineSchema(fmt.Sprintf("CREATE TABLE t%d (a int PRIMARY KEY)", i)) },
		func(i int) { s.Handle(fmt.Sprintf("SELECT a FROM t%d", i), astratest.Statement{}) },
	} {
		changes.Go(func() {
			for i := range 40 {
				change(i)
			}
		})
	}
	changes.Wait()
	close(done)
	clients.Wait()
	c := connectCQL(t, s, s.Nodes()[0])
	c.queryRows("SELECT name FROM items")
	waitFor(t, "connections to end", func() bool {
		c.conn.Close()
		return s.Stats().OpenConns == 0
	})
}

// load connects and executes statements until its connection ends, or for a while.
func load(t *testing.T, s *astratest.Server, i int) {
	conn, err := tryDial(t, s, s.Nodes()[i%3].HostID())
	if err != nil {
		return
	}
	defer conn.Close()
	username, password := s.Token().CQL()
	frames := []struct {
		op   cql.Opcode
		body []byte
	}{
		{cql.OpStartup, startup("CQL_VERSION", "3.0.0")},
		{cql.OpAuthResponse, cql.AppendBytes(nil, []byte("\x00"+username+"\x00"+password))},
		{cql.OpRegister, cql.AppendStringList(nil, []string{cql.TopologyChange, cql.StatusChange, cql.SchemaChange})},
		{cql.OpPrepare, cql.AppendLongString(nil, insertItem)},
		{cql.OpQuery, queryBody(insertItem, cql.Parameters{Consistency: cql.LocalQuorum, Values: values(nil, nil)})},
		{cql.OpQuery, queryBody("SELECT name FROM items", cql.Parameters{})},
		{cql.OpQuery, queryBody("SELECT * FROM system.peers", cql.Parameters{})},
	}
	for stream := range int16(100) {
		f := frames[min(int(stream), len(frames)-1)]
		if stream > 6 {
			f = frames[4+stream%3]
		}
		frame := append(cql.AppendHeader(nil, cql.Header{Version: 4, Stream: stream, Opcode: f.op}), f.body...)
		cql.FinishFrame(frame)
		if _, err := conn.Write(frame); err != nil {
			return
		}
		for {
			c := &cqlClient{t: t, conn: conn}
			a, err := c.tryReceive()
			if err != nil {
				return
			}
			if a.Stream == cql.EventStream {
				continue
			}
			if a.Stream != stream || a.Opcode == cql.OpError {
				t.Errorf("stream %d: answer on %d, %v", stream, a.Stream, a.Opcode)
			}
			break
		}
	}
}

// Not parallel, so that no other test's goroutines are counted.
func TestNodesLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	s := astratest.NewServer(astratest.Latency(1e6))
	s.Handle("SELECT a FROM slow", astratest.Statement{Func: func(r *astratest.Request) (*astratest.Result, error) {
		<-r.Context().Done()
		return nil, nil
	}})
	for _, n := range s.Nodes() {
		for range 3 {
			c := connectCQL(t, s, n)
			c.register(cql.TopologyChange)
			for stream := range int16(20) {
				c.send(cql.Header{Stream: stream, Opcode: cql.OpQuery}, queryBody("SELECT a FROM slow", cql.Parameters{}))
				c.send(cql.Header{Stream: 100 + stream, Opcode: cql.OpOptions}, nil)
			}
		}
	}
	s.Close()
	if after := runtime.NumGoroutine(); after > before {
		waitFor(t, "all goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	}
	for _, n := range s.Nodes() {
		if open, _ := n.Conns(); open != 0 {
			t.Errorf("%d connections are left", open)
		}
	}
}
