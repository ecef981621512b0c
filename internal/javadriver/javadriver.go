// Package javadriver runs Java programs with the official driver for Cassandra and Astra. Start with [Command].
package javadriver

import (
	"context"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/seed-5f06b232/astra-go/internal/cached"
)

//go:embed pom.xml
var pom []byte

// Version returns the driver's.
func Version() (string, error) {
	var project struct {
		Dependencies []struct {
			Artifact string `xml:"artifactId"`
			Version  string `xml:"version"`
		} `xml:"dependencies>dependency"`
	}
	if err := xml.Unmarshal(pom, &project); err != nil {
		return "", fmt.Errorf("pom.xml: %w", err)
	}
	for _, d := range project.Dependencies {
		if d.Artifact == "java-driver-core" {
			return d.Version, nil
		}
	}
	return "", errors.New("pom.xml names no driver")
}

// Command returns the command line that compiles and runs a source file, with options for the virtual machine. Maven fetches the driver at the
// first call on a machine, for which download is called first. Where Java or Maven is missing, the error is an [exec.ErrNotFound].
func Command(ctx context.Context, source string, download func(), options ...string) ([]string, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, err
	}
	version, err := Version()
	if err != nil {
		return nil, err
	}
	jars, err := cached.Jars(ctx, "java-driver-"+version, pom, download)
	if err != nil {
		return nil, err
	}
	command := append([]string{java, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"}, options...)
	return append(command, "-cp", filepath.Join(jars, "*"), source), nil
}
