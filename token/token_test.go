package token_test

import (
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/token"
)

// Made up, of the true form.
const (
	clientID      = "IFmJlTkNvptFzTDEQpQIEJud"
	otherClientID = "QwErTyUiOpAsDfGhJkLzXcVb"
	secret        = "GzZqAJ5Ty,+WbnjBqUg.aHtXsSc8CySmQCEtlBqfx05ZhM7ZKUT8.G44JGGUBNKQUQwX5Ei-uNnZC8ly0FsN8JM2G2W7Q,-Lvk_MZCdNzZhq"
)

// digest is the last part of the token string that belongs to clientID and secret (devops-api 4.1).
var digest = func() string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}()

var tokenString = "AstraCS:" + clientID + ":" + digest

func parse(t testing.TB, s string) token.Token {
	t.Helper()
	tok, err := token.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTokenString(t *testing.T) {
	t.Parallel()
	if len(tokenString) != 97 {
		t.Fatalf("the test's token has %d characters", len(tokenString))
	}
	for name, s := range map[string]string{
		"as issued":        tokenString,
		"trailing newline": tokenString + "\n",
		"white space":      "\t " + tokenString + " \r\n",
		"double quotes":    `"` + tokenString + `"`,
		"single quotes":    "'" + tokenString + "'\n",
		"space in quotes":  `" ` + tokenString + ` "`,
		"bearer":           "Bearer " + tokenString,
		"bearer, quoted":   `"bearer  ` + tokenString + `"`,
		"byte order mark":  "\ufeff" + tokenString,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok := parse(t, s)
			if user, password := tok.CQL(); user != "token" || password != tokenString {
				t.Errorf("CQL is not the word token and the token string")
			}
			if tok.Bearer() != tokenString {
				t.Error("Bearer is not the token string")
			}
			if tok.ClientID() != clientID {
				t.Errorf("ClientID = %q", tok.ClientID())
			}
			if tok.Secret() != "" {
				t.Error("a secret came from nowhere")
			}
		})
	}
}

// The CLI's own made-up token has a tail that is not hexadecimal; others test with such, too (devops-api 4.1).
func TestTailNeedNotBeHex(t *testing.T) {
	t.Parallel()
	parse(t, "AstraCS:"+clientID+":"+strings.Repeat("zZ09", 16))
}

// Each slip has an error of its own, which says what to do and does not quote the value.
func TestSlips(t *testing.T) {
	t.Parallel()
	tail := strings.Repeat("0a", 32)
	for name, tc := range map[string]struct{ value, want string }{
		"empty":                  {"", "is empty"},
		"blank":                  {" \n", "is empty"},
		"only quotes":            {`""`, "is empty"},
		"inner newline":          {tokenString[:40] + "\n" + tokenString[40:], "line break"},
		"two lines":              {tokenString + "\n" + tokenString, "line break"},
		"zero byte":              {tokenString + "\x00", "does not print"},
		"zero width space":       {tokenString + "\u200b", "does not print"},
		"one quote":              {`"` + tokenString, "quotation mark"},
		"quotes twice":           {`"'` + tokenString + `'"`, "quotation mark"},
		"JSON":                   {`{"token":"` + tokenString + `"}`, "token.ParseJSON"},
		"user name":              {"token", "user name"},
		"client ID":              {clientID, "form of a client ID"},
		"client secret":          {secret, "form of a client secret"},
		"last part":              {digest, "form of the last part"},
		"user name and password": {"cassandra", "user name and password no longer work"},
		"JSON Web Token":         {"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln", "JSON Web Token"},
		"angle brackets":         {"<ASTRA_DB_APPLICATION_TOKEN>", "placeholder"},
		"your token":             {"YOUR_TOKEN_HERE", "placeholder"},
		"dots":                   {"AstraCS:...", "placeholder"},
		"ellipsis":               {"AstraCS:…", "placeholder"},
		"unexpanded variable":    {"${ASTRA_DB_APPLICATION_TOKEN}", "placeholder"},
		"variable's name":        {"ASTRA_DB_APPLICATION_TOKEN", "placeholder"},
		"masked":                 {"AstraCS:IFmJ****9c1a", "placeholder"},
		"xxx":                    {"AstraCS:" + strings.Repeat("x", 24) + ":" + tail, "placeholder"},
		"our own redaction":      {fmt.Sprint(parse(t, tokenString)), "redacted form"},
		"file name":              {"mydb-token.json", "token.File"},
		"CLI's file form":        {"@token", "token.File"},
		"path":                   {"/run/secrets/astra", "token.File"},
		"lower case":             {strings.ToLower(tokenString), "another case"},
		"text before":            {"token=" + tokenString, "text before"},
		"two parts":              {"AstraCS:" + clientID, "2 parts"},
		"four parts":             {tokenString + ":x", "4 parts"},
		"short client ID":        {"AstraCS:" + clientID[1:] + ":" + tail, "23 characters"},
		"odd client ID":          {"AstraCS:" + clientID[1:] + "-:" + tail, "other characters"},
		"cut off":                {tokenString[:90], "57 characters after the second colon, not 64"},
		"too long":               {tokenString + "0", "65 characters"},
		"odd tail":               {tokenString[:96] + "-", "other than letters and digits"},
		"space within":           {tokenString[:50] + " " + tokenString[50:], "65 characters"},
		"huge":                   {strings.Repeat("a", 1<<20), "no more than 4096"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok, err := token.Parse(tc.value)
			wantError(t, err, tc.want, tc.value)
			if !tok.IsZero() {
				t.Error("a token came with the error")
			}
		})
	}
}

