package cassandra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
	"github.com/seed-5f06b232/astra-go/internal/process"
)

// Node is one node of a cluster. Its methods are safe for concurrent use.
type Node struct {
	cluster    *Cluster
	dir        string
	java, jars string
	addr       string
	hostID     string

	mu      sync.Mutex       // held while the node starts or stops; guards process
	process *process.Process // nil: stopped
	running atomic.Bool
}

// HostID returns the node's host ID, which stays the same when it is stopped and started.
func (n *Node) HostID() string { return n.hostID }

// Addr returns the address, "127.x.y.z:port", where the node listens for CQL clients. Nodes tell nobody about it.
func (n *Node) Addr() string { return n.addr }

// Log returns the name of the node's log file.
func (n *Node) Log() string { return filepath.Join(n.dir, "system.log") }

// Stop shuts the node down in an orderly way, which takes about 3 seconds, and returns when it has ended: the other nodes know at once. When ctx
// ends first, the node is killed. Its data stays. Stop does nothing when the node is not running.
func (n *Node) Stop(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return nil
	}
	err := n.process.Stop(ctx, 30*time.Second)
	n.process = nil
	n.running.Store(false)
	if err != nil {
		return fmt.Errorf("cassandra: node %s did not end by itself: %w", n.addr, err)
	}
	return nil
}

// Start starts the node again with the data that it has, and returns when clients can log in and, if no other node is stopped, every
// node sees it. Start does nothing when the node is running.
func (n *Node) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		return nil
	}
	if err := n.start(ctx); err != nil {
		n.endProcess()
		return fmt.Errorf("cassandra: %w", err)
	}
	return nil
}

func (n *Node) start(ctx context.Context) error {
	if err := n.spawn(); err != nil {
		return err
	}
	if err := n.awaitListener(ctx); err != nil {
		return err
	}
	var hostID string
	if err := n.awaitLogin(ctx, &hostID); err != nil {
		return err
	}
	if hostID != n.hostID {
		return fmt.Errorf("node %s came back with the host ID %s, it had %s", n.addr, hostID, n.hostID)
	}
	for _, other := range n.cluster.nodes {
		if !other.running.Load() {
			return nil
		}
	}
	return n.cluster.settle(ctx)
}

// spawn starts the node's process.
func (n *Node) spawn() error {
	select {
	case <-n.cluster.closed:
		return errClosed
	default:
	}
	args, err := arguments(n.jars, n.dir, n.cluster.opts.HeapMiB, n.cluster.opts.Nodes)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(n.java, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, log, log
	p, err := process.Start(cmd)
	if err != nil {
		return err
	}
	n.process = p
	n.running.Store(true)
	return nil
}

// endProcess kills the node's process, if there is one.
func (n *Node) endProcess() {
	if n.process != nil {
		n.process.Kill()
		n.process = nil
		n.running.Store(false)
	}
}

// awaitListener waits until the node accepts clients.
func (n *Node) awaitListener(ctx context.Context) error {
	return n.retry(ctx, "waiting for node "+n.addr, func() error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", n.addr)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// awaitLogin waits until clients can log in, and asks the node for its host ID.
func (n *Node) awaitLogin(ctx context.Context, hostID *string) error {
	return n.retry(ctx, "asking node "+n.addr+" for its host ID", func() error {
		rows, err := n.cluster.query(ctx, n, "SELECT host_id FROM system.local", cql.One)
		if err != nil {
			return err
		}
		if len(rows) != 1 || len(rows[0][0]) != 16 {
			return errors.New("no host ID in system.local")
		}
		id := rows[0][0]
		*hostID = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
		return nil
	})
}

var errClosed = errors.New("the cluster is closed")

// retry calls try until it returns nil, but not longer than the node runs, the cluster is open and ctx lasts.
func (n *Node) retry(ctx context.Context, what string, try func() error) error {
	const pause = 100 * time.Millisecond
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-n.process.Done():
			return fmt.Errorf("node %s ended while it should run (%v); its log %s ends with\n%s", n.addr, n.process.Err(), n.Log(), n.logEnd())
		case <-n.cluster.closed:
			return errClosed
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; last try: %w; the log %s ends with\n%s", what, context.Cause(ctx), err, n.Log(), n.logEnd())
		case <-time.After(pause):
		}
	}
}

func (n *Node) logEnd() string {
	log, err := os.ReadFile(n.Log())
	if err != nil {
		return err.Error()
	}
	return process.LastLines(log, 15)
}
