package token

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// A Source supplies the token to use now. Current may be called by many goroutines at once, and is called often: at every
// new connection, and for every request to the DevOps API. It ends when its context does.
//
// A source that has nothing to supply, as opposed to one that fails, returns an error for which
// errors.Is(err, fs.ErrNotExist) holds. A source that caches what it supplies may have a method Invalidate(), which is
// called when Astra refused the value.
type Source interface {
	Current(context.Context) (Token, error)
}

// SourceFunc makes a [Source] of a function.
type SourceFunc func(context.Context) (Token, error)

// Current calls f. A zero Token without an error becomes an error.
func (f SourceFunc) Current(ctx context.Context) (Token, error) {
	if f == nil {
		return Token{}, errorf("the SourceFunc is nil")
	}
	t, err := f(ctx)
	if err != nil {
		return Token{}, err
	}
	return t.Current(ctx)
}

// First returns a source that supplies the token of the first of its sources that has one. Sources that have none
// (errors.Is(err, fs.ErrNotExist)) are passed over; one that fails otherwise ends the search with its error, so that a
// damaged token is reported and not replaced by another one in silence.
func First(sources ...Source) Source { return first(sources) }

type first []Source

func (f first) Current(ctx context.Context) (Token, error) {
	var missing []string
	for _, s := range f {
		if s == nil {
			return Token{}, errorf("a source given to token.First is nil")
		}
		t, err := s.Current(ctx)
		switch {
		case err == nil:
			return t.Current(ctx)
		case !errors.Is(err, fs.ErrNotExist):
			return Token{}, err
		}
		missing = append(missing, strings.TrimPrefix(err.Error(), "token: "))
	}
	if len(missing) == 0 {
		return Token{}, notExist("token.First was given no source")
	}
	return Token{}, notExist("%s", strings.Join(missing, "; "))
}

// Invalidate passes the word on to every source that wants it.
func (f first) Invalidate() {
	for _, s := range f {
		if s, ok := s.(interface{ Invalidate() }); ok {
			s.Invalidate()
		}
	}
}
