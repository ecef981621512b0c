package cassandra

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestMajorVersion(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]string{
		`openjdk version "17.0.15" 2025-04-15`:                        "17",
		`java version "1.8.0_402"`:                                    "8",
		"Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"21\"": "21",
	} {
		if got, err := majorVersion([]byte(out)); got != want || err != nil {
			t.Errorf("majorVersion(%q) = %q, %v; want %q", out, got, err, want)
		}
	}
	if got, err := majorVersion([]byte("no such thing\n")); err == nil {
		t.Errorf("majorVersion of nonsense = %q, want an error", got)
	}
}

func TestMissingJava(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	_, err := Start(t.Context(), Options{Dir: t.TempDir()})
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "Java 17 is missing") {
		t.Errorf("error %v, want one that names Java", err)
	}
}

func TestWrongJava(t *testing.T) {
	home := t.TempDir()
	script(t, filepath.Join(home, "bin", "java"), `echo 'openjdk version "21.0.1" 2023-10-17' >&2`)
	t.Setenv("JAVA_HOME", home)
	_, err := Start(t.Context(), Options{Dir: t.TempDir()})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "is Java 21, Cassandra needs Java 17") {
		t.Errorf("error %v, want one that names both versions", err)
	}
}

func TestMissingMaven(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := install(t.Context(), func(string, ...any) {})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "Maven is missing") {
		t.Errorf("error %v, want one that names Maven", err)
	}
}

// TestNodeEnds has a Java that ends at once.
func TestNodeEnds(t *testing.T) {
	home, cache, parent := t.TempDir(), t.TempDir(), t.TempDir()
	script(t, filepath.Join(home, "bin", "java"), `case "$1" in
-version) echo 'openjdk version "17.0.1" 2021-10-19';;
*) echo 'Exception: the disk is full'; exit 3;;
esac`)
	t.Setenv("JAVA_HOME", home)
	t.Setenv("XDG_CACHE_HOME", cache)
	jars := filepath.Join(cache, "astra-go", "cassandra-"+Version)
	if err := os.MkdirAll(jars, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(jars+".complete", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(jars, "jamm-0.jar"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: parent})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error %v, want the exit status and the end of the log", err)
	}
	left, _ := filepath.Glob(filepath.Join(parent, "*", "node*", "*"))
	if len(left) != 3 {
		t.Errorf("left behind: %q, want three logs", left)
	}
	sweep(parent)
	if left, _ = filepath.Glob(filepath.Join(parent, "*")); len(left) != 0 {
		t.Errorf("left behind after a sweep: %q", left)
	}
}

func TestSweepSparesRunning(t *testing.T) {
	t.Parallel()
	c := &Cluster{opts: Options{Dir: t.TempDir()}}
	if err := c.makeDir(); err != nil {
		t.Fatal(err)
	}
	sweep(c.opts.Dir)
	if _, err := os.Stat(c.dir); err != nil {
		t.Errorf("the folder of a running cluster: %v", err)
	}
	if err := c.removeData(true); err != nil {
		t.Fatal(err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, opts := range []Options{{Nodes: -1}, {Nodes: 10}, {HeapMiB: 64}, {Datacenter: "dc 1"}, {Datacenter: "dc\nrack=x"}} {
		if _, err := Start(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "Options.") {
			t.Errorf("Start(%+v): error %v, want one that names the option", opts, err)
		}
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	if p := newPassword(); !regexp.MustCompile(`^AstraCS:[0-9a-f]{24}:[0-9a-f]{64}$`).MatchString(p) {
		t.Errorf("password %q has not the form of an Astra token", p)
	}
}

func TestTokensDiffer(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for node := range 9 {
		for token := range strings.SplitSeq(tokens(node), ",") {
			if _, err := strconv.ParseInt(token, 10, 64); err != nil || seen[token] {
				t.Errorf("token %q of node %d (%v)", token, node, err)
			}
			seen[token] = true
		}
	}
	if want := 9 * tokensPerNode; len(seen) != want {
		t.Errorf("%d tokens, want %d", len(seen), want)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	ips, cqlPort, storagePort, err := addresses(3)
	if err != nil {
		t.Fatal(err)
	}
	if len(ips) != 3 || cqlPort == storagePort || cqlPort == 0 || storagePort == 0 {
		t.Errorf("addresses(3) = %v, %d, %d", ips, cqlPort, storagePort)
	}
	for _, ip := range ips {
		parsed, told := net.ParseIP(ip), net.ParseIP(reported(ip))
		if parsed == nil || !parsed.IsLoopback() || told == nil || !told.IsLoopback() || parsed.Equal(told) {
			t.Errorf("address %s, reported %s: want two of loopback", ip, reported(ip))
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := settings{IP: "127.0.0.1", ReportedIP: "127.0.0.101", Dir: t.TempDir(), Seeds: "127.0.0.1:7000", Tokens: "1,2", TokenCount: 2, Datacenter: "dc1", Rack: "rack1"}
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(s.Dir, "cassandra.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PasswordAuthenticator", "broadcast_rpc_address: 127.0.0.101\n", `initial_token: "1,2"`} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("cassandra.yaml lacks %q:\n%s", want, got)
		}
	}
}

func script(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
