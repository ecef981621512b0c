package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cassandra"
)

// settings are what is the same for all faults of a run.
type settings struct {
	readers, writers int
	latency          time.Duration // of simulated nodes
	statements       int           // at least, during one fault
	steady           time.Duration // before a fault
	calm             time.Duration // after it, at least
	slack            int           // by which durations in bounds are multiplied
	off              bool          // merging, waiting and resumption are switched off
	shared           bool          // others use this process, too, so its goroutines do not tell
	cassandra        *cassandra.Cluster
	logger           *slog.Logger // of the program; nil: none
	view             view         // nil: none
}

func defaultSettings() settings {
	return settings{
		readers: 8, writers: 2, latency: 2 * time.Millisecond, statements: 5000,
		steady: 500 * time.Millisecond, calm: 1500 * time.Millisecond, slack: 1,
	}
}

// result is what happened in the course of one fault.
type result struct {
	fault *fault
	measures
	aftermath
	answers      []answer
	begun, ended time.Duration // of the fault, on the record's clock
	nodes        []string      // there at the end
	firstRow     time.Duration // from NewCluster on
	stoodStill   time.Duration // the longest time in which this process got no processor
	broken       []complaint
}

// A process that got no processor for so long was on a busy machine.
const busy = 50 * time.Millisecond

// playFairly plays a fault again, twice at most, if a bound did not hold that might have held on a machine that was less busy.
func playFairly(ctx context.Context, f *fault, s settings) (*result, error) {
	for attempt := 1; ; attempt++ {
		r, err := play(ctx, f, s)
		if err != nil || attempt == 3 || len(r.broken) == 0 || r.stoodStill < busy || slices.ContainsFunc(r.broken, complaint.isGrave) {
			return r, err
		}
		if s.view != nil {
			s.view.end(r)
			s.view.note("Once more, because this machine was busy:")
		}
	}
}

// play lets a fault happen to a program and measures what the program notices. An error means that it could not be played.
func play(ctx context.Context, f *fault, s settings) (*result, error) {
	d := newDatabase(f, s)
	defer d.Close()
	defer d.endFaults()
	if f.early {
		if err := f.begin(ctx, d); err != nil {
			return nil, fmt.Errorf("beginning: %w", err)
		}
	}
	t, err := startTrial(ctx, f, d, s)
	if err != nil {
		return nil, err
	}
	stoodStill := watchProcessor()
	defer stoodStill()
	drawing := startDrawing(s.view, f, t.record)
	r := &result{fault: f, firstRow: t.firstRow}
	err = r.playFault(ctx, t, drawing)
	r.nodes = d.nodes()
	drawing.finish()
	r.stoodStill = stoodStill()
	aftermath, finished, stopErr := t.stop()
	if err != nil {
		return nil, err
	}
	if stopErr != nil {
		return nil, stopErr
	}
	r.aftermath, r.answers = aftermath, t.record.all()
	r.measures = measure(r.answers, r.begun, r.ended, r.steady(s))
	r.judge(s, finished)
	return r, nil
}

// steady is how long the load ran without a fault before it.
func (r *result) steady(s settings) time.Duration {
	if r.fault.early {
		return 0
	}
	return s.steady
}

// playFault lets the load run steadily, then the fault happen, and waits until its consequences are over or are known not to end.
func (r *result) playFault(ctx context.Context, t *trial, drawing *drawing) error {
	f, s := r.fault, t.settings
	if err := pause(ctx, s.steady); err != nil {
		return err
	}
	r.begun = t.record.now()
	drawing.setFault(r.begun, never)
	if !f.early {
		if err := f.begin(ctx, t.database); err != nil {
			return fmt.Errorf("beginning: %w", err)
		}
	}
	if err := pause(ctx, f.lasts); err != nil {
		return err
	}
	if f.end != nil {
		if err := f.end(ctx, t.database); err != nil {
			return fmt.Errorf("ending: %w", err)
		}
	}
	r.ended = t.record.now()
	drawing.setFault(r.begun, r.ended)
	for {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		since, answers := t.record.now()-r.ended, t.record.all()
		if since > s.calm && len(answers) >= s.statements {
			m := measure(answers, r.begun, r.ended, r.steady(s))
			recovered := m.servedBy(t.nodes()) != never && (m.rate != never || f.early)
			if recovered || since > fullRecovery {
				return nil
			}
		}
		if since > 2*fullRecovery {
			return nil
		}
	}
}

// judge compares the result with what the fault may do.
func (r *result) judge(s settings, finished bool) {
	bounds := r.fault.bounds.times(s.slack)
	if s.off {
		bounds = bounds.comingBack()
	}
	r.broken = append(bounds.broken(&r.measures, r.firstRow), r.aftermath.broken(r.writes)...)
	if !finished {
		r.broken = append(r.broken, graveComplaint("a statement does not end within %s", endless))
	}
	if n := r.reads + r.writes; n < s.statements {
		r.broken = append(r.broken, graveComplaint("%d statements within %s are too few", n, 2*fullRecovery))
	}
	if r.allServe() == never {
		r.broken = append(r.broken, graveComplaint("%d of %d nodes serve %s after the end of the fault", r.servingNodes(), len(r.nodes), fullRecovery))
	}
}

// allServe is from the end of the fault until every node had answered.
func (r *result) allServe() time.Duration { return r.measures.servedBy(r.nodes) }

// servingNodes counts the nodes that have answered since the end of the fault.
func (r *result) servingNodes() int {
	n := 0
	for _, id := range r.nodes {
		if _, ok := r.serving[id]; ok {
			n++
		}
	}
	return n
}

// watchProcessor measures the longest time in which this process cannot run, since on a busy machine that lengthens everything else. The
// function that it returns ends the watch.
func watchProcessor() func() time.Duration {
	const nap = 5 * time.Millisecond
	quit, result := make(chan struct{}), make(chan time.Duration)
	go func() {
		var longest time.Duration
		for {
			start := time.Now()
			select {
			case <-quit:
				result <- longest
				return
			case <-time.After(nap):
				longest = max(longest, time.Since(start)-nap)
			}
		}
	}()
	return sync.OnceValue(func() time.Duration {
		close(quit)
		return <-result
	})
}
