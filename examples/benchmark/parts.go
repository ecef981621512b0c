package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// part is a table of figures.
type part struct {
	name, what string
	measure    func(context.Context, settings) error
}

var parts = []part{
	{"flat", "Reads flat out, nodes that answer at once", measureFlat},
	{"paced", "12,000 reads a second, nodes that answer after 1 ms", measurePaced},
	{"write", "Writes of large values, 4 writers", measureWrites},
	{"open", "From the bundle's bytes to the first row, RSA certificates", measureOpen},
	{"idle", "Memory of idle connections", measureIdle},
}

var clients = []string{plain, withAstra}

func measureFlat(ctx context.Context, s settings) error {
	server, err := startServer(ctx, serverJob{Nodes: s.nodes, RSA: s.rsa})
	if err != nil {
		return err
	}
	t := newLoadTable(s.out, "readers")
	for _, n := range s.readers {
		names := clients
		if n >= 2*s.nodes { // one for each connection
			names = append(names, limit)
		}
		err := measureLoad(ctx, s, server, t, fmt.Sprint(n), loadJob{Workers: n}, names)
		if err != nil {
			return err
		}
	}
	return server.stop()
}

func measurePaced(ctx context.Context, s settings) error {
	server, err := startServer(ctx, serverJob{Nodes: s.nodes, RSA: s.rsa, Latency: time.Millisecond})
	if err != nil {
		return err
	}
	t := newLoadTable(s.out, "readers")
	for _, n := range []int{16, 128} {
		err := measureLoad(ctx, s, server, t, fmt.Sprint(n), loadJob{Workers: n, Rate: 12_000}, clients)
		if err != nil {
			return err
		}
	}
	return server.stop()
}

func measureWrites(ctx context.Context, s settings) error {
	server, err := startServer(ctx, serverJob{Nodes: s.nodes, RSA: s.rsa})
	if err != nil {
		return err
	}
	t := newLoadTable(s.out, "bytes")
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		err := measureLoad(ctx, s, server, t, fmt.Sprint(size), loadJob{Workers: 4, Write: size}, clients)
		if err != nil {
			return err
		}
	}
	return server.stop()
}

// measureLoad adds to a table how the clients do a job.
func measureLoad(ctx context.Context, s settings, server *serverProcess, t *loadTable, label string, j loadJob, names []string) error {
	results := make(map[string][]loadResult)
	j.Time = s.time
	err := rounds(s.rounds, names, func(name string) error {
		j.Client = client{Name: name, Bundle: server.Bundle, Token: server.Token}
		if s.profile != "" {
			j.Profile = fmt.Sprintf("%s-%s-%s.prof", s.profile, name, label)
		}
		var r loadResult
		err := do(ctx, job{Load: &j}, &r)
		results[name] = append(results[name], r)
		return err
	})
	if err != nil {
		return err
	}
	t.add(label, results)
	return nil
}

// rounds calls a function for each client in each round, in another order each time.
func rounds(n int, names []string, measure func(client string) error) error {
	for range n {
		for _, i := range rand.Perm(len(names)) {
			if err := measure(names[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func measureOpen(ctx context.Context, s settings) error {
	server, err := startServer(ctx, serverJob{Nodes: s.nodes, RSA: true})
	if err != nil {
		return err
	}
	took := make(map[string][]float64)
	counts := make(map[string]string)
	err = rounds(3*s.rounds, clients, func(name string) error {
		before, err := server.stats()
		if err != nil {
			return err
		}
		var r openResult
		if err := do(ctx, job{Open: &openJob{client{Name: name, Bundle: server.Bundle, Token: server.Token}}}, &r); err != nil {
			return err
		}
		after, err := server.stats()
		if err != nil {
			return err
		}
		took[name] = append(took[name], r.FirstRow)
		counts[name] = fmt.Sprintf("%d dials, %d of them resumed, %d metadata requests", after.Dials-before.Dials,
			after.Resumed-before.Resumed, after.MetadataRequests-before.MetadataRequests)
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range clients {
		fmt.Fprintf(s.out, "  %-12s %6.1f ms  ratio %.2f  %s\n", name, median(took[name]), medianRatio(took[name], took[plain]), counts[name])
	}
	return server.stop()
}

func measureIdle(ctx context.Context, s settings) error {
	server, err := startServer(ctx, serverJob{Nodes: s.nodes, RSA: s.rsa})
	if err != nil {
		return err
	}
	used := make(map[string][]float64)
	err = rounds(min(s.rounds, 3), clients, func(name string) error {
		var r idleResult
		err := do(ctx, job{Idle: &idleJob{client{Name: name, Bundle: server.Bundle, Token: server.Token, NumConns: 50}, s.nodes}}, &r)
		used[name] = append(used[name], r.Memory)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range clients {
		fmt.Fprintf(s.out, "  %-12s %6.1f KiB a connection  ratio %.2f\n", name, median(used[name]), medianRatio(used[name], used[plain]))
	}
	return server.stop()
}
