package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/token"
)

// fault is something that Astra, or the network before it, does to a program.
type fault struct {
	name   string // for -fault
	title  string
	bounds bounds

	options []astratest.Option
	config  func(*astra.Config, *database) // how the program differs from one with a static bundle and token

	begin func(context.Context, *database) error // returns when the fault has happened, which may take its time
	lasts time.Duration                          // from then on
	end   func(context.Context, *database) error // nil: what happened stays, or ends by itself

	early bool // it begins before the session is opened, and ends when that works
	real  bool // it can happen to real nodes, too
	long  bool // it takes a minute
}

// slow reports whether a fault, or what comes of it, takes more than a second or two.
func (f *fault) slow() bool { return f.lasts >= 2*time.Second || f.bounds.slowest > 4*time.Second }

var (
	// unnoticed is for what a program may notice no more than a slow query.
	unnoticed = bounds{slowest: 250 * time.Millisecond, back: 250 * time.Millisecond}
	// brief is for what takes all connections away, so that others have to be made first.
	brief = bounds{slowest: 500 * time.Millisecond, back: 500 * time.Millisecond}
)

// outage is for times in which nothing can be reached. A statement may wait for the end, and a bit longer.
func outage(lasts time.Duration) bounds {
	return bounds{outage: true, slowest: lasts + time.Second, back: 500 * time.Millisecond}
}

