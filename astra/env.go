package astra

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/token"
)

// Variables that name the same thing, in the order in which they are asked.
var (
	bundlePathVariables   = []string{"ASTRA_DB_SECURE_BUNDLE_PATH", "ASTRA_SECURE_BUNDLE_PATH", "ASTRA_BUNDLE"}
	bundleBase64Variables = []string{"ASTRA_DB_SECURE_BUNDLE_BASE64", "ASTRA_DB_SECURE_BUNDLE_B64", "ASTRA_SECURE_BUNDLE_BASE64",
		"ASTRA_SECURE_BUNDLE_B64", "ASTRA_BUNDLE_B64"}
	databaseVariables = []string{"ASTRA_DB_ID", "ASTRA_DB_DATABASE_ID", "ASTRA_DATABASE_ID", "ASTRA_DB_NAME"}
)

// ConfigFromEnv returns a Config that the environment describes. Variables that are empty count as not set. Those that
// stand together mean the same, for tools do not agree on names; the first that is set counts.
//
//	the token        what token.Env reads: ASTRA_DB_APPLICATION_TOKEN and others
//	the bundle       ASTRA_DB_SECURE_BUNDLE_PATH, ASTRA_SECURE_BUNDLE_PATH, ASTRA_BUNDLE: a file, read again when it changes; else
//	                 ASTRA_DB_SECURE_BUNDLE_BASE64, ASTRA_DB_SECURE_BUNDLE_B64, ASTRA_SECURE_BUNDLE_BASE64, ASTRA_SECURE_BUNDLE_B64,
//	                 ASTRA_BUNDLE_B64: the zip in base64; else
//	                 ASTRA_DB_ID, ASTRA_DB_DATABASE_ID, ASTRA_DATABASE_ID, ASTRA_DB_NAME: the ID or name of the database, for the DevOps API, with
//	  the region     ASTRA_DB_REGION; without it the primary region
//	  its token      what token.EnvDevOps reads: ASTRA_API_TOKEN, ASTRA_ORG_TOKEN, or the token above
//	  its address    ASTRA_API_URL; without it Astra's
//	the keyspace     ASTRA_DB_KEYSPACE; without it none
//
// It makes sure that the token and the bundle can be had; a bundle by ID or name is downloaded then, within ctx. The error
// names the variable that is wrong, or those that are missing.
func ConfigFromEnv(ctx context.Context) (Config, error) {
	c := Config{Token: token.Env(), Keyspace: os.Getenv("ASTRA_DB_KEYSPACE")}
	if _, err := c.Token.Current(ctx); err != nil {
		return Config{}, fmt.Errorf("astra: configuration from the environment: %w", err)
	}
	variable, source, err := bundleFromEnv()
	if err != nil {
		return Config{}, fmt.Errorf("astra: configuration from the environment: %w", err)
	}
	if _, err := source.Current(ctx); err != nil {
		return Config{}, fmt.Errorf("astra: configuration from the environment: %s: %w", variable, err)
	}
	c.Bundle = source
	return c, nil
}

// bundleFromEnv returns a source and the variable that names it.
func bundleFromEnv() (variable string, source bundle.Source, err error) {
	if variable, path := firstSet(bundlePathVariables); path != "" {
		return variable, bundle.File(path), nil
	}
	if variable, text := firstSet(bundleBase64Variables); text != "" {
		b, err := bundle.Parse([]byte(text))
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", variable, err)
		}
		return variable, b, nil
	}
	variable, database := firstSet(databaseVariables)
	if database == "" {
		return "", nil, errors.New("no bundle and no database: set " + bundlePathVariables[0] + " to the path of a Secure Connect Bundle, or " +
			databaseVariables[0] + " to the ID of a database")
	}
	client, err := devops.NewClient(devops.Config{Token: token.EnvDevOps(), BaseURL: os.Getenv("ASTRA_API_URL")})
	if err != nil {
		return "", nil, err
	}
	return variable, client.Bundle(database, devops.BundleQuery{Region: os.Getenv("ASTRA_DB_REGION")}), nil
}

func firstSet(variables []string) (variable, value string) {
	for _, v := range variables {
		if value := strings.TrimSpace(os.Getenv(v)); value != "" {
			return v, value
		}
	}
	return "", ""
}
