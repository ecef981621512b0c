package cached_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/internal/cached"
)

func TestFolder(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	failure := errors.New("the network is down")
	fills := 0
	fill := func(dir string) error {
		fills++
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("fill %d: the folder has %v", fills, left)
		}
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if fills == 1 {
			return failure
		}
		return nil
	}
	if _, err := cached.Folder("name", fill); !errors.Is(err, failure) {
		t.Errorf("error %v, want that of the first fill", err)
	}
	for range 2 {
		dir, err := cached.Folder("name", fill)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
			t.Error(err)
		}
	}
	if fills != 2 {
		t.Errorf("%d fills, want one that fails and one that is kept", fills)
	}
}

func TestJars(t *testing.T) {
	cache, tools := t.TempDir(), t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	t.Setenv("PATH", tools)
	if _, err := cached.Jars(t.Context(), "things-1.0", nil, func() {}); !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "Maven is missing") {
		t.Errorf("error %v, want one that names Maven", err)
	}
	mvn := filepath.Join(tools, "mvn")
	if err := os.WriteFile(mvn, []byte("#!/bin/sh\necho no route to host; exit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	told := false
	_, err := cached.Jars(t.Context(), "things-1.0", []byte("<project/>"), func() { told = true })
	if err == nil || !strings.Contains(err.Error(), "things-1.0") || !strings.Contains(err.Error(), "no route to host") || !told {
		t.Errorf("error %v, want what Maven said; told of the download: %v", err, told)
	}
}
