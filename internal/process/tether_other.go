//go:build !linux

package process

import (
	"os"
	"os/exec"
)

func tether(*exec.Cmd) {}

func terminate(p *os.Process) { p.Signal(os.Interrupt) }

func kill(p *os.Process) { p.Kill() }
