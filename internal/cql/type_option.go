package cql

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// AppendType appends a type as an [option].
func AppendType(dst []byte, t Type) []byte {
	dst = AppendShort(dst, uint16(t.Kind))
	switch t.Kind {
	case Custom:
		dst = AppendString(dst, t.class())
	case List, Set:
		dst = AppendType(dst, t.element(0))
	case Map:
		dst = AppendType(AppendType(dst, t.element(0)), t.element(1))
	case Tuple:
		dst = AppendShort(dst, uint16(len(t.Elements)))
		for _, e := range t.Elements {
			dst = AppendType(dst, e)
		}
	case UDT:
		dst = AppendString(AppendString(dst, t.Keyspace), t.Name)
		dst = AppendShort(dst, uint16(len(t.Fields)))
		for i, field := range t.Fields {
			dst = AppendType(AppendString(dst, field), t.element(i))
		}
	}
	return dst
}

// Type reads an [option] that is a type.
func (r *Reader) Type() Type { return r.typeAt(0) }

func (r *Reader) typeAt(depth int) Type {
	if depth > maxDepth {
		r.fail("types nested deeper than %d", maxDepth)
		return Type{}
	}
	t := Type{Kind: Kind(r.Short())}
	switch t.Kind {
	case Custom:
		return parseClass(r.ShortString())
	case List, Set:
		t.Elements = []Type{r.typeAt(depth + 1)}
	case Map:
		key := r.typeAt(depth + 1)
		t.Elements = []Type{key, r.typeAt(depth + 1)}
	case Tuple:
		for n := r.Short(); n > 0 && r.err == nil; n-- {
			t.Elements = append(t.Elements, r.typeAt(depth+1))
		}
	case UDT:
		t.Keyspace, t.Name = r.ShortString(), r.ShortString()
		for n := r.Short(); n > 0 && r.err == nil; n-- {
			t.Fields = append(t.Fields, r.ShortString())
			t.Elements = append(t.Elements, r.typeAt(depth+1))
		}
	default:
		if _, ok := native[t.Kind]; !ok {
			r.fail("unknown type 0x%04X", uint16(t.Kind))
		}
	}
	return t
}

// marshal is the Java package of the classes that stand for types.
const marshal = "org.apache.cassandra.db.marshal."

// class returns the name of the Java class that stands for t, with its
// parameters.
func (t Type) class() string {
	parameters := func(name string) string {
		classes := make([]string, len(t.Elements))
		for i, e := range t.Elements {
			classes[i] = e.parameterClass()
		}
		return marshal + name + "(" + strings.Join(classes, ",") + ")"
	}
	switch t.Kind {
	case List:
		return parameters("ListType")
	case Set:
		return parameters("SetType")
	case Map:
		return parameters("MapType")
	case Tuple:
		return parameters("TupleType")
	case UDT:
		class := marshal + "UserType(" + t.Keyspace + "," + hex.EncodeToString([]byte(t.Name))
		for i, field := range t.Fields {
			class += "," + hex.EncodeToString([]byte(field)) + ":" + t.element(i).parameterClass()
		}
		return class + ")"
	case Custom:
		if t.Dimension == 0 {
			return t.Class
		}
		return marshal + "VectorType(" + t.element(0).parameterClass() + " , " + strconv.Itoa(t.Dimension) + ")"
	}
	return marshal + native[t.Kind].class
}

// parameterClass is class where t is the parameter of another class, which is
// the place where it shows that t is frozen.
func (t Type) parameterClass() string {
	if t.Frozen && t.Kind != Custom {
		return marshal + "FrozenType(" + t.class() + ")"
	}
	return t.class()
}

// parseClass returns the type that a Java class stands for. One that it does
// not know is a custom type.
func parseClass(class string) Type {
	if t, rest, ok := cutClass(class, 0); ok && rest == "" {
		return t
	}
	return Type{Kind: Custom, Class: class}
}

// cutClass parses the class at the beginning of s.
func cutClass(s string, depth int) (t Type, rest string, ok bool) {
	s = strings.TrimPrefix(strings.TrimLeft(s, " "), marshal)
	n := strings.IndexAny(s, "(), ")
	if n < 0 {
		n = len(s)
	}
	name, s := s[:n], strings.TrimLeft(s[n:], " ")
	if !strings.HasPrefix(s, "(") {
		for kind, n := range native {
			if n.class == name {
				return Type{Kind: kind}, s, true
			}
		}
		return Type{}, "", false
	}
	if depth == maxDepth {
		return Type{}, "", false
	}
	for separator := byte('('); len(s) > 0 && s[0] == separator; separator = ',' {
		s = strings.TrimLeft(s[1:], " ")
		if digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]; digits != "" {
			t.Dimension, _ = strconv.Atoi(digits)
			s = strings.TrimLeft(s[len(digits):], " ")
			break
		}
		var e Type
		if e, s, ok = cutClass(s, depth+1); !ok {
			return Type{}, "", false
		}
		t.Elements = append(t.Elements, e)
	}
	if !strings.HasPrefix(s, ")") {
		return Type{}, "", false
	}
	s = strings.TrimLeft(s[1:], " ")
	kinds := map[string]struct {
		kind     Kind
		elements int
	}{"ListType": {List, 1}, "SetType": {Set, 1}, "MapType": {Map, 2}, "VectorType": {Custom, 1}}
	switch k, found := kinds[name]; {
	case name == "TupleType" && t.Dimension == 0:
		t.Kind = Tuple
	case name == "FrozenType" && t.Dimension == 0 && len(t.Elements) == 1:
		t = t.Elements[0]
		t.Frozen = true
	case found && len(t.Elements) == k.elements &&
		(k.kind == Custom) == (t.Dimension > 0) && t.Dimension <= MaxDimension:
		t.Kind = k.kind
	default:
		return Type{}, "", false
	}
	return t, s, true
}
