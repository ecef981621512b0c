package astra

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// A new bundle makes a new endpoint, which knows nothing yet when the rings are compared again.
func TestRingsAreComparedAgainAfterANewBundle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &Dialer{config: Config{Logger: slog.New(slog.DiscardHandler), DialTimeout: time.Second}}
		d.endpoint = newEndpoint(d, nil)
		d.rings.mu.Lock()
		d.rings.compareSoon(d.compareRingsAgain)
		d.rings.mu.Unlock()
		time.Sleep(2 * minRingBackOff)
		synctest.Wait()
	})
}
