package cql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Kind is the option ID of a type.
type Kind uint16

const (
	Custom    Kind = 0x0000
	Ascii     Kind = 0x0001
	Bigint    Kind = 0x0002
	Blob      Kind = 0x0003
	Boolean   Kind = 0x0004
	Counter   Kind = 0x0005
	Decimal   Kind = 0x0006
	Double    Kind = 0x0007
	Float     Kind = 0x0008
	Int       Kind = 0x0009
	Timestamp Kind = 0x000B
	UUID      Kind = 0x000C
	Text      Kind = 0x000D // varchar is another name of it
	Varint    Kind = 0x000E
	Timeuuid  Kind = 0x000F
	Inet      Kind = 0x0010
	Date      Kind = 0x0011
	Time      Kind = 0x0012
	Smallint  Kind = 0x0013
	Tinyint   Kind = 0x0014
	Duration  Kind = 0x0015
	List      Kind = 0x0020
	Map       Kind = 0x0021
	Set       Kind = 0x0022
	UDT       Kind = 0x0030
	Tuple     Kind = 0x0031
)

// native names the types without parameters, and their Java classes, by which
// parameters of a custom type are named.
var native = map[Kind]struct{ name, class string }{
	Ascii:     {"ascii", "AsciiType"},
	Bigint:    {"bigint", "LongType"},
	Blob:      {"blob", "BytesType"},
	Boolean:   {"boolean", "BooleanType"},
	Counter:   {"counter", "CounterColumnType"},
	Decimal:   {"decimal", "DecimalType"},
	Double:    {"double", "DoubleType"},
	Float:     {"float", "FloatType"},
	Int:       {"int", "Int32Type"},
	Timestamp: {"timestamp", "TimestampType"},
	UUID:      {"uuid", "UUIDType"},
	Text:      {"text", "UTF8Type"},
	Varint:    {"varint", "IntegerType"},
	Timeuuid:  {"timeuuid", "TimeUUIDType"},
	Inet:      {"inet", "InetAddressType"},
	Date:      {"date", "SimpleDateType"},
	Time:      {"time", "TimeType"},
	Smallint:  {"smallint", "ShortType"},
	Tinyint:   {"tinyint", "ByteType"},
	Duration:  {"duration", "DurationType"},
}

// A Type is a CQL type.
type Type struct {
	Kind   Kind
	Frozen bool // of a collection or user-defined type; not sent in results

	// Elements are the types of what a value consists of: one of a list, set
	// or vector, two of a map, any number of a tuple, one a field of a
	// user-defined type.
	Elements []Type

	Keyspace, Name string   // of a user-defined type
	Fields         []string // the names of its fields

	// A custom type is a vector of this many elements, or, when this is 0,
	// only known by the name of its Java class.
	Dimension int
	Class     string
}

// maxDepth bounds how deep types nest, so that a hostile message cannot
// exhaust the stack.
const maxDepth = 32

// MaxDimension is the highest dimension of a vector.
const MaxDimension = 8192

// String returns the type as CQL has it, which is also what the tables of
// system_schema say.
func (t Type) String() string {
	var s string
	switch t.Kind {
	case List, Set, Map, Tuple:
		names := make([]string, len(t.Elements))
		for i, e := range t.Elements {
			names[i] = e.String()
		}
		outer := map[Kind]string{List: "list", Set: "set", Map: "map", Tuple: "tuple"}[t.Kind]
		s = outer + "<" + strings.Join(names, ", ") + ">"
	case UDT:
		s = QuoteName(t.Name)
	case Custom:
		if t.Dimension == 0 {
			return "'" + t.Class + "'"
		}
		s = fmt.Sprintf("vector<%v, %d>", t.element(0), t.Dimension)
	default:
		return t.Kind.String()
	}
	if t.Frozen {
		return "frozen<" + s + ">"
	}
	return s
}

// String returns the name of a native type.
func (k Kind) String() string {
	if n, ok := native[k]; ok {
		return n.name
	}
	return fmt.Sprintf("type 0x%04X", uint16(k))
}

// element returns a type's i-th parameter. A type put together by hand may
// lack it.
func (t Type) element(i int) Type {
	if i < len(t.Elements) {
		return t.Elements[i]
	}
	return Type{Kind: Blob}
}

// Equal reports whether t and u have the same values. Whether they are frozen
// makes no difference.
func (t Type) Equal(u Type) bool {
	return t.Kind == u.Kind && t.Keyspace == u.Keyspace && t.Name == u.Name &&
		t.Dimension == u.Dimension && t.Class == u.Class &&
		slices.Equal(t.Fields, u.Fields) && slices.EqualFunc(t.Elements, u.Elements, Type.Equal)
}

