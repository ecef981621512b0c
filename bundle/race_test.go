package bundle_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/seed-5f06b232/astra-go/bundle"
)

// For the race detector: everything that a bundle can do, at once.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := astraServer(t)
	b := parse(t, files(t))
	twin := parse(t, files(t))
	var users sync.WaitGroup
	for i := range 8 {
		users.Go(func() {
			node := bundle.Node{HostID: fmt.Sprint("node ", i%3), ProxyHost: astraHost}
			for range 5 {
				if _, err := s.dial(b.NodeTLSConfig(node)); err != nil {
					t.Error(err)
				}
				if _, err := s.dial(b.TLSConfig()); err != nil {
					t.Error(err)
				}
				clear(b.Zip())
				clear(b.CQLSHRC())
				_ = b.String() + asJSON(t, b)
				b.Equal(twin)
			}
			if err := b.Verify(); err != nil {
				t.Error(err)
			}
			b.Current(t.Context())
			b.Certificate()
			b.Warnings()
		})
	}
	users.Wait()
}
