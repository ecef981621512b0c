// Package wholefile writes files of secrets that others read at any time. Start with [Write].
package wholefile

import (
	"os"
	"path/filepath"
)

// Write makes a file with the given content, readable and writable by its owner only, or replaces one, whose owner stays the owner. Readers see
// the old file or the whole new one, also after a crash; where Write fails, the old one is untouched and nothing else is left.
func Write(name string, data []byte) (err error) {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target // replace the file, not the link to it
	}
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*") // mode 0600; in the same directory, for the rename
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if old, err := os.Stat(name); err == nil {
		if err := keepOwner(f, old); err != nil {
			return err
		}
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	syncDir(dir)
	return nil
}

// syncDir makes a rename last through a crash, where the system can do that. Some cannot; the file is whole in any case.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
