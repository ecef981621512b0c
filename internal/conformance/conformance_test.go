//go:build integration

package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/internal/cassandra"
)

var update = flag.Bool("update", false, "write docs/compatibility.md instead of comparing with it")

func TestIntegrationConformance(t *testing.T) {
	clients := []client{gocqlDriver(t), javaDriver(t), pythonDriver(t), cqlsh(t), nodeDriver(t)}
	var table table
	try := func(t *testing.T, on string, open func(*testing.T, string) *database) {
		for _, c := range clients {
			t.Run(c.name, func(t *testing.T) {
				done := c.try(t, open)
				table.add(c, on, done, !t.Failed())
			})
		}
	}
	for i := range clients {
		clients[i].prepare(t)
	}
	t.Run("simulated", func(t *testing.T) { try(t, "simulated", simulated) })
	t.Run("real", func(t *testing.T) {
		nodes := startCassandra(t)
		try(t, "Apache Cassandra "+cassandra.Version, func(t *testing.T, host string) *database { return real(t, nodes, host) })
	})
	if len(table) == 2*len(clients) && !t.Failed() {
		table.compare(t)
	}
}

// prepare installs a client's program. Where a tool is missing, but not in CI, its tests are skipped.
func (c *client) prepare(t *testing.T) {
	if c.install == nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	command, err := c.install(ctx)
	switch {
	case errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") == "":
		t.Logf("SKIPPED, the %s will not be tested: %v", c.name, err)
		c.tell = func(t *testing.T, _ *database, _ string, _ func(step)) { t.Skip(err) }
	case err != nil:
		t.Fatal(err)
	case c.tell == nil:
		c.tell = func(t *testing.T, d *database, password string, said func(step)) {
			runProgram(t, command, d, password, said)
		}
	}
}

// try has a client tell its story with the right token, and then with a wrong one.
func (c client) try(t *testing.T, open func(t *testing.T, host string) *database) (done map[string]bool) {
	done = make(map[string]bool)
	check := func(d *database) func(step) {
		return func(s step) {
			t.Run(s.Step, func(t *testing.T) {
				s.check(t, d)
				done[s.Step] = !t.Failed()
			})
		}
	}
	d := open(t, c.host)
	_, password := d.token.CQL()
	c.tell(t, d, password, check(d))
	d.checkProxy(t, c.knowsHostIDs)
	if !done["connected"] {
		t.Error("there was no connection")
	}
	d = open(t, c.host)
	c.tell(t, d, "AstraCS:"+strings.ToUpper(strings.TrimPrefix(password, "AstraCS:")), check(d))
	if !done["refused"] {
		t.Error("a wrong token was not refused")
	}
	return done
}

// table is docs/compatibility.md.
type table []entry

type entry struct {
	client
	on   string
	done map[string]bool
}

func (tab *table) add(c client, on string, done map[string]bool, ok bool) {
	if ok {
		*tab = append(*tab, entry{c, on, done})
	}
}

func (tab table) String() string {
	var b strings.Builder
	b.WriteString(`# Compatibility

Official drivers, written against the real Astra, connect to ` + "`astra/astratest`" + ` with the bundles that it writes: to simulated nodes, and
to three real Apache Cassandra nodes behind its proxy. Each says what it saw (the nodes with host ID, datacenter, rack and tokens, the table's columns, the
types of prepared statements, each row of each page, warnings, which node served), and that is compared with what there is. Every connection
went through the proxy with a host ID as server name, or, with cqlsh, which knows none, without one. The bundle's ` + "`cert.pfx`" + ` is read by openssl with
the password in config.json.

This table is written by ` + "`go test -tags integration ./internal/conformance -update`" + `; without -update the test fails when it is not true any more.

| client | nodes`)
	for _, s := range steps {
		b.WriteString(" | " + s.title)
	}
	b.WriteString(" |\n|---|---" + strings.Repeat("|---", len(steps)) + "|\n")
	slices.SortStableFunc(tab, func(a, b entry) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	for _, e := range tab {
		fmt.Fprintf(&b, "| %s %s | %s", e.name, e.version, e.on)
		for _, s := range steps {
			if e.done[s.step] {
				b.WriteString(" | yes")
			} else {
				b.WriteString(" | –")
			}
		}
		b.WriteString(" |\n")
	}
	b.WriteString("\n")
	noted := make(map[string]bool)
	for _, e := range tab {
		if e.note != "" && !noted[e.name] {
			noted[e.name] = true
			fmt.Fprintf(&b, "- %s: %s\n", e.name, e.note)
		}
	}
	return b.String()
}

func (tab table) compare(t *testing.T) {
	t.Helper()
	name := filepath.Join("..", "..", "docs", "compatibility.md")
	got := tab.String()
	t.Log("\n" + got)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not true any more (-file +now); -update writes it anew\n%s", name, diff)
	}
}
