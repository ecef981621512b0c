package astra

import (
	"errors"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// RetryPolicy is the gocql.RetryPolicy that NewCluster sets: a statement that may be repeated goes to the next host when its node could
// not serve it. gocql repeats idempotent statements only, see gocql.Query.Idempotent; a write that is not never goes out twice.
//
// It does not repeat what would fail again, such as a syntax error or a read that replicas answered with failure; nor what got no answer within
// ClusterConfig.Timeout, which is how long a statement may take. The attempts after an answer of an overloaded node wait, 40 ms to 0.6 s and
// 1.1 s in all at least; that is the work of the policy which NewCluster sets for host selection.
type RetryPolicy struct {
	// NumRetries is how often a statement is repeated at most. Zero: 5. Negative: never.
	NumRetries int
}

const defaultNumRetries = 5

// Attempt reports whether a statement may be tried again.
func (p RetryPolicy) Attempt(statement gocql.RetryableQuery) bool {
	n := p.NumRetries
	if n == 0 {
		n = defaultNumRetries
	}
	return statement.Attempts() <= n
}

// GetRetryType says what becomes of a statement after an error.
func (p RetryPolicy) GetRetryType(err error) gocql.RetryType {
	if p.NumRetries < 0 {
		return gocql.Rethrow
	}
	if errors.Is(err, gocql.ErrTimeoutNoResponse) {
		return gocql.Rethrow
	}
	var unfit gocql.MarshalError
	if errors.As(err, &unfit) { // a value does not fit its column
		return gocql.Rethrow
	}
	var node gocql.RequestError
	if !errors.As(err, &node) {
		return gocql.RetryNextHost // the connection failed
	}
	switch node.Code() {
	case gocql.ErrCodeUnavailable, gocql.ErrCodeOverloaded, gocql.ErrCodeBootstrapping, gocql.ErrCodeTruncate,
		gocql.ErrCodeReadTimeout, gocql.ErrCodeWriteTimeout, gocql.ErrCodeServer:
		return gocql.RetryNextHost
	}
	return gocql.Rethrow
}
