package token_test

import (
	"context"
	"fmt"

	"github.com/seed-5f06b232/astra-go/token"
)

func ExampleParse() {
	tok, err := token.Parse("AstraCS:IFmJlTkNvptFzTDEQpQIEJud:0f8d1c6f28a6dd6af7e4e0cd3ac15c9e3b0c7cb0dd4dfd2f0f3f3b1a9a7c5e1d")
	if err != nil {
		fmt.Println(err)
		return
	}
	user, _ := tok.CQL()
	fmt.Println(user)
	fmt.Printf("%+v\n", tok) // no verb shows the secret
	// Output:
	// token
	// AstraCS:IFmJlTkNvptFzTDEQpQIEJud:[redacted]
}

func ExampleParse_slip() {
	_, err := token.Parse("IFmJlTkNvptFzTDEQpQIEJud")
	fmt.Println(err)
	// Output:
	// token: the token has the form of a client ID; give the token string, AstraCS:…, or the client ID together with its secret to token.FromClientSecret
}

func ExampleFirst() {
	src := token.First(
		token.File("/run/secrets/astra-token"), // in the cluster: read again when it changes
		token.SourceFunc(func(context.Context) (token.Token, error) { // on a developer's machine
			return token.Parse("AstraCS:IFmJlTkNvptFzTDEQpQIEJud:0f8d1c6f28a6dd6af7e4e0cd3ac15c9e3b0c7cb0dd4dfd2f0f3f3b1a9a7c5e1d")
		}),
	)
	tok, err := src.Current(context.Background())
	fmt.Println(tok, err)
	// Output:
	// AstraCS:IFmJlTkNvptFzTDEQpQIEJud:[redacted] <nil>
}
