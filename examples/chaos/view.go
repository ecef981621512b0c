package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// view shows one fault after the other.
type view interface {
	begin(f *fault)
	draw(t *timeline, now, begun, ended time.Duration) // begun and ended are negative before that time
	end(r *result)
	note(text string)
}

func newView(out io.Writer) view {
	if isTerminal(out) {
		return &terminalView{out: out}
	}
	return plainView{out}
}

// shower draws a view ten times a second.
type shower struct {
	mu         sync.Mutex
	from, till time.Duration
	quit       chan struct{}
	done       sync.WaitGroup
}

func startView(v view, f *fault, r *record) *shower {
	s := &shower{from: -1, till: -1, quit: make(chan struct{})}
	if v == nil {
		return s
	}
	v.begin(f)
	t := newTimeline()
	s.done.Go(func() {
		clock := time.NewTicker(tick)
		defer clock.Stop()
		for {
			select {
			case <-s.quit:
				return
			case <-clock.C:
			}
			t.add(r.all())
			s.mu.Lock()
			from, till := s.from, s.till
			s.mu.Unlock()
			v.draw(t, r.now(), from, till)
		}
	})
	return s
}

func (s *shower) begun(at time.Duration) { s.mu.Lock(); s.from = at; s.mu.Unlock() }
func (s *shower) ended(at time.Duration) { s.mu.Lock(); s.till = at; s.mu.Unlock() }

func (s *shower) finish() {
	close(s.quit)
	s.done.Wait()
}

// plainView writes lines, for files and pipes.
type plainView struct{ out io.Writer }

func (v plainView) begin(f *fault)                                    { fmt.Fprintf(v.out, "%s\n", f.title) }
func (v plainView) draw(_ *timeline, now, begun, ended time.Duration) {}
func (v plainView) end(r *result) {
	fmt.Fprintf(v.out, "  %s\n", sparkline(r))
	fmt.Fprintf(v.out, "  %s\n", summary(r))
	for _, c := range r.broken {
		fmt.Fprintf(v.out, "  BROKEN: %s\n", c.text)
	}
}

func (v plainView) note(text string) { fmt.Fprintln(v.out, text) }

// sparkline is the whole timeline of a result on one line, each character the answers of all nodes in a tenth of a second or more.
func sparkline(r *result) string {
	const widest = 90
	t := newTimeline()
	t.add(r.answers)
	columns := int(r.answers[len(r.answers)-1].ended/tick) + 1
	each := (columns + widest - 1) / widest
	sums := make([]int, (columns+each-1)/each)
	most := 0
	for i := range columns {
		for _, counts := range t.counts {
			sums[i/each] += at(counts, i)
		}
		most = max(most, sums[i/each])
	}
	var s strings.Builder
	for _, n := range sums {
		s.WriteRune(bar(n, most))
	}
	return s.String()
}

// summary says in one line what a program noticed.
func summary(r *result) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d of %d reads failed, slowest %s", r.failedReads, r.reads, show(r.slowest))
	if r.fault.early {
		fmt.Fprintf(&s, ", first row after %s", show(r.firstRow))
	} else {
		fmt.Fprintf(&s, ", back after %s, at 90 %% after %s", show(r.back), show(r.rate))
	}
	fmt.Fprintf(&s, ", %d of %d nodes serve", r.servingNodes(), len(r.nodes))
	if served := r.allServe(); served != never {
		fmt.Fprintf(&s, " after %s", show(served))
	}
	if r.stoodStill > busy {
		fmt.Fprintf(&s, " (this process stood still for %s)", show(r.stoodStill))
	}
	return s.String()
}
