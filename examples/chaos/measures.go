package main

import (
	"fmt"
	"slices"
	"time"
)

// bounds are what a fault may do to a program at most. A zero duration is no bound.
type bounds struct {
	outage    bool          // idempotent statements may fail, but only while nothing answers; otherwise none may
	anyFailed bool          // they may fail anyhow
	anyRate   bool          // the rate after the fault is not judged
	slowest   time.Duration // of a single statement
	back      time.Duration // from the end of the fault to the first answer
	firstRow  time.Duration // from the start of a program to the first row
}

// One second after a fault, so much of the earlier rate is to be back; and within fullRecovery every node serves again.
const (
	recoveredRate = 0.9
	rateRecovery  = time.Second
	fullRecovery  = 20 * time.Second
)

// never stands for a duration that did not end.
const never time.Duration = -1

// measures are what a record tells about a fault.
type measures struct {
	reads        int                      // idempotent statements
	writes       int                      // others
	failedReads  int                      // idempotent statements that failed
	unexcused    int                      // those of them that failed although something answered
	failedWrites int                      // which a program may not repeat by itself
	slowest      time.Duration            // single statement that ended after the fault began, whether it failed or not
	before       float64                  // answers a second before the fault
	back         time.Duration            // from the end of the fault to the end of the first answered statement that was begun after it
	rate         time.Duration            // from the end of the fault to the time from which on the rate is as before
	serving      map[string]time.Duration // from the end of the fault to the first answer of each node
	firstError   error                    // of a read, the first that has no excuse if there is one
}

// measure reads a record in which a fault began and ended at these times. The load has been steady for a time, unless the fault began first.
func measure(answers []answer, begun, ended, steady time.Duration) measures {
	m := measures{back: never, rate: never, serving: make(map[string]time.Duration)}
	for _, a := range answers {
		if a.write {
			m.writes++
		} else {
			m.reads++
		}
		if a.err == nil && a.ended >= ended {
			if m.back == never && a.begun >= ended {
				m.back = a.ended - ended
			}
			if _, ok := m.serving[a.node]; !ok && a.begun >= ended {
				m.serving[a.node] = a.ended - ended
			}
		}
		if a.ended >= begun {
			m.slowest = max(m.slowest, a.ended-a.begun)
		}
	}
	for _, a := range answers {
		switch {
		case a.err == nil:
		case a.write:
			m.failedWrites++
		default:
			m.failedReads++
			unexcused := !excused(a, answers, begun)
			if unexcused {
				m.unexcused++
			}
			if m.firstError == nil || unexcused && m.unexcused == 1 {
				m.firstError = a.err
			}
		}
	}
	if steady > 0 {
		m.before = float64(answeredIn(answers, begun-steady, begun)) / steady.Seconds()
		m.rate = rateBack(answers, ended, m.before)
	}
	return m
}

// excused reports whether a statement failed because nothing answered, or because it was in flight when a fault began. What happens at the
// edges of an outage is not told apart more finely than by 0.1 s.
func excused(a answer, answers []answer, begun time.Duration) bool {
	const edge = 100 * time.Millisecond
	if a.ended < begun {
		return false
	}
	from, to := max(begun+edge, a.ended-time.Second), a.ended-edge
	return a.begun < begun+edge || to <= from || answeredIn(answers, from, to) == 0
}

// answeredIn counts the statements that were answered in a time.
func answeredIn(answers []answer, from, to time.Duration) int {
	n := 0
	for _, a := range answers[indexAt(answers, from):indexAt(answers, to)] {
		if a.err == nil {
			n++
		}
	}
	return n
}

// indexAt returns the index of the first answer that came at a time or later.
func indexAt(answers []answer, at time.Duration) int {
	i, _ := slices.BinarySearchFunc(answers, at, func(a answer, at time.Duration) int {
		if a.ended < at {
			return -1
		}
		return 1
	})
	return i
}

// rateBack returns how long after the end of the fault a span of time begins in which there are nearly as many answers as before.
func rateBack(answers []answer, ended time.Duration, before float64) time.Duration {
	const span, step = 200 * time.Millisecond, 10 * time.Millisecond
	if len(answers) == 0 {
		return never
	}
	for from := ended; from+span <= answers[len(answers)-1].ended; from += step {
		if float64(answeredIn(answers, from, from+span)) >= recoveredRate*before*span.Seconds() {
			return from - ended
		}
	}
	return never
}

// servedBy returns when the last of the nodes had answered, or never.
func (m *measures) servedBy(nodes []string) time.Duration {
	var last time.Duration
	for _, id := range nodes {
		served, ok := m.serving[id]
		if !ok {
			return never
		}
		last = max(last, served)
	}
	return last
}

// complaint is a bound that does not hold.
type complaint struct {
	text  string
	grave bool // no slow or busy machine is an excuse
}

func (c complaint) isGrave() bool { return c.grave }

func graveComplaint(format string, args ...any) complaint {
	return complaint{text: fmt.Sprintf(format, args...), grave: true}
}

// broken says which bounds do not hold.
func (b bounds) broken(m *measures, firstRow time.Duration) []complaint {
	var broken []complaint
	complain := func(format string, args ...any) {
		broken = append(broken, complaint{text: fmt.Sprintf(format, args...)})
	}
	switch {
	case b.anyFailed:
	case !b.outage && m.failedReads > 0:
		complain("%d reads failed: %v", m.failedReads, m.firstError)
	case m.unexcused > 0:
		complain("%d reads failed although something answered: %v", m.unexcused, m.firstError)
	}
	limit := func(what string, took, bound time.Duration) {
		if bound > 0 && (took == never || took > bound) {
			complain("%s %s, the bound is %s", what, show(took), show(bound))
		}
	}
	limit("the slowest statement took", m.slowest, b.slowest)
	limit("from the start of the program to the first row it took", firstRow, b.firstRow)
	limit("from the end of the fault to the first answer it took", m.back, b.back)
	if b.back > 0 && !b.anyRate {
		limit("from the end of the fault to 90 % of the earlier rate it took", m.rate, max(rateRecovery, b.back))
	}
	return broken
}

// comingBack leaves of the bounds that a program comes back by itself.
func (b bounds) comingBack() bounds { return bounds{anyFailed: true} }

// times returns the bounds with all durations multiplied, for machines that are slow and busy.
func (b bounds) times(n int) bounds {
	b.slowest *= time.Duration(n)
	b.back *= time.Duration(n)
	b.firstRow *= time.Duration(n)
	b.anyRate = n > 1 // such a machine has another rate from one moment to the next
	return b
}

// show writes a duration with three digits at most.
func show(d time.Duration) string {
	switch {
	case d == never:
		return "never"
	case d < time.Millisecond:
		return "< 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}
