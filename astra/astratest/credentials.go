package astratest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/seed-5f06b232/astra-go/token"
)

// newToken makes a token of the form that Astra's have.
func newToken() token.Token {
	clientID := randomLetters(24)
	secret := randomLetters(128)
	digest := sha256.Sum256([]byte(secret))
	file := must(json.Marshal(map[string]string{
		"clientId": clientID,
		"secret":   secret,
		"token":    "AstraCS:" + clientID + ":" + hex.EncodeToString(digest[:]),
	}))
	return must(token.ParseJSON(file))
}

// accepts says whether a user name and password are those of t, in either form that Astra takes.
func accepts(t token.Token, username, password string) bool {
	return username == "token" && password == t.Bearer() || username == t.ClientID() && password == t.Secret()
}

func randomLetters(n int) string {
	const letters = "abcdefghijklmnopqrstuvwABCDEFGHIJKLMNOPQRSTUVW" // not x to z, so that none reads as a placeholder
	random := make([]byte, n)
	rand.Read(random) // never fails
	for i, b := range random {
		random[i] = letters[int(b)%len(letters)]
	}
	return string(random)
}
