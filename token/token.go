// Package token holds the credentials that Astra DB issues: application tokens, with or without the client ID and client
// secret that belong to them.
//
// Start with [Parse] for a token string ("AstraCS:…"), or with [Env] for one that the environment supplies.
//
// A [Token] is its own [Source], so a field of type Source takes a fixed token today and a rotating one ([File], [Astrarc],
// a [SourceFunc] over a vault) tomorrow.
//
// # Secrets
//
// A Token never prints its secret: not by any verb of package fmt, in JSON, text or XML, through log/slog, from within an
// unexported field of another struct, or by a dumper that follows pointers. What prints is the client ID, which identifies
// a token without granting anything. Errors of this package say what is wrong with a value, and never quote it.
// [Token.CQL], [Token.Bearer] and [Token.Secret] are the only ways to the secret.
//
// # Nothing here talks to Astra
//
// A token that parses may be revoked, expired or of another organization. Tokens are created, listed and deleted by package
// devops. The table-based tokens of the Stargate APIs (X-Cassandra-Token, 30 minutes of life) ended with those APIs in 2025
// and are not supported.
package token

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// userName is the CQL user name that goes with a token string as the password.
const userName = "token"

// Token is what Astra issues to a client: a token string, the client ID within it, and, where it is known, the client
// secret that it was derived from.
//
// Tokens are immutable values, safe for concurrent use. The zero Token is no token: its methods return empty strings, and
// Current returns an error. Tokens cannot be compared with ==; use [Token.Equal].
type Token struct {
	// A func value is opaque to reflection: neither fmt nor any dumper can look behind it. Nil: the zero Token.
	reveal func() credentials
}

type credentials struct {
	clientID string
	secret   string // empty where only the token string is known
	token    string // "AstraCS:…", given or derived
	given    bool   // token was given, not derived from the secret
	origin   string // who supplied it, for people
}

func newToken(c credentials) Token {
	return Token{reveal: func() credentials { return c }}
}

func (t Token) credentials() credentials {
	if t.reveal == nil {
		return credentials{}
	}
	return t.reveal()
}

// CQL returns the user name and password for a CQL connection: the word "token" and the token string, or the client ID
// and the client secret for a Token made by [FromClientSecret].
func (t Token) CQL() (username, password string) {
	c := t.credentials()
	switch {
	case t.IsZero():
		return "", ""
	case c.given:
		return userName, c.token
	default:
		return c.clientID, c.secret
	}
}

// Bearer returns the token string, "AstraCS:…", as the DevOps API wants it after "Authorization: Bearer " and the Data API
// in its header "Token". For a Token made by [FromClientSecret] it is derived from the client ID and the secret.
func (t Token) Bearer() string { return t.credentials().token }

// ClientID returns the client ID, which names the token and is not a secret.
func (t Token) ClientID() string { return t.credentials().clientID }

// Secret returns the client secret, or "" where only the token string is known. Programs seldom need it: the token string
// serves every purpose.
func (t Token) Secret() string { return t.credentials().secret }

// Origin says for a person where the token came from, such as "environment variable ASTRA_DB_TOKEN" or "file
// /run/secrets/astra.json". It is "" for a token that did not come from a [Source] of this package.
func (t Token) Origin() string { return t.credentials().origin }

// IsZero reports whether t is the zero Token.
func (t Token) IsZero() bool { return t.reveal == nil }

// Equal reports whether t and u present the same credentials, wherever they came from.
func (t Token) Equal(u Token) bool {
	tUser, tPassword := t.CQL()
	uUser, uPassword := u.CQL()
	return tUser == uUser &&
		subtle.ConstantTimeCompare([]byte(tPassword), []byte(uPassword)) == 1 &&
		subtle.ConstantTimeCompare([]byte(t.Bearer()), []byte(u.Bearer())) == 1
}

// Current returns t itself, so that a Token is a [Source]. The zero Token is an error.
func (t Token) Current(context.Context) (Token, error) {
	if t.IsZero() {
		return Token{}, errorf("there is no token: the zero Token was given; make one with token.Parse or take a source such as token.Env")
	}
	return t, nil
}

// String returns the token without its secret: "AstraCS:" and the client ID.
func (t Token) String() string {
	if t.IsZero() {
		return "no token"
	}
	return prefix + t.ClientID() + ":" + redacted
}

const redacted = "[redacted]"

// Format prints the same as String for every verb.
func (t Token) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// MarshalText returns the same as String; JSON and XML use it too. It cannot be read back.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue returns the same as String.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
