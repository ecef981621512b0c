// Command record looks which claims about Astra in docs/assumptions.md hold for your own database, and writes that down.
//
//	export ASTRA_DB_APPLICATION_TOKEN=AstraCS:…
//	export ASTRA_DB_SECURE_BUNDLE_PATH=secure-connect-mydb.zip
//	go run ./examples/record
//
// It only reads: system tables, the metadata service, certificates, and how the proxy answers. Two things of it may stand in a log of Astra's: one login with a
// token that does not exist, and connections without a client certificate or to a node that does not exist.
//
// What it prints is meant for an issue: it has no token, key, link or address. Nodes, datacenters and hosts are called node-1, dc-1 and host-1, unless
// you ask for their names by -names. Read it before you publish it all the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("record", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("o", "", "`file` to write the report to; standard output if not given")
	asJSON := flags.Bool("json", false, "write JSON in place of Markdown")
	named := flags.Bool("names", false, "show host IDs, host names and datacenters as they are")
	idle := flags.Duration("idle", 0, "watch an idle connection for so long, to see whether it is cut")
	timeout := flags.Duration("timeout", 2*time.Minute, "end after so long, without the idle connection, and report what was seen by then")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("there are no arguments but flags, see -help: %q", flags.Args())
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout+*idle)
	defer cancel()
	config, err := astra.ConfigFromEnv(ctx)
	if err != nil {
		return err
	}
	report, err := record(ctx, config, options{named: *named, idle: *idle, patience: 5 * time.Second})
	if err != nil {
		return err
	}
	text := report.markdown()
	if *asJSON {
		text = report.json()
	}
	if *file == "" {
		_, err = stdout.Write(text)
	} else {
		err = os.WriteFile(*file, text, 0o644)
	}
	fmt.Fprintln(stderr, report.summary())
	return err
}
