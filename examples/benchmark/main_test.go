package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
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
		if p.name == "scale" {
			continue // 300 nodes and 1,000 sessions are more than a test should ask of a machine
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

func TestMedian(t *testing.T) {
	t.Parallel()
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median = %v, want 2", got)
	}
	if got := medianRatio([]float64{2, 9}, []float64{1, 3}); got != 2.5 {
		t.Errorf("medianRatio = %v, want 2.5", got)
	}
}
