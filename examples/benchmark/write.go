package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

const (
	beginFigures = "<!-- figures -->\n"
	endFigures   = "<!-- end of figures -->\n"
)

// keep replaces the figures in a Markdown file, which stand between two comments.
func keep(file, command, figures string) error {
	before, after, err := around(file)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.Write(before)
	fmt.Fprintf(&b, "%s\n`%s` on %s, %s, %s:\n\n```text\n%s\n```\n\n%s", beginFigures, command,
		time.Now().UTC().Format(time.DateOnly), machine(), runtime.Version(), strings.Trim(figures, "\n"), endFigures)
	b.Write(after)
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// keepable reports what would keep figures from being kept, before they are measured. No file is none to keep them in.
func keepable(file string) error {
	if file == "" {
		return nil
	}
	_, _, err := around(file)
	return err
}

// around returns what is before and after the figures.
func around(file string) (before, after []byte, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	before, rest, ok := bytes.Cut(text, []byte(beginFigures))
	_, after, closed := bytes.Cut(rest, []byte(endFigures))
	if !ok || !closed {
		return nil, nil, fmt.Errorf("%s has no lines %q and %q to put the figures between", file, strings.TrimSpace(beginFigures), strings.TrimSpace(endFigures))
	}
	return before, after, nil
}

// machine describes the machine, as far as it can be told.
func machine() string {
	model := "CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d × %s, %s/%s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH)
}
