//go:build linux

package filelock_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/seed-5f06b232/astra-go/internal/filelock"
)

func TestLock(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	unlock, err := filelock.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := filelock.TryLock(name); !errors.Is(err, filelock.ErrLocked) {
		t.Errorf("second lock: error %v, want %v", err, filelock.ErrLocked)
	}
	next := make(chan error)
	go func() {
		unlock, err := filelock.Lock(name)
		if err == nil {
			unlock()
		}
		next <- err
	}()
	unlock()
	if err := <-next; err != nil {
		t.Error(err)
	}
	if _, err := filelock.Lock(filepath.Join(name, "below a file")); err == nil {
		t.Error("a lock below a file, want an error")
	}
}
