package token_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/token"
)

// checkParsed holds for whatever a parser made of any input.
func checkParsed(t *testing.T, input string, tok token.Token, err error) {
	t.Helper()
	if err != nil {
		if !tok.IsZero() {
			t.Error("a token came with an error")
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q has more than one line", err)
		}
		if s := strings.TrimSpace(input); len(s) > 60 && strings.Contains(err.Error(), s) {
			t.Errorf("%q quotes the input", err)
		}
		return
	}
	bearer := tok.Bearer()
	if len(bearer) != 97 || !strings.HasPrefix(bearer, "AstraCS:"+tok.ClientID()+":") {
		t.Errorf("the token string is malformed for %q", input)
	}
	again, err := token.Parse(bearer)
	if err != nil || again.Bearer() != bearer || again.ClientID() != tok.ClientID() {
		t.Errorf("the token string does not parse: %v", err)
	}
	if strings.Contains(tok.String(), bearer[len(bearer)-64:]) {
		t.Error("String shows the secret")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{tokenString, " '" + tokenString + "' ", "Bearer " + tokenString, clientID, secret, "token", "{}", "\"", "AstraCS::", "\ufeff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := token.Parse(s)
		checkParsed(t, s, tok, err)
	})
}

func FuzzFromClientSecret(f *testing.F) {
	f.Add(clientID, secret)
	f.Add("token", tokenString)
	f.Add("", "")
	f.Fuzz(func(t *testing.T, id, secret string) {
		tok, err := token.FromClientSecret(id, secret)
		checkParsed(t, secret, tok, err)
	})
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"clientId":"` + clientID + `","secret":"` + secret + `","token":"` + tokenString + `"}`))
	f.Add([]byte(`{"clientId":"` + clientID + `","secret":"` + secret + `"}`))
	f.Add([]byte(`{"token":1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := token.ParseJSON(data)
		checkParsed(t, string(data), tok, err)
	})
}

func FuzzParseCSV(f *testing.F) {
	f.Add([]byte("\"Client Id\",\"Client Secret\",\"Token\",\"Role\"\n\"" + clientID + "\",\"" + secret + "\",\"" + tokenString + "\",\"x\"\n"))
	f.Add([]byte("Token\n" + tokenString))
	f.Add([]byte("a,\"b\nc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := token.ParseCSV(data)
		checkParsed(t, string(data), tok, err)
	})
}

func FuzzAstrarc(f *testing.F) {
	f.Add([]byte("[default]\nASTRA_DB_APPLICATION_TOKEN=" + tokenString + "\nASTRA_ENV=PROD\n"))
	f.Add([]byte("[a]\nx=\"y\" # z\n[b\n=\n"))
	file := filepath.Join(f.TempDir(), "astrarc")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		tok, err := token.Astrarc(file, "default").Current(context.Background())
		checkParsed(t, string(data), tok, err)
	})
}
