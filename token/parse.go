package token

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
)

// The form of a token string is AstraCS:<client ID>:<hex SHA-256 of the client secret>.
const (
	prefix       = "AstraCS:"
	clientIDLen  = 24
	digestLen    = 2 * sha256.Size
	minSecretLen = 90      // client secrets have 103 characters or more
	maxValueSize = 4 << 10 // of a token, client ID or secret, in bytes
)

// Parse returns the token that a string such as "AstraCS:…" stands for.
//
// Forgiven are the slips with one meaning only: white space around the value, one pair of quotes around it, and a leading
// "Bearer ". Everything else that is not of the form AstraCS:<24 letters and digits>:<64 letters and digits> is an error
// that names the slip, and never quotes the value.
func Parse(s string) (Token, error) {
	s, err := clean(s, "the token")
	if err != nil {
		return Token{}, err
	}
	if rest, ok := cutPrefixFold(s, "bearer "); ok {
		s = strings.TrimSpace(rest)
	}
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return Token{}, notAToken(s)
	}
	clientID, digest, ok := strings.Cut(rest, ":")
	switch {
	case strings.HasSuffix(s, redacted):
		return Token{}, errorf("the token is the redacted form that logs show; the value itself is shown only once, when the token is created")
	case isPlaceholder(s):
		return Token{}, errorf("the token is a placeholder; put the value in, as Astra showed it when the token was created")
	case !ok || strings.Contains(digest, ":"):
		return Token{}, errorf("the token has %d parts between colons, not 3 (AstraCS:<client ID>:<64 characters>); copy it whole", strings.Count(s, ":")+1)
	case !isClientID(clientID):
		return Token{}, errorf("the token's client ID (between the colons) has %d characters, or other characters than letters and digits; want %d letters and digits; copy the token whole", len(clientID), clientIDLen)
	case len(digest) != digestLen:
		return Token{}, errorf("the token has %d characters after the second colon, not %d; copy it whole, without line breaks", len(digest), digestLen)
	case !isAlphanumeric(digest):
		return Token{}, errorf("the token has characters other than letters and digits after the second colon; copy it again")
	}
	return newToken(credentials{clientID: clientID, token: s, given: true}), nil
}

// FromClientSecret returns the token that belongs to a client ID and its client secret, as Astra shows them when a token is
// created. White space and one pair of quotes around either are removed. The token string that [Token.Bearer] returns is
// derived as Astra's specification says.
//
// It is for the client ID and client secret of a token. The user name and password of a database, as it was created with
// before tokens existed, no longer open a connection, and are an error where they can be told from an ID and secret.
func FromClientSecret(clientID, secret string) (Token, error) {
	clientID, err := clean(clientID, "the client ID")
	if err != nil {
		return Token{}, err
	}
	secret, err = clean(secret, "the client secret")
	if err != nil {
		return Token{}, err
	}
	switch {
	case strings.HasPrefix(clientID, prefix):
		return Token{}, errorf("the client ID is a whole token (it begins with %s); give it to token.Parse, alone", prefix)
	case strings.HasPrefix(secret, prefix):
		return Token{}, errorf("the client secret is a whole token (it begins with %s); give it to token.Parse, alone", prefix)
	case isPlaceholder(clientID) || isPlaceholder(secret):
		return Token{}, errorf("the client ID or the client secret is a placeholder; put the values in, as Astra showed them when the token was created")
	case !isClientID(clientID) && isClientID(secret):
		return Token{}, errorf("the client ID and the client secret are swapped: the first argument is the client ID, %d letters and digits", clientIDLen)
	case !isClientID(clientID):
		return Token{}, errorf("the client ID is not %d letters and digits; if this is a database's user name and password, they no longer work: create a token and use its client ID and secret, or its token string with token.Parse", clientIDLen)
	case isClientID(secret):
		return Token{}, errorf("the client secret has the form of a client ID; the secret is longer, about 100 characters, and was shown beside the client ID when the token was created")
	case isDigest(secret):
		return Token{}, errorf("the client secret has the form of the last part of a token; give the whole token, %s…, to token.Parse", prefix)
	case strings.ContainsFunc(secret, unicode.IsSpace):
		return Token{}, errorf("the client secret has white space within; copy it again")
	}
	digest := sha256.Sum256([]byte(secret))
	return newToken(credentials{
		clientID: clientID,
		secret:   secret,
		token:    prefix + clientID + ":" + hex.EncodeToString(digest[:]),
	}), nil
}

