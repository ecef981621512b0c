package merging

import "testing"

func TestGatherGoesOnWhileThePeerHasEnoughToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		inFlight int64
		gains    []int64 // of each yield, in requests
		want     int     // yields
	}{
		"an idle peer":              {inFlight: 20, gains: []int64{1, 1, 1, 1, 1}, want: 1},
		"a busy peer":               {inFlight: 200, gains: []int64{1, 1, 1, 1, 1}, want: maxYields},
		"a busy peer, nobody comes": {inFlight: 200, gains: []int64{0, 1, 1, 1, 1}, want: 1},
		"a busy peer, few come":     {inFlight: 200, gains: []int64{7, 1, 0, 1, 1}, want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c Conn
			c.inFlight.Store(test.inFlight)
			yields := 0
			c.gather(func() {
				c.gathering.Add(test.gains[yields])
				yields++
			})
			if yields != test.want {
				t.Errorf("gather yielded %d times, want %d", yields, test.want)
			}
		})
	}
}
