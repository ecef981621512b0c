package astra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-5f06b232/astra-go/token"
)

// lastGood asks a source at every connection and keeps its last good value for the times when it fails.
type lastGood[T source[T]] struct {
	what   string // "bundle" or "token", for people
	source source[T]
	logger *slog.Logger

	mu    sync.Mutex
	value T
	found bool
}

// source is a bundle.Source or token.Source. A value is its own source, and tells so whether it is one.
type source[T any] interface {
	Current(context.Context) (T, error)
}

// current asks the source. While there is a value to go on with, the source gets half of the time that is left, so that a slow one does not
// make dials fail that have little time.
func (s *lastGood[T]) current(ctx context.Context) (T, error) {
	if s.source == nil {
		return *new(T), errors.New("astra: this Dialer was not made by NewDialer")
	}
	previous, found := s.peek()
	if deadline, ok := ctx.Deadline(); ok && found {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	value, err := s.source.Current(ctx)
	if err == nil {
		if value, err = value.Current(ctx); err != nil {
			err = fmt.Errorf("it returned none and no error: %w", err)
		}
	}
	if err != nil {
		if found {
			s.logger.Warn("The source of the "+s.what+" fails; going on with the last good one.", "error", err)
			return previous, nil
		}
		return previous, fmt.Errorf("the source of the %s fails: %w", s.what, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.found = value, true
	return value, nil
}

func (s *lastGood[T]) peek() (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value, s.found
}

// invalidate tells a source that wants to know it that its value was refused.
func (s *lastGood[T]) invalidate() {
	if source, ok := s.source.(interface{ Invalidate() }); ok {
		source.Invalidate()
	}
}

// Back-off of a token that Astra refuses: it doubles from the first to the last.
const (
	minTokenBackOff = 100 * time.Millisecond
	maxTokenBackOff = 5 * time.Second
)

// credentials are the tokens of one Dialer. One that was refused is not shown to Astra again before some time has passed, since gocql
// dials on and on; another one is, at once.
type credentials struct {
	lastGood[token.Token]

	mu      sync.Mutex
	refused token.Token
	wait    time.Duration // zero: nothing is refused
	until   time.Time
	cause   error
}

// current returns the token for a new connection, or the error of the last refusal if it would only be refused again.
func (c *credentials) current(ctx context.Context) (token.Token, error) {
	t, err := c.lastGood.current(ctx)
	if err != nil {
		return t, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if left := time.Until(c.until); c.wait > 0 && left > 0 && t.Equal(c.refused) {
		return t, fmt.Errorf("not asked again for %v: %w", left.Round(time.Millisecond), c.cause)
	}
	return t, nil
}

// refuse notes that Astra refused t.
func (c *credentials) refuse(t token.Token, cause error) {
	c.invalidate()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case !t.Equal(c.refused):
		c.wait = minTokenBackOff
	case now.Before(c.until): // one of several connections that were refused together
		return
	default:
		c.wait = min(max(2*c.wait, minTokenBackOff), maxTokenBackOff)
	}
	c.refused, c.cause, c.until = t, cause, now.Add(c.wait)
}

// accept notes that Astra accepted t.
func (c *credentials) accept(t token.Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait > 0 && t.Equal(c.refused) {
		c.refused, c.wait, c.cause = token.Token{}, 0, nil
	}
}
