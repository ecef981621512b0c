package recording

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// decode fills in the content of a frame.
func (s *Session) decode(a *Answer, h cql.Header, r *cql.Reader) {
	if h.Flags&cql.FlagTracing != 0 {
		r.UUID()
		a.Tracing = "<uuid>"
	}
	if h.Flags&cql.FlagWarning != 0 {
		a.Warnings = r.StringList()
	}
	if h.Flags&cql.FlagCustomPayload != 0 {
		r.BytesMap()
	}
	switch h.Opcode {
	case cql.OpError:
		a.Error = newError(r.ErrorMessage())
	case cql.OpSupported:
		a.Supported = r.StringMultimap()
	case cql.OpAuthenticate:
		a.Authenticator = r.ShortString()
	case cql.OpAuthSuccess:
		a.Token = "null"
		if b := r.Bytes(); b != nil {
			a.Token = hex.EncodeToString(b)
		}
	case cql.OpEvent:
		e := r.Event()
		a.Event, a.Change = e.Kind, e.Change
		if e.Kind == cql.SchemaChange {
			a.Schema = schema(e.Schema)
		} else {
			a.Address = "<address>:<port>"
		}
	case cql.OpResult:
		s.decodeResult(a, r)
	}
}

func (s *Session) decodeResult(a *Answer, r *cql.Reader) {
	switch r.Int() {
	case cql.ResultVoid:
		a.Result = "void"
	case cql.ResultSetKeyspace:
		a.Result = "set keyspace"
		a.Keyspace = r.ShortString()
	case cql.ResultSchemaChange:
		a.Result = "schema change"
		change, s := r.SchemaChange()
		a.Change, a.Schema = change, schema(s)
	case cql.ResultPrepared:
		a.Result = "prepared"
		s.statementID = r.ShortBytes()
		bind, key := r.PreparedMetadata()
		columns, _ := r.Metadata()
		a.Bind, a.KeyIndex, a.Columns = fields(bind), key, fields(columns)
	case cql.ResultRows:
		a.Result = "rows"
		columns, pagingState := r.Metadata()
		if pagingState != nil {
			a.MorePages, s.pagingState = true, pagingState
		}
		a.Columns = fields(columns)
		for n := r.Int(); n > 0 && r.Err() == nil; n-- {
			if columns == nil { // skipped: what the values are is not known
				a.Rows = append(a.Rows, nil)
				continue
			}
			var row []string
			for _, c := range columns {
				row = append(row, value(c, r.Bytes()))
			}
			a.Rows = append(a.Rows, row)
		}
		if len(columns) > 0 && strings.HasPrefix(columns[0].Table, "peers") { // ordered by address
			slices.SortFunc(a.Rows, slices.Compare)
		}
		if columns == nil {
			for r.Err() == nil && len(r.Rest()) > 0 {
				r.Bytes()
			}
		}
	}
}

func schema(s cql.Schema) *Schema { return &Schema{s.Target, s.Keyspace, s.Name, s.Arguments} }

func fields(columns []cql.Column) (f []Field) {
	for _, c := range columns {
		f = append(f, Field{c.Keyspace, c.Table, c.Name, c.Type.String()})
	}
	return f
}

func newError(e *cql.Error) *Error {
	out := &Error{Code: fmt.Sprintf("0x%04X", e.Code), Message: e.Message}
	switch e.Code {
	case cql.CodeUnavailable:
		out.Fields = map[string]string{"consistency": e.Consistency.String(), "required": fmt.Sprint(e.Required), "alive": fmt.Sprint(e.Received)}
	case cql.CodeAlreadyExists:
		out.Fields = map[string]string{"keyspace": e.Keyspace, "name": e.Name}
	case cql.CodeUnprepared:
		out.Fields = map[string]string{"id": string(e.StatementID)}
	}
	return out
}

// value returns a value in CQL's notation, or what kind of value it is when it differs from cluster to cluster.
func value(c cql.Column, b []byte) string {
	switch {
	case b == nil:
		return "null"
	case c.Name == "tokens":
		return "<tokens>"
	case c.Name == "gossip_generation":
		return "<generation>"
	case c.Name == "truncated_at":
		return "<truncations>"
	case strings.HasSuffix(c.Name, "_port"):
		return "<port>"
	}
	switch c.Type.Kind {
	case cql.UUID, cql.Timeuuid:
		return "<" + c.Type.Kind.String() + ">"
	case cql.Inet:
		return "<address>"
	case cql.Timestamp:
		return "<timestamp>"
	}
	v, err := c.Type.Decode(b)
	if err != nil {
		return fmt.Sprintf("%v", err)
	}
	return literal(v)
}

func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case []byte:
		return fmt.Sprintf("0x%x", v)
	case netip.Addr:
		return "<address>"
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case []any:
		list := make([]string, len(v))
		for i, e := range v {
			list[i] = literal(e)
		}
		return "[" + strings.Join(list, ", ") + "]"
	case map[any]any:
		m := make(map[string]string, len(v))
		for k, e := range v {
			m[literal(k)] = literal(e)
		}
		return literalMap(m)
	case map[string]any:
		m := make(map[string]string, len(v))
		for k, e := range v {
			m[k] = literal(e)
		}
		return literalMap(m)
	}
	return fmt.Sprint(v)
}

func literalMap(m map[string]string) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k+": "+m[k])
	}
	return "{" + strings.Join(list, ", ") + "}"
}
