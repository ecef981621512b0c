package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ms = time.Millisecond

// answers are read by node a, one each millisecond, with a gap.
func steadyAnswers(until, gapFrom, gapTo time.Duration) []answer {
	var answers []answer
	for at := ms; at < until; at += ms {
		if at < gapFrom || at >= gapTo {
			answers = append(answers, answer{begun: at - ms, ended: at, node: "a"})
		}
	}
	return answers
}

func insert(answers []answer, a answer) []answer {
	i := indexAt(answers, a.ended)
	return append(append(append([]answer(nil), answers[:i]...), a), answers[i:]...)
}

var errTest = errors.New("no answer")

func TestMeasure(t *testing.T) {
	t.Parallel()
	answers := steadyAnswers(3*time.Second, 1000*ms, 1400*ms)
	answers = insert(answers, answer{begun: 999 * ms, ended: 1410 * ms, node: "b"})
	answers = insert(answers, answer{begun: 1200 * ms, ended: 1201 * ms, write: true, err: errTest})
	m := measure(answers, 1000*ms, 1100*ms, 500*ms)
	got := []any{m.reads, m.writes, m.failedReads, m.failedWrites, m.slowest, m.back, m.before, m.servedBy([]string{"a"}), m.servedBy([]string{"a", "b"})}
	want := []any{2600, 1, 0, 1, 411 * ms, 300 * ms, 1000.0, 300 * ms, never} // b answered what was begun before the end
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if m.rate < 270*ms || m.rate > 300*ms {
		t.Errorf("the rate was back after %v, want 300 ms less the tenth of 200 ms that may be missing", m.rate)
	}
}

func TestMeasureWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]answer{
		"none":         nil,
		"only failed":  {{begun: ms, ended: 2 * ms, err: errTest}},
		"only earlier": steadyAnswers(50*ms, 0, 0),
	} {
		m := measure(answers, 100*ms, 200*ms, 50*ms)
		if m.back != never || m.rate != never && len(answers) > 0 || m.servedBy([]string{"a"}) != never {
			t.Errorf("%s: back after %v, at 90 %% after %v", name, m.back, m.rate)
		}
	}
}

// A failure in an outage is excused when nothing else was answered at that time, and when it was in flight when the fault began.
func TestExcuses(t *testing.T) {
	t.Parallel()
	answers := steadyAnswers(5*time.Second, 1000*ms, 3000*ms)
	for name, test := range map[string]struct {
		failed answer
		want   bool
	}{
		"before the fault":             {answer{begun: 500 * ms, ended: 600 * ms}, false},
		"in flight when it began":      {answer{begun: 999 * ms, ended: 2999 * ms}, true},
		"while nothing answered":       {answer{begun: 1500 * ms, ended: 2500 * ms}, true},
		"just when answers came again": {answer{begun: 1200 * ms, ended: 3050 * ms}, true},
		"long after that":              {answer{begun: 1200 * ms, ended: 3500 * ms}, false},
		"begun and ended after that":   {answer{begun: 4000 * ms, ended: 4200 * ms}, false},
		"at once, after that":          {answer{begun: 4000 * ms, ended: 4001 * ms}, false},
	} {
		test.failed.err = errTest
		all := insert(answers, test.failed)
		if got := excused(test.failed, all, 1000*ms); got != test.want {
			t.Errorf("%s: excused is %v", name, got)
		}
		m := measure(all, 1000*ms, 2900*ms, 500*ms)
		if broken := (bounds{outage: true}).broken(&m, 0); (len(broken) == 0) != test.want {
			t.Errorf("%s: broken is %v", name, broken)
		}
		if broken := (bounds{}).broken(&m, 0); len(broken) != 1 {
			t.Errorf("%s: broken is %v where nothing may fail", name, broken)
		}
		if broken := (bounds{}).comingBack().broken(&m, 0); len(broken) != 0 {
			t.Errorf("%s: broken is %v where anything may fail", name, broken)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	m := measure(steadyAnswers(3*time.Second, 1000*ms, 1400*ms), 1000*ms, 1100*ms, 500*ms)
	m.slowest = 400 * ms
	for _, test := range []struct {
		bounds   bounds
		firstRow time.Duration
		want     string // in the only complaint
	}{
		{bounds{slowest: 400 * ms, back: 300 * ms, firstRow: ms}, ms, ""},
		{bounds{slowest: 399 * ms}, 0, "slowest statement took 400 ms, the bound is 399 ms"},
		{bounds{back: 299 * ms}, 0, "first answer it took 300 ms, the bound is 299 ms"},
		{bounds{firstRow: ms}, 2 * ms, "first row it took 2 ms, the bound is 1 ms"},
		{bounds{slowest: 40 * ms, back: 30 * ms, firstRow: ms}.times(10), 10 * ms, ""},
	} {
		broken := test.bounds.broken(&m, test.firstRow)
		if len(broken) > 1 || (len(broken) == 1) != (test.want != "") || len(broken) == 1 && !strings.Contains(broken[0].text, test.want) {
			t.Errorf("%v: broken is %v, want %q", test.bounds, broken, test.want)
		}
	}
}

func TestAftermath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		aftermath aftermath
		want      bool
	}{
		{aftermath{executions: 9, most: 1}, false},
		{aftermath{executions: 10, most: 1}, false},
		{aftermath{executions: 11, most: 1}, true},
		{aftermath{executions: 9, most: 2}, true},
		{aftermath{conns: 1}, true},
		{aftermath{goroutines: 1}, true},
	} {
		if broken := test.aftermath.broken(10); (len(broken) > 0) != test.want {
			t.Errorf("%+v: broken is %v", test.aftermath, broken)
		}
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		never: "never", 0: "< 1 ms", 999 * time.Microsecond: "< 1 ms", ms: "1 ms", 999 * ms: "999 ms", 1500 * ms: "1.5 s", 11 * time.Second: "11 s", 5280 * ms: "5.28 s",
		time.Minute: "60 s",
	} {
		if got := show(d); got != want {
			t.Errorf("%d ns is shown as %q, want %q", d, got, want)
		}
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		n, most int
		want    rune
	}{{0, 0, ' '}, {0, 9, ' '}, {1, 1000, '▁'}, {1000, 1000, '█'}, {500, 1000, '▄'}, {1, 1, '▁'}} {
		if got := bar(test.n, test.most); got != test.want {
			t.Errorf("%d of %d is %c, want %c", test.n, test.most, got, test.want)
		}
	}
}

