package token

import (
	"encoding/json"
	"errors"
	"strings"
)

// maxFileSize bounds every file that this package reads. A portal's file has a few hundred bytes.
const maxFileSize = 1 << 20

// ParseJSON returns the token in the JSON file that Astra's portal downloads when a token is created:
//
//	{"clientId": "…", "secret": "…", "token": "AstraCS:…"}
//
// The token alone, or the client ID and secret alone, suffice. The answer of the DevOps API's token creation has the same
// form. Data of more than 1 MiB is an error.
func ParseJSON(data []byte) (Token, error) {
	if len(data) > maxFileSize {
		return Token{}, errorf("the JSON has %d bytes; no more than %d are allowed", len(data), maxFileSize)
	}
	var file struct {
		ClientID     string
		Secret       string
		Token        string
		ClientName   string
		ClientSecret string
	}
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	if err := json.Unmarshal(data, &file); err != nil {
		return Token{}, jsonError(err)
	}
	if file.ClientSecret != "" || file.ClientName != "" {
		return Token{}, errorf("the JSON is a service account's (it has clientName or clientSecret), which Astra withdrew; create an application token and download its file")
	}
	return fromParts(file.ClientID, file.Secret, file.Token)
}

// jsonError says where JSON is wrong. The errors of encoding/json may quote the input, which may be a secret.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return errorf("the JSON is malformed at byte %d", syntax.Offset)
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return errorf("the JSON has a value that is not a string in %s", mistyped.Field)
	}
	return errorf("the JSON is not an object with clientId, secret and token")
}

// fromParts makes a token of the three values that the portal shows, each of which may be empty.
func fromParts(clientID, secret, tok string) (Token, error) {
	switch {
	case tok == "" && clientID == "" && secret == "":
		return Token{}, errorf("there is neither a token nor a client ID and secret")
	case tok == "" && (clientID == "" || secret == ""):
		return Token{}, errorf("there is no token, and the client ID or the secret that could stand in for it is missing")
	case tok == "":
		return FromClientSecret(clientID, secret)
	}
	t, err := Parse(tok)
	if err != nil || clientID == "" && secret == "" {
		return t, err
	}
	if clientID != "" && strings.TrimSpace(clientID) != t.ClientID() {
		return Token{}, errorf("the token belongs to another client ID than the one beside it; use one download, unchanged")
	}
	c := t.credentials()
	c.secret = strings.TrimSpace(secret)
	return newToken(c), nil
}
