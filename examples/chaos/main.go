// Command chaos shows what a program notices when Astra changes or fails: next to nothing.
//
//	go run ./examples/chaos
//
// For each fault of a list it starts an Astra in this process (package astratest) and a program with eight readers and two writers, which
// work without a pause. Then the fault happens. What the program notices is drawn while it happens and compared with bounds; the exit
// status is 1 if one does not hold. With -help it tells the faults, and how to pick some, to have random ones, to put real Cassandra nodes
// behind the proxy, and to keep the results.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	fault  string
	long   bool
	off    bool
	log    bool
	svg    string
	write  string
	nodes  string
	random time.Duration
	seed   uint64
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.fault, "fault", "", "have this `fault` only, or several with commas between them")
	flags.BoolVar(&o.long, "long", false, "have those that take a minute, too")
	flags.BoolVar(&o.off, "off", false, "switch off what helps: merged writes, waiting for a connection, TLS session resumption")
	flags.BoolVar(&o.log, "log", false, "write what the library and gocql log to the standard error")
	flags.StringVar(&o.svg, "svg", "", "draw the timelines into this `file`")
	flags.StringVar(&o.write, "write", "", "have all faults also with -off, and write both tables to this `file`, as docs/reliability.md")
	flags.StringVar(&o.nodes, "nodes", "simulated", "which `nodes` are behind the proxy: simulated; or cassandra, three real ones, which need Java 17 and Maven, "+
		fmt.Sprintf("and with which things may take %d times as long", realSlack))
	flags.DurationVar(&o.random, "random", 0, "have random faults for a `time`, such as 5m")
	flags.Uint64Var(&o.seed, "seed", 0, "the `number` that decides on the random faults (default a random one)")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: chaos [flags]\n\nFlags:")
		flags.PrintDefaults()
		fmt.Fprintln(stderr, "\nFaults:")
		t := tabwriter.NewWriter(stderr, 0, 0, 2, ' ', 0)
		for _, f := range faults {
			fmt.Fprintf(t, "  %s\t%s\n", f.name, f.title)
		}
		t.Flush()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	case o.nodes != "simulated" && o.nodes != "cassandra":
		return o, fmt.Errorf("-nodes is %q, neither simulated nor cassandra", o.nodes)
	case o.random > 0 && (o.nodes != "simulated" || o.fault != "" || o.write != "" || o.svg != ""):
		return o, errors.New("-random goes with -seed, -off and -log only")
	case o.write != "" && (o.off || o.nodes != "simulated"):
		return o, errors.New("-write has the faults with and without -off by itself, on simulated nodes")
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1_000_000) + 1
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	s := defaultSettings()
	s.off = o.off
	if o.log {
		s.logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if o.random > 0 {
		return playRandom(ctx, s, o.seed, o.random, stdout)
	}
	picked, err := pick(o)
	if err != nil {
		return err
	}
	if o.nodes == "cassandra" {
		if s.cassandra, err = startCassandra(ctx, stderr); err != nil {
			return err
		}
		defer s.cassandra.Close()
		s.slack = realSlack
	}
	s.view = newView(stdout)
	results, err := playAll(ctx, picked, s)
	if err != nil {
		return err
	}
	var off []*result
	if o.write != "" {
		fmt.Fprintln(stdout, "\nThe same with merged writes, waiting and session resumption switched off:")
		s.off = true
		if off, err = playAll(ctx, picked, s); err != nil {
			return err
		}
	}
	fmt.Fprintln(stdout)
	if err := writeTable(stdout, results); err != nil {
		return err
	}
	if o.write != "" {
		if err := writeReliability(o.write, o.svg, s, results, off); err != nil {
			return err
		}
	}
	if o.svg != "" {
		if err := writeSVG(o.svg, results); err != nil {
			return err
		}
	}
	if n := countBroken(slices.Concat(results, off)); n > 0 {
		return fmt.Errorf("%d faults broke a bound", n)
	}
	return nil
}

// pick returns the faults that the command line asks for.
func pick(o options) ([]*fault, error) {
	if o.fault == "" {
		return slices.DeleteFunc(slices.Clone(faults), func(f *fault) bool {
			return f.long && !o.long || o.nodes == "cassandra" && !f.real
		}), nil
	}
	var picked []*fault
	for name := range strings.SplitSeq(o.fault, ",") {
		i := slices.IndexFunc(faults, func(f *fault) bool { return f.name == name })
		switch {
		case i < 0:
			return nil, fmt.Errorf("there is no fault %q; -help tells which there are", name)
		case o.nodes == "cassandra" && !faults[i].real:
			return nil, fmt.Errorf("the fault %q cannot happen to real nodes", name)
		}
		picked = append(picked, faults[i])
	}
	return picked, nil
}

// playAll plays one fault after the other.
func playAll(ctx context.Context, picked []*fault, s settings) ([]*result, error) {
	var results []*result
	for _, f := range picked {
		r, err := playFairly(ctx, f, s)
		if errors.Is(err, errNotHere) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		s.view.end(r)
		results = append(results, r)
	}
	return results, nil
}

func countBroken(results []*result) int {
	n := 0
	for _, r := range results {
		if len(r.broken) > 0 {
			n++
		}
	}
	return n
}