var faults = []*fault{
	{
		name: "dropped", title: "connections dropped, three times in a row", bounds: unnoticed, real: true,
		begin: func(ctx context.Context, d *database) error { return dropThrice(ctx, d, 200*time.Millisecond) },
	},
	{
		name: "new-addresses", title: "nodes get new addresses, one after the other", bounds: unnoticed,
		begin: func(ctx context.Context, d *database) error {
			return oneByOne(ctx, d, 400*time.Millisecond, func(i int) { d.MoveNode(i) })
		},
	},
	{
		name: "new-addresses-quiet", title: "nodes get new addresses, one after the other, not announced", bounds: unnoticed,
		begin: func(ctx context.Context, d *database) error {
			return oneByOne(ctx, d, 400*time.Millisecond, func(i int) { d.MoveNodeQuietly(i) })
		},
	},
	{
		name: "rolling", title: "nodes replaced one after the other", bounds: unnoticed,
		begin: func(ctx context.Context, d *database) error {
			return oneByOne(ctx, d, 500*time.Millisecond, func(i int) { d.ReplaceNodes(astratest.Replacement{Nodes: []int{i}}) })
		},
	},
	{
		name: "rolling-quiet", title: "nodes replaced one after the other, not announced", bounds: unnoticed,
		begin: func(ctx context.Context, d *database) error {
			return oneByOne(ctx, d, 500*time.Millisecond, func(i int) { d.ReplaceNodes(astratest.Replacement{Nodes: []int{i}, Quiet: true}) })
		},
	},
	{
		name: "one-quiet", title: "one node replaced, not announced, elsewhere than at the control connection", bounds: unnoticed,
		begin: func(ctx context.Context, d *database) error {
			control, err := d.control(ctx)
			if err != nil {
				return err
			}
			d.ReplaceNodes(astratest.Replacement{Nodes: []int{(control + 1) % len(d.nodes())}, Quiet: true})
			return nil
		},
	},
	{
		name: "one-down", title: "one node down for a second, and up again", bounds: unnoticed, real: true,
		begin: func(ctx context.Context, d *database) error { return d.stop(ctx, 1) },
		lasts: time.Second,
		end:   func(ctx context.Context, d *database) error { return d.start(ctx, 1) },
	},
	{
		name: "control", title: "the node with the control connection goes down, twice in a row", bounds: unnoticed,
		begin: func(ctx context.Context, d *database) error {
			for range 2 {
				control, err := d.control(ctx)
				if err != nil {
					return err
				}
				node := d.Nodes()[control]
				node.Stop()
				err = pause(ctx, 500*time.Millisecond)
				node.Start()
				if err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name: "restarts", title: "nodes restarted one after the other, so that the control connection fails over", bounds: unnoticed, real: true,
		begin: func(ctx context.Context, d *database) error {
			for i := range d.nodes() {
				if err := d.stop(ctx, i); err != nil {
					return err
				}
				if err := pause(ctx, 300*time.Millisecond); err != nil {
					return err
				}
				if err := d.start(ctx, i); err != nil {
					return err
				}
				if err := pause(ctx, 300*time.Millisecond); err != nil {
					return err
				}
			}
			return nil
		},
	},
	metadataFails("metadata-down", "metadata service down while connections drop", astratest.MetadataDown),
	metadataFails("metadata-hangs", "metadata service hanging while connections drop", astratest.MetadataHang),
	metadataFails("metadata-garbage", "metadata service answers garbage while connections drop", astratest.MetadataGarbage),

	allReplaced("replaced", "all nodes replaced at once", astratest.RefuseAlert, astratest.Replacement{}),
	allReplaced("replaced-close", "all nodes replaced at once, unknown ones refused by a close after the handshake", astratest.RefuseClose, astratest.Replacement{}),
	allReplaced("replaced-silence", "all nodes replaced at once, unknown ones met with silence", astratest.RefuseSilence, astratest.Replacement{}),
	allReplaced("replaced-quiet", "all nodes replaced at once, not announced", astratest.RefuseAlert, astratest.Replacement{Quiet: true}),
	allReplaced("same-addresses", "all nodes replaced at once, on the old addresses", astratest.RefuseAlert, astratest.Replacement{SameAddresses: true}),
	allReplaced("same-addresses-close", "all nodes replaced at once, on the old addresses, unknown ones refused by a close", astratest.RefuseClose, astratest.Replacement{SameAddresses: true}),
	allReplaced("same-addresses-silence", "all nodes replaced at once, on the old addresses, unknown ones met with silence", astratest.RefuseSilence, astratest.Replacement{SameAddresses: true}),
	with(allReplaced("shared-address", "all nodes replaced at once, where all report one and the same address", astratest.RefuseAlert, astratest.Replacement{}),
		func(f *fault) { f.options = []astratest.Option{astratest.SharedAddress()} }),
	{
		name: "schema-split", title: "all nodes replaced at once by nodes that disagree on the schema for 4 s", bounds: brief,
		begin: func(_ context.Context, d *database) error {
			d.SplitSchema(4 * time.Second)
			d.ReplaceNodes(astratest.Replacement{})
			return nil
		},
	},
	{
		name: "proxy-moved", title: "proxy moved", bounds: brief, real: true,
		begin: func(_ context.Context, d *database) error { d.MoveProxy(); return nil },
	},
	{
		name: "token", title: "token rotated and connections dropped, the source learns it by Invalidate", bounds: brief,
		config: func(c *astra.Config, d *database) { c.Token = &learned[token.Token]{get: d.Token} },
		begin:  rotateToken,
	},
	{
		name: "token-asked", title: "token rotated and connections dropped, the source knows the new one at once", bounds: brief,
		config: func(c *astra.Config, d *database) {
			c.Token = token.SourceFunc(func(context.Context) (token.Token, error) { return d.Token(), nil })
		},
		begin: rotateToken,
	},
	{
		name: "bundle", title: "bundle and CA replaced and connections dropped, the source learns it by Invalidate", bounds: brief, real: true,
		config: func(c *astra.Config, d *database) { c.Bundle = &learned[*bundle.Bundle]{get: d.Bundle} },
		begin:  rotateBundle,
	},
	{
		name: "bundle-asked", title: "bundle and CA replaced and connections dropped, the source knows the new one at once", bounds: brief, real: true,
		config: func(c *astra.Config, d *database) {
			c.Bundle = bundle.SourceFunc(func(context.Context) (*bundle.Bundle, error) { return d.Bundle(), nil })
		},
		begin: rotateBundle,
	},
	{
		name: "address-silent", title: "one of three proxy addresses silent while connections drop", real: true,
		bounds:  bounds{slowest: time.Second, back: 250 * time.Millisecond},
		options: threeAddresses,
		begin: func(ctx context.Context, d *database) error {
			d.SilenceProxyAddr(1, true)
			return dropThrice(ctx, d, 400*time.Millisecond)
		},
		end: func(_ context.Context, d *database) error { d.SilenceProxyAddr(1, false); return nil },
	},
	{
		name: "overloaded", title: "nodes overloaded for 1 s", bounds: bounds{slowest: 1500 * time.Millisecond, back: 250 * time.Millisecond},
		begin: func(_ context.Context, d *database) error { d.SetOverloaded(true); return nil },
		lasts: time.Second,
		end:   func(_ context.Context, d *database) error { d.SetOverloaded(false); return nil },
	},
	{
		name: "opened-node-down", title: "a session is opened while one node is down", bounds: bounds{firstRow: time.Second}, early: true, real: true,
		begin: func(ctx context.Context, d *database) error { return d.stop(ctx, 0) },
		end:   func(ctx context.Context, d *database) error { return d.start(ctx, 0) },
	},
	{
		name: "opened-address-down", title: "a session is opened while one of three proxy addresses is down", early: true, real: true,
		bounds:  bounds{firstRow: time.Second},
		options: threeAddresses,
		begin:   func(_ context.Context, d *database) error { d.RefuseProxyAddr(0, true); return nil },
		end:     func(_ context.Context, d *database) error { d.RefuseProxyAddr(0, false); return nil },
	},
	{
		name: "opened-address-silent", title: "a session is opened while one of three proxy addresses is silent", early: true, real: true,
		bounds:  bounds{firstRow: time.Second},
		options: threeAddresses,
		begin:   func(_ context.Context, d *database) error { d.SilenceProxyAddr(0, true); return nil },
		end:     func(_ context.Context, d *database) error { d.SilenceProxyAddr(0, false); return nil },
	},
	{
		name: "metadata-late", title: "all nodes replaced at once, and the metadata service tells it 3 s late", bounds: outage(3 * time.Second),
		begin: func(_ context.Context, d *database) error {
			d.DelayMetadata(3 * time.Second)
			d.ReplaceNodes(astratest.Replacement{})
			return nil
		},
		lasts: 3 * time.Second,
		end:   func(_ context.Context, d *database) error { d.DelayMetadata(0); return nil },
	},
	{
		name: "replaced-metadata-hangs", title: "all nodes replaced at once while the metadata service hangs for 2 s",
		bounds: bounds{outage: true, slowest: 3500 * time.Millisecond, back: 1500 * time.Millisecond},
		begin: func(_ context.Context, d *database) error {
			d.SetMetadata(astratest.MetadataHang)
			d.ReplaceNodes(astratest.Replacement{})
			return nil
		},
		lasts: 2 * time.Second,
		end:   func(_ context.Context, d *database) error { d.SetMetadata(astratest.MetadataOK); return nil },
	},
	{
		name: "proxy-moved-metadata-down", title: "proxy moves while the metadata service is down for 5 s", bounds: outage(5 * time.Second), real: true,
		begin: func(_ context.Context, d *database) error {
			d.SetMetadata(astratest.MetadataDown)
			d.MoveProxy()
			return nil
		},
		lasts: 5 * time.Second,
		end:   func(_ context.Context, d *database) error { d.SetMetadata(astratest.MetadataOK); return nil },
	},
	{
		name: "proxy-silent", title: "connections dropped, and the proxy is silent for 10 s", real: true,
		bounds: bounds{outage: true, slowest: 11 * time.Second, back: 2500 * time.Millisecond},
		begin: func(_ context.Context, d *database) error {
			d.SilenceProxy(true)
			d.DropConns()
			return nil
		},
		lasts: 10 * time.Second,
		end:   func(_ context.Context, d *database) error { d.SilenceProxy(false); return nil },
	},
	{
		name: "hibernated", title: "hibernated, and woken after 8 s with other nodes", bounds: outage(8 * time.Second),
		begin: func(_ context.Context, d *database) error { d.Hibernate(); return nil },
		lasts: 8 * time.Second,
		end: func(_ context.Context, d *database) error {
			d.ReplaceNodes(astratest.Replacement{})
			d.MoveProxy()
			d.Wake()
			return nil
		},
	},
	{
		name: "stalled", title: "open connections go silent for good", bounds: bounds{outage: true, slowest: 12 * time.Second}, real: true,
		begin: func(_ context.Context, d *database) error { d.atClose(d.Stall()); return nil },
	},
	{
		name: "unplugged", title: "open connections lose all packets for good (TCP_USER_TIMEOUT, so on Linux only)", real: true,
		bounds: bounds{outage: true, slowest: 5 * time.Second},
		begin: func(_ context.Context, d *database) error {
			replug, ok := d.Unplug()
			if !ok {
				return errNotHere
			}
			d.atClose(replug)
			return nil
		},
	},
	{
		name: "away", title: "metadata service and proxy away for 60 s", bounds: outage(time.Minute), real: true, long: true,
		begin: func(_ context.Context, d *database) error { d.SetStatus("UNKNOWN"); return nil },
		lasts: time.Minute,
		end:   func(_ context.Context, d *database) error { d.SetStatus("ACTIVE"); return nil },
	},
}

// errNotHere is returned by faults that cannot happen on this system.
var errNotHere = errors.New("this system cannot do that")

var threeAddresses = []astratest.Option{astratest.Host("astra.example"), astratest.ProxyAddrs(3)}

func metadataFails(name, title string, mode astratest.MetadataMode) *fault {
	return &fault{
		name: name, title: title, bounds: unnoticed, real: true,
		config: func(c *astra.Config, _ *database) { c.MetadataMaxAge = time.Millisecond }, // every connection asks
		begin: func(ctx context.Context, d *database) error {
			d.SetMetadata(mode)
			return dropThrice(ctx, d, 300*time.Millisecond)
		},
		end: func(_ context.Context, d *database) error { d.SetMetadata(astratest.MetadataOK); return nil },
	}
}

func allReplaced(name, title string, refusal astratest.Refusal, r astratest.Replacement) *fault {
	return &fault{
		name: name, title: title, bounds: brief,
		begin: func(_ context.Context, d *database) error {
			d.RefuseUnknown(refusal)
			d.ReplaceNodes(r)
			return nil
		},
	}
}

func with(f *fault, change func(*fault)) *fault {
	change(f)
	return f
}

func dropThrice(ctx context.Context, d *database, interval time.Duration) error {
	for range 3 {
		d.DropConns()
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
	return nil
}

func oneByOne(ctx context.Context, d *database, interval time.Duration, do func(i int)) error {
	for i := range d.nodes() {
		do(i)
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
	return nil
}

func rotateToken(_ context.Context, d *database) error {
	d.RotateToken()
	d.DropConns()
	return nil
}

func rotateBundle(_ context.Context, d *database) error {
	d.RotateBundle()
	d.DropConns()
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// learned is a source that keeps its value until it is told that Astra refused it.
type learned[T any] struct {
	get func() T

	mu    sync.Mutex
	value T
	valid bool
}

func (s *learned[T]) Current(context.Context) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.valid {
		s.value, s.valid = s.get(), true
	}
	return s.value, nil
}

func (s *learned[T]) Invalidate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.valid = false
}
