package astra

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/token"
)

// While dials have little time, a source that takes longer must not use it up: the last good value would serve.
func TestASlowSourceLeavesTimeForTheDial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good, err := token.FromClientSecret("abcdefghijklmnopqrstuvwx", "some-secret-that-is-unknown-here")
		if err != nil {
			t.Fatal(err)
		}
		slow := token.SourceFunc(func(ctx context.Context) (token.Token, error) {
			select {
			case <-time.After(3 * time.Second):
				return good, nil
			case <-ctx.Done():
				return token.Token{}, ctx.Err()
			}
		})
		d, err := NewDialer(Config{Bundle: bundleNever{}, Token: slow})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.tokens.current(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := d.tokens.current(ctx); err != nil || !got.Equal(good) || ctx.Err() != nil {
			t.Errorf("got %v, %v, and the context is %v; want the last good token in time", got, err, ctx.Err())
		}
	})
}

// bundleNever is a source of bundles that is not asked.
type bundleNever struct{}

func (bundleNever) Current(context.Context) (*bundle.Bundle, error) {
	return nil, errors.New("nobody should ask for a bundle")
}

// zeroToken is a source that returns what it should not.
type zeroToken struct{}

func (zeroToken) Current(context.Context) (token.Token, error) { return token.Token{}, nil }

func TestASourceWithoutTokenIsAnError(t *testing.T) {
	t.Parallel()
	d, err := NewDialer(Config{Bundle: bundleNever{}, Token: zeroToken{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.tokens.current(t.Context()); err == nil {
		t.Error("the zero Token was accepted from a source")
	}
}

func TestDialerThatNobodyMade(t *testing.T) {
	t.Parallel()
	var d Dialer
	_, dialHost := d.DialHost(t.Context(), new(gocql.HostInfo))
	_, nilHost := d.DialHost(t.Context(), nil)
	_, dialNode := d.DialNode(t.Context(), "")
	_, metadata := d.Metadata(t.Context())
	for _, err := range []error{dialHost, nilHost, dialNode, metadata} {
		if err == nil || !strings.Contains(err.Error(), "NewDialer") {
			t.Errorf("got %v, want an error that names NewDialer", err)
		}
	}
}
