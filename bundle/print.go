package bundle

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// The methods of this file have value receivers so that a Bundle prints alike with and without a pointer.

// fact is something about a bundle that may be shown.
type fact struct {
	name  string
	value any
}

func (b *Bundle) facts() []fact {
	facts := []fact{{"host", b.Host()}, {"port", b.Port()}}
	add := func(name string, value any, known bool) {
		if known {
			facts = append(facts, fact{name, value})
		}
	}
	add("cql_port", b.CQLPort(), b.CQLPort() != 0)
	add("database_id", b.DatabaseID(), b.DatabaseID() != "")
	add("region", b.Region(), b.Region() != "")
	add("keyspace", b.Keyspace(), b.Keyspace() != "")
	add("local_dc", b.LocalDC(), b.LocalDC() != "")
	if cert := b.Certificate(); cert != nil {
		add("certificate_expires", cert.NotAfter.UTC().Format(time.RFC3339), true)
	}
	return facts
}

// String shows the facts about the database: never a key or a password.
func (b Bundle) String() string {
	var text strings.Builder
	text.WriteString("bundle{")
	for i, fact := range b.facts() {
		if i > 0 {
			text.WriteByte(' ')
		}
		fmt.Fprintf(&text, "%s=%v", fact.name, fact.value)
	}
	text.WriteByte('}')
	return text.String()
}

// Format writes what [Bundle.String] returns, for every verb.
func (b Bundle) Format(state fmt.State, verb rune) {
	state.Write([]byte(b.String()))
}

// MarshalJSON returns an object with the facts about the database.
func (b Bundle) MarshalJSON() ([]byte, error) {
	object := make(map[string]any)
	for _, fact := range b.facts() {
		object[fact.name] = fact.value
	}
	return json.Marshal(object)
}

// LogValue returns a group with the facts about the database.
func (b Bundle) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, fact := range b.facts() {
		attrs = append(attrs, slog.Any(fact.name, fact.value))
	}
	return slog.GroupValue(attrs...)
}
