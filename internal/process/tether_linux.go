package process

import (
	"os"
	"os/exec"
	"syscall"
)

// tether gives cmd a process group of its own and has the kernel kill it when the thread that started it ends.
func tether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// terminate asks p to end.
func terminate(p *os.Process) { p.Signal(syscall.SIGTERM) }

// kill ends the process group that p leads.
func kill(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
