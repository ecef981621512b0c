package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// writeTable writes the results as columns for people.
func writeTable(w io.Writer, results []*result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "fault\treads\tfailed\tslowest\tback\t90 %\tall nodes\twrites\texecuted\tleft over\t")
	for _, r := range results {
		verdict := "ok"
		if len(r.broken) > 0 {
			verdict = "BROKEN"
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", r.fault.name, r.reads, r.failedReads, show(r.slowest),
			r.showBack(), r.showRate(), show(r.allServe()), r.writes, r.executions, r.leftOver(), verdict)
	}
	return t.Flush()
}

// showBack is what is measured of the way back: for a session that is opened under a fault, it is its first row.
func (r *result) showBack() string {
	if r.fault.early {
		return show(r.firstRow)
	}
	return show(r.back)
}

func (r *result) showRate() string {
	if r.fault.early {
		return "-"
	}
	return show(r.rate)
}

// String writes bounds as they stand in a table.
func (b bounds) String() string {
	var parts []string
	if b.outage {
		parts = append(parts, "only while nothing answers")
	} else {
		parts = append(parts, "0 failed")
	}
	if b.slowest > 0 {
		parts = append(parts, "slowest "+show(b.slowest))
	}
	if b.back > 0 {
		parts = append(parts, "back "+show(b.back))
	}
	if b.firstRow > 0 {
		parts = append(parts, "first row "+show(b.firstRow))
	}
	return strings.Join(parts, ", ")
}
