package merging

import (
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		took   time.Duration
		gained int64
		want   time.Duration
	}{
		"nobody else":             {time.Microsecond, 0, 0},
		"a hundred requests":      {10 * time.Millisecond, 100, 0},
		"goroutines that compute": {10 * time.Millisecond, 3, 100 * time.Millisecond},
	} {
		if got := pause(test.took, test.gained); got != test.want {
			t.Errorf("%s: pause = %v, want %v", name, got, test.want)
		}
	}
}
