package astra

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestHostsAreLostForAMoment(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	h, other := hosts[0], hosts[1]
	for name, test := range map[string]struct {
		do   func(l *lostHosts)
		lost bool
	}{
		"never connected":               {func(l *lostHosts) {}, false},
		"connected":                     {func(l *lostHosts) { l.opened(h) }, false},
		"ended":                         {func(l *lostHosts) { l.opened(h); l.ended(h) }, true},
		"one of two ended":              {func(l *lostHosts) { l.opened(h); l.opened(h); l.ended(h) }, false},
		"another host":                  {func(l *lostHosts) { l.opened(h); l.opened(other); l.ended(other) }, false},
		"was the control connection":    {func(l *lostHosts) { l.opened(h); l.isControl(h) }, false},
		"only the control connection":   {func(l *lostHosts) { l.opened(h); l.opened(h); l.isControl(h); l.ended(h) }, true},
		"connected again, not used yet": {func(l *lostHosts) { l.opened(h); l.ended(h); l.opened(h) }, true},
		"connected again":               {func(l *lostHosts) { l.opened(h); l.ended(h); l.opened(h); l.up(h) }, false},
		"connected again, and ended":    {func(l *lostHosts) { l.opened(h); l.ended(h); l.opened(h); l.ended(h); l.up(h) }, true},
		"long ago":                      {func(l *lostHosts) { l.opened(h); l.ended(h); time.Sleep(lostTime) }, false},
		"long ago and again":            {func(l *lostHosts) { l.opened(h); l.ended(h); time.Sleep(lostTime); l.opened(h); l.ended(h) }, true},
		"again, before the first is over": {func(l *lostHosts) {
			l.opened(h)
			l.ended(h)
			time.Sleep(lostTime - 1)
			l.opened(h)
			l.ended(h)
			time.Sleep(lostTime - 1)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l lostHosts
				test.do(&l)
				synctest.Wait()
				if l.has(h) != test.lost {
					t.Errorf("lost: %t", l.has(h))
				}
				time.Sleep(lostTime)
				synctest.Wait()
				if l.has(h) || l.lost.Load() != nil {
					t.Error("it is lost for good")
				}
			})
		})
	}
}

func TestLostHostsAreNotOffered(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wait time.Duration
		lost int
		want int
	}{
		"none":                            {time.Second, 0, 3},
		"one":                             {time.Second, 1, 2},
		"all":                             {time.Second, 3, 0},
		"all, and statements do not wait": {0, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newTestPolicy(test.wait)
				hosts := newHosts(t, 3)
				p.AddHosts(hosts)
				for _, h := range hosts[:test.lost] {
					p.dialer.lost.opened(h)
					p.dialer.lost.ended(h)
				}
				if got := offered(p.Pick(statement{ctx: t.Context()})); len(got) != test.want {
					t.Errorf("%d hosts are offered, want %d", len(got), test.want)
				}
				time.Sleep(lostTime)
				synctest.Wait()
				if got := offered(p.Pick(statement{ctx: t.Context()})); len(got) != 3 {
					t.Errorf("%d hosts are offered after a moment, want 3", len(got))
				}
			})
		})
	}
}
