package token_test

import (
	"context"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/token"
)

// Made up, of the true form. digest is the SHA-256 of secret.
const (
	clientID = "IFmJlTkNvptFzTDEQpQIEJud"
	secret   = "GzZqAJ5Ty,+WbnjBqUg.aHtXsSc8CySmQCEtlBqfx05ZhM7ZKUT8.G44JGGUBNKQUQwX5Ei-uNnZC8ly0FsN8JM2G2W7Q,-Lvk_MZCdNzZhq"
)

func TestParseAndCQL(t *testing.T) {
	s := "AstraCS:" + clientID + ":" + strings.Repeat("0a", 32)
	tok, err := token.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	if user, password := tok.CQL(); user != "token" || password != s {
		t.Errorf("CQL user %q", user)
	}
	if tok.Bearer() != s || tok.ClientID() != clientID {
		t.Error("Bearer or ClientID differs")
	}
	if _, err := (token.Token{}).Current(context.Background()); err == nil {
		t.Error("the zero Token's Current has no error")
	}
}
