// Package filelock keeps processes out of each other's way. Start with [Lock] and [TryLock].
//
// Locks work on Linux. Elsewhere Lock never waits and TryLock never succeeds.
package filelock

import "errors"

// ErrLocked says that another process, or another call, holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock takes the lock file name, which it makes if need be, when nobody holds it any more. The lock ends with unlock or with the process.
func Lock(name string) (unlock func(), err error) { return lock(name, true) }

// TryLock is like Lock, but returns [ErrLocked] instead of waiting.
func TryLock(name string) (unlock func(), err error) { return lock(name, false) }
