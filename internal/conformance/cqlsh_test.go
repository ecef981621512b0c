//go:build integration

package conformance

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/process"
)

// cqlsh runs in the folder of an unpacked bundle, with the bundle's cqlshrc. It knows no host IDs and one node only, and tells what it sees in
// tables for people.
func cqlsh(t *testing.T) client {
	var bin string
	return client{
		name: "cqlsh", version: cqlshVersion(t), host: "localhost",
		note: "it knows one node, whichever the proxy gives it, and prepares nothing.",
		install: func(ctx context.Context) (command []string, err error) {
			bin, err = python(ctx, t)
			return nil, err
		},
		tell: func(t *testing.T, d *database, password string, said func(step)) {
			tellCqlsh(t, bin, d, password, said)
		},
	}
}

// What the other clients have as prepared statements.
var (
	selectText = strings.Replace(selectAll, "?", fmt.Sprint(pagedID), 1)
	batchText  = "BEGIN BATCH INSERT INTO conformance.items (id, c, v) VALUES (8, 1, 'a'); INSERT INTO conformance.items (id, c, v) VALUES (8, 2, 'b'); APPLY BATCH"
)

func tellCqlsh(t *testing.T, bin string, d *database, password string, said func(step)) {
	folder := t.TempDir()
	unpack(t, d.server.BundleZip(), folder)
	user, _ := d.token.CQL()
	run := func(statements ...string) (string, error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.Command(filepath.Join(bin, "cqlsh"), "--cqlshrc", "cqlshrc", "--ssl", "--no-color", "--request-timeout", "60",
			"--username", user, "--password", password, "--execute", strings.Join(statements, "; "))
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "HOME="+folder) // where it keeps a history
		out, err := process.Run(ctx, cmd)
		return string(out), err
	}
	const about = "SELECT host_id, data_center, rack, release_version, tokens FROM system."
	out, err := run(about+"local", about+"peers")
	if err != nil && strings.Contains(out, "AuthenticationFailed") {
		said(step{Step: "refused", Error: out})
		return
	}
	// What one run sees: everything but the nodes comes from several.
	see := func(what step) {
		t.Helper()
		if err != nil {
			t.Fatalf("cqlsh: %v\n%s", err, out)
		}
		said(what)
	}
	see(step{Step: "connected", Protocol: d.protocol, Nodes: nodesIn(out)})
	out, err = run("DESCRIBE TABLE conformance.items")
	see(tableIn(out))
	out, err = run(fmt.Sprint("PAGING ", pageSize), selectText)
	see(rowsIn(out))
	out, err = run("CONSISTENCY LOCAL_QUORUM", batchText)
	see(step{Step: "batched"})
	out, err = run(count)
	_, warnings, _ := strings.Cut(out, "Warnings :\n")
	see(step{Step: "warned", Warnings: strings.FieldsFunc(warnings, func(r rune) bool { return r == '\n' })})
}

// unpack writes the files of a bundle.
func unpack(t *testing.T, data []byte, folder string) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range r.File {
		f, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, entry.Name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var nodeRow = regexp.MustCompile(`(?m)^ *([0-9a-f-]{36}) \| *(\S+) \| *(\S+) \| *(\S+) \| *\{(.*)\}$`)

func nodesIn(out string) (nodes []nodeSight) {
	for _, m := range nodeRow.FindAllStringSubmatch(out, -1) {
		nodes = append(nodes, nodeSight{m[1], m[2], m[3], m[4], strings.Count(m[5], ",") + 1})
	}
	return nodes
}

var (
	columnLine = regexp.MustCompile(`(?m)^    (\w+) ([\w<>]+),$`)
	keyLine    = regexp.MustCompile(`(?m)^    PRIMARY KEY \((\w+), (\w+)\)$`)
)

func tableIn(out string) step {
	columns := make(map[string]any)
	for _, m := range columnLine.FindAllStringSubmatch(out, -1) {
		columns[m[1]] = m[2]
	}
	s := step{Step: "schema", Columns: columns}
	if m := keyLine.FindStringSubmatch(out); m != nil {
		s.PartitionKey, s.Clustering = m[1:2], m[2:]
	}
	return s
}

// rowsIn counts the rows. Nothing shows where a page ends.
func rowsIn(out string) step {
	s := step{Step: "paged"}
	for line := range strings.Lines(out) {
		cells := strings.Split(line, "|")
		if len(cells) == 3 && strings.TrimSpace(cells[1]) == fmt.Sprint(s.Rows) && strings.TrimSpace(cells[2]) == row(s.Rows) {
			s.Rows++
		}
	}
	return s
}
