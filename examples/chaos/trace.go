package main

import (
	"log/slog"

	"github.com/seed-5f06b232/astra-go/astra"
)

// newTrace logs each step of a connection.
func newTrace(l *slog.Logger) *astra.Trace {
	return &astra.Trace{
		MetadataDone: func(i astra.MetadataInfo) {
			l.Debug("Metadata was requested.", "duration", i.Duration, "error", i.Err)
		},
		DialDone: func(i astra.DialInfo) {
			l.Debug("A node was dialed.", "host_id", i.HostID, "addr", i.Addr, "duration", i.Duration, "resumed", i.Resumed, "error", i.Err)
		},
		ConnClosed: func(i astra.ConnInfo) {
			l.Debug("A connection ended.", "host_id", i.HostID, "addr", i.Addr, "lifetime", i.Lifetime, "error", i.Err)
		},
	}
}
