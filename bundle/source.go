package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
)

// Source gives the bundle that is valid now. Those who ask it do so again for new connections, so that a bundle can be replaced while a program
// runs. A source only fetches: where it fails, those who ask go on with the last bundle that they got.
//
// Current returns the same *Bundle for as long as its content is the same: TLS sessions are resumed only within one. It is called concurrently.
type Source interface {
	Current(ctx context.Context) (*Bundle, error)
}

// SourceFunc is a function that is a [Source].
type SourceFunc func(context.Context) (*Bundle, error)

// Current calls f. A nil or zero Bundle without an error becomes an error.
func (f SourceFunc) Current(ctx context.Context) (*Bundle, error) {
	if f == nil {
		return nil, errors.New("bundle: the SourceFunc is nil")
	}
	b, err := f(ctx)
	if err != nil {
		return nil, err
	}
	return b.Current(ctx)
}

// File is a source that reads a file or a directory as [Load] does, each time that it is asked, and parses it only when its content has changed, by
// whatever means: written over, renamed, or by the swap of symbolic links with which Kubernetes updates mounted secrets. Half-written content is an
// error.
func File(name string) Source { return SourceFunc((&file{name: name}).current) }

type file struct {
	name string

	mu   sync.Mutex
	sum  [sha256.Size]byte // of the content of last
	last *Bundle           // nil: none yet
}

func (f *file) current(ctx context.Context) (*Bundle, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	read, err := readSnapshot(f.name)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// A directory can be replaced between two of its files. What is read twice the same is of one piece.
	for range 3 {
		sum := read.sum()
		if f.last != nil && sum == f.sum {
			return f.last, nil
		}
		again, err := readSnapshot(f.name)
		if err != nil {
			return nil, err
		}
		if again.sum() == sum {
			b, err := again.parse()
			if err != nil {
				return nil, err
			}
			f.sum, f.last = sum, b
			return b, nil
		}
		read = again
	}
	return nil, read.wrap(&Error{Err: errors.New("changes while it is read")})
}
