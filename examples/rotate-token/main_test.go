package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/token"
)

// setup returns an Astra, an administrator's client of it, and a file with a service's token.
func setup(t *testing.T) (s *astratest.Server, admin *devops.Client, old token.Token, file string) {
	s = astratest.NewServer()
	t.Cleanup(s.Close)
	t.Setenv("ASTRA_API_TOKEN", s.Token().Bearer())
	admin, err := devops.NewClient(devops.Config{Token: s.Token(), BaseURL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	old, err = admin.CreateToken(context.Background(), devops.TokenRequest{Roles: []string{"R/W User"}, Description: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "astra-token.json")
	if err := os.WriteFile(file, []byte(old.Bearer()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, admin, old, file
}

// rotate runs the command, and checks that it prints no secret and leaves one whole file.
func rotate(t *testing.T, ctx context.Context, s *astratest.Server, file string, args ...string) (string, error) {
	t.Helper()
	before, err := token.File(file).Current(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	runErr := run(ctx, append([]string{"-api", s.URL, "-f", file, "-grace", "1ms"}, args...), &out, &errs)
	if errs.Len() > 0 {
		t.Errorf("progress without a terminal: %q", &errs)
	}
	after, err := token.File(file).Current(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	printed := out.String()
	if runErr != nil {
		printed += runErr.Error()
	}
	for _, tok := range []token.Token{s.Token(), before, after} {
		for _, secret := range []string{tok.Bearer(), tok.Secret(), tok.Bearer()[33:]} {
			if secret != "" && strings.Contains(printed, secret) {
				t.Errorf("%q shows a secret", printed)
			}
		}
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
	return out.String(), runErr
}

func exists(t *testing.T, admin *devops.Client, clientID string) bool {
	t.Helper()
	all, err := admin.Tokens(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(all, func(i devops.TokenInfo) bool { return i.ClientID == clientID })
}

func TestRotate(t *testing.T) {
	s, admin, old, file := setup(t)
	program := token.File(file) // reads the file all the time, as a service does
	for range 2 {
		out, err := rotate(t, context.Background(), s, file)
		if err != nil {
			t.Fatal(err)
		}
		current, err := program.Current(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if current.Equal(old) || current.Secret() == "" || !exists(t, admin, current.ClientID()) || exists(t, admin, old.ClientID()) {
			t.Error("the token was not replaced, or the old one not deleted")
		}
		if want := "created   " + current.ClientID() + "\nreplaced  " + file + "\ndeleted   " + old.ClientID() + "\n"; out != want {
			t.Errorf("printed %q", out)
		}
		if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		old = current
	}
}

// The old token works until the file has been replaced.
func TestOrder(t *testing.T) {
	s, admin, old, file := setup(t)
	s.DevOps().Intercept("DELETE", 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		current, err := token.File(file).Current(r.Context())
		if err != nil || current.Equal(old) {
			t.Error("the old token is deleted before the file has the new one:", err)
		}
		s.DevOps().ServeHTTP(w, r)
	}))
	if _, err := rotate(t, context.Background(), s, file); err != nil || exists(t, admin, old.ClientID()) {
		t.Error(err)
	}
}

func TestFailures(t *testing.T) {
	t.Run("no permission", func(t *testing.T) {
		s, admin, old, file := setup(t)
		t.Setenv("ASTRA_API_TOKEN", old.Bearer())
		_, err := rotate(t, context.Background(), s, file)
		if !errors.Is(err, devops.ErrForbidden) || !exists(t, admin, old.ClientID()) || !strings.Contains(err.Error(), "Organization Administrator") {
			t.Error(err)
		}
	})
	t.Run("file cannot be replaced", func(t *testing.T) {
		if runtime.GOOS == "windows" || os.Getuid() == 0 {
			t.Skip("directories cannot be protected from us here")
		}
		s, admin, old, file := setup(t)
		if err := os.Chmod(filepath.Dir(file), 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(filepath.Dir(file), 0o700)
		out, err := rotate(t, context.Background(), s, file)
		if err == nil || !strings.Contains(out, "again") || !exists(t, admin, old.ClientID()) {
			t.Error(out, err)
		}
		if all, err := admin.Tokens(context.Background()); err != nil || len(all) != 2 {
			t.Errorf("%d tokens, want the administrator's and the old one; %v", len(all), err)
		}
	})
	t.Run("interrupted in the grace period", func(t *testing.T) {
		s, admin, old, file := setup(t)
		ctx, cancel := context.WithCancel(context.Background())
		s.DevOps().Intercept("POST", 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.DevOps().ServeHTTP(w, r)
			go func() {
				for { // until the file has the new token
					if current, err := token.File(file).Current(context.Background()); err == nil && !current.Equal(old) {
						cancel()
						return
					}
				}
			}()
		}))
		_, err := rotate(t, ctx, s, file, "-grace", "1h")
		var e *devops.RotationError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || !exists(t, admin, old.ClientID()) || !exists(t, admin, e.New) {
			t.Error(err)
		}
		if current, err := token.File(file).Current(context.Background()); err != nil || current.ClientID() != e.New {
			t.Error("the file does not have the new token:", err)
		}
	})
	t.Run("arguments", func(t *testing.T) {
		s, _, _, file := setup(t)
		for _, args := range [][]string{nil, {"-f", file, "x"}, {"-f", file + "x"}, {"-f", file, "-api", "http://example.com"},
			{"-api", s.URL, "-f", file, "-expires", "-1h"}, {"-api", s.URL, "-f", file, "-grace", "-1s"}} {
			if err := run(context.Background(), args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
				t.Errorf("%q passed", args)
			}
		}
		if n := len(s.DevOps().Requests()); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}
