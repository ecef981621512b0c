package cassandra

import (
	"bytes"
	"context"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// process is a child that does not outlive this process.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; err is valid then
	err  error
}

// start starts cmd. The kernel takes the end of the starting thread for the end of the parent, so that thread is kept until
// the child has ended.
func start(cmd *exec.Cmd) (*process, error) {
	tether(cmd)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
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

// stop asks the child to end and waits for it. When ctx ends first, or the child takes longer than patience, it is killed.
func (p *process) stop(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	terminate(p.cmd.Process)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.kill()
		return ctx.Err()
	}
}

// kill ends the child and waits for it.
func (p *process) kill() {
	select {
	case <-p.done:
	default:
		kill(p.cmd.Process)
		<-p.done
	}
}

// run runs cmd to its end, or kills it when ctx ends, and returns what it printed.
func run(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := start(cmd)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
		return out.Bytes(), context.Cause(ctx)
	}
	return out.Bytes(), p.err
}

// lastLines returns the last n lines of a log.
func lastLines(log []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
