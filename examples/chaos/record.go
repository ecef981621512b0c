package main

import (
	"sync"
	"time"
)

// answer is how one statement ended.
type answer struct {
	begun, ended time.Duration // on the record's clock
	node         string        // host ID of the node that answered; empty: none did
	write        bool          // not idempotent
	err          error
}

// record is what readers and writers write down. It is safe for concurrent use.
type record struct {
	start time.Time

	mu      sync.Mutex
	answers []answer // by their end
}

func newRecord() *record { return &record{start: time.Now()} }

func (r *record) now() time.Duration { return time.Since(r.start) }

func (r *record) add(a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.ended = r.now()
	r.answers = append(r.answers, a)
}

// all returns the answers so far. The caller must not change them.
func (r *record) all() []answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers
}
