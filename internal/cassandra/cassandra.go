// Package cassandra starts real Apache Cassandra nodes on loopback, for tests and examples. Start with [Start] and
// [Cluster.Close].
//
// It needs Java 17, and Maven at the first use on a machine: Maven downloads Cassandra's jars, which are then kept in the user's
// cache folder. Three nodes take about 2 GB of memory and start in about 10 seconds on two cores.
//
// The addresses that nodes tell their clients about lie on loopback too, but nothing listens there, as with Astra: a client gets
// nowhere that does not go through a proxy which knows [Node.Addr].
package cassandra

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// Version is the version of Apache Cassandra that is started.
const Version = "5.0.5"

// User is the role that clients log in with; [Cluster.Password] is its password. It is a superuser.
const User = "token"

// ErrUnavailable is in the errors of [Start] on a machine that lacks what Cassandra needs: Java, its right version, or Maven.
var ErrUnavailable = errors.New("Cassandra cannot run on this machine")

// Options says what to start. The zero value starts three nodes.
type Options struct {
	Nodes      int       // default 3, at most 9; each is a rack of its own
	Datacenter string    // name of the one datacenter; default "dc1"
	HeapMiB    int       // largest heap of a node, in MiB; default 512, at least 256
	Dir        string    // folder for the data, which is removed at the end; default os.TempDir()
	Progress   io.Writer // told what is going on, one line a step; default: nobody
}

// Cluster is a running cluster. Its methods are safe for concurrent use.
type Cluster struct {
	opts     Options
	password string
	dir      string
	unlock   func() // of dir
	nodes    []*Node

	closed    chan struct{} // closed by Close
	closeOnce sync.Once
}

// Start starts a cluster and returns when each of its nodes answers clients and sees all others. ctx bounds the start only. The
// caller must call Close. On Linux the nodes end with this process, however it ends; their data is then removed by the next Start.
//
// When a node fails, the error has the last lines of its log, and the log is kept until the next Start.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	c := &Cluster{opts: opts, password: newPassword(), closed: make(chan struct{})}
	if err := c.opts.setDefaults(); err != nil {
		return nil, fmt.Errorf("cassandra: %w", err)
	}
	if err := c.start(ctx); err != nil {
		c.kill()
		c.removeData(false)
		return nil, fmt.Errorf("cassandra: %w", err)
	}
	return c, nil
}

func (o *Options) setDefaults() error {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Nodes < 0 || o.Nodes > 9 {
		return fmt.Errorf("Options.Nodes is %d, want 1 to 9", o.Nodes)
	}
	if o.HeapMiB == 0 {
		o.HeapMiB = 512
	}
	if o.HeapMiB < 256 {
		return fmt.Errorf("Options.HeapMiB is %d, want at least 256", o.HeapMiB)
	}
	if o.Datacenter == "" {
		o.Datacenter = "dc1"
	}
	if strings.ContainsFunc(o.Datacenter, func(r rune) bool { return !strings.ContainsRune(nameLetters, r) }) {
		return fmt.Errorf("Options.Datacenter is %q, want letters, digits, '-' and '_'", o.Datacenter)
	}
	if o.Dir == "" {
		o.Dir = os.TempDir()
	}
	return nil
}

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// newPassword returns a password in the form of an Astra token.
func newPassword() string {
	var id [12]byte
	var secret [32]byte
	rand.Read(id[:])
	rand.Read(secret[:])
	return "AstraCS:" + hex.EncodeToString(id[:]) + ":" + hex.EncodeToString(secret[:])
}

