package astra_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// A session is open before all its pools are filled. What is dialed then does not end with the context of Connect, which callers cancel when
// they return.
func TestDialsInProgressOutliveTheContextOfConnect(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cluster := newCluster(t, config(s))
	inner := cluster.HostDialer
	slow := s.Nodes()[2].HostID()
	canceled, ended := make(chan struct{}), make(chan error, 1)
	var dialed atomic.Bool
	cluster.HostDialer = hostDialer(func(ctx context.Context, h *gocql.HostInfo) (*gocql.DialedHost, error) {
		if h.HostID() == slow && dialed.CompareAndSwap(false, true) {
			<-canceled
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			ended <- ctx.Err()
		}
		return inner.DialHost(ctx, h)
	})
	ctx, cancel := context.WithCancel(t.Context())
	session, err := astra.Connect(ctx, cluster)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	cancel()
	close(canceled)
	if err := <-ended; err != nil {
		t.Errorf("a dial in progress got %v after Connect had returned", err)
	}
}

// The error is one line, and tells that the context ended, why, and what had gone wrong until then.
func TestConnectTellsWhyItsContextEnded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.SetMetadata(astratest.MetadataHang)
	mine := errors.New("the program stops")
	for _, before := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if before {
			cancel(mine)
		} else {
			time.AfterFunc(100*time.Millisecond, func() { cancel(mine) })
		}
		_, err := astra.Connect(ctx, newCluster(t, config(s)))
		if !errors.Is(err, context.Canceled) || !errors.Is(err, mine) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %q, want one line with context.Canceled and its cause", err)
		}
		cancel(nil)
	}
}
