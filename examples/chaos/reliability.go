package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"text/template"
)

//go:embed reliability.md.tmpl
var reliabilityText string

var reliability = template.Must(template.New("").Funcs(template.FuncMap{"show": show}).Parse(reliabilityText))

// writeReliability writes the results as the documentation of what this library survives. off has the results of the same faults, in the same
// order, with everything switched off. It shows the picture unless that has no name.
func writeReliability(name, picture string, s settings, results, off []*result) error {
	type row struct{ On, Off *result }
	data := struct {
		Readers, Writers, Statements int
		Latency                      string
		Machine                      string
		Picture                      string
		Rows                         []row
		Writes, Executions           int
		LeftOver                     string
		Drivers                      []driversRow
	}{
		Readers: s.readers, Writers: s.writers, Statements: s.statements, Latency: show(s.latency),
		LeftOver: "none was left over",
		Machine:  fmt.Sprintf("%s, %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
	}
	if picture != "" {
		relative, err := filepath.Rel(filepath.Dir(name), picture)
		if err != nil {
			return err
		}
		data.Picture = filepath.ToSlash(relative)
	}
	measured := make(map[string]*result)
	for i, r := range results {
		data.Rows = append(data.Rows, row{r, off[i]})
		data.Writes += r.writes + off[i].writes
		data.Executions += r.executions + off[i].executions
		measured[r.fault.name] = r
		for _, r := range []*result{r, off[i]} {
			if r.conns > 0 || r.goroutines > 0 {
				data.LeftOver = "**some were left over**"
			}
		}
	}
	for _, d := range drivers {
		if d.Result = measured[d.fault]; d.Result != nil {
			data.Drivers = append(data.Drivers, d)
		}
	}
	var b bytes.Buffer
	if err := reliability.Execute(&b, data); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

// The methods that follow are for the template.

func (r *result) Title() string   { return r.fault.title }
func (r *result) Bounds() string  { return r.fault.bounds.String() }
func (r *result) Failed() int     { return r.failedReads }
func (r *result) Slowest() string { return show(r.slowest) }
func (r *result) Back() string    { return r.showBack() }
func (r *result) Serving() string { return show(r.allServe()) }
func (r *result) Broken() bool    { return len(r.broken) > 0 }

// Compared is what stands beside other drivers.
func (r *result) Compared() string {
	if r.fault.early {
		return "first row after " + show(r.firstRow)
	}
	return fmt.Sprintf("%d failed, %s, back after %s", r.failedReads, show(r.slowest), show(r.back))
}

// driversRow is what other clients did under a fault, measured earlier.
type driversRow struct {
	fault                    string
	GocqlAstra, Java, Python string
	Result                   *result
}

const neverBack = "**never back**"

// drivers was measured once, on a simulated Astra like this one, with three nodes and eight readers.
var drivers = []driversRow{
	{"dropped", "25 failed, 13 ms", "3865 failed, 1.04 s", "3629 failed, 1.02 s", nil},
	{"new-addresses", "3 failed, 5 ms", "3795 failed, 1.04 s", "", nil},
	{"replaced", neverBack, neverBack, neverBack, nil},
	{"same-addresses", neverBack, "", "", nil},
	{"metadata-late", neverBack, "", "", nil},
	{"one-quiet", "goes on with 2 of 3 nodes for good", "", "", nil},
	{"proxy-moved", neverBack, neverBack, neverBack, nil},
	{"proxy-moved-metadata-down", neverBack, "", "", nil},
	{"proxy-silent", "not back 20 s after", "back after 2.9 s", "back at once", nil},
	{"stalled", "55 s and not back", "", "", nil},
	{"metadata-down", "5 to 10 failed", "3870 failed, 1.04 s", "", nil},
	{"token", neverBack, "not run", "", nil},
	{"opened-node-down", "first row after 3.1 s", "", "", nil},
}
