package astra_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/token"
)

// An Astra in the process stands in for the real one here: use bundle.Load and token.Parse in its place.
func Example() {
	server := astratest.NewServer()
	defer server.Close()

	ctx := context.Background()
	cluster, err := astra.NewCluster(ctx, astra.Config{Bundle: server.Bundle(), Token: server.Token()})
	if err != nil {
		log.Fatal(err)
	}
	cluster.Timeout = 5 * time.Second // a plain *gocql.ClusterConfig
	session, err := astra.Connect(ctx, cluster)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()

	var name string
	if err := session.Query("SELECT cluster_name FROM system.local").Scan(&name); err != nil {
		log.Fatal(err)
	}
	fmt.Println(name)
	// Output: cndb
}

// What went wrong is in the chain of the error that Connect returns.
func ExampleConnect_refusedToken() {
	server := astratest.NewServer()
	defer server.Close()
	old := server.Token()
	server.RotateToken()

	ctx := context.Background()
	cluster, err := astra.NewCluster(ctx, astra.Config{Bundle: server.Bundle(), Token: old})
	if err != nil {
		log.Fatal(err)
	}
	_, err = astra.Connect(ctx, cluster)
	fmt.Println(errors.Is(err, astra.ErrUnauthenticated))
	// Output: true
}

// A function opens its session at its first call and keeps it for those that follow; if that fails, the next call tries again.
func ExampleConnect_shortLived() {
	server := astratest.NewServer()
	defer server.Close()

	var mu sync.Mutex
	var session *gocql.Session
	connected := func(ctx context.Context) (*gocql.Session, error) {
		mu.Lock()
		defer mu.Unlock()
		if session != nil {
			return session, nil
		}
		cluster, err := astra.NewCluster(ctx, astra.Config{Bundle: server.Bundle(), Token: server.Token()})
		if err != nil {
			return nil, err
		}
		cluster.Timeout = 2 * time.Second
		session, err = astra.Connect(ctx, cluster)
		return session, err
	}
	handler := func(ctx context.Context) (name string, err error) {
		s, err := connected(ctx)
		if err != nil {
			return "", err
		}
		err = s.Query("SELECT cluster_name FROM system.local").Idempotent(true).ScanContext(ctx, &name)
		return name, err
	}

	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second) // the platform's
		name, err := handler(ctx)
		cancel()
		fmt.Println(name, err)
	}
	// Output:
	// cndb <nil>
	// cndb <nil>
}

// A source that learns of a new token keeps a session alive while tokens rotate: it is asked at each new connection.
func ExampleConfig_rotatingToken() {
	server := astratest.NewServer(astratest.NodeCount(1))
	defer server.Close()

	config := astra.Config{
		Bundle: server.Bundle(),
		Token: token.SourceFunc(func(context.Context) (token.Token, error) {
			return server.Token(), nil // such as from a secret manager's cache, or use token.File
		}),
	}
	ctx := context.Background()
	cluster, err := astra.NewCluster(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	session, err := astra.Connect(ctx, cluster)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()

	const statement = "SELECT cluster_name FROM system.local"
	if err := session.Query(statement).Exec(); err != nil { // prepares it: see the limits of gocql
		log.Fatal(err)
	}
	server.RotateToken()
	server.DropConns() // each connection has to be made anew, with the new token
	var name string
	err = session.Query(statement).Idempotent(true).Scan(&name)
	fmt.Println(name, err)
	// Output: cndb <nil>
}

// Dialer makes connections without gocql, for tools that speak CQL themselves.
func ExampleDialer_DialNode() {
	server := astratest.NewServer()
	defer server.Close()

	dialer, err := astra.NewDialer(astra.Config{Bundle: server.Bundle(), Token: server.Token()})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	metadata, err := dialer.Metadata(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, hostID := range metadata.ContactPoints {
		conn, err := dialer.DialNode(ctx, hostID)
		if err != nil {
			log.Fatal(err)
		}
		conn.Close()
	}
	fmt.Println(len(metadata.ContactPoints), "nodes in", metadata.LocalDC)
	// Output: 3 nodes in us-east1
}
