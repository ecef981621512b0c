// Command benchmark measures what the library costs and gains against plain gocql on the same connections.
//
//	go run ./examples/benchmark
//
// The database is an Astra in another process (package astratest). Each figure of a client comes from a process of its own. Clients take turns, and what is
// printed is the median over the rounds of the ratio to plain gocql in the same round, because a shared machine is not
// equally fast all the time.
//
// See -help for which parts there are and how to choose among them.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
}

// settings are what the flags say.
type settings struct {
	rounds  int
	time    time.Duration
	rsa     bool
	nodes   int
	readers []int
	profile string
	out     *report
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == "job" {
		return runJob(ctx, stdin, stdout)
	}
	flags := flag.NewFlagSet("benchmark", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "Usage: benchmark [flags] [part ...]\nParts, all of them by default:\n")
		for _, p := range parts {
			fmt.Fprintf(stderr, "  %-8s %s\n", p.name, p.what)
		}
		flags.PrintDefaults()
	}
	s := settings{out: &report{Writer: stdout}}
	flags.IntVar(&s.rounds, "rounds", 7, "measure each client so many `times`")
	flags.DurationVar(&s.time, "time", time.Second, "for so `long` each time")
	flags.BoolVar(&s.rsa, "rsa", false, "use RSA certificates, as Astra does, where that is not done anyway")
	flags.IntVar(&s.nodes, "nodes", 3, "simulate `n` nodes")
	readers := flags.String("readers", "1,2,4,8,16,128,512,2048", "statements in flight")
	flags.StringVar(&s.profile, "profile", "", "write CPU profiles of the clients to files with this `prefix`")
	write := flags.String("write", "", "put what is printed into this Markdown `file`, as docs/performance.md")
	check := flags.Bool("check", false, "fail if a goal is missed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for text := range strings.SplitSeq(*readers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-readers: %q is no number of readers", text)
		}
		s.readers = append(s.readers, n)
	}
	picked, err := pickParts(flags.Args())
	if err != nil {
		return err
	}
	var figures bytes.Buffer
	if *write != "" {
		s.out.Writer = io.MultiWriter(stdout, &figures)
	}
	if err := keepable(*write); err != nil {
		return err
	}
	for _, p := range picked {
		fmt.Fprintf(s.out, "\n%s\n", p.what)
		err := p.measure(ctx, s)
		if errors.Is(err, exec.ErrNotFound) && len(flags.Args()) == 0 {
			fmt.Fprintf(s.out, "  LEFT OUT: %v\n", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	missed := s.out.printGoals()
	if *write != "" {
		command := strings.Join(append([]string{"go run ./examples/benchmark"}, args...), " ")
		if err := keep(*write, command, figures.String()); err != nil {
			return err
		}
	}
	if missed > 0 && *check {
		return fmt.Errorf("%d goals were missed", missed)
	}
	return nil
}

func pickParts(names []string) ([]part, error) {
	if len(names) == 0 {
		return parts, nil
	}
	var picked []part
	for _, name := range names {
		found := false
		for _, p := range parts {
			if p.name == name {
				picked = append(picked, p)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no part %q; see -help", name)
		}
	}
	return picked, nil
}