// wantError checks an error's text, and that it does not show the value that it is about.
func wantError(t *testing.T, err error, want string, values ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", want)
	}
	text := err.Error()
	if !strings.Contains(text, want) {
		t.Errorf("error %q does not say %q", text, want)
	}
	if strings.Contains(text, "\n") {
		t.Errorf("error %q has more than one line", text)
	}
	for _, s := range append(values, tokenString, secret, digest) {
		if len(s) > 20 && strings.Contains(text, s) {
			t.Errorf("error %q shows the value", text)
		}
	}
}

func TestFromClientSecret(t *testing.T) {
	t.Parallel()
	tok, err := token.FromClientSecret(" "+clientID+"\n", `"`+secret+`"`)
	if err != nil {
		t.Fatal(err)
	}
	if user, password := tok.CQL(); user != clientID || password != secret {
		t.Error("CQL is not the client ID and the secret")
	}
	if tok.Bearer() != tokenString {
		t.Error("the derived token string is not AstraCS:<client ID>:<hex SHA-256 of the secret>")
	}
	if tok.Secret() != secret || tok.ClientID() != clientID {
		t.Error("Secret or ClientID differs")
	}
}

func TestFromClientSecretSlips(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ id, secret, want string }{
		"no client ID":           {"", secret, "client ID is empty"},
		"no secret":              {clientID, "", "client secret is empty"},
		"swapped":                {secret, clientID, "swapped"},
		"CQL user and token":     {"token", tokenString, "token.Parse"},
		"token as ID":            {tokenString, secret, "token.Parse"},
		"client ID twice":        {clientID, clientID, "form of a client ID"},
		"last part as secret":    {clientID, digest, "form of the last part"},
		"user name and password": {"cassandra", "cassandra", "no longer work"},
		"newline in secret":      {clientID, secret[:9] + "\n" + secret[9:], "line break"},
		"space in secret":        {clientID, secret[:9] + " " + secret[9:], "white space"},
		"placeholder":            {clientID, "<secret>", "placeholder"},
		"dots":                   {clientID, "abc...", "placeholder"},
		"your secret":            {clientID, "your-secret", "placeholder"},
		"x":                      {clientID, strings.Repeat("x", 109), "placeholder"},
		"ID of x":                {strings.Repeat("X", 24), secret, "placeholder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := token.FromClientSecret(tc.id, tc.secret)
			wantError(t, err, tc.want, tc.id, tc.secret)
		})
	}
}

