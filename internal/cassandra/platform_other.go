//go:build !linux

package cassandra

import (
	"errors"
	"os"
	"os/exec"
)

// Elsewhere than on Linux nodes are ended by Close alone: nothing ends them when this process is killed.

func tether(*exec.Cmd) {}

func terminate(p *os.Process) { p.Signal(os.Interrupt) }

func kill(p *os.Process) { p.Kill() }

var errLocked = errors.New("locked by another process")

// lock never makes anybody wait, and never says that a lock is free.
func lock(_ string, wait bool) (unlock func(), err error) {
	if !wait {
		return nil, errLocked
	}
	return func() {}, nil
}
