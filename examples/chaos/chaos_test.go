package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"time"
)

// TestMain counts goroutines when all tests are over, since those that run side by side cannot each count their own.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	left := 0
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		if left = runtime.NumGoroutine() - before; left <= 0 {
			os.Exit(code)
		}
	}
	fmt.Printf("%d goroutines are left over:\n", left)
	pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
	os.Exit(1)
}

// testSettings are for several faults side by side on a machine that is slow and busy. What must not happen is as strict as ever.
func testSettings() settings {
	return settings{
		readers: 4, writers: 1, latency: 5 * time.Millisecond, statements: 500,
		steady: 300 * time.Millisecond, calm: 500 * time.Millisecond, slack: 10, shared: true,
	}
}

// playTest plays faults side by side, each as a test of its own.
func playTest(t *testing.T, sideBySide int, s settings, played func(*fault) bool) {
	t.Helper()
	places := make(chan struct{}, sideBySide)
	var running sync.WaitGroup
	for _, f := range faults {
		if !played(f) {
			continue
		}
		running.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(f.name, func(t *testing.T) { testFault(t, f, s) })
		})
	}
	running.Wait()
}

func testFault(t *testing.T, f *fault, s settings) {
	r, err := playFairly(t.Context(), f, s)
	if err == errNotHere {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log(summary(r))
	for _, c := range r.broken {
		t.Error(c.text)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	playTest(t, 6, testSettings(), func(f *fault) bool { return !f.slow() })
}

// Without its means, a program comes back by itself, too.
func TestFaultsSwitchedOff(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.off = true
	some := map[string]bool{"dropped": true, "replaced": true, "replaced-silence": true, "proxy-moved": true, "token": true, "rolling-quiet": true}
	playTest(t, len(some), s, func(f *fault) bool { return some[f.name] })
}
