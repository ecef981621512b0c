package main

import (
	"context"
	"fmt"
	"io"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cassandra"
)

// datacenter is the name of the real nodes' only one.
const datacenter = "dc1"

// realSlack is by how much longer things may take with real nodes, since three of them run on the machine of the program.
const realSlack = 4

// startCassandra starts three real nodes with the tables that readers and writers use.
func startCassandra(ctx context.Context, progress io.Writer) (*cassandra.Cluster, error) {
	cluster, err := cassandra.Start(ctx, cassandra.Options{Datacenter: datacenter, Progress: progress})
	if err != nil {
		return nil, err
	}
	if err := makeTables(ctx, cluster); err != nil {
		cluster.Close()
		return nil, fmt.Errorf("making tables in Cassandra: %w", err)
	}
	return cluster, nil
}

func realNodes(cluster *cassandra.Cluster) []astratest.Option {
	var backends []astratest.Backend
	for _, n := range cluster.Nodes() {
		backends = append(backends, astratest.Backend{HostID: n.HostID(), Addr: n.Addr()})
	}
	return []astratest.Option{astratest.Datacenter(datacenter), astratest.Backends(backends...)}
}

func makeTables(ctx context.Context, cluster *cassandra.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	d := newDatabase(&fault{}, settings{cassandra: cluster})
	defer d.Close()
	config, err := d.config()
	if err != nil {
		return err
	}
	session, _, err := openSession(ctx, config)
	if err != nil {
		return err
	}
	defer session.Close()
	for _, statement := range []string{
		"CREATE KEYSPACE chaos WITH replication = {'class': 'NetworkTopologyStrategy', '" + datacenter + "': 3}", itemsTable, writesTable,
	} {
		if err := session.Query(statement).ExecContext(ctx); err != nil {
			return err
		}
	}
	for n := range keys {
		key := fmt.Sprint(n)
		if err := session.Query("INSERT INTO chaos.items (key, value) VALUES (?, ?)", key, key).Idempotent(true).ExecContext(ctx); err != nil {
			return err
		}
	}
	return nil
}

// realExecutions is what database.executions is for real nodes.
func realExecutions(session *gocql.Session, first int64) (total, most int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), endless)
	defer cancel()
	rows := session.Query("SELECT id, executed FROM chaos.writes").Consistency(gocql.All).Idempotent(true).IterContext(ctx)
	var id int64
	var n int
	for rows.Scan(&id, &n) {
		if id >= first {
			total += n
			most = max(most, n)
		}
	}
	return total, most, rows.Close()
}
