package wholefile_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/seed-5f06b232/astra-go/internal/wholefile"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// only checks that a directory has one file.
func only(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the directory has %v", entries)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "secret")
	for _, content := range []string{"one", "", "three is longer"} {
		if err := wholefile.Write(name, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, name); got != content {
			t.Errorf("the file has %q", got)
		}
		only(t, dir, "secret")
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := wholefile.Write(name, []byte("x")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// A failure leaves nothing of the new file and all of the old one.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	if err := wholefile.Write(filepath.Join(t.TempDir(), "none", "secret"), []byte("x")); err == nil {
		t.Error("a file was written to a directory that does not exist")
	}
	dir := t.TempDir()
	occupied := filepath.Join(dir, "occupied")
	if err := os.MkdirAll(filepath.Join(occupied, "inner"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := wholefile.Write(occupied, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	only(t, dir, "occupied")
}

// The file behind a symbolic link is replaced, and the link stays.
func TestWriteThroughLink(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "target")
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := wholefile.Write(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if read(t, target) != "new" || read(t, link) != "new" {
		t.Error("the target was not replaced")
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	only(t, elsewhere, "target")
}
