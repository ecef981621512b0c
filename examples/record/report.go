package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

type outcome string

const (
	holds      outcome = "holds"
	holdsNot   outcome = "does not hold"
	couldNotBe outcome = "could not be seen"
)

// finding is how one claim turned out.
type finding struct {
	Claim   string  `json:"claim"` // as docs/assumptions.md calls it
	Means   string  `json:"means"`
	Outcome outcome `json:"outcome"`
	Seen    string  `json:"seen"`
}

// report has one finding for each claim, in the order of claims.
type report struct {
	Date     string    `json:"date"`
	Software string    `json:"software"`
	Findings []finding `json:"findings"`
}

func newReport(findings map[string]finding, notReached string) *report {
	r := &report{Date: time.Now().UTC().Format(time.DateOnly), Software: software()}
	for _, c := range claims {
		f, ok := findings[c.name]
		if !ok {
			f = finding{Outcome: couldNotBe, Seen: c.unseen}
			if f.Seen == "" {
				f.Seen = notReached
			}
		}
		f.Claim, f.Means = c.name, c.means
		r.Findings = append(r.Findings, f)
	}
	return r
}

// software names what the report was made with.
func software() string {
	names := []string{runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		names = append(names, "astra-go "+info.Main.Version)
		for _, m := range info.Deps {
			if strings.HasSuffix(m.Path, "/cassandra-gocql-driver/v2") {
				names = append(names, "gocql "+m.Version)
			}
		}
	}
	return strings.Join(names, ", ")
}

func (r *report) count(o outcome) (n int) {
	for _, f := range r.Findings {
		if f.Outcome == o {
			n++
		}
	}
	return n
}

func (r *report) summary() string {
	return fmt.Sprintf("Of %d claims %d hold, %d do not, and %d could not be seen.", len(r.Findings), r.count(holds), r.count(holdsNot), r.count(couldNotBe))
}

func (r *report) markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Claims about Astra, as they turned out\n\n%s, with %s. %s See docs/assumptions.md for what each means.\n\n", r.Date, r.Software, r.summary())
	b.WriteString("| claim | | outcome | seen |\n| --- | --- | --- | --- |\n")
	for _, f := range r.Findings {
		outcome := string(f.Outcome)
		if f.Outcome == holdsNot {
			outcome = "**" + outcome + "**"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Claim, cell(f.Means), outcome, cell(f.Seen))
	}
	return b.Bytes()
}

// cell makes text fit for a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}

func (r *report) json() []byte {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic(err) // texts are always written
	}
	return append(text, '\n')
}
