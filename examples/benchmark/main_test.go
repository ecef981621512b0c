package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// TestMain lets the test's program do what spawn wants of it.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "job" {
		main()
		return
	}
	m.Run()
}

func TestEachPart(t *testing.T) {
	t.Parallel()
	for _, p := range parts {
		switch p.name {
		case "scale": // 300 nodes and 1,000 sessions are more than a test should ask of a machine
			continue
		case "java", "cassandra": // need what a bare machine lacks
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := run(t.Context(), []string{"-rounds=1", "-time=20ms", "-readers=1,16", p.name}, nil, &out, &out); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			if !strings.Contains(out.String(), p.what) {
				t.Errorf("the output lacks %q:\n%s", p.what, &out)
			}
		})
	}
}

func TestBadArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"nonsense"}, {"-readers=0"}, {"-readers=x"}, {"-rounds=x"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, nil, &out, &out); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

func TestUnknownClient(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	c := client{Name: "no such client", Bundle: s.BundleZip(), Token: s.Token().Bearer()}
	if _, err := c.cluster(t.Context()); err == nil || !strings.Contains(err.Error(), c.Name) {
		t.Errorf("got %v, want an error that names the client", err)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median = %v, want 2", got)
	}
	if got := medianRatio([]float64{2, 9}, []float64{1, 3}); got != 2.5 {
		t.Errorf("medianRatio = %v, want 2.5", got)
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(file, []byte("before\n"+beginFigures+"old\n"+endFigures+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := keep(file, "go run it", "\nnew\n"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "before\n"+beginFigures) || !strings.HasSuffix(got, "```text\nnew\n```\n\n"+endFigures+"after\n") || strings.Contains(got, "old") {
		t.Errorf("got %q", got)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := keep(file, "go run it", "new"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("without the comments: %v", err)
	}
}

func TestGoals(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{Writer: &out}
	r.judge("flat 128 1/s", 2)
	r.judge("flat 128 CPU", 0.7)
	r.judge("flat 3 1/s", 0) // has no goal
	if missed := r.printGoals(); missed != 1 || !strings.Contains(out.String(), "missed: flat 128 CPU is 0.70, wanted at most 0.6\n  1 of 2 met") {
		t.Errorf("%d missed:\n%s", missed, &out)
	}
}

// A goal that no part judges would be met by nobody measuring it.
func TestGoalsNameParts(t *testing.T) {
	t.Parallel()
	for what := range goals {
		name, _, _ := strings.Cut(what, " ")
		if _, err := pickParts([]string{name}); err != nil {
			t.Errorf("%q: %v", what, err)
		}
	}
}
