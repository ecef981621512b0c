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
	draw(t *timeline, now, begun, ended time.Duration) // never: the fault has not begun or ended yet
	end(r *result)
	note(text string)
}

func newView(out io.Writer) view {
	if isTerminal(out) {
		return &terminalView{out: out}
	}
	return plainView{out}
}

// drawing draws a view ten times a second.
type drawing struct {
	quit chan struct{}
	done sync.WaitGroup

	mu           sync.Mutex
	begun, ended time.Duration // of the fault
}

func startDrawing(v view, f *fault, r *record) *drawing {
	d := &drawing{quit: make(chan struct{}), begun: never, ended: never}
	if v == nil {
		return d
	}
	v.begin(f)
	d.done.Go(func() {
		t := newTimeline()
		clock := time.NewTicker(tick)
		defer clock.Stop()
		for {
			select {
			case <-d.quit:
				return
			case <-clock.C:
			}
			t.add(r.all())
			begun, ended := d.fault()
			v.draw(t, r.now(), begun, ended)
		}
	})
	return d
}

func (d *drawing) fault() (begun, ended time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begun, d.ended
}

// setFault tells when the fault began and ended, or that it has not ended yet.
func (d *drawing) setFault(begun, ended time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun, d.ended = begun, ended
}

func (d *drawing) finish() {
	close(d.quit)
	d.done.Wait()
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
