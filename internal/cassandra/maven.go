package cassandra

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed pom.xml
var pom []byte

// cacheDir returns the folder that keeps what was downloaded, for every user of this package and every run.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep Cassandra's jars in: %w", err)
	}
	return filepath.Join(dir, "astra-go", "cassandra-"+Version), nil
}

// install returns the folder with Cassandra's jars, which Maven fills at the first call on a machine.
func install(ctx context.Context, progress func(format string, args ...any)) (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	jars := filepath.Join(dir, "jars")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, "lock"), true) // test binaries of several packages may want the jars at once
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(jars); err == nil {
		return jars, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("%w: Maven is missing, which downloads Cassandra: %w", ErrUnavailable, err)
	}
	progress("downloading Apache Cassandra %s (66 MB) with Maven, once", Version)
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644); err != nil {
		return "", err
	}
	// Only a complete folder gets the name that later calls look for.
	partial := filepath.Join(dir, "partial")
	if err := os.RemoveAll(partial); err != nil {
		return "", err
	}
	cmd := exec.Command(mvn, "--batch-mode", "--quiet", "--strict-checksums", "--file", filepath.Join(dir, "pom.xml"),
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+partial)
	cmd.Dir = dir
	if out, err := run(ctx, cmd); err != nil {
		return "", fmt.Errorf("Maven could not download Apache Cassandra %s: %w\n%s", Version, err, lastLines(out, 15))
	}
	return jars, os.Rename(partial, jars)
}
