// Command quickstart connects to Astra DB and asks the node that answers who it is.
//
// It reads the token and the bundle from the environment:
//
//	export ASTRA_DB_APPLICATION_TOKEN=AstraCS:...
//	export ASTRA_DB_SECURE_BUNDLE_PATH=secure-connect-mydb.zip
//	go run ./examples/quickstart
//
// Without these variables it connects to an Astra in this process, so it runs anywhere.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	config, err := configure(ctx, out)
	if err != nil {
		return err
	}
	defer config.close()

	cluster, err := astra.NewCluster(ctx, config.Config)
	if err != nil {
		return err
	}
	cluster.Timeout = 5 * time.Second // a plain *gocql.ClusterConfig: tune it as usual
	session, err := astra.Connect(ctx, cluster)
	if err != nil {
		return err
	}
	defer session.Close()

	var hostID gocql.UUID
	var datacenter, version string
	err = session.Query("SELECT host_id, data_center, release_version FROM system.local").
		Idempotent(true).ScanContext(ctx, &hostID, &datacenter, &version)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Connected to node %v in datacenter %s, release %s.\n", hostID, datacenter, version)
	return nil
}

// configured is a configuration and what has to be closed when it is not used any more.
type configured struct {
	astra.Config
	close func()
}

func configure(ctx context.Context, out io.Writer) (configured, error) {
	for _, name := range []string{"ASTRA_DB_APPLICATION_TOKEN", "ASTRA_DB_SECURE_BUNDLE_PATH", "ASTRA_DB_ID"} {
		if os.Getenv(name) != "" {
			config, err := astra.ConfigFromEnv(ctx)
			return configured{config, func() {}}, err
		}
	}
	fmt.Fprintln(out, "ASTRA_DB_APPLICATION_TOKEN is not set: connecting to an Astra in this process.")
	server := astratest.NewServer()
	return configured{astra.Config{Bundle: server.Bundle(), Token: server.Token()}, server.Close}, nil
}