// Client IDs and secrets are random: by chance one in thousands has what placeholders are known by.
func TestChanceMakesNoPlaceholder(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"IFmJlTkNvXxxXTDEQpQIEJud", "YourlTkNvptFzTDEQpQIEJud", "IFmJlTkNvptFzTDEQpQIxxxx"} {
		parse(t, "AstraCS:"+id+":"+digest)
		for _, s := range []string{secret, secret[:50] + "..." + secret[53:], "your" + secret[4:], secret[:50] + "xXxX" + secret[54:], secret[:100] + "_token"} {
			if _, err := token.FromClientSecret(id, s); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestZeroToken(t *testing.T) {
	t.Parallel()
	var zero token.Token
	if _, err := zero.Current(context.Background()); err == nil {
		t.Error("Current of the zero Token has no error")
	}
	user, password := zero.CQL()
	if got := user + password + zero.Bearer() + zero.ClientID() + zero.Secret() + zero.Origin(); got != "" {
		t.Errorf("the zero Token has %q", got)
	}
	if !zero.IsZero() || fmt.Sprint(zero) != "no token" {
		t.Errorf("the zero Token prints %v", zero)
	}
}

func TestTokenIsItsOwnSource(t *testing.T) {
	t.Parallel()
	var src token.Source = parse(t, tokenString)
	tok, err := src.Current(context.Background())
	if err != nil || tok.Bearer() != tokenString {
		t.Fatal("Current is not the token itself", err)
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	a := parse(t, tokenString)
	b, err := token.ParseJSON([]byte(`{"token":"` + tokenString + `","clientId":"` + clientID + `","secret":"` + secret + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := token.FromClientSecret(clientID, secret)
	if err != nil {
		t.Fatal(err)
	}
	d := parse(t, "AstraCS:"+otherClientID+":"+digest)
	var zero token.Token
	if !a.Equal(a) || !a.Equal(b) || !zero.Equal(token.Token{}) {
		t.Error("equal tokens differ")
	}
	if a.Equal(c) || a.Equal(d) || a.Equal(zero) || zero.Equal(a) {
		t.Error("different tokens are equal")
	}
	if !cmp.Equal(a, b) {
		t.Error("cmp does not use Equal")
	}
}

type holder struct {
	Name   string
	hidden token.Token
	Shown  token.Token
	Ptr    *token.Token
}

// Nothing prints the secret: no verb, from no depth, no encoder, and no walk by reflection that follows pointers.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	tok, err := token.ParseJSON([]byte(`{"token":"` + tokenString + `","clientId":"` + clientID + `","secret":"` + secret + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	derived, err := token.FromClientSecret(clientID, secret)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, tok := range []token.Token{tok, derived} {
		h := holder{Name: "h", hidden: tok, Shown: tok, Ptr: &tok}
		for _, v := range []any{tok, &tok, h, &h, []token.Token{tok}, map[string]token.Token{"k": tok}, []any{h, tok}, struct{ e error }{fmt.Errorf("x %v", tok)}} {
			for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %t %b %o %U %c %e %g %p %T %10s %-5.3q %#x") {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			fmt.Fprintln(&out, v)
			if data, err := json.Marshal(v); err == nil {
				out.Write(data)
			}
			if data, err := xml.Marshal(v); err == nil {
				out.Write(data)
			}
			_ = gob.NewEncoder(&out).Encode(v)
			for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(handler).Info("message", "value", v)
			}
			dump(&out, reflect.ValueOf(v), 0)
		}
		fmt.Fprint(&out, errors.Join(fmt.Errorf("wrapped: %w", errors.New(tok.String()))))
	}
	for what, s := range map[string]string{
		"secret": secret, "token": tokenString, "last part": digest,
		"hex of the token": hex.EncodeToString([]byte(tokenString)), "hex of the secret": hex.EncodeToString([]byte(secret)),
		"part of the last part": digest[:16], "part of the secret": secret[:16],
	} {
		if strings.Contains(out.String(), s) {
			t.Errorf("the output shows the %s", what)
		}
	}
	if !strings.Contains(out.String(), "AstraCS:"+clientID+":[redacted]") {
		t.Error("the output does not say which token it is")
	}
}

// dump prints all that reflection reaches, unexported fields and pointers included.
func dump(w io.Writer, v reflect.Value, depth int) {
	if depth > 20 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		dump(w, v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			fmt.Fprintln(w, v.Type().Field(i).Name)
			dump(w, v.Field(i), depth+1)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			dump(w, v.Index(i), depth+1)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			dump(w, v.MapIndex(key), depth+1)
		}
	case reflect.Invalid:
	default:
		fmt.Fprintln(w, v)
	}
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"portal":          `{"clientId": "` + clientID + `", "secret": "` + secret + `", "token": "` + tokenString + `"}`,
		"token alone":     `{"token": "` + tokenString + `"}`,
		"ID and secret":   `{"clientId": "` + clientID + `", "secret": "` + secret + `"}`,
		"API answer":      `{"clientId": "` + clientID + `", "orgId": "o", "roles": ["r"], "secret": "` + secret + `", "token": "` + tokenString + `", "generatedOn": "2024-01-01T00:00:00Z"}`,
		"byte order mark": "\ufeff" + `{"token": "` + tokenString + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok, err := token.ParseJSON([]byte(data))
			if err != nil {
				t.Fatal(err)
			}
			if tok.Bearer() != tokenString || tok.ClientID() != clientID {
				t.Error("another token")
			}
		})
	}
	// Astra's documentation uses the token string today, so it goes first where both are known.
	tok, err := token.ParseJSON([]byte(`{"clientId": "` + clientID + `", "secret": "` + secret + `", "token": "` + tokenString + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	if user, _ := tok.CQL(); user != "token" || tok.Secret() != secret {
		t.Errorf("CQL user %q", user)
	}
}

func TestParseJSONSlips(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ data, want string }{
		"empty":           {"", "malformed"},
		"null":            {"null", "neither a token nor"},
		"array":           {"[]", "not an object"},
		"empty object":    {"{}", "neither a token nor"},
		"bare token":      {tokenString, "malformed at byte 1"},
		"cut off":         {`{"token": "` + tokenString, "malformed"},
		"number":          {`{"token": 1234567890123456789012345678901234567890}`, "not a string in Token"},
		"secret missing":  {`{"clientId": "` + clientID + `"}`, "missing"},
		"service account": {`{"clientId":"d1d1d1d1-1111-2222-3333-444444444444","clientName":"a@b.c","clientSecret":"` + secret + `"}`, "service account"},
		"two tokens":      {`{"clientId": "` + otherClientID + `", "token": "` + tokenString + `"}`, "another client ID"},
		"huge":            {`{"token": "` + strings.Repeat("a", 1<<20) + `"}`, "no more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := token.ParseJSON([]byte(tc.data))
			wantError(t, err, tc.want, tc.data)
		})
	}
}

