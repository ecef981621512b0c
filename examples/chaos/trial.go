package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
)

// Nothing that a program waits for takes longer. What does counts as endless.
const endless = 30 * time.Second

// trial is a program that works with a database.
type trial struct {
	*database
	settings settings
	session  *gocql.Session
	firstRow time.Duration // from NewCluster on
	record   *record
	load     *load
}

// startTrial opens a session as the quick start does, waits for its first row, and starts readers and writers.
func startTrial(ctx context.Context, f *fault, d *database, s settings) (*trial, error) {
	t := &trial{database: d, settings: s}
	config, err := d.config()
	if err != nil {
		return nil, err
	}
	if s.logger != nil {
		config.Logger, config.Trace = s.logger, newTrace(s.logger)
	}
	if f.config != nil {
		f.config(&config, d)
	}
	if s.shared {
		config.RecoveryWait = 20 * time.Second // a machine that is busy with other faults is no outage
	}
	if s.off {
		config.DisableWriteMerging, config.DisableSessionResumption, config.RecoveryWait = true, true, -1
	}
	if t.session, t.firstRow, err = openSession(ctx, config); err != nil {
		return nil, fmt.Errorf("opening the session: %w", err)
	}
	t.record = newRecord()
	t.load = startLoad(t.session, t.record, s.readers, s.writers)
	return t, nil
}

// openSession opens a session and tells how long that took up to the first row.
func openSession(ctx context.Context, config astra.Config) (*gocql.Session, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, endless)
	defer cancel()
	start := time.Now()
	cluster, err := astra.NewCluster(ctx, config)
	if err != nil {
		return nil, 0, err
	}
	session, err := astra.Connect(ctx, cluster)
	if err != nil {
		return nil, 0, err
	}
	var hostID gocql.UUID
	if err := session.Query("SELECT host_id FROM system.local").Idempotent(true).ScanContext(ctx, &hostID); err != nil {
		session.Close()
		return nil, 0, err
	}
	return session, time.Since(start), nil
}

// aftermath is what there is to see when a trial has ended.
type aftermath struct {
	executions int   // of writes on the nodes
	most       int   // of one write
	conns      int64 // at the proxy, after the session was closed
	goroutines int   // more than before the session
}

// stop ends the program. It reports false if a statement does not end; then the session stays open.
func (t *trial) stop() (a aftermath, finished bool, err error) {
	finished = t.load.finish(endless)
	t.endFaults()
	if !finished {
		return a, false, nil
	}
	if t.cassandra != nil {
		err = t.countExecutions(&a)
	}
	if !endsWithin(endless, t.session.Close) {
		return a, true, errors.Join(err, fmt.Errorf("Session.Close does not end within %s", endless))
	}
	t.countLeftovers(&a)
	if t.cassandra == nil { // now that nothing is on its way any more
		err = t.countExecutions(&a)
	}
	return a, true, err
}

func (t *trial) countExecutions(a *aftermath) (err error) {
	a.executions, a.most, err = t.executions(t.session, t.load.first)
	if err != nil {
		return fmt.Errorf("counting executions: %w", err)
	}
	return nil
}

// countLeftovers waits for what ends a moment after Close.
func (t *trial) countLeftovers(a *aftermath) {
	for limit := time.Now().Add(fullRecovery); ; time.Sleep(10 * time.Millisecond) {
		a.conns, a.goroutines = t.Stats().OpenConns, max(runtime.NumGoroutine()-t.goroutines, 0)
		if t.settings.shared {
			a.goroutines = 0
		}
		if a.conns == 0 && a.goroutines == 0 || time.Now().After(limit) {
			return
		}
	}
}

// broken says what must never be, whatever the fault and however busy the machine.
func (a aftermath) broken(writes int) []complaint {
	var broken []complaint
	if a.most > 1 || a.executions > writes {
		broken = append(broken, graveComplaint("the nodes executed %d writes of %d, one of them %d times", a.executions, writes, a.most))
	}
	if a.conns > 0 || a.goroutines > 0 {
		broken = append(broken, graveComplaint("left over are %s", a.leftOver()))
	}
	return broken
}

func (a aftermath) leftOver() string {
	if a.conns == 0 && a.goroutines == 0 {
		return "none"
	}
	return fmt.Sprintf("%d connections, %d goroutines", a.conns, a.goroutines)
}
