//go:build integration

package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cached"
	"github.com/seed-5f06b232/astra-go/internal/javadriver"
	"github.com/seed-5f06b232/astra-go/internal/process"
)

// A client is a driver and how to have it tell its story.
type client struct {
	name, version string
	note          string
	host          string // of the bundle
	knowsHostIDs  bool

	install func(context.Context) (command []string, err error) // of its program; nil: there is none, tell does it
	tell    func(t *testing.T, d *database, password string, said func(step))
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("clients", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// version finds the version of a dependency in what a package manager is told.
func version(t *testing.T, name, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindSubmatch(file(t, name))
	if m == nil {
		t.Fatalf("no version by %q in %s", pattern, name)
	}
	return string(m[1])
}

func javaDriver(t *testing.T) client {
	v, err := javadriver.Version()
	if err != nil {
		t.Fatal(err)
	}
	return client{name: "Java driver", version: v, host: "localhost", knowsHostIDs: true, install: func(ctx context.Context) ([]string, error) {
		source, err := filepath.Abs("clients/java/Client.java")
		if err != nil {
			return nil, err
		}
		const slow = "=20 seconds" // two cores run five programs
		return javadriver.Command(ctx, source, func() { t.Logf("downloading the Java driver %s with Maven", v) },
			"-XX:TieredStopAtLevel=1",
			"-Ddatastax-java-driver.basic.request.timeout"+slow,
			"-Ddatastax-java-driver.advanced.connection.init-query-timeout"+slow,
			"-Ddatastax-java-driver.advanced.control-connection.timeout"+slow)
	}}
}

// python returns the bin folder of a virtual environment with what requirements.txt names.
func python(ctx context.Context, t *testing.T) (string, error) {
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		return "", err
	}
	requirements, err := filepath.Abs("clients/python/requirements.txt")
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("python-%s-cqlsh-%s", pythonVersion(t), cqlshVersion(t))
	dir, err := cached.Folder(name, func(dir string) error {
		t.Log("downloading the Python driver and cqlsh with pip")
		for _, args := range [][]string{
			{interpreter, "-m", "venv", dir},
			{filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements},
		} {
			if out, err := process.Run(ctx, exec.Command(args[0], args[1:]...)); err != nil {
				return fmt.Errorf("%q: %w\n%s", args, err, process.LastLines(out, 15))
			}
		}
		return nil
	})
	return filepath.Join(dir, "bin"), err
}

func pythonVersion(t *testing.T) string {
	return version(t, "python/requirements.txt", `cassandra-driver==(\S+)`)
}

func cqlshVersion(t *testing.T) string { return version(t, "python/requirements.txt", `cqlsh==(\S+)`) }

func pythonDriver(t *testing.T) client {
	return client{name: "Python driver", version: pythonVersion(t), host: "localhost", knowsHostIDs: true, install: func(ctx context.Context) ([]string, error) {
		bin, err := python(ctx, t)
		if err != nil {
			return nil, err
		}
		source, err := filepath.Abs("clients/python/client.py")
		return []string{filepath.Join(bin, "python"), source}, err
	}}
}

func nodeDriver(t *testing.T) client {
	v := version(t, "node/package.json", `"cassandra-driver": "([^"]+)"`)
	return client{name: "Node.js driver", version: v, host: "127.0.0.1", note: "it asks DNS servers itself, so the bundle's host is an address here, not localhost.", knowsHostIDs: true, install: func(ctx context.Context) ([]string, error) {
		node, err := exec.LookPath("node")
		if err != nil {
			return nil, err
		}
		npm, err := exec.LookPath("npm")
		if err != nil {
			return nil, err
		}
		dir, err := cached.Folder("node-driver-"+v, func(dir string) error {
			t.Logf("downloading the Node.js driver %s with npm", v)
			if err := os.WriteFile(filepath.Join(dir, "package.json"), file(t, "node/package.json"), 0o644); err != nil {
				return err
			}
			cmd := exec.Command(npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
			cmd.Dir = dir
			if out, err := process.Run(ctx, cmd); err != nil {
				return fmt.Errorf("npm install: %w\n%s", err, process.LastLines(out, 15))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		source, err := filepath.Abs("clients/node/client.js")
		return []string{"env", "NODE_PATH=" + filepath.Join(dir, "node_modules"), node, source}, err
	}}
}

// runProgram runs a client's program, and calls said for each thing that it says. The program ends with the story.
func runProgram(t *testing.T, command []string, d *database, password string, said func(step)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	bundle := filepath.Join(t.TempDir(), "secure-connect-conformance.zip")
	if err := os.WriteFile(bundle, d.server.BundleZip(), 0o600); err != nil {
		t.Fatal(err)
	}
	user, _ := d.token.CQL()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "BUNDLE="+bundle, "CQL_USER="+user, "CQL_PASSWORD="+password)
	answer, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = in, &trouble
	p, err := process.Start(cmd)
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	defer p.Kill()

	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Errorf("the client printed %q: %v", lines.Text(), err)
			continue
		}
		if s.Step == "waiting" {
			d.lose()
			io.WriteString(answer, "lost\n")
			continue
		}
		said(s)
	}
	if err := p.Err(); err != nil {
		t.Errorf("the client ended with %v (%v)\n%s", err, context.Cause(ctx), process.LastLines(trouble.Bytes(), 30))
	}
}
