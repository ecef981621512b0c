package cassandra

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// tether gives cmd a process group of its own and has the kernel kill it when the thread that started it ends: see start.
func tether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// terminate asks p to end.
func terminate(p *os.Process) { p.Signal(syscall.SIGTERM) }

// kill ends the process group that p leads.
func kill(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }

// errLocked says that another process holds a lock.
var errLocked = errors.New("locked by another process")

// lock takes the lock file name, which ends with the process at the latest. If another process holds it, lock waits for it
// or returns errLocked.
func lock(name string, wait bool) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if err != syscall.EINTR {
			break
		}
	}
	if err == nil {
		return func() { f.Close() }, nil
	}
	f.Close()
	if err == syscall.EWOULDBLOCK {
		err = errLocked
	}
	return nil, &os.PathError{Op: "lock", Path: name, Err: err}
}
