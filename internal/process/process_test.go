//go:build unix

package process_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/process"
)

func TestProcess(t *testing.T) {
	t.Parallel()
	t.Run("run", func(t *testing.T) {
		t.Parallel()
		out, err := process.Run(t.Context(), exec.Command("sh", "-c", "echo one; echo two >&2"))
		if string(out) != "one\ntwo\n" || err != nil {
			t.Errorf("Run = %q, %v", out, err)
		}
	})
	t.Run("run canceled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		// The grandchild would hold the output open.
		if _, err := process.Run(ctx, exec.Command("sh", "-c", "sleep 1000; true")); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	})
	t.Run("stop", func(t *testing.T) {
		t.Parallel()
		p, err := process.Start(exec.Command("sleep", "1000"))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Stop(t.Context(), time.Minute); err != nil {
			t.Error(err)
		}
	})
	t.Run("stop a deaf one", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command("sh", "-c", "trap '' TERM; echo; while :; do sleep 1000; done")
		ready, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer ready.Close()
		cmd.Stdout = w
		p, err := process.Start(cmd)
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		ready.Read(make([]byte, 1)) // the trap is set
		if err := p.Stop(t.Context(), 10*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
		}
		<-p.Done()
	})
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	for log, want := range map[string]string{"": "", "a\n": "a", "a\nb\nc\n": "b\nc"} {
		if got := process.LastLines([]byte(log), 2); got != want {
			t.Errorf("LastLines(%q, 2) = %q, want %q", log, got, want)
		}
	}
}