func (c *Cluster) start(ctx context.Context) error {
	runtime, err := java(ctx)
	if err != nil {
		return err
	}
	jars, err := install(ctx, c.progress)
	if err != nil {
		return err
	}
	ips, cqlPort, storagePort, err := addresses(c.opts.Nodes)
	if err != nil {
		return err
	}
	if err := c.makeDir(); err != nil {
		return err
	}
	seeds := make([]string, len(ips))
	for i, ip := range ips {
		seeds[i] = fmt.Sprintf("%s:%d", ip, storagePort)
	}
	for i, ip := range ips {
		n := &Node{
			cluster: c,
			dir:     filepath.Join(c.dir, fmt.Sprintf("node%d", i+1)),
			java:    runtime,
			jars:    jars,
			addr:    fmt.Sprintf("%s:%d", ip, cqlPort),
		}
		settings := settings{
			IP: ip, ReportedIP: reported(ip), CQLPort: cqlPort, StoragePort: storagePort,
			Seeds: strings.Join(seeds, ","), TokenCount: tokensPerNode, Tokens: tokens(i), Dir: n.dir,
			Datacenter: c.opts.Datacenter, Rack: fmt.Sprintf("rack%d", i+1),
		}
		if err := settings.write(); err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
	}
	return c.startNodes(ctx)
}

// startNodes starts all nodes together: none of them waits for another.
func (c *Cluster) startNodes(ctx context.Context) error {
	c.progress("starting %d Apache Cassandra %s nodes", len(c.nodes), Version)
	begin := time.Now()
	for _, n := range c.nodes {
		if err := n.spawn(); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := n.awaitListener(ctx); err != nil {
			return err
		}
		c.progress("%s listens after %.1f s", n.addr, time.Since(begin).Seconds())
	}
	if err := c.createRole(ctx); err != nil {
		return err
	}
	for _, n := range c.nodes {
		if err := n.awaitLogin(ctx, &n.hostID); err != nil {
			return err
		}
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	c.progress("the cluster is ready after %.1f s", time.Since(begin).Seconds())
	return nil
}

// createRole makes the role that clients log in with. Every node gets it, so the nodes must see each other before.
func (c *Cluster) createRole(ctx context.Context) error {
	create := fmt.Sprintf("CREATE ROLE IF NOT EXISTS %q WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = '%s'", User, c.password)
	first := c.nodes[0]
	return first.retry(ctx, "creating the role "+User, func() error {
		conn, err := dial(ctx, first.addr, "cassandra", "cassandra")
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.query(needsAllNodes, cql.All); err != nil {
			return err
		}
		_, err = conn.query(create, cql.All)
		return err
	})
}

// needsAllNodes is a statement that fails at the consistency ALL while the coordinator does not see all nodes.
const needsAllNodes = "SELECT role FROM system_auth.roles WHERE role = 'cassandra'"

// settle waits until every node sees all others.
func (c *Cluster) settle(ctx context.Context) error {
	for _, n := range c.nodes {
		err := n.retry(ctx, "waiting for the nodes to see each other", func() error {
			_, err := c.query(ctx, n, needsAllNodes, cql.All)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// query asks one node.
func (c *Cluster) query(ctx context.Context, n *Node, statement string, level cql.Consistency) ([][][]byte, error) {
	conn, err := dial(ctx, n.addr, User, c.password)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.query(statement, level)
}

// Nodes returns the nodes, running or not, always in the same order.
func (c *Cluster) Nodes() []*Node { return append([]*Node(nil), c.nodes...) }

// Password returns the password of the role [User]. It has the form of an Astra token.
func (c *Cluster) Password() string { return c.password }

// Close ends all nodes at once and removes their data. It may be called more than once.
func (c *Cluster) Close() error {
	var err error
	c.closeOnce.Do(func() {
		close(c.closed)
		c.kill()
		err = c.removeData(true)
	})
	return err
}

func (c *Cluster) kill() {
	for _, n := range c.nodes {
		n.mu.Lock()
		n.endProcess()
		n.mu.Unlock()
	}
}

func (c *Cluster) progress(format string, args ...any) {
	if c.opts.Progress != nil {
		fmt.Fprintf(c.opts.Progress, "cassandra: "+format+"\n", args...)
	}
}