// The seed alone decides what happens in a random run.
func TestRoundsOfASeedAreTheSame(t *testing.T) {
	t.Parallel()
	rounds := func(seed uint64) (texts []string) {
		random := rand.New(rand.NewPCG(seed, 0))
		for range 50 {
			texts = append(texts, describe(round(random)))
		}
		return texts
	}
	if diff := cmp.Diff(rounds(7), rounds(7)); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(rounds(7), rounds(8)) {
		t.Error("another seed makes the same faults")
	}
}

func TestNamesOfFaultsAreUnique(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, f := range faults {
		if seen[f.name] || f.name == "" || f.title == "" || f.begin == nil {
			t.Errorf("fault %q is there twice or lacks something", f.name)
		}
		seen[f.name] = true
	}
	for _, d := range drivers {
		if !seen[d.fault] {
			t.Errorf("other drivers were measured with %q, which is no fault", d.fault)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"-fault nonsense", `no fault "nonsense"`},
		{"-nodes real", "-nodes"},
		{"-nodes cassandra -fault replaced", "cannot happen to real nodes"},
		{"-random 1s -fault dropped", "-random"},
		{"-off -write x.md", "-write"},
		{"-nodes cassandra -write x.md", "-write"},
		{"dropped", `"dropped" is no flag`},
		{"-nonsense", "not defined"},
	} {
		if err := run(t.Context(), strings.Fields(test.args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("chaos %s: error %v, want one with %q", test.args, err, test.want)
		}
	}
	var usage bytes.Buffer
	if _, err := parse([]string{"-help"}, &usage); err == nil {
		t.Error("-help is no error")
	}
	for _, f := range faults {
		if !strings.Contains(usage.String(), f.name) || !strings.Contains(usage.String(), f.title) {
			t.Errorf("-help does not name %s", f.name)
		}
	}
}

// One fault with all that the command writes.
func TestOutputs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	svg, document := filepath.Join(dir, "chaos.svg"), filepath.Join(dir, "reliability.md")
	s := testSettings()
	var out bytes.Buffer
	s.view = newView(&out)
	results, err := playAll(t.Context(), faults[:1], s)
	if err != nil {
		t.Fatal(err)
	}
	name := results[0].fault.name
	if err := writeSVG(svg, results); err != nil {
		t.Fatal(err)
	}
	if err := writeReliability(document, svg, s, results, results); err != nil {
		t.Fatal(err)
	}
	if err := writeTable(&out, results); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, results[0].fault.title) || !strings.Contains(text, "3 of 3 nodes serve") || !strings.Contains(text, "\n"+name+" ") {
		t.Errorf("the output is\n%s", text)
	}
	picture, err := os.ReadFile(svg)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(picture)); ; {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{results[0].fault.title + " |", "3865 failed", "none was left over", "(chaos.svg)"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
}

// A bound that does not hold is told, and decides on the exit status.
func TestABrokenBound(t *testing.T) {
	t.Parallel()
	f := *faults[0]
	f.bounds = bounds{slowest: time.Nanosecond}
	s := testSettings()
	var out bytes.Buffer
	s.view = &terminalView{out: &out}
	r, err := play(t.Context(), &f, s)
	if err != nil {
		t.Fatal(err)
	}
	s.view.end(r)
	if countBroken([]*result{r}) != 1 || !strings.Contains(out.String(), "BROKEN") || !strings.Contains(out.String(), "the bound is < 1 ms") {
		t.Errorf("broken is %v; the output ends with\n%s", r.broken, out.String()[max(0, out.Len()-500):])
	}
}
