package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// lookAtLogin logs in with the token, and with one that does not exist.
func (r *recorder) lookAtLogin(ctx context.Context) error {
	wrong, err := r.dialNode(ctx, r.nodes[0])
	if err != nil {
		return err
	}
	defer wrong.Close()
	class, err := wrong.start(ctx)
	switch {
	case err != nil:
		return err
	case class == "":
		r.unseen("plain-token", "nodes ask for none")
		r.unseen("refusal-code", "nodes ask for none")
		return nil
	}
	err = wrong.login(ctx, "token", "AstraCS:"+strings.Repeat("a", 24)+":"+strings.Repeat("0", 64))
	switch code := codeOf(err); {
	case err == nil:
		r.note("refusal-code", false, "it is accepted")
	case code < 0:
		r.note("refusal-code", false, "%s", r.names.words(err.Error()))
	default:
		r.note("refusal-code", code == cql.CodeCredentials, "%s", r.names.words(err.Error()))
	}
	n, err := r.enter(ctx, r.nodes[0])
	if err != nil {
		r.note("plain-token", false, "%s", r.names.words(err.Error()))
		return err
	}
	n.Close()
	r.note("plain-token", true, "accepted")
	return nil
}

// lookAtSession opens a session as programs do.
func (r *recorder) lookAtSession(ctx context.Context) error {
	cluster, err := astra.NewCluster(ctx, r.config)
	if err != nil {
		return err
	}
	session, err := astra.Connect(ctx, cluster)
	if err != nil {
		r.note("reads", false, "%s", r.names.words(err.Error()))
		return nil
	}
	defer session.Close()
	answered := make(map[string]bool)
	for limit := time.Now().Add(r.options.patience); len(answered) < len(r.nodes); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			r.note("reads", false, "%d of %d nodes within %v", len(answered), len(r.nodes), r.options.patience)
			return nil
		}
		var id gocql.UUID
		if err := session.Query("SELECT host_id FROM system.local").Idempotent(true).ScanContext(ctx, &id); err != nil {
			r.note("reads", false, "%d of %d nodes: %s", len(answered), len(r.nodes), r.names.words(err.Error()))
			return nil
		}
		if slices.Contains(r.nodes, id.String()) {
			answered[id.String()] = true
		}
	}
	r.note("reads", true, "%d nodes", len(answered))
	return nil
}

// lookAtIdle watches a connection on which nothing is said.
func (r *recorder) lookAtIdle(ctx context.Context) error {
	const heartbeat = 5 * time.Second // gocql's
	if r.options.idle <= 0 {
		r.unseen("idle-cut", "needs the flag -idle")
		return nil
	}
	n, err := r.enter(ctx, r.nodes[0])
	if err != nil {
		return err
	}
	defer n.Close()
	start := time.Now()
	n.SetReadDeadline(start.Add(r.options.idle))
	_, err = n.read()
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		r.unseen("idle-cut", "not within %v", r.options.idle)
		return nil
	}
	if err == nil {
		err = fmt.Errorf("the node said something by itself")
	}
	idle := time.Since(start)
	r.note("idle-cut", idle > heartbeat, "after %v: %s", idle.Round(time.Second/10), r.names.words(lastPart(err)))
	return nil
}
