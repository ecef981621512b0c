package main

import (
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

// openJob has a client get from the bundle's bytes to the first row.
type openJob struct {
	Client client
}

type openResult struct {
	FirstRow float64 // milliseconds
}

func open(ctx context.Context, j openJob) (openResult, error) {
	begin := time.Now()
	session, err := j.Client.connect(ctx)
	if err != nil {
		return openResult{}, err
	}
	defer session.Close()
	var value string
	if err := session.Query(selectValue, "key-1").ScanContext(ctx, &value); err != nil {
		return openResult{}, err
	}
	took := time.Since(begin)
	time.Sleep(300 * time.Millisecond) // for the connections that no row has to wait for
	return openResult{microseconds(took) / 1000}, nil
}

// idleJob has a client keep connections that do nothing.
type idleJob struct {
	Client  client
	Nodes   int
	Burst   bool   // they were busy before; what they needed for that they should not keep
	Profile string // name of a file for a heap profile; empty: none
}

type idleResult struct {
	Heap, Stacks float64 // KiB a connection
}

func idle(ctx context.Context, j idleJob) (idleResult, error) {
	heap, stacks := memory()
	session, err := j.Client.connect(ctx)
	if err != nil {
		return idleResult{}, err
	}
	defer session.Close()
	busy := loadJob{Client: j.Client, Workers: 1}
	if j.Burst {
		busy.Workers = 1024
	}
	if _, err := busy.run(ctx, session, time.Second); err != nil {
		return idleResult{}, err
	}
	heapThen, stacksThen := memory()
	if j.Profile != "" {
		f, err := os.Create(j.Profile)
		if err != nil {
			return idleResult{}, err
		}
		defer f.Close()
		if err := pprof.WriteHeapProfile(f); err != nil {
			return idleResult{}, err
		}
	}
	conns := float64(j.Nodes*j.Client.NumConns + 1)
	return idleResult{(heapThen - heap) / conns, (stacksThen - stacks) / conns}, nil
}

// memory returns the KiB of heap and of stacks in use.
func memory() (heap, stacks float64) {
	for range 3 {
		runtime.GC() // twice for what pools keep
		time.Sleep(100 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1024, float64(m.StackInuse) / 1024
}
