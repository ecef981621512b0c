package main

import (
	"fmt"
	"slices"
)

// loadTable prints loadResults: the baseline in figures, the library as ratios to it, and to further clients.
type loadTable struct {
	out    *report
	part   string
	others []string // further clients
}

// measure is a column.
type measure struct {
	name string
	of   func(loadResult) float64
}

func (m measure) all(results []loadResult) (values []float64) {
	for _, r := range results {
		values = append(values, m.of(r))
	}
	return values
}

var measures = []measure{
	{"1/s", func(r loadResult) float64 { return r.Rate }},
	{"CPU", func(r loadResult) float64 { return r.CPU }},
	{"p50", func(r loadResult) float64 { return r.P50 }},
	{"p99", func(r loadResult) float64 { return r.P99 }},
	{"allocs", func(r loadResult) float64 { return r.Allocs }},
}

func newLoadTable(out *report, part, label string, others ...string) *loadTable {
	t := &loadTable{out, part, others}
	fmt.Fprintf(out, "  %-8s | %-48s | ratios of %s, median (range)\n", label, plain, withAstra)
	fmt.Fprintf(out, "  %-8s | %9s %9s %9s %9s %8s |", "", "1/s", "CPU µs", "p50 µs", "p99 µs", "allocs")
	for _, m := range measures {
		fmt.Fprintf(out, " %-17s", m.name)
	}
	for _, name := range others {
		fmt.Fprintf(out, " | 1/s, CPU of the %s's", name)
	}
	fmt.Fprintln(out)
	return t
}

func (t *loadTable) add(label string, results map[string][]loadResult) {
	of := func(name string, m measure) []float64 { return m.all(results[name]) }
	var base []any
	for _, m := range measures {
		base = append(base, median(of(plain, m)))
	}
	fmt.Fprintf(t.out, "  %-8s | %9.0f %9.1f %9.0f %9.0f %8.1f |", append([]any{label}, base...)...)
	for _, m := range measures {
		ratios := ratiosOf(of(withAstra, m), of(plain, m))
		fmt.Fprintf(t.out, " %-17s", spread(ratios))
		t.out.judge(fmt.Sprint(t.part, " ", label, " ", m.name), median(ratios))
	}
	for _, name := range t.others {
		if len(results[name]) == 0 {
			fmt.Fprint(t.out, " |")
			continue
		}
		rate, cpu := measures[0], measures[1]
		ratio := medianRatio(of(withAstra, rate), of(name, rate))
		fmt.Fprintf(t.out, " | %.2f, %.2f", ratio, medianRatio(of(withAstra, cpu), of(name, cpu)))
		t.out.judge(fmt.Sprint(t.part, " ", label, " 1/s of ", name, "'s"), ratio)
	}
	fmt.Fprintln(t.out)
}

// spread tells the median of values and their range.
func spread(values []float64) string {
	return fmt.Sprintf("%.2f (%.2f-%.2f)", median(values), slices.Min(values), slices.Max(values))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratiosOf returns the ratios of values of the same round.
func ratiosOf(values, base []float64) []float64 {
	ratios := make([]float64, min(len(values), len(base)))
	for i := range ratios {
		ratios[i] = values[i] / base[i]
	}
	return ratios
}

func medianRatio(values, base []float64) float64 { return median(ratiosOf(values, base)) }
