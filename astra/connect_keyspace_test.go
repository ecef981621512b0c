package astra

import (
	"errors"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// requestError is an error that a node sent.
type requestError struct {
	gocql.RequestError
	code int
}

func (e requestError) Code() int       { return e.code }
func (e requestError) Message() string { return "from the node" }
func (e requestError) Error() string   { return "from the node" }

func TestNotEveryErrorOfAPoolIsAboutTheKeyspace(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]bool{
		gocql.ErrCodeInvalid: true, gocql.ErrCodeUnauthorized: true, gocql.ErrCodeSyntax: true,
		gocql.ErrCodeOverloaded: false, gocql.ErrCodeBootstrapping: false, gocql.ErrCodeServer: false, gocql.ErrCodeCredentials: false,
	} {
		o := new(opening)
		openingConviction{neverConvict{}, o, "ks"}.AddFailure(requestError{code: code}, newHost(t, 1))
		if o.cause() == nil {
			t.Errorf("error 0x%04X of a pool gives no cause", code)
		}
		if got := errors.Is(o.cause(), ErrKeyspace); got != want {
			t.Errorf("error 0x%04X of a pool gives ErrKeyspace: %v, want %v", code, got, want)
		}
	}
}
