package main

import (
	"fmt"
	"io"
)

// goal is what a ratio to plain gocql, or a figure, has to be.
type goal struct {
	limit   float64
	atLeast bool // otherwise at most
}

func atLeast(limit float64) goal { return goal{limit, true} }
func atMost(limit float64) goal  { return goal{limit, false} }

// goals are those of the project, by part, row and measure.
var goals = map[string]goal{
	"flat 1 1/s":    atLeast(0.98),
	"flat 2 1/s":    atLeast(0.97),
	"flat 4 1/s":    atLeast(0.97),
	"flat 8 1/s":    atLeast(1),
	"flat 16 1/s":   atLeast(1.15),
	"flat 16 CPU":   atMost(0.92),
	"flat 16 p99":   atMost(0.9),
	"flat 128 1/s":  atLeast(1.9),
	"flat 128 CPU":  atMost(0.6),
	"flat 128 p99":  atMost(0.9),
	"flat 512 1/s":  atLeast(1.8),
	"flat 512 CPU":  atMost(0.6),
	"flat 2048 1/s": atLeast(1.7),
	"flat 2048 CPU": atMost(0.6),

	"paced 16 CPU":  atMost(0.9),
	"paced 16 p50":  atMost(1.05),
	"paced 16 p99":  atMost(1.05),
	"paced 128 CPU": atMost(0.9),
	"paced 128 p50": atMost(1.05),
	"paced 128 p99": atMost(1.05),

	"write 1024 1/s":    atLeast(1),
	"write 65536 1/s":   atLeast(1),
	"write 1048576 1/s": atLeast(1),

	"java 128 1/s of " + javaDriver + "'s":  atLeast(0.65),
	"java 512 1/s of " + javaDriver + "'s":  atLeast(0.65),
	"java 2048 1/s of " + javaDriver + "'s": atLeast(0.65),

	"cassandra 1 1/s":   atLeast(0.95), // no loss, but for the noise
	"cassandra 16 1/s":  atLeast(0.95),
	"cassandra 128 1/s": atLeast(0.95),

	"open ratio":               atMost(0.6),
	"open dials":               atMost(7),
	"idle ratio":               atMost(1.1),
	"idle after a burst ratio": atMost(1.1),
	"route replica":            atLeast(200),
}

// outcome is a figure that there is a goal for.
type outcome struct {
	what  string
	value float64
	goal  goal
}

func (o outcome) met() bool {
	if o.goal.atLeast {
		return o.value >= o.goal.limit
	}
	return o.value <= o.goal.limit
}

// report is where parts print, and what their figures come to.
type report struct {
	io.Writer
	outcomes []outcome
}

// judge notes a figure. One without a goal is ignored.
func (r *report) judge(what string, value float64) {
	if g, ok := goals[what]; ok {
		r.outcomes = append(r.outcomes, outcome{what, value, g})
	}
}

// printGoals prints which goals were missed, and returns their number.
func (r *report) printGoals() (missed int) {
	if len(r.outcomes) == 0 {
		return 0
	}
	fmt.Fprintf(r, "\nGoals\n")
	for _, o := range r.outcomes {
		if !o.met() {
			missed++
			bound := "at most"
			if o.goal.atLeast {
				bound = "at least"
			}
			fmt.Fprintf(r, "  missed: %s is %.2f, wanted %s %g\n", o.what, o.value, bound, o.goal.limit)
		}
	}
	fmt.Fprintf(r, "  %d of %d met\n", len(r.outcomes)-missed, len(r.outcomes))
	return missed
}
