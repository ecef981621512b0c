package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// isTerminal reports whether somebody can see what is drawn again and again.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// terminalView draws the timeline of the present fault over and over, with a line for each node.
type terminalView struct {
	out   io.Writer
	lines int // drawn since begin, which are drawn over next
}

// Columns of a terminal line: what stands at its left, and the newest tenths of a second.
const (
	labelWidth    = 10
	timelineWidth = 66
)

const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	bold  = "\x1b[1m"
	plain = "\x1b[0m"
)

func (v *terminalView) begin(f *fault) {
	fmt.Fprintf(v.out, "%s%s%s\n", bold, f.title, plain)
	v.lines = 0
}

func (v *terminalView) draw(t *timeline, now, begun, ended time.Duration) {
	last := int(now/tick) - 1 // the present tenth is not over
	first := max(0, last-timelineWidth+1)
	row := func(label string, cell func(i int) string) string {
		var s strings.Builder
		fmt.Fprintf(&s, "%-*s", labelWidth, label)
		for i := first; i <= last; i++ {
			s.WriteString(cell(i))
		}
		return s.String()
	}
	lines := []string{row("fault", func(i int) string { return faultMark(i, begun, ended) })}
	for _, id := range t.nodes {
		counts := t.counts[id]
		lines = append(lines, row(short(id), func(i int) string { return string(bar(at(counts, i), t.most)) }))
	}
	lines = append(lines, row("failed", func(i int) string {
		if at(t.failed, i) > 0 {
			return red + "×" + plain
		}
		return " "
	}))
	v.redraw(lines)
}

// faultMark is what stands in the line of the fault for one tenth of a second.
func faultMark(i int, begun, ended time.Duration) string {
	switch {
	case begun == never || i < int(begun/tick) || ended != never && i > int(ended/tick):
		return " "
	case i == int(begun/tick):
		return "▼"
	}
	return "─"
}

func (v *terminalView) redraw(lines []string) {
	var s strings.Builder
	s.WriteString("\x1b[?7l") // lines that are too long end at the margin
	if v.lines > 0 {
		fmt.Fprintf(&s, "\x1b[%dA", v.lines)
	}
	for _, line := range lines {
		s.WriteString("\r\x1b[2K" + line + "\n")
	}
	s.WriteString("\x1b[?7h")
	v.lines = len(lines)
	io.WriteString(v.out, s.String())
}

func (v *terminalView) end(r *result) {
	verdict := green + "ok" + plain
	if len(r.broken) > 0 {
		verdict = red + "BROKEN" + plain
	}
	fmt.Fprintf(v.out, "%-*s%s: %s\n", labelWidth, "", verdict, summary(r))
	for _, c := range r.broken {
		fmt.Fprintf(v.out, "%-*s%s\n", labelWidth, "", c.text)
	}
	fmt.Fprintln(v.out)
}

func (v *terminalView) note(text string) { fmt.Fprintln(v.out, text) }

// short is a host ID as far as it fits in a margin.
func short(hostID string) string { return hostID[:min(8, len(hostID))] }
