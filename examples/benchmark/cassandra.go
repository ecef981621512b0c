package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cassandra"
	"github.com/seed-5f06b232/astra-go/token"
)

const datacenter = "dc1"

// serveCassandra is serve with three real nodes behind the proxy, which have the rows that are read.
func serveCassandra(ctx context.Context, in io.Reader, out io.Writer) error {
	nodes, err := cassandra.Start(ctx, cassandra.Options{Datacenter: datacenter, Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer nodes.Close()
	var backends []astratest.Backend
	for _, n := range nodes.Nodes() {
		backends = append(backends, astratest.Backend{HostID: n.HostID(), Addr: n.Addr()})
	}
	server := astratest.NewServer(astratest.Backends(backends...), astratest.Datacenter(datacenter))
	defer server.Close()
	t, err := token.Parse(nodes.Password())
	if err != nil {
		return err
	}
	if err := fill(ctx, astra.Config{Bundle: server.Bundle(), Token: t}); err != nil {
		return err
	}
	return tell(served{server.BundleZip(), t.Bearer()}, in, out, func() counts { return counts{Stats: server.Stats()} })
}

// fill makes the table that is read, and its rows.
func fill(ctx context.Context, c astra.Config) error {
	cluster, err := astra.NewCluster(ctx, c)
	if err != nil {
		return err
	}
	session, err := astra.Connect(ctx, cluster)
	if err != nil {
		return err
	}
	defer session.Close()
	for _, statement := range []string{
		fmt.Sprintf("CREATE KEYSPACE benchmark WITH replication = {'class': 'NetworkTopologyStrategy', '%s': 3}", datacenter),
		"CREATE TABLE benchmark.items (key text PRIMARY KEY, value text)",
	} {
		if err := session.Query(statement).ExecContext(ctx); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		if err := session.AwaitSchemaAgreement(ctx); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if err := session.Query(insertValue, key, strings.Repeat("x", valueSize)).Idempotent(true).ExecContext(ctx); err != nil {
			return err
		}
	}
	return nil
}

func measureCassandra(ctx context.Context, s settings) error {
	for _, needed := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(needed); err != nil {
			return err
		}
	}
	server, err := startServer(ctx, serverJob{Cassandra: true})
	if err != nil {
		return err
	}
	warmUp := loadJob{Client: client{Name: plain, Bundle: server.Bundle, Token: server.Token}, Workers: 64, Time: javaWarmUp}
	if err := do(ctx, job{Load: &warmUp}, new(loadResult)); err != nil {
		return err
	}
	t := newLoadTable(s.out, "cassandra", "readers")
	for _, n := range []int{1, 16, 128} {
		if err := measureLoad(ctx, s, server, t, fmt.Sprint(n), loadJob{Workers: n}, clients); err != nil {
			return err
		}
	}
	return server.stop()
}
