// Package cached keeps what was downloaded in the user's cache folder, for all programs of this module and every run. Start with
// [Folder] and [Jars].
package cached

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/seed-5f06b232/astra-go/internal/filelock"
	"github.com/seed-5f06b232/astra-go/internal/process"
)

// Folder returns the cache's folder with this name. If it is not complete, fill has to fill it first; it gets an empty folder. Processes
// that want a folder at the same time wait for the one that fills it. The name should have the versions of what is in the folder.
func Folder(name string, fill func(dir string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep downloads in: %w", err)
	}
	dir := filepath.Join(cache, "astra-go", name)
	complete := dir + ".complete"
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	unlock, err := filelock.Lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(complete); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := fill(dir); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, os.WriteFile(complete, nil, 0o644)
}

// Jars returns a folder with the Java archives that a pom.xml depends on at run time. Maven fetches them at the first call on a machine, for
// which download is called first. When Maven is missing, the error is an [exec.ErrNotFound].
func Jars(ctx context.Context, name string, pom []byte, download func()) (string, error) {
	return Folder(name, func(dir string) error {
		mvn, err := exec.LookPath("mvn")
		if err != nil {
			return fmt.Errorf("Maven is missing, which downloads %s: %w", name, err)
		}
		download()
		file := filepath.Join(dir, "pom.xml")
		if err := os.WriteFile(file, pom, 0o644); err != nil {
			return err
		}
		cmd := exec.Command(mvn, "--batch-mode", "--quiet", "--strict-checksums", "--file", file,
			"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+dir)
		cmd.Dir = dir
		if out, err := process.Run(ctx, cmd); err != nil {
			return fmt.Errorf("Maven could not download %s: %w\n%s", name, err, process.LastLines(out, 15))
		}
		return nil
	})
}
