package javadriver

import (
	"context"
	"errors"
	"os/exec"
	"regexp"
	"testing"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	if v, err := Version(); err != nil || !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(v) {
		t.Errorf("Version() = %q, %v", v, err)
	}
}

func TestCommandWithoutJava(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Command(context.Background(), "Main.java", func() { t.Error("it downloads") }); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v, want exec.ErrNotFound", err)
	}
}
