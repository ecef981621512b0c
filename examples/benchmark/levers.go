package main

import (
	"context"
	"fmt"
	"runtime/debug"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
)

// lever is a setting that a program may change, to see what that gains or costs.
type lever struct {
	name      string
	configure func(*astra.Config)        // may be nil
	change    func(*gocql.ClusterConfig) // may be nil
}

var levers = []lever{
	{name: "2 connections a node", change: func(c *gocql.ClusterConfig) { c.NumConns = 2 }},
	{name: "4 connections a node", change: func(c *gocql.ClusterConfig) { c.NumConns = 4 }},
	{name: "writes not merged", configure: func(c *astra.Config) { c.DisableWriteMerging = true }},
	{name: "no Timeout", change: func(c *gocql.ClusterConfig) { c.Timeout = 0 }},
	{name: "no RetryPolicy", change: func(c *gocql.ClusterConfig) { c.RetryPolicy = nil }},
	{name: "metadata with each row", change: func(c *gocql.ClusterConfig) { c.DisableSkipMetadata = true }},
	{name: "no timestamps", change: func(c *gocql.ClusterConfig) { c.DefaultTimestamp = false }},
	{name: "GOGC=400", change: func(*gocql.ClusterConfig) { debug.SetGCPercent(400) }},
}

func findLever(name string) (lever, bool) {
	for _, l := range levers {
		if l.name == name {
			return l, true
		}
	}
	return lever{}, false
}

func measureLevers(ctx context.Context, s settings) error {
	server, err := startServer(ctx, serverJob{Nodes: s.nodes, RSA: s.rsa})
	if err != nil {
		return err
	}
	names := []string{withAstra}
	for _, l := range levers {
		names = append(names, l.name)
	}
	for _, n := range []int{16, 128} {
		results, err := measureClients(ctx, s, server, fmt.Sprint(n), loadJob{Workers: n}, names)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "  %-24s", fmt.Sprint(n, " readers"))
		for _, m := range measures {
			fmt.Fprintf(s.out, " %-17s", m.name)
		}
		fmt.Fprintln(s.out)
		for _, l := range levers {
			fmt.Fprintf(s.out, "  %-24s", l.name)
			for _, m := range measures {
				fmt.Fprintf(s.out, " %-17s", spread(ratiosOf(m.all(results[l.name]), m.all(results[withAstra]))))
			}
			fmt.Fprintln(s.out)
		}
	}
	return server.stop()
}
