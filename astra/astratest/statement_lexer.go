package astratest

import (
	"strings"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// A token is a word of a CQL text.
type cqlToken struct {
	kind tokenKind
	text string // a name folded to lower case unless quoted, a string without quotes, else as it stands

	start, end int // where it stands in the text
}

type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenName             // an unquoted name or keyword
	tokenQuoted           // "a quoted name"
	tokenString           // 'a string' or $$a string$$
	tokenNumber           // a number, a UUID, 0xA1B0
	tokenMarker           // ? or, with its name as text, :name
	tokenSymbol           // any other character
)

// A lexer cuts a CQL text into tokens, one ahead.
type lexer struct {
	text string
	next cqlToken
}

func newLexer(text string) *lexer {
	l := &lexer{text: text}
	l.advance()
	return l
}

// take returns the next token and goes on to the one after it.
func (l *lexer) take() cqlToken {
	t := l.next
	l.advance()
	return t
}

// accept consumes the next tokens if they are these keywords or symbols.
func (l *lexer) accept(words ...string) bool {
	before := l.next
	for _, word := range words {
		if !l.is(word) {
			l.next = before
			return false
		}
		l.advance()
	}
	return true
}

// is reports whether the next token is this keyword or symbol.
func (l *lexer) is(word string) bool {
	return (l.next.kind == tokenName || l.next.kind == tokenSymbol) && l.next.text == word
}

// name consumes a name, which a reserved word is in quotes only.
func (l *lexer) name() (string, bool) {
	if l.next.kind != tokenQuoted && (l.next.kind != tokenName || cql.Reserved(l.next.text)) {
		return "", false
	}
	return l.take().text, true
}

// qualifiedName consumes a name that a keyspace may stand before.
func (l *lexer) qualifiedName() (keyspace, name string, ok bool) {
	name, ok = l.name()
	if ok && l.accept(".") {
		keyspace = name
		name, ok = l.name()
	}
	return keyspace, name, ok
}

// advance reads the token after the present one.
func (l *lexer) advance() {
	i := l.next.end
	for i < len(l.text) {
		rest := l.text[i:]
		switch {
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "//"):
			i += lengthUntil(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			i += lengthUntil(rest, "*/")
		case strings.IndexByte(" \t\r\n\f", rest[0]) >= 0:
			i++
		default:
			kind, text, length := lexToken(rest)
			l.next = cqlToken{kind, text, i, i + length}
			return
		}
	}
	l.next = cqlToken{tokenEnd, "", len(l.text), len(l.text)}
}

// lengthUntil returns how far it is to the end of mark, or to the end of s.
func lengthUntil(s, mark string) int {
	if i := strings.Index(s, mark); i >= 0 {
		return i + len(mark)
	}
	return len(s)
}

// lexToken returns the token at the beginning of s, which is not empty, and
// its length.
func lexToken(s string) (tokenKind, string, int) {
	switch c := s[0]; {
	case c == '\'' || c == '"':
		text, n := lexQuoted(s, c)
		if c == '"' {
			return tokenQuoted, text, n
		}
		return tokenString, text, n
	case strings.HasPrefix(s, "$$"):
		n := 2 + lengthUntil(s[2:], "$$")
		return tokenString, strings.TrimSuffix(s[2:n], "$$"), n
	case c == '?':
		return tokenMarker, "", 1
	case c == ':' && len(s) > 1 && isWordByte(s[1]):
		n := 1 + wordLength(s[1:])
		return tokenMarker, strings.ToLower(s[1:n]), n
	case uuidLength(s) > 0:
		return tokenNumber, s[:36], 36
	case c >= '0' && c <= '9', c == '-' && len(s) > 1 && s[1] >= '0' && s[1] <= '9':
		n := 1
		for n < len(s) && (isWordByte(s[n]) || s[n] == '.') {
			n++
		}
		return tokenNumber, s[:n], n
	case isWordByte(c):
		n := wordLength(s)
		return tokenName, strings.ToLower(s[:n]), n
	}
	return tokenSymbol, s[:1], 1
}

// lexQuoted reads up to the closing quote, which stands for itself when it is
// doubled.
func lexQuoted(s string, quote byte) (text string, n int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == quote {
			if i+1 == len(s) || s[i+1] != quote {
				return b.String(), i + 1
			}
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), len(s)
}

// uuidLength returns 36 when s begins with a UUID.
func uuidLength(s string) int {
	const length = 36
	if len(s) < length || len(s) > length && isWordByte(s[length]) {
		return 0
	}
	for i := range length {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen != (s[i] == '-') {
			return 0
		} else if !hyphen && !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return 0
		}
	}
	return length
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func wordLength(s string) int {
	n := 0
	for n < len(s) && isWordByte(s[n]) {
		n++
	}
	return n
}

// normalize returns a statement with each run of white space outside quotes
// made one space, and without a semicolon at its end.
func normalize(text string) string {
	var b strings.Builder
	var quote byte
	space := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case strings.IndexByte(" \t\r\n\f", c) >= 0:
			space = true
			continue
		case c == '\'' || c == '"':
			quote = c
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteByte(c)
	}
	return strings.TrimRight(b.String(), "; ")
}
