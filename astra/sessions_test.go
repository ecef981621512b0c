package astra

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

func TestSessionsAreToldByTheirContexts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sessions
		ctx, cancel := context.WithCancel(t.Context())
		other, cancelOther := context.WithCancel(t.Context())
		derived, cancelDerived := context.WithCancel(ofSession(ctx))
		defer cancelDerived()
		if s.of(ctx) != s.of(ctx) || s.of(derived) != s.of(ctx) || s.of(other) == s.of(ctx) || len(s.byDone) != 2 {
			t.Errorf("%d sessions for two contexts", len(s.byDone))
		}
		if s.of(context.Background()) == nil || len(s.byDone) != 2 {
			t.Error("a context without an end is no session of gocql's, and would be kept for ever")
		}
		cancel()
		cancelOther()
		synctest.Wait()
		if len(s.byDone) != 0 {
			t.Errorf("%d sessions are kept when all are closed", len(s.byDone))
		}
	})
}

// The answer comes at the moment in which the session is being closed, before its connection has been given up.
func TestNoControlConnectionComesAboutInASessionThatIsBeingClosed(t *testing.T) {
	t.Parallel()
	ready := []byte{0x84, 0, 0, 7, byte(cql.OpReady), 0, 0, 0, 0}
	var all sessions
	for _, closing := range []bool{false, true} {
		s, c := all.of(context.Background()), new(conn)
		s.setsUp(c)
		s.registers(c, []byte{4, 0, 0, 7, byte(cql.OpRegister)})
		if !s.answers(c, []byte{0x84, 0, 0, 3, byte(cql.OpSupported), 0, 0, 0, 0}) || s.setup != c {
			t.Error("the answer to a heartbeat is taken for that to REGISTER")
		}
		if closing {
			s.close()
		}
		if got := s.answers(c, ready); got == closing || (s.setup == nil) == closing {
			t.Errorf("closing %t: gocql learns the answer: %t", closing, got)
		}
	}
}

func TestOtherCallersAreNotSessionClose(t *testing.T) {
	t.Parallel()
	if want := "github.com/apache/cassandra-gocql-driver/v2.(*Session).Close"; sessionClose != want {
		t.Errorf("the name of gocql's Session.Close is %s, want %s", sessionClose, want)
	}
	if inSessionClose() {
		t.Error("a test is not called by gocql's Session.Close")
	}
}
