package astra_test

import (
	"strings"
	"testing"
)

// TLS sends no server name for these, and the proxy would give any node.
func TestDialNodeRefusesWhatIsNoHostID(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDialer(t, config(s))
	for _, id := range []string{"127.0.0.1", "::1", ".", "..", "a b", "a\x00", strings.Repeat("a", 300)} {
		conn, err := d.DialNode(t.Context(), id)
		if err == nil {
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "no host ID") || len(err.Error()) > 250 {
			t.Errorf("%.20q: got %v, want an error that says so", id, err)
		}
	}
}
