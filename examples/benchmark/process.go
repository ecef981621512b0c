package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Server and clients are processes of their own, made of this program, so that neither's work is counted as the other's.

// job is what a further process of this program does. One field is set.
type job struct {
	Server *serverJob
	Load   *loadJob
	Open   *openJob
	Idle   *idleJob
	Route  *routeJob
	Scale  *scaleJob
}

// runJob does the job that was read from the standard input.
func runJob(ctx context.Context, in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	var j job
	if err := decoder.Decode(&j); err != nil {
		return err
	}
	var result any
	var err error
	switch {
	case j.Server != nil:
		return serve(ctx, *j.Server, io.MultiReader(decoder.Buffered(), in), out)
	case j.Load != nil:
		result, err = load(ctx, *j.Load)
	case j.Open != nil:
		result, err = open(ctx, *j.Open)
	case j.Idle != nil:
		result, err = idle(ctx, *j.Idle)
	case j.Route != nil:
		result, err = route(ctx, *j.Route)
	case j.Scale != nil:
		result, err = scale(ctx, *j.Scale)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

// spawn starts a process that does a job.
func spawn(ctx context.Context, j job) (*exec.Cmd, io.WriteCloser, *json.Decoder, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, nil, err
	}
	cmd := exec.CommandContext(ctx, program, "job")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, nil, err
	}
	if err := json.NewEncoder(in).Encode(j); err != nil {
		return nil, nil, nil, err
	}
	return cmd, in, json.NewDecoder(out), nil
}

// do has a job done by a process of its own.
func do(ctx context.Context, j job, result any) error {
	cmd, in, out, err := spawn(ctx, j)
	if err != nil {
		return err
	}
	in.Close()
	decodeErr := out.Decode(result)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return decodeErr
}

// serverProcess is an Astra in another process.
type serverProcess struct {
	served
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startServer(ctx context.Context, j serverJob) (*serverProcess, error) {
	cmd, in, out, err := spawn(ctx, job{Server: &j})
	if err != nil {
		return nil, err
	}
	s := &serverProcess{cmd: cmd, in: in, out: out}
	if err := out.Decode(&s.served); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return s, nil
}

// count returns the server's counts, once no connection is open any more.
func (s *serverProcess) count() (c counts, err error) {
	for range 100 {
		if _, err := fmt.Fprintln(s.in, "stats"); err != nil {
			return c, err
		}
		if err := s.out.Decode(&c); err != nil || c.OpenConns == 0 {
			return c, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return c, nil
}

func (s *serverProcess) stop() error {
	s.in.Close()
	return s.cmd.Wait()
}

// during returns what the server counted while a function ran.
func (s *serverProcess) during(f func() error) (c counts, err error) {
	before, err := s.count()
	if err != nil {
		return c, err
	}
	if err := f(); err != nil {
		return c, err
	}
	c, err = s.count()
	c.Dials -= before.Dials
	c.Resumed -= before.Resumed
	c.MetadataRequests -= before.MetadataRequests
	c.Routed -= before.Routed
	c.Replica -= before.Replica
	return c, err
}
