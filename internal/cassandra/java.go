package cassandra

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/seed-5f06b232/astra-go/internal/cached"
	"github.com/seed-5f06b232/astra-go/internal/process"
)

//go:embed pom.xml
var pom []byte

// install returns the folder with Cassandra's jars.
func install(ctx context.Context, progress func(format string, args ...any)) (string, error) {
	jars, err := cached.Jars(ctx, "cassandra-"+Version, pom, func() {
		progress("downloading Apache Cassandra %s (66 MB) with Maven, once", Version)
	})
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return jars, err
}

// javaVersion is the only major version that these flags were tried with. Cassandra 5.0 runs on 11 too, not on later ones.
const javaVersion = "17"

// java returns the path of a Java runtime of the right version: that of JAVA_HOME, or the first one in PATH.
func java(ctx context.Context) (string, error) {
	name := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		name = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: Java %s is missing: %w (install it, or set JAVA_HOME)", ErrUnavailable, javaVersion, err)
	}
	out, err := process.Run(ctx, exec.Command(path, "-version"))
	if err != nil {
		return "", fmt.Errorf("%s -version: %w: %s", path, err, bytes.TrimSpace(out))
	}
	major, err := majorVersion(out)
	if err != nil {
		return "", fmt.Errorf("%s -version: %w", path, err)
	}
	if major != javaVersion {
		return "", fmt.Errorf("%w: %s is Java %s, Cassandra needs Java %s (install it, and set JAVA_HOME)", ErrUnavailable, path, major, javaVersion)
	}
	return path, nil
}

var versionLine = regexp.MustCompile(`version "(?:1\.)?(\d+)`)

// majorVersion reads what "java -version" printed.
func majorVersion(out []byte) (string, error) {
	m := versionLine.FindSubmatch(out)
	if m == nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("no version in %q", first)
	}
	return string(m[1]), nil
}

// exported and opened are the packages of the JDK that Cassandra reaches into.
var (
	exported = []string{
		"java.base/java.lang.ref", "java.base/jdk.internal.misc", "java.base/sun.nio.ch",
		"java.management.rmi/com.sun.jmx.remote.internal.rmi",
		"java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server", "java.rmi/sun.rmi.transport.tcp",
		"java.sql/java.sql", "jdk.unsupported/sun.misc",
	}
	opened = []string{
		"java.base/java.io", "java.base/java.lang", "java.base/java.lang.module", "java.base/java.lang.reflect", "java.base/java.nio",
		"java.base/java.util", "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic",
		"java.base/jdk.internal.loader", "java.base/jdk.internal.math", "java.base/jdk.internal.module", "java.base/jdk.internal.ref",
		"java.base/jdk.internal.reflect", "java.base/jdk.internal.util.jar", "java.base/sun.nio.ch",
		"java.rmi/sun.rmi.transport.tcp", "jdk.management/com.sun.management.internal",
	}
)

// arguments returns the Java command line of a node whose files are in dir.
func arguments(jars, dir string, heapMiB, nodes int) ([]string, error) {
	agents, err := filepath.Glob(filepath.Join(jars, "jamm-*.jar"))
	if err != nil || len(agents) != 1 {
		return nil, errors.Join(err, fmt.Errorf("%s: want one jamm-*.jar, have %d: remove the folder, and it is downloaded again", jars, len(agents)))
	}
	var args []string
	for _, p := range exported {
		args = append(args, "--add-exports="+p+"=ALL-UNNAMED")
	}
	for _, p := range opened {
		args = append(args, "--add-opens="+p+"=ALL-UNNAMED")
	}
	property := func(name, value string) { args = append(args, "-D"+name+"="+value) }
	args = append(args, "-javaagent:"+agents[0],
		fmt.Sprintf("-Xms%dM", heapMiB*3/4), fmt.Sprintf("-Xmx%dM", heapMiB), "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError",
		"-XX:TieredStopAtLevel=1", // the second compiler costs a node two seconds of start, and pays only after minutes
		"-XX:-UsePerfData")        // leaves a file in the system's temporary folder
	property("java.io.tmpdir", filepath.Join(dir, "tmp")) // native libraries are unpacked there
	property("jdk.attach.allowAttachSelf", "true")
	property("logback.configurationFile", fileURL(filepath.Join(dir, "logback.xml")))
	property("cassandra.config", fileURL(filepath.Join(dir, "cassandra.yaml")))
	property("cassandra-rackdc.properties", fileURL(filepath.Join(dir, "rackdc.properties")))
	property("cassandra.storagedir", dir)
	property("cassandra-foreground", "true")

	// Nodes that start together: nobody waits for anybody.
	property("cassandra.ring_delay_ms", "1000")
	property("cassandra.skip_wait_for_gossip_to_settle", "0")
	property("cassandra.consistent.rangemovement", "false")
	property("cassandra.superuser_setup_delay_ms", "100")
	property("cassandra.shutdown_announce_in_ms", "100")
	// Every node can check a password while others are down.
	property("cassandra.system_auth.default_rf", fmt.Sprint(nodes))
	// Measuring the overhead of a row takes four seconds of processor time a node; this is what it measures.
	property("cassandra.memtable.row_overhead_size", "180")
	property("cassandra.memtable_row_overhead_computation_step", "100")
	property("cassandra.auth_bcrypt_gensalt_log2_rounds", "4")
	property("cassandra.skip_sync", "true")

	return append(args, "-cp", filepath.Join(jars, "*"), "org.apache.cassandra.service.CassandraDaemon"), nil
}

func fileURL(path string) string {
	u := url.URL{Scheme: "file", Path: path}
	return u.String()
}
