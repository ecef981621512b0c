package main

import (
	"context"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/token"
)

// Clients that are compared. The first is the one that others are compared with.
const (
	plain     = "plain gocql"
	withAstra = "astra"
)

// client says how a process of a client connects.
type client struct {
	Name     string
	Bundle   []byte
	Token    string
	NumConns int // a node; 0: the client's default
}

// connect returns a session. It starts with the bundle's bytes, as a program does.
func (c client) connect(ctx context.Context) (*gocql.Session, error) {
	cluster, err := c.cluster(ctx)
	if err != nil {
		return nil, err
	}
	if c.Name == plain {
		return cluster.CreateSession()
	}
	return astra.Connect(ctx, cluster)
}

func (c client) cluster(ctx context.Context) (*gocql.ClusterConfig, error) {
	b, err := bundle.Parse(c.Bundle)
	if err != nil {
		return nil, err
	}
	t, err := token.Parse(c.Token)
	if err != nil {
		return nil, err
	}
	var cluster *gocql.ClusterConfig
	switch c.Name {
	case plain:
		cluster, err = plainCluster(ctx, b, t)
	case withAstra:
		cluster, err = astraCluster(ctx, astra.Config{Bundle: b, Token: t}, lever{})
	default:
		l, ok := findLever(c.Name)
		if !ok {
			return nil, fmt.Errorf("there is no client %q", c.Name)
		}
		cluster, err = astraCluster(ctx, astra.Config{Bundle: b, Token: t}, l)
	}
	if err != nil {
		return nil, err
	}
	if c.NumConns > 0 {
		cluster.NumConns = c.NumConns
	}
	return cluster, nil
}

// astraCluster returns what a program has that changes one setting.
func astraCluster(ctx context.Context, config astra.Config, l lever) (*gocql.ClusterConfig, error) {
	if l.configure != nil {
		l.configure(&config)
	}
	cluster, err := astra.NewCluster(ctx, config)
	if err == nil && l.change != nil {
		l.change(cluster)
	}
	return cluster, err
}
