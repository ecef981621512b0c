package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/token"
)

// A round of random faults is followed by this much calm, in which nothing may fail.
const calm = time.Second

// happening is one fault of a random round.
type happening struct {
	*fault
	after time.Duration // the beginning of the round
	lasts time.Duration
}

// round chooses one to three faults that begin within a second.
func round(random *rand.Rand) []happening {
	var some []happening
	for range 1 + random.IntN(3) {
		f := faults[random.IntN(len(faults))]
		for f.early || f.long {
			f = faults[random.IntN(len(faults))]
		}
		h := happening{fault: f, after: randomUpTo(random, time.Second), lasts: f.lasts}
		if h.lasts == 0 { // it happens in a moment, or lasts until the end of the round
			h.lasts = randomUpTo(random, f.bounds.slowest)
		}
		some = append(some, h)
	}
	return some
}

func randomUpTo(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}

// playRandom lets random faults happen to one program until the time is over, several at once. The seed decides on the faults and their times,
// though not on how goroutines interleave. It tells of each round and returns an error for what must not happen.
func playRandom(ctx context.Context, s settings, seed uint64, lasts time.Duration, out io.Writer) error {
	fmt.Fprintf(out, "Random faults for %s, seed %d\n", lasts, seed)
	program := &fault{
		title:   "random faults",
		options: append([]astratest.Option{astratest.Seed(seed)}, threeAddresses...),
		config: func(c *astra.Config, d *database) {
			c.Token = &learned[token.Token]{get: d.Token}
			c.Bundle = &learned[*bundle.Bundle]{get: d.Bundle}
		},
	}
	d := newDatabase(program, s)
	defer d.Close()
	defer d.endFaults()
	t, err := startTrial(ctx, program, d, s)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for n := 1; err == nil && t.record.now() < lasts; n++ {
		err = playRound(ctx, t, n, round(random), out)
	}
	after, finished, stopErr := t.stop()
	switch {
	case err != nil:
		return err
	case !finished:
		return fmt.Errorf("a statement does not end within %s", endless)
	case stopErr != nil:
		return stopErr
	}
	m := measure(t.record.all(), 0, 0, 0)
	fmt.Fprintf(out, "%d reads, %d of them failed; slowest statement %s; %d writes, %d executed; left over: %s\n",
		m.reads, m.failedReads, show(m.slowest), m.writes, after.executions, after.leftOver())
	for _, c := range after.broken(m.writes) {
		err = errors.Join(err, errors.New(c.text))
	}
	return err
}

// playRound lets the faults of a round happen and waits until every node serves again, and then for a calm in which nothing fails.
func playRound(ctx context.Context, t *trial, n int, round []happening, out io.Writer) error {
	fmt.Fprintf(out, "%6.1f s  round %d: %s\n", t.record.now().Seconds(), n, describe(round))
	errs := make([]error, len(round))
	var running sync.WaitGroup
	for i, h := range round {
		running.Go(func() { errs[i] = h.happen(ctx, t.database) })
	}
	running.Wait()
	t.endFaults()
	t.RefuseUnknown(astratest.RefuseAlert)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	ended := t.record.now()
	seen := len(t.record.all())
	for serving := make(map[string]bool); ; {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		answers := t.record.all()
		for _, a := range answers[seen:] {
			serving[a.node] = serving[a.node] || a.err == nil && a.begun >= ended
		}
		seen = len(answers)
		missing := 0
		for _, id := range t.nodes() {
			if !serving[id] {
				missing++
			}
		}
		if missing == 0 {
			break
		}
		if t.record.now() > ended+fullRecovery {
			return fmt.Errorf("round %d: %d of %d nodes do not serve again within %s", n, missing, len(t.nodes()), fullRecovery)
		}
	}
	recovered := t.record.now()
	if err := pause(ctx, calm); err != nil {
		return err
	}
	for _, a := range t.record.all() {
		if a.err != nil && !a.write && a.begun >= recovered {
			return fmt.Errorf("round %d: a read failed although every node was back: %w", n, a.err)
		}
	}
	fmt.Fprintf(out, "%10s all nodes serve after %s\n", "", show(recovered-ended))
	return nil
}

func (h happening) happen(ctx context.Context, d *database) error {
	if err := pause(ctx, h.after); err != nil {
		return err
	}
	err := h.begin(ctx, d)
	if errors.Is(err, errNotHere) {
		return nil
	}
	if err == nil {
		err = pause(ctx, h.lasts)
	}
	if err == nil && h.end != nil {
		err = h.end(ctx, d)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.name, err)
	}
	return nil
}

func describe(round []happening) string {
	var parts []string
	for _, h := range round {
		parts = append(parts, fmt.Sprintf("%s after %s for %s", h.name, show(h.after), show(h.lasts)))
	}
	return strings.Join(parts, ", ")
}
