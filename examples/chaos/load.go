package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Readers choose among so many keys, which lie anywhere in the ring.
const keys = 1000

// A statement that failed is followed by the next one after this pause, so that a program which cannot do anything does not do it
// a hundred thousand times a second.
const pauseAfterFailure = 2 * time.Millisecond

// load is readers and writers who work without a pause, each with one statement at a time.
type load struct {
	session *gocql.Session
	record  *record

	workers sync.WaitGroup
	stop    chan struct{}
	first   int64 // ID of a write
	last    atomic.Int64
}

func startLoad(session *gocql.Session, r *record, readers, writers int) *load {
	l := &load{session: session, record: r, stop: make(chan struct{}), first: time.Now().UnixNano()} // greater than those of earlier loads
	l.last.Store(l.first - 1)
	for i := range readers {
		l.workers.Go(func() { l.work(false, i*keys/readers, l.read) })
	}
	for range writers {
		l.workers.Go(func() { l.work(true, 0, l.write) })
	}
	return l
}

func (l *load) work(write bool, n int, statement func(n int) (*gocql.Iter, error)) {
	for ; ; n++ {
		select {
		case <-l.stop:
			return
		default:
		}
		a := answer{begun: l.record.now(), write: write}
		var iter *gocql.Iter
		iter, a.err = statement(n)
		if host := iter.Host(); a.err == nil && host != nil {
			a.node = host.HostID()
		}
		l.record.add(a)
		if a.err != nil {
			select {
			case <-l.stop:
			case <-time.After(pauseAfterFailure):
			}
		}
	}
}

// read is an idempotent statement, which may be repeated.
func (l *load) read(n int) (*gocql.Iter, error) {
	key := fmt.Sprint(n % keys)
	iter := l.session.Query(readStatement, key).Idempotent(true).IterContext(context.Background())
	var value string
	found := iter.Scan(&value)
	err := iter.Close()
	if err == nil && (!found || value != key) {
		err = fmt.Errorf("the row of key %s has the value %q", key, value)
	}
	return iter, err
}

// write is a statement that is not idempotent, so that the nodes may execute it at most once.
func (l *load) write(int) (*gocql.Iter, error) {
	iter := l.session.Query(writeStatement, l.last.Add(1)).IterContext(context.Background())
	return iter, iter.Close()
}

// finish ends the load. It reports false if a statement does not end within the limit.
func (l *load) finish(limit time.Duration) bool {
	close(l.stop)
	return endsWithin(limit, l.workers.Wait)
}

// endsWithin calls a function and reports false if it does not return within the limit.
func endsWithin(limit time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}
