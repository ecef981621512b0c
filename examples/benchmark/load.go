package main

import (
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// loadJob has a client execute statements, as many at a time as there are workers, for a while.
type loadJob struct {
	Client  client
	Workers int
	Rate    float64 // statements a second, of all workers; 0: as many as they can
	Write   int     // size of the value that is written; 0: values are read
	Time    time.Duration
	Profile string // name of a file for a CPU profile; empty: none
}

// loadResult is what was measured.
type loadResult struct {
	Rate     float64 // statements a second
	CPU      float64 // microseconds of the client's a statement
	P50, P99 float64 // latency in microseconds
	Allocs   float64 // allocations of the client's a statement
}

func load(ctx context.Context, j loadJob) (loadResult, error) {
	if j.Client.Name == limit {
		return limitLoad(ctx, j)
	}
	session, err := j.Client.connect(ctx)
	if err != nil {
		return loadResult{}, err
	}
	defer session.Close()
	if _, err := j.run(ctx, session, j.Time/4); err != nil { // to warm up
		return loadResult{}, err
	}
	runtime.GC()
	if j.Profile != "" {
		f, err := os.Create(j.Profile)
		if err != nil {
			return loadResult{}, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return loadResult{}, err
		}
		defer pprof.StopCPUProfile()
	}
	return j.run(ctx, session, j.Time)
}

func (j loadJob) run(ctx context.Context, session *gocql.Session, d time.Duration) (loadResult, error) {
	execute := j.statement(session)
	var stop atomic.Bool
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	var wg sync.WaitGroup
	var failure atomic.Pointer[error]
	latencies := make([][]time.Duration, j.Workers)
	for w := range latencies {
		latencies[w] = make([]time.Duration, 0, 1<<10)
	}
	mallocs, cpu, begin := allocations(), processTime(), time.Now()
	for w := range j.Workers {
		wg.Go(func() {
			pace := newPace(j.Rate, j.Workers, w, begin)
			for i := w; i == w || !stop.Load(); i += j.Workers {
				pace.wait()
				start := time.Now()
				if err := execute(ctx, keys[i%distinctKeys]); err != nil {
					failure.Store(&err)
					return
				}
				latencies[w] = append(latencies[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	took, cpu, mallocs := time.Since(begin), processTime()-cpu, allocations()-mallocs
	if err := failure.Load(); err != nil {
		return loadResult{}, *err
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	n := float64(len(all))
	quantile := func(q float64) float64 { return microseconds(all[int(q*(n-1))]) }
	return loadResult{Rate: n / took.Seconds(), CPU: microseconds(cpu) / n, P50: quantile(0.5), P99: quantile(0.99), Allocs: mallocs / n}, nil
}

// statement returns the function that executes one statement. It is what a program writes.
func (j loadJob) statement(session *gocql.Session) func(context.Context, string) error {
	if j.Write > 0 {
		value := strings.Repeat("x", j.Write)
		return func(ctx context.Context, key string) error {
			return session.Query(insertValue, key, value).ExecContext(ctx)
		}
	}
	return func(ctx context.Context, key string) error {
		var value string
		return session.Query(selectValue, key).ScanContext(ctx, &value)
	}
}

// allocations returns how often the process has allocated memory.
func allocations() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Mallocs)
}

var keys = func() (keys [distinctKeys]string) {
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	return keys
}()

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// pace spreads the statements of one worker evenly over the time. What it cannot do in time it makes up for.
type pace struct {
	next   time.Time
	period time.Duration // 0: no pause
}

func newPace(rate float64, workers, worker int, begin time.Time) *pace {
	if rate == 0 {
		return &pace{}
	}
	period := time.Duration(float64(workers) / rate * float64(time.Second))
	return &pace{begin.Add(period * time.Duration(worker) / time.Duration(workers)), period}
}

func (p *pace) wait() {
	if p.period > 0 {
		time.Sleep(time.Until(p.next))
		p.next = p.next.Add(p.period)
	}
}
