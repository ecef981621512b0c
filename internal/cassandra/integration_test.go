//go:build integration

package cassandra

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// startCluster starts a cluster that the test's end closes. Without Java or Maven the test is skipped, but not in CI.
func startCluster(t *testing.T, opts Options) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	opts.Progress = t.Output()
	c, err := Start(ctx, opts)
	if errors.Is(err, ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skip("SKIPPED, real Cassandra was not tested: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestIntegrationCluster(t *testing.T) {
	parent := t.TempDir()
	c := startCluster(t, Options{Dir: parent})
	ctx := t.Context()

	ids := make(map[string]bool)
	for _, n := range c.Nodes() {
		ids[n.HostID()] = true
		rows, err := c.query(ctx, n, "SELECT rpc_address FROM system.local", cql.One)
		if err != nil {
			t.Fatal(err)
		}
		reported := net.JoinHostPort(net.IP(rows[0][0]).String(), port(t, n.Addr()))
		if conn, err := net.Dial("tcp", reported); err == nil {
			conn.Close()
			t.Errorf("something listens on %s, which node %s reports as its address", reported, n.Addr())
		}
		if rows, err = c.query(ctx, n, "SELECT host_id FROM system.peers", cql.One); err != nil || len(rows) != 2 {
			t.Errorf("node %s has %d peers, want 2 (%v)", n.Addr(), len(rows), err)
		}
	}
	if len(ids) != 3 {
		t.Errorf("%d host IDs, want 3: %v", len(ids), ids)
	}

	t.Run("wrong password", func(t *testing.T) {
		var refused *cql.Error
		if _, err := dial(ctx, c.Nodes()[0].Addr(), User, "wrong"); !errors.As(err, &refused) || refused.Code != cql.CodeCredentials {
			t.Errorf("error %v, want one with code %#x", err, cql.CodeCredentials)
		}
	})
	t.Run("stop and start", func(t *testing.T) {
		n := c.Nodes()[1]
		pid, id := n.process.PID(), n.HostID()
		if _, err := c.query(ctx, n, "CREATE KEYSPACE kept WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}", cql.One); err != nil {
			t.Fatal(err)
		}
		if err := n.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if alive(pid) {
			t.Errorf("process %d runs after Stop", pid)
		}
		if _, err := c.query(ctx, c.Nodes()[0], "SELECT * FROM system_auth.roles", cql.Quorum); err != nil {
			t.Errorf("with one node stopped: %v", err)
		}
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if n.HostID() != id {
			t.Errorf("host ID %s after the start, want %s", n.HostID(), id)
		}
		rows, err := c.query(ctx, n, "SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'kept'", cql.One)
		if err != nil || len(rows) != 1 {
			t.Errorf("%d rows about a keyspace made before the stop, want 1 (%v)", len(rows), err)
		}
	})
	t.Run("close", func(t *testing.T) {
		var pids []int
		for _, n := range c.Nodes() {
			pids = append(pids, n.process.PID())
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		for _, pid := range pids {
			if alive(pid) {
				t.Errorf("process %d runs after Close", pid)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(parent, "*")); len(left) != 0 {
			t.Errorf("left behind: %q", left)
		}
		if err := c.Nodes()[0].Start(ctx); !errors.Is(err, errClosed) {
			t.Errorf("Node.Start after Close: %v, want %v", err, errClosed)
		}
	})
}

func TestIntegrationStartCanceled(t *testing.T) {
	startCluster(t, Options{Nodes: 1}).Close() // the jars are there now
	parent := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	progress := make(lines, 10)
	result := make(chan error, 1)
	go func() {
		_, err := Start(ctx, Options{Nodes: 1, Dir: parent, Progress: progress})
		result <- err
	}()
	<-progress // "starting 1 Apache Cassandra node"
	for deadline := time.Now().Add(time.Minute); len(processesWith(t, parent)) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("no process within a minute")
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if left := processesWith(t, parent); len(left) != 0 {
		t.Errorf("processes %v run after a canceled start", left)
	}
}

// TestIntegrationParentDies kills a process that has a cluster: the node must end with it, and the next Start removes its data.
func TestIntegrationParentDies(t *testing.T) {
	const folder = "ASTRA_GO_CASSANDRA_FOLDER"
	if parent := os.Getenv(folder); parent != "" { // in the child
		if _, err := Start(t.Context(), Options{Nodes: 1, Dir: parent}); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("started\n")
		select {}
	}
	startCluster(t, Options{Nodes: 1}).Close()
	parent := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestIntegrationParentDies$")
	child.Env = append(os.Environ(), folder+"="+parent)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "started\n" {
		t.Fatalf("the child printed %q (%v)", line, err)
	}
	if len(processesWith(t, parent)) == 0 {
		t.Fatal("the child has no node")
	}
	child.Process.Kill()
	for deadline := time.Now().Add(10 * time.Second); len(processesWith(t, parent)) != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("processes %v still run", processesWith(t, parent))
		}
		time.Sleep(10 * time.Millisecond)
	}
	sweep(parent)
	if left, _ := filepath.Glob(filepath.Join(parent, "*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func port(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// processesWith returns the processes that have dir in their command line.
func processesWith(t *testing.T, dir string) (pids []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		line, _ := os.ReadFile(name) // empty for one that has ended
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err == nil && pid != os.Getpid() && bytes.Contains(line, []byte(dir)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// lines passes on what is written to it, line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}
