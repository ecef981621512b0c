package token

import (
	"context"
	"os"
	"strings"
)

// The variables that hold a token, in the order in which they are asked.
var (
	envNames       = []string{"ASTRA_DB_APPLICATION_TOKEN", "ASTRA_DB_TOKEN", "ASTRA_TOKEN"}
	envDevOpsNames = []string{"ASTRA_API_TOKEN", "ASTRA_ORG_TOKEN"}
)

const (
	envClientID = "ASTRA_DB_CLIENT_ID"
	envSecret   = "ASTRA_DB_CLIENT_SECRET"
)

// Env returns a source that reads the token for CQL from the environment, at each call. The first of these that is set
// supplies it:
//
//  1. ASTRA_DB_APPLICATION_TOKEN, as Astra's documentation and most tools have it
//  2. ASTRA_DB_TOKEN, as the Astra CLI's .env files have it
//  3. ASTRA_TOKEN, as cql-proxy has it
//  4. ASTRA_DB_CLIENT_ID together with ASTRA_DB_CLIENT_SECRET
//
// Variables that are empty or blank count as not set. A variable that is set to something else than a token is an error;
// the ones below it are not asked. [Token.Origin] says which one supplied the token, and every error names its variable.
func Env() Source { return env(envNames) }

// EnvDevOps returns a source that reads the token for the DevOps API from the environment, at each call: ASTRA_API_TOKEN
// (as Terraform has it), then ASTRA_ORG_TOKEN (as the Astra CLI has it), then what [Env] reads.
//
// The DevOps API wants the role of an administrator for most calls, which a service's CQL token should not have. That is
// why its names stand apart, and why Env does not read them.
func EnvDevOps() Source {
	return env(append(envDevOpsNames[:len(envDevOpsNames):len(envDevOpsNames)], envNames...))
}

type env []string

func (names env) Current(context.Context) (Token, error) {
	for _, name := range names {
		if value := os.Getenv(name); strings.TrimSpace(value) != "" {
			t, err := Parse(value)
			return from("environment variable "+name, t, err)
		}
	}
	id, secret := os.Getenv(envClientID), os.Getenv(envSecret)
	if strings.TrimSpace(id) != "" || strings.TrimSpace(secret) != "" {
		t, err := FromClientSecret(id, secret)
		return from("environment variables "+envClientID+" and "+envSecret, t, err)
	}
	return Token{}, notExist("the environment has no token: set %s (or one of %s, or %s and %s)",
		names[0], strings.Join(names[1:], ", "), envClientID, envSecret)
}
