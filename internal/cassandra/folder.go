package cassandra

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/seed-5f06b232/astra-go/internal/filelock"
)

const dirPattern = "astra-go-cassandra-*"

// makeDir makes the folder of a cluster and removes those that killed processes left behind. A lock tells which those are.
func (c *Cluster) makeDir() error {
	sweep(c.opts.Dir)
	if err := os.MkdirAll(c.opts.Dir, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.opts.Dir, dirPattern)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	c.dir = dir
	// A sweep sees the file only when it is locked.
	unlocked := filepath.Join(dir, "new")
	if c.unlock, err = filelock.Lock(unlocked); err != nil {
		return err
	}
	return os.Rename(unlocked, filepath.Join(dir, "lock"))
}

// removeData removes the folder of a cluster, or all but the logs.
func (c *Cluster) removeData(logs bool) error {
	if c.dir == "" {
		return nil
	}
	if c.unlock != nil {
		defer c.unlock()
	}
	if logs {
		return os.RemoveAll(c.dir)
	}
	var errs []error
	for _, n := range c.nodes {
		entries, err := os.ReadDir(n.dir)
		errs = append(errs, err)
		for _, e := range entries {
			if name := filepath.Join(n.dir, e.Name()); name != n.Log() {
				errs = append(errs, os.RemoveAll(name))
			}
		}
	}
	return errors.Join(errs...)
}

// sweep removes the folders in parent that no process holds.
func sweep(parent string) {
	locks, _ := filepath.Glob(filepath.Join(parent, dirPattern, "lock"))
	for _, name := range locks {
		if unlock, err := filelock.TryLock(name); err == nil {
			os.RemoveAll(filepath.Dir(name))
			unlock()
		}
	}
}
