package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/javadriver"
	"github.com/seed-5f06b232/astra-go/internal/process"
	"github.com/seed-5f06b232/astra-go/token"
)

// javaDriver is the official Java driver, in a program that does what load does.
const javaDriver = "Java driver"

//go:embed java/Load.java
var javaSource []byte

// The time after which the virtual machine has compiled what matters.
const javaWarmUp = 15 * time.Second

// javaLoad is load for the Java driver.
func javaLoad(ctx context.Context, j loadJob) (r loadResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // the first call downloads
	defer cancel()
	t, err := token.Parse(j.Client.Token)
	if err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "benchmark")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	source, zip := filepath.Join(dir, "Load.java"), filepath.Join(dir, "bundle.zip")
	if err := os.WriteFile(source, javaSource, 0o600); err != nil {
		return r, err
	}
	if err := os.WriteFile(zip, j.Client.Bundle, 0o600); err != nil {
		return r, err
	}
	command, err := javadriver.Command(ctx, source, func() { fmt.Fprintln(os.Stderr, "downloading the Java driver with Maven") })
	if err != nil {
		return r, err
	}
	command = append(command, strconv.Itoa(j.Workers), milliseconds(j.Time), strconv.Itoa(distinctKeys), milliseconds(javaWarmUp))
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	username, password := t.CQL()
	cmd.Env = append(os.Environ(), "BUNDLE="+zip, "CQL_USER="+username, "CQL_PASSWORD="+password, "STATEMENT="+selectValue)
	out, err := process.Run(ctx, cmd)
	if err != nil {
		return r, fmt.Errorf("%s: %w\n%s", javaDriver, err, process.LastLines(out, 15))
	}
	if err := json.Unmarshal([]byte(process.LastLines(out, 1)), &r); err != nil {
		return r, fmt.Errorf("%s: %w\n%s", javaDriver, err, process.LastLines(out, 15))
	}
	return r, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
