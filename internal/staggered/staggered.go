// Package staggered connects to the first of several addresses that answers. Start with [Dialer] and [Dialer.Dial].
//
// Attempts start one after the other and run side by side, as in Happy Eyeballs (RFC 8305): the next one starts when an earlier one has
// failed, or after a delay when it is merely silent. What counts as an answer is up to the attempt. If it
// includes the TLS handshake, an address that accepts connections and says nothing is overtaken too.
package staggered

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Dialer dials. The zero value is ready to use. It is safe for concurrent use and must not be copied after first use.
type Dialer[C io.Closer] struct {
	// Delay is how long an attempt may be silent before the next address is tried beside it. Zero: 250 milliseconds.
	Delay time.Duration

	// Again is how long after the last address a further attempt starts, from the first address on, and so
	// forth until one succeeds, all have failed, or the context ends. It helps where packets get lost. Zero: each address has one attempt.
	Again time.Duration

	// FailureEnds makes Dial end with the first failure once each address has been tried, although earlier attempts are still silent. It suits a
	// service whose answer may be a failure, which a further attempt would only repeat.
	FailureEnds bool

	order order
}

// Attempt establishes a connection to one address, a host and a port. The context ends when the attempt has lost
// or Dial has returned, so a connection must not depend on it once it is established.
type Attempt[C io.Closer] func(ctx context.Context, addr string) (C, error)

// result is how one attempt ended.
type result[C io.Closer] struct {
	number int // of the attempt
	conn   C
	err    error
}

// Dial returns the first connection that an attempt establishes to one of addrs, and closes those that come later.
// Successive calls begin with different addresses; one that another has overtaken lately is tried last. The error tells what happened at each
// address, and wraps it.
func (d *Dialer[C]) Dial(ctx context.Context, addrs []string, attempt Attempt[C]) (C, error) {
	var none C
	if len(addrs) == 0 {
		return none, errors.New("there is no address to dial")
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	addrs = d.order.arrange(addrs)
	errs := make(failures, len(addrs)) // the newest of each address
	pending := make([]int, len(addrs))

	attempts, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result[C])
	started, running := 0, 0
	next := time.NewTimer(0)
	defer next.Stop()

	for {
		select {
		case <-next.C:
			number, addr := started, addrs[started%len(addrs)]
			started++
			running++
			pending[number%len(addrs)]++
			go func() {
				conn, err := attempt(attempts, addr)
				select {
				case results <- result[C]{number, conn, err}:
				case <-attempts.Done():
					if err == nil {
						conn.Close()
					}
				}
			}()
			switch {
			case started < len(addrs):
				next.Reset(positive(d.Delay, 250*time.Millisecond))
			case d.Again > 0:
				next.Reset(d.Again)
			}
		case r := <-results:
			i := r.number % len(addrs)
			running--
			pending[i]--
			if r.err == nil {
				d.order.won(addrs[i], addrs[:min(r.number, len(addrs))])
				return r.conn, nil
			}
			errs[i] = named(addrs[i], r.err)
			if started < len(addrs) {
				next.Reset(0)
			} else if running == 0 || d.FailureEnds {
				return none, errs
			}
		case <-ctx.Done():
			for i, addr := range addrs {
				if pending[i] > 0 {
					errs[i] = named(addr, fmt.Errorf("no answer: %w", ctx.Err()))
				}
			}
			if running == 0 { // between two attempts
				errs = append(errs, ctx.Err())
			}
			return none, errs
		}
	}
}

func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// named adds the address to an error that does not tell it.
func named(addr string, err error) error {
	if strings.Contains(err.Error(), addr) {
		return err
	}
	return fmt.Errorf("%s: %w", addr, err)
}

// failures tells on one line what happened at each address. An address that was not tried has nil.
type failures []error

func (f failures) Error() string {
	var texts []string
	for _, err := range f.Unwrap() {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

func (f failures) Unwrap() []error {
	return slices.DeleteFunc(slices.Clone(f), func(err error) bool { return err == nil })
}
