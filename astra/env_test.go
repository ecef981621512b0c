package astra_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/astra"
)

// setenv clears the variables that ConfigFromEnv reads, and sets some.
func setenv(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "ASTRA_") {
			t.Setenv(name, "")
		}
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
}

func TestConfigFromEnv(t *testing.T) { // not parallel: it sets variables
	s := newServer(t)
	handle(s)
	zip := filepath.Join(t.TempDir(), "secure-connect-db.zip")
	if err := os.WriteFile(zip, s.BundleZip(), 0o600); err != nil {
		t.Fatal(err)
	}
	bearer := s.Token().Bearer()
	for name, variables := range map[string]map[string]string{
		"bundle file":               {"ASTRA_DB_APPLICATION_TOKEN": bearer, "ASTRA_DB_SECURE_BUNDLE_PATH": zip},
		"bundle in base64":          {"ASTRA_DB_APPLICATION_TOKEN": bearer, "ASTRA_SECURE_BUNDLE_B64": base64.StdEncoding.EncodeToString(s.BundleZip())},
		"database ID":               {"ASTRA_DB_APPLICATION_TOKEN": bearer, "ASTRA_DB_ID": s.DatabaseID, "ASTRA_API_URL": s.URL},
		"client ID and secret":      {"ASTRA_DB_CLIENT_ID": s.Token().ClientID(), "ASTRA_DB_CLIENT_SECRET": s.Token().Secret(), "ASTRA_DB_SECURE_BUNDLE_PATH": zip},
		"with a keyspace":           {"ASTRA_DB_APPLICATION_TOKEN": bearer, "ASTRA_BUNDLE": zip, "ASTRA_DB_KEYSPACE": "default_keyspace"},
		"a DevOps token of its own": {"ASTRA_DB_APPLICATION_TOKEN": bearer, "ASTRA_API_TOKEN": bearer, "ASTRA_DB_ID": s.DatabaseID, "ASTRA_API_URL": s.URL},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, variables)
			c, err := astra.ConfigFromEnv(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.Keyspace != variables["ASTRA_DB_KEYSPACE"] {
				t.Errorf("the keyspace is %q", c.Keyspace)
			}
			if err := query(connect(t, newCluster(t, c)), 1); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConfigFromEnvErrors(t *testing.T) { // not parallel: it sets variables
	s := newServer(t)
	bearer := s.Token().Bearer()
	for name, test := range map[string]struct {
		variables map[string]string
		says      string
	}{
		"nothing":           {nil, "ASTRA_DB_APPLICATION_TOKEN"},
		"no bundle":         {map[string]string{"ASTRA_DB_APPLICATION_TOKEN": bearer}, "ASTRA_DB_SECURE_BUNDLE_PATH"},
		"no such file":      {map[string]string{"ASTRA_DB_APPLICATION_TOKEN": bearer, "ASTRA_DB_SECURE_BUNDLE_PATH": "no-such.zip"}, "ASTRA_DB_SECURE_BUNDLE_PATH"},
		"base64 of nothing": {map[string]string{"ASTRA_DB_APPLICATION_TOKEN": bearer, "ASTRA_BUNDLE_B64": "bm90aGluZw=="}, "ASTRA_BUNDLE_B64"},
		"unknown database":  {map[string]string{"ASTRA_DB_APPLICATION_TOKEN": bearer, "ASTRA_DB_NAME": "nowhere", "ASTRA_API_URL": s.URL}, "ASTRA_DB_NAME"},
		"bad token":         {map[string]string{"ASTRA_DB_APPLICATION_TOKEN": "AstraCS:short"}, "ASTRA_DB_APPLICATION_TOKEN"},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, test.variables)
			_, err := astra.ConfigFromEnv(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), bearer) {
				t.Errorf("got %v, want an error that names %s and no secret", err, test.says)
			}
		})
	}
}
