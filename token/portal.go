package token

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// maxFileSize bounds every file that this package reads. A portal's file has a few hundred bytes.
const maxFileSize = 1 << 20

// byteOrderMark is what editors on Windows put first.
var byteOrderMark = []byte("\ufeff")

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
	if err := json.Unmarshal(bytes.TrimPrefix(data, byteOrderMark), &file); err != nil {
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

// ParseCSV returns the token in the CSV file, GeneratedToken.csv, that Astra's portal downloads when a token is created:
//
//	"Client Id","Client Secret","Token","Role"
//	"…","…","AstraCS:…","Database Administrator"
//
// Columns are found by their names, in any order; others are ignored. Data of more than 1 MiB, and more than one row below
// the names, are errors.
func ParseCSV(data []byte) (Token, error) {
	if len(data) > maxFileSize {
		return Token{}, errorf("the CSV has %d bytes; no more than %d are allowed", len(data), maxFileSize)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, byteOrderMark)))
	r.TrimLeadingSpace = true
	names, err := r.Read()
	if err != nil {
		return Token{}, csvError(err)
	}
	row, err := r.Read()
	if err != nil {
		return Token{}, csvError(err)
	}
	if _, err := r.Read(); err != io.EOF {
		return Token{}, errorf("the CSV has more than one row below the column names; keep one token's")
	}
	value := make(map[string]string)
	for i, name := range names {
		name = strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(name))
		if _, twice := value[name]; twice {
			return Token{}, errorf("the CSV has two columns of one name")
		}
		value[name] = row[i]
	}
	secret := value["clientsecret"]
	if secret == "" {
		secret = value["secret"]
	}
	t, err := fromParts(value["clientid"], secret, value["token"])
	if err != nil && value["token"] == "" && value["clientid"] == "" {
		return Token{}, errorf("the CSV has no column Token, nor Client Id and Client Secret, with a value")
	}
	return t, err
}

// csvError says where CSV is wrong.
func csvError(err error) error {
	var malformed *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return errorf("the CSV has no row below the column names")
	case errors.As(err, &malformed):
		return errorf("the CSV is malformed in line %d: %v", malformed.Line, malformed.Err)
	}
	return errorf("the CSV cannot be read: %v", err)
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
	// That the token's last part is the digest of this secret is Astra's specification, but nobody relies on it: no check.
	c := t.credentials()
	c.secret = strings.TrimSpace(secret)
	return newToken(c), nil
}
