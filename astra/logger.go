package astra

import (
	"context"
	"log/slog"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// logger hands what gocql reports to slog. What is daily business for gocql behind Astra's proxy, a connection that ends or a host that is
// replaced, it calls warnings and errors; here the levels stay as gocql chose them.
type logger struct{ to *slog.Logger }

var _ gocql.StructuredLogger = logger{}

func (l logger) Error(msg string, fields ...gocql.LogField)   { l.log(slog.LevelError, msg, fields) }
func (l logger) Warning(msg string, fields ...gocql.LogField) { l.log(slog.LevelWarn, msg, fields) }
func (l logger) Info(msg string, fields ...gocql.LogField)    { l.log(slog.LevelInfo, msg, fields) }
func (l logger) Debug(msg string, fields ...gocql.LogField)   { l.log(slog.LevelDebug, msg, fields) }

func (l logger) log(level slog.Level, msg string, fields []gocql.LogField) {
	ctx := context.Background()
	if !l.to.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, len(fields))
	for i, f := range fields {
		attrs[i] = slog.Any(f.Name, f.Value.Any())
	}
	l.to.LogAttrs(ctx, level, msg, attrs...)
}
