package cql

import "net/netip"

// Kinds of events, as REGISTER names them.
const (
	TopologyChange = "TOPOLOGY_CHANGE"
	StatusChange   = "STATUS_CHANGE"
	SchemaChange   = "SCHEMA_CHANGE"
)

// An Event is the content of an EVENT message. Kind decides which of the
// other fields there are.
type Event struct {
	Kind   string
	Change string // "NEW_NODE", "REMOVED_NODE", "UP", "DOWN", "CREATED" and so on

	Addr netip.AddrPort // TopologyChange, StatusChange
	Schema
}

// Schema is what a SchemaChange event or result says has changed.
type Schema struct {
	Target    string   // "KEYSPACE", "TABLE", "TYPE", "FUNCTION" or "AGGREGATE"
	Keyspace  string   //
	Name      string   // of what Target says; not sent for a keyspace
	Arguments []string // of a function or aggregate: types
}

// AppendEvent appends the content of an EVENT message.
func AppendEvent(dst []byte, e Event) []byte {
	dst = AppendString(dst, e.Kind)
	if e.Kind == SchemaChange {
		return AppendSchemaChange(dst, e.Change, e.Schema)
	}
	return AppendInet(AppendString(dst, e.Change), e.Addr)
}

// AppendSchemaChange appends what an event and a result of that kind have in
// common.
func AppendSchemaChange(dst []byte, change string, s Schema) []byte {
	dst = AppendString(AppendString(AppendString(dst, change), s.Target), s.Keyspace)
	switch s.Target {
	case "TABLE", "TYPE":
		dst = AppendString(dst, s.Name)
	case "FUNCTION", "AGGREGATE":
		dst = AppendStringList(AppendString(dst, s.Name), s.Arguments)
	}
	return dst
}

// Event reads the content of an EVENT message.
func (r *Reader) Event() Event {
	e := Event{Kind: r.ShortString()}
	switch e.Kind {
	case TopologyChange, StatusChange:
		e.Change, e.Addr = r.ShortString(), r.Inet()
	case SchemaChange:
		e.Change, e.Schema = r.SchemaChange()
	default:
		r.fail("unknown kind of event %q", e.Kind)
	}
	return e
}

// SchemaChange reads what [AppendSchemaChange] appends.
func (r *Reader) SchemaChange() (change string, s Schema) {
	change = r.ShortString()
	s.Target, s.Keyspace = r.ShortString(), r.ShortString()
	switch s.Target {
	case "TABLE", "TYPE":
		s.Name = r.ShortString()
	case "FUNCTION", "AGGREGATE":
		s.Name, s.Arguments = r.ShortString(), r.StringList()
	}
	return change, s
}
