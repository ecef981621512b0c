package astra

import (
	"errors"
	"fmt"
	"io"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

type attempts struct {
	gocql.RetryableQuery
	n int
}

func (a attempts) Attempts() int { return a.n }

type nodeError struct {
	gocql.RequestError
	code int
}

func (e nodeError) Code() int     { return e.code }
func (e nodeError) Error() string { return fmt.Sprintf("0x%04x", e.code) }

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	var p RetryPolicy
	for err, want := range map[error]gocql.RetryType{
		io.EOF:                     gocql.RetryNextHost,
		gocql.ErrConnectionClosed:  gocql.RetryNextHost,
		errSilent:                  gocql.RetryNextHost,
		gocql.ErrTimeoutNoResponse: gocql.Rethrow,
		nodeError{code: 0x0000}:    gocql.RetryNextHost, // server
		nodeError{code: 0x1000}:    gocql.RetryNextHost, // unavailable
		nodeError{code: 0x1001}:    gocql.RetryNextHost, // overloaded
		nodeError{code: 0x1002}:    gocql.RetryNextHost, // bootstrapping
		nodeError{code: 0x1100}:    gocql.RetryNextHost, // write time-out
		nodeError{code: 0x1200}:    gocql.RetryNextHost, // read time-out
		nodeError{code: 0x1300}:    gocql.Rethrow,       // read failure
		nodeError{code: 0x1500}:    gocql.Rethrow,       // write failure
		nodeError{code: 0x2000}:    gocql.Rethrow,       // syntax
		nodeError{code: 0x2100}:    gocql.Rethrow,       // unauthorized
		nodeError{code: 0x2200}:    gocql.Rethrow,       // invalid
		nodeError{code: 0x2400}:    gocql.Rethrow,       // already exists
	} {
		if got := p.GetRetryType(err); got != want {
			t.Errorf("after %v: %v, want %v", err, got, want)
		}
	}
	for _, test := range []struct {
		retries, attempts int
		want              bool
	}{{0, 1, true}, {0, 5, true}, {0, 6, false}, {2, 2, true}, {2, 3, false}, {-1, 1, false}} {
		if got := (RetryPolicy{NumRetries: test.retries}).Attempt(attempts{n: test.attempts}); got != test.want {
			t.Errorf("with %d retries, after %d attempts: %v", test.retries, test.attempts, got)
		}
	}
	if got := (RetryPolicy{NumRetries: -1}).GetRetryType(errors.New("any")); got != gocql.Rethrow {
		t.Errorf("with retries switched off: %v", got)
	}
}

func TestAValueThatDoesNotFitIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	if got := (RetryPolicy{}).GetRetryType(gocql.MarshalError("can not marshal string into int")); got != gocql.Rethrow {
		t.Errorf("got %v, want Rethrow", got)
	}
}
