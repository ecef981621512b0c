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
	{"java", "Reads flat out, beside the official Java driver (asynchronous), which needs Java and Maven", measureJava},
	{"cassandra", "Reads flat out, three real Cassandra nodes, which need Java and Maven", measureCassandra},
	{"write", "Writes of large values, 4 writers", measureWrites},
	{"levers", "Reads flat out with one setting changed, as ratios of the defaults, median (range)", measureLevers},
	{"open", "From the bundle's bytes to the first row, RSA certificates", measureOpen},
	{"idle", "Memory of idle connections", measureIdle},
	{"route", "Statements that reach the replica of their key, 6 nodes, 1 replica", measureRoute},
	{"scale", "Many nodes, many sessions of one configuration", measureScale},
}

var clients = []string{plain, withAstra}[:2:2]

func measureFlat(ctx context.Context, s settings) error {
	server, err := startServer(ctx, serverJob{Nodes: s.nodes, RSA: s.rsa})
	if err != nil {
		return err
	}
	t := newLoadTable(s.out, "flat", "readers", limit)
	for _, n := range s.readers {
		names := clients
		if n >= s.nodes { // one for each connection
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
	t := newLoadTable(s.out, "paced", "readers")
	for _, n := range []int{16, 128} {
		err := measureLoad(ctx, s, server, t, fmt.Sprint(n), loadJob{Workers: n, Rate: 12_000}, clients)
		if err != nil {
			return err
		}
	}
	return server.stop()
}

func measureJava(ctx context.Context, s settings) error {
	s.rounds = min(s.rounds, 3) // the virtual machine takes long to warm up
	server, err := startServer(ctx, serverJob{Nodes: s.nodes, RSA: s.rsa})
	if err != nil {
		return err
	}
	t := newLoadTable(s.out, "java", "readers", javaDriver)
	for _, n := range []int{16, 128, 512, 2048} {
		err := measureLoad(ctx, s, server, t, fmt.Sprint(n), loadJob{Workers: n}, append(clients, javaDriver))
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
	t := newLoadTable(s.out, "write", "bytes")
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
	results, err := measureClients(ctx, s, server, label, j, names)
	if err == nil {
		t.add(label, results)
	}
	return err
}

// measureClients has the clients do a job in turn.
func measureClients(ctx context.Context, s settings, server *serverProcess, label string, j loadJob, names []string) (map[string][]loadResult, error) {
	results := make(map[string][]loadResult)
	j.Time = s.time
	err := rounds(s.rounds, names, func(name string) error {
		j.Client = client{Name: name, Bundle: server.Bundle, Token: server.Token}
		if s.profile != "" {
			j.Profile = fmt.Sprintf("%s-%s-%s.prof", s.profile, name, label)
		}
		var r loadResult
		var err error
		if name == javaDriver {
			r, err = javaLoad(ctx, j)
		} else {
			err = do(ctx, job{Load: &j}, &r)
		}
		results[name] = append(results[name], r)
		return err
	})
	return results, err
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
	seen := make(map[string]counts)
	err = rounds(3*s.rounds, clients, func(name string) error {
		var r openResult
		var err error
		seen[name], err = server.during(func() error {
			return do(ctx, job{Open: &openJob{client{Name: name, Bundle: server.Bundle, Token: server.Token}}}, &r)
		})
		took[name] = append(took[name], r.FirstRow)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range clients {
		c, ratio := seen[name], medianRatio(took[name], took[plain])
		if name == withAstra {
			s.out.judge("open ratio", ratio)
			s.out.judge("open dials", float64(c.Dials))
		}
		fmt.Fprintf(s.out, "  %-12s %6.1f ms  ratio %.2f  %d dials, %d TLS sessions resumed, %d metadata requests\n",
			name, median(took[name]), ratio, c.Dials, c.Resumed, c.MetadataRequests)
	}
	return server.stop()
}

func measureIdle(ctx context.Context, s settings) error {
	server, err := startServer(ctx, serverJob{Nodes: s.nodes, RSA: s.rsa})
	if err != nil {
		return err
	}
	for _, burst := range []bool{false, true} {
		if err := measureMemory(ctx, s, server, burst); err != nil {
			return err
		}
	}
	return server.stop()
}

func measureMemory(ctx context.Context, s settings, server *serverProcess, burst bool) error {
	what := "idle"
	if burst {
		what = "idle after a burst"
	}
	heaps, stacks, sums := make(map[string][]float64), make(map[string][]float64), make(map[string][]float64)
	err := rounds(min(s.rounds, 3), clients, func(name string) error {
		j := idleJob{Client: client{Name: name, Bundle: server.Bundle, Token: server.Token, NumConns: 50}, Nodes: s.nodes, Burst: burst}
		if s.profile != "" {
			j.Profile = fmt.Sprintf("%s-%s-%s.prof", s.profile, name, what)
		}
		var r idleResult
		err := do(ctx, job{Idle: &j}, &r)
		heaps[name] = append(heaps[name], r.Heap)
		stacks[name] = append(stacks[name], r.Stacks)
		sums[name] = append(sums[name], r.Heap+r.Stacks)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range clients {
		ratio := medianRatio(sums[name], sums[plain])
		if name == withAstra {
			s.out.judge(what+" ratio", ratio)
		}
		fmt.Fprintf(s.out, "  %-18s  %-12s %6.1f KiB of heap and %.1f of stacks a connection  ratio %.2f\n",
			what, name, median(heaps[name]), median(stacks[name]), ratio)
	}
	return nil
}

func measureRoute(ctx context.Context, s settings) error {
	server, err := startServer(ctx, serverJob{Nodes: 6, RSA: s.rsa})
	if err != nil {
		return err
	}
	for _, name := range clients {
		c, err := server.during(func() error {
			return do(ctx, job{Route: &routeJob{client{Name: name, Bundle: server.Bundle, Token: server.Token}}}, new(routeResult))
		})
		if err != nil {
			return err
		}
		if name == withAstra {
			s.out.judge("route replica", float64(c.Replica))
		}
		fmt.Fprintf(s.out, "  %-12s %d of %d\n", name, c.Replica, c.Routed)
	}
	return server.stop()
}

func measureScale(ctx context.Context, s settings) error {
	fmt.Fprintf(s.out, "  %5s %8s | %7s %8s %9s | %7s %s\n", "nodes", "sessions", "dials", "resumed", "metadata", "s", "KiB a session")
	for _, size := range []struct{ nodes, sessions int }{{3, 1}, {30, 1}, {300, 1}, {3, 100}, {3, 1000}} {
		server, err := startServer(ctx, serverJob{Nodes: size.nodes, RSA: s.rsa})
		if err != nil {
			return err
		}
		var r scaleResult
		c, err := server.during(func() error {
			return do(ctx, job{Scale: &scaleJob{client{Name: withAstra, Bundle: server.Bundle, Token: server.Token}, size.sessions, size.nodes}}, &r)
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "  %5d %8d | %7d %8d %9d | %7.2f %7.0f\n", size.nodes, size.sessions, c.Dials, c.Resumed, c.MetadataRequests, r.Seconds, r.Memory)
		if err := server.stop(); err != nil {
			return err
		}
	}
	return nil
}
