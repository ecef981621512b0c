package devops

import (
	"context"
	"time"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/refresh"
)

// Bundle returns a source of a bundle of a database, given by its ID or name, for astra.Config. It downloads the bundle at the
// first use and keeps it in memory: bundles do not expire. Callers that come together share one download.
//
// After a call of its method Invalidate(), which the dialer of package astra makes when Astra refused the bundle, it downloads the bundle
// again: soon after the first call, then the more rarely the longer it lasts, up to once a minute. While that fails or takes longer
// than two seconds, Current goes on to return the last bundle.
func (c *Client) Bundle(database string, q BundleQuery) bundle.Source {
	s := &bundleSource{}
	s.cache = refresh.New(refresh.Config[*bundle.Bundle]{
		Fetch: func(ctx context.Context) (*bundle.Bundle, error) {
			_, b, err := c.downloadBundle(ctx, database, q)
			if last, ok := s.cache.Peek(); ok && err == nil && last.Data.Equal(b) {
				return last.Data, nil // TLS sessions are resumed only within one *Bundle
			}
			return b, err
		},
		Timeout:     2 * time.Minute,
		Wait:        2 * time.Second,
		MinInterval: time.Second,
		MaxInterval: time.Minute,
	})
	return s
}

type bundleSource struct {
	cache *refresh.Cache[*bundle.Bundle]
}

// Current returns the bundle that was downloaded last, downloading it where there is none or it was refused.
func (s *bundleSource) Current(ctx context.Context) (*bundle.Bundle, error) {
	v, err := s.cache.Get(ctx)
	if err != nil {
		return nil, err
	}
	return v.Data, nil
}

// Invalidate says that Astra refused the bundle.
func (s *bundleSource) Invalidate() {
	if v, ok := s.cache.Peek(); ok {
		s.cache.Expire(v)
	}
}
