package merging

import "testing"

// FuzzFrames checks that the count does not depend on how the stream is cut into pieces, and that nothing makes it panic.
func FuzzFrames(f *testing.F) {
	ready := []byte{0x84, 0, 0, 1, 2, 0, 0, 0, 0}
	event := []byte{0x84, 0, 0xff, 0xff, 0x0c, 0, 0, 0, 3, 'a', 'b', 'c'}
	f.Add(append(append(append([]byte{}, ready...), event...), ready...), uint8(4))
	f.Add([]byte{0x85, 0, 0, 1, 2, 0, 0, 0, 0}, uint8(1))
	f.Add([]byte{0x84, 0, 0, 1, 2, 0xff, 0xff, 0xff, 0xff, 0x84}, uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		var whole, cut frames
		want := whole.count(stream)
		var got int64
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			got += cut.count(rest[:n])
			rest = rest[n:]
		}
		if got != want || whole != cut {
			t.Errorf("counted %d in one piece and %d in pieces of %d: %+v, %+v", want, got, int(piece)+1, whole, cut)
		}
	})
}

func TestFramesCountsAnswersOnly(t *testing.T) {
	t.Parallel()
	var f frames
	stream := []byte{
		0x84, 0, 0, 1, 8, 0, 0, 0, 2, 'x', 'y', // an answer
		0x84, 0, 0xff, 0xff, 0x0c, 0, 0, 0, 1, 'e', // an event
		0x83, 0, 0, 0, 8, 0, 0, 0, 0, // an answer
		0x84, 0, 0x7f, 0xff, 8, 0, // the begin of a header
	}
	if n := f.count(stream); n != 2 {
		t.Errorf("counted %d answers, want 2", n)
	}
	if n := f.count([]byte{0, 0, 5, 'b'}); n != 1 {
		t.Errorf("counted %d answers after the rest of the header, want 1", n)
	}
}