// clean removes what people and shells put around a value, and refuses what cannot be part of one. what names the value.
func clean(s, what string) (string, error) {
	if len(s) > maxValueSize {
		return "", errorf("%s has %d bytes; no more than %d are allowed", what, len(s), maxValueSize)
	}
	s = strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")) // a byte order mark, which editors on Windows write
	if n := len(s); n >= 2 && s[0] == s[n-1] && strings.ContainsRune("\"'`", rune(s[0])) {
		s = strings.TrimSpace(s[1 : n-1])
	}
	switch {
	case s == "":
		return "", errorf("%s is empty", what)
	case s[0] == '{' || s[0] == '[':
		return "", errorf("%s is JSON; give the file that Astra's portal downloads to token.ParseJSON or token.File", what)
	case strings.ContainsAny(s, "\r\n"):
		return "", errorf("%s has a line break within; give one value, on one line", what)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", errorf("%s has a character within that does not print; copy it again", what)
	case strings.ContainsAny(s, "\"'`"):
		return "", errorf("%s has a quotation mark in it; remove the quotes that the shell or the configuration file did not", what)
	}
	return s, nil
}

// notAToken says what s, which lacks the prefix, seems to be instead.
func notAToken(s string) error {
	_, wrongCase := cutPrefixFold(s, prefix)
	switch {
	case strings.EqualFold(s, userName):
		return errorf("the token is the word %q, which is the CQL user name that goes with a token; the password beside it is the token, %s…", userName, prefix)
	case wrongCase:
		return errorf("the token begins with %s in another case; copy it again, upper and lower case count", prefix)
	case isPlaceholder(s):
		return errorf("the token is a placeholder; put the value in, as Astra showed it when the token was created")
	case isClientID(s):
		return errorf("the token has the form of a client ID; give the token string, %s…, or the client ID together with its secret to token.FromClientSecret", prefix)
	case isDigest(s):
		return errorf("the token has the form of the last part of a token; copy it whole, from %s on", prefix)
	case strings.HasPrefix(s, "eyJ"):
		return errorf("the token is a JSON Web Token, of a kind that Astra no longer issues; create an application token, %s…", prefix)
	case isFileName(s):
		return errorf("the token has the form of a file name; give it to token.File")
	case strings.Contains(s, prefix):
		return errorf("the token has text before %s; remove it", prefix)
	case len(s) >= minSecretLen:
		return errorf("the token does not begin with %s and has the form of a client secret; give the token string, or the secret together with its client ID to token.FromClientSecret", prefix)
	}
	return errorf("the token does not begin with %s; a database's user name and password no longer work, create an application token in Astra's portal", prefix)
}

func isClientID(s string) bool { return len(s) == clientIDLen && isAlphanumeric(s) }

func isDigest(s string) bool {
	_, err := hex.DecodeString(s)
	return len(s) == digestLen && err == nil
}

func isAlphanumeric(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
}

// isPlaceholder recognizes what documentation and unexpanded templates have in a value's place. Client IDs and secrets are
// random: of values with their length, only what chance does not make counts.
func isPlaceholder(s string) bool {
	lower := strings.ToLower(s)
	if strings.ContainsAny(s, "<>$…*") || strings.Contains(s, "{{") || strings.Contains(lower, "xxxxxxxx") {
		return true
	}
	if isClientID(s) || len(s) >= minSecretLen {
		return false
	}
	return strings.Contains(s, "...") || strings.HasPrefix(lower, "your") || strings.Contains(lower, "xxxx") ||
		lower == "changeme" || strings.HasSuffix(lower, "_token")
}

func isFileName(s string) bool {
	lower := strings.ToLower(s)
	if strings.HasPrefix(s, "@") || strings.ContainsAny(s, `/\`) {
		return true
	}
	for _, ext := range []string{".json", ".csv", ".txt", ".astrarc", ".env", ".zip"} {
		if strings.HasSuffix(lower, ext) {
			return true
		}
	}
	return false
}

func cutPrefixFold(s, prefix string) (rest string, found bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}