// ParseType parses a type as CQL has it, such as "map<text, frozen<list<int>>>".
// A name that is no type of CQL is looked up with userType, which may be nil.
func ParseType(s string, userType func(keyspace, name string) (Type, bool)) (Type, error) {
	p := typeParser{rest: s, userType: userType}
	t := p.parse(0)
	if p.space(); p.err == nil && p.rest != "" {
		p.fail("%q follows the type", p.rest)
	}
	if p.err != nil {
		return Type{}, fmt.Errorf("cql: type %q: %w", s, p.err)
	}
	return t, nil
}

type typeParser struct {
	rest     string
	userType func(keyspace, name string) (Type, bool)
	err      error
}

func (p *typeParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *typeParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// accept consumes one character, if it is the next.
func (p *typeParser) accept(c byte) bool {
	if p.space(); p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *typeParser) expect(c byte) {
	if p.err == nil && !p.accept(c) {
		p.fail("%q expected before %q", c, p.rest)
	}
}

// name consumes a name. It is folded to lower case unless it is quoted.
func (p *typeParser) name() (name string, quoted bool) {
	p.space()
	if strings.HasPrefix(p.rest, `"`) {
		name, rest, ok := cutQuoted(p.rest)
		if !ok {
			p.fail("a quote is not closed")
		}
		p.rest = rest
		return name, true
	}
	n := 0
	for n < len(p.rest) && isNameByte(p.rest[n]) {
		n++
	}
	if n == 0 {
		p.fail("a name expected before %q", p.rest)
	}
	name = strings.ToLower(p.rest[:n])
	p.rest = p.rest[n:]
	return name, false
}

func (p *typeParser) parse(depth int) Type {
	if depth > maxDepth {
		p.fail("nested deeper than %d", maxDepth)
	}
	if p.err != nil {
		return Type{}
	}
	if p.space(); strings.HasPrefix(p.rest, "'") {
		class, rest, ok := strings.Cut(p.rest[1:], "'")
		if !ok {
			p.fail("a quote is not closed")
		}
		p.rest = rest
		return parseClass(class)
	}
	name, quoted := p.name()
	if !quoted && p.accept('<') {
		return p.parameters(name, depth+1)
	}
	keyspace := ""
	if p.accept('.') {
		keyspace = name
		name, _ = p.name()
	} else if t, ok := nativeType(name); ok && !quoted {
		return t
	}
	if p.userType != nil && p.err == nil {
		if t, ok := p.userType(keyspace, name); ok {
			return t
		}
	}
	p.fail("unknown type %s", name)
	return Type{}
}

// parameters parses what follows "name<".
func (p *typeParser) parameters(name string, depth int) Type {
	var t Type
	switch name {
	case "frozen":
		t = p.parse(depth)
		t.Frozen = true
	case "list":
		t = Type{Kind: List, Elements: []Type{p.parse(depth)}}
	case "set":
		t = Type{Kind: Set, Elements: []Type{p.parse(depth)}}
	case "map":
		key := p.parse(depth)
		p.expect(',')
		t = Type{Kind: Map, Elements: []Type{key, p.parse(depth)}}
	case "tuple":
		t = Type{Kind: Tuple, Elements: []Type{p.parse(depth)}}
		for p.err == nil && p.accept(',') {
			t.Elements = append(t.Elements, p.parse(depth))
		}
	case "vector":
		element := p.parse(depth)
		p.expect(',')
		t = Type{Kind: Custom, Elements: []Type{element}, Dimension: p.dimension()}
	default:
		p.fail("%s takes no parameters", name)
	}
	p.expect('>')
	return t
}

func (p *typeParser) dimension() int {
	p.space()
	digits := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "0123456789"))]
	p.rest = p.rest[len(digits):]
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > MaxDimension {
		p.fail("a dimension from 1 to %d expected instead of %q", MaxDimension, digits)
	}
	return n
}

func nativeType(name string) (Type, bool) {
	if name == "varchar" {
		name = "text"
	}
	for kind, n := range native {
		if n.name == name {
			return Type{Kind: kind}, true
		}
	}
	return Type{}, false
}

// QuoteName returns a name as it must stand in CQL: in quotes unless it is
// all lower case and not reserved.
func QuoteName(name string) string {
	plain := name != "" && name[0] >= 'a' && name[0] <= 'z' && !Reserved(name)
	for i := 0; i < len(name) && plain; i++ {
		plain = isNameByte(name[i]) && (name[i] < 'A' || name[i] > 'Z')
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// cutQuoted splits a name in double quotes from what follows it.
func cutQuoted(s string) (name, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
		} else if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
		} else {
			return b.String(), s[i+1:], true
		}
	}
	return "", "", false
}
