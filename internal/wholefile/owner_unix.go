//go:build unix

package wholefile

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a new file the owner and group of the one that it will replace, where they differ: to the program that reads it, a
// file of mode 0600 of another owner is gone.
func keepOwner(f *os.File, old fs.FileInfo) error {
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	from, ok := old.Sys().(*syscall.Stat_t)
	to, alsoOK := mine.Sys().(*syscall.Stat_t)
	if !ok || !alsoOK || from.Uid == to.Uid {
		return nil
	}
	return f.Chown(int(from.Uid), int(from.Gid))
}
