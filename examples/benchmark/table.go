package main

import (
	"fmt"
	"io"
	"slices"
)

// loadTable prints loadResults: the baseline in figures, the others as ratios to it.
type loadTable struct {
	out io.Writer
}

func newLoadTable(out io.Writer, label string) *loadTable {
	fmt.Fprintf(out, "  %-8s | %-48s | ratios of %s, median (range)\n", label, plain, withAstra)
	fmt.Fprintf(out, "  %-8s | %9s %9s %9s %9s %8s | %-17s %-17s %-17s %-17s %-17s | %s\n", "",
		"1/s", "CPU µs", "p50 µs", "p99 µs", "allocs", "1/s", "CPU", "p50", "p99", "allocs", "1/s of no driver's")
	return &loadTable{out}
}

func (t *loadTable) add(label string, results map[string][]loadResult) {
	measures := []func(loadResult) float64{
		func(r loadResult) float64 { return r.Rate },
		func(r loadResult) float64 { return r.CPU },
		func(r loadResult) float64 { return r.P50 },
		func(r loadResult) float64 { return r.P99 },
		func(r loadResult) float64 { return r.Allocs },
	}
	base := make([]float64, len(measures))
	ratios := make([]string, len(measures))
	of := func(name string, measure func(loadResult) float64) (values []float64) {
		for _, r := range results[name] {
			values = append(values, measure(r))
		}
		return values
	}
	for i, measure := range measures {
		base[i] = median(of(plain, measure))
		rs := ratiosOf(of(withAstra, measure), of(plain, measure))
		ratios[i] = fmt.Sprintf("%.2f (%.2f-%.2f)", median(rs), slices.Min(rs), slices.Max(rs))
	}
	fmt.Fprintf(t.out, "  %-8s | %9.0f %9.1f %9.0f %9.0f %8.1f | %-17s %-17s %-17s %-17s %-17s", label,
		base[0], base[1], base[2], base[3], base[4], ratios[0], ratios[1], ratios[2], ratios[3], ratios[4])
	if of(limit, measures[0]) != nil {
		fmt.Fprintf(t.out, " | %.2f", medianRatio(of(withAstra, measures[0]), of(limit, measures[0])))
	}
	fmt.Fprintln(t.out)
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
