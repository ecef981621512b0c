package main

import "time"

// tick is the width of a timeline's columns.
const tick = 100 * time.Millisecond

// timeline counts the answers of each node in each tenth of a second.
type timeline struct {
	nodes  []string // by their first answer
	counts map[string][]int
	failed []int // idempotent statements
	most   int   // in one tenth of a second
	read   int   // answers counted so far
}

func newTimeline() *timeline { return &timeline{counts: make(map[string][]int)} }

// add counts the answers that are new since the last call.
func (t *timeline) add(answers []answer) {
	for _, a := range answers[t.read:] {
		i := int(a.ended / tick)
		switch {
		case a.err == nil:
			if _, ok := t.counts[a.node]; !ok {
				t.nodes = append(t.nodes, a.node)
			}
			t.counts[a.node] = count(t.counts[a.node], i)
			t.most = max(t.most, t.counts[a.node][i])
		case !a.write:
			t.failed = count(t.failed, i)
		}
	}
	t.read = len(answers)
}

func count(counts []int, i int) []int {
	for len(counts) <= i {
		counts = append(counts, 0)
	}
	counts[i]++
	return counts
}

// at returns a count, which is 0 beyond the last.
func at(counts []int, i int) int {
	if i < 0 || i >= len(counts) {
		return 0
	}
	return counts[i]
}

var bars = []rune(" ▁▂▃▄▅▆▇█")

// bar returns a block whose height is that of n as a part of most; anything at all is visible.
func bar(n, most int) rune {
	if n <= 0 || most <= 0 {
		return bars[0]
	}
	return bars[min(1+(n-1)*(len(bars)-1)/most, len(bars)-1)]
}