func TestParseCSV(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"portal":        "\"Client Id\",\"Client Secret\",\"Token\",\"Role\"\n\"" + clientID + "\",\"" + secret + "\",\"" + tokenString + "\",\"Admin User\"\n",
		"other order":   "role,token,clientId,secret\r\nx," + tokenString + "," + clientID + ",\"" + secret + "\"\r\n",
		"ID and secret": "Client ID,Client Secret\n" + clientID + ",\"" + secret + "\"",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok, err := token.ParseCSV([]byte(data))
			if err != nil {
				t.Fatal(err)
			}
			if tok.Bearer() != tokenString || tok.Secret() != secret {
				t.Error("another token")
			}
		})
	}
	for name, tc := range map[string]struct{ data, want string }{
		"empty":        {"", "no row"},
		"names only":   {"Client Id,Client Secret,Token\n", "no row"},
		"two rows":     {"Token\n" + tokenString + "\n" + tokenString + "\n", "more than one row"},
		"other names":  {"a,b\n1,2\n", "no column Token"},
		"uneven":       {"Client Id,Token\n" + tokenString + "\n", "line 2"},
		"double names": {"Token,token\na,b\n", "two columns"},
		"huge":         {"Token\n" + strings.Repeat("a", 1<<20), "no more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := token.ParseCSV([]byte(tc.data))
			wantError(t, err, tc.want, tc.data)
		})
	}
}

func TestSourceFunc(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	want := parse(t, tokenString)
	tok, err := token.SourceFunc(func(context.Context) (token.Token, error) { return want, nil }).Current(ctx)
	if err != nil || !tok.Equal(want) {
		t.Error(err)
	}
	if _, err := token.SourceFunc(func(context.Context) (token.Token, error) { return token.Token{}, nil }).Current(ctx); err == nil {
		t.Error("the zero Token without an error passed")
	}
	vault := errors.New("vault is sealed")
	if _, err := token.SourceFunc(func(context.Context) (token.Token, error) { return want, vault }).Current(ctx); !errors.Is(err, vault) {
		t.Error(err)
	}
	if _, err := token.SourceFunc(nil).Current(ctx); err == nil {
		t.Error("a nil function passed")
	}
}

type invalidated struct {
	token.Token
	calls *int
}

func (i invalidated) Invalidate() { *i.calls++ }

func TestFirst(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	want := parse(t, tokenString)
	missing := token.File(t.TempDir() + "/none")
	broken := token.SourceFunc(func(context.Context) (token.Token, error) { return token.Token{}, errors.New("sealed") })

	tok, err := token.First(missing, want, broken).Current(ctx)
	if err != nil || !tok.Equal(want) {
		t.Error("a source without a token was not passed over:", err)
	}
	if _, err := token.First(missing, broken, want).Current(ctx); err == nil || err.Error() != "sealed" {
		t.Error("a failing source was passed over:", err)
	}
	_, err = token.First(missing, missing).Current(ctx)
	wantError(t, err, "none")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("no token at all is not fs.ErrNotExist")
	}
	if _, err := token.First().Current(ctx); !errors.Is(err, fs.ErrNotExist) {
		t.Error("no source at all is not fs.ErrNotExist:", err)
	}
	if _, err := token.First(nil, want).Current(ctx); err == nil {
		t.Error("a nil source passed")
	}
	calls := 0
	token.First(missing, invalidated{want, &calls}).(interface{ Invalidate() }).Invalidate()
	if calls != 1 {
		t.Errorf("Invalidate reached the source %d times", calls)
	}
}
