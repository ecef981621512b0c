//go:build integration

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cassandra"
)

func TestSlowFaults(t *testing.T) {
	t.Parallel()
	playTest(t, 8, testSettings(), func(f *fault) bool { return f.slow() })
}

// A seed that failed is played again with: go run ./examples/chaos -random 2m -seed N
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	s := testSettings()
	if err := playRandom(t.Context(), s, rand.Uint64N(1_000_000)+1, 2*time.Minute, t.Output()); err != nil {
		t.Error(err)
	}
}

// The faults that can happen to real nodes, one after the other. Without Java or Maven the test is skipped, but not in CI.
func TestRealNodes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cluster, err := startCassandra(ctx, t.Output())
	if errors.Is(err, cassandra.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skip("SKIPPED, real nodes were not tested: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	s := testSettings()
	s.cassandra = cluster
	for _, f := range faults {
		if f.real && !f.long {
			t.Run(f.name, func(t *testing.T) { testFault(t, f, s) })
		}
	}
}
