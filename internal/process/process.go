// Package process runs child processes that do not outlive this one. Start with [Start] and [Run].
//
// On Linux the kernel kills them when this process ends, however it ends. Elsewhere [Process.Kill] has to.
package process

import (
	"bytes"
	"context"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Process is a child.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd, in a process group of its own.
func Start(cmd *exec.Cmd) (*Process, error) {
	tether(cmd)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that started a child for the end of its parent, so the thread is kept.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	return p, <-started
}

// PID returns the child's process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the child has ended, as [exec.Cmd.Wait] does; it waits for that.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Stop asks the child to end and waits for it. When ctx ends first, or the child takes longer than patience, it is killed.
func (p *Process) Stop(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	terminate(p.cmd.Process)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.Kill()
		return ctx.Err()
	}
}

// Kill ends the child's process group, and waits for the child.
func (p *Process) Kill() {
	select {
	case <-p.done:
	default:
		kill(p.cmd.Process)
		<-p.done
	}
}

// Run runs cmd to its end, or kills it when ctx ends, and returns what it printed.
func Run(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := Start(cmd)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Kill()
		return out.Bytes(), context.Cause(ctx)
	}
	return out.Bytes(), p.err
}

// LastLines returns the last n lines of a log.
func LastLines(log []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
