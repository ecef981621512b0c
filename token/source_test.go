package token_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/token"
)

var otherTokenString = "AstraCS:" + otherClientID + ":" + strings.Repeat("b1", 32)

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// setenv sets exactly these variables of all that this package reads.
func setenv(t *testing.T, pairs ...string) {
	t.Helper()
	for _, name := range []string{
		"ASTRA_DB_APPLICATION_TOKEN", "ASTRA_DB_TOKEN", "ASTRA_TOKEN", "ASTRA_API_TOKEN", "ASTRA_ORG_TOKEN",
		"ASTRA_DB_CLIENT_ID", "ASTRA_DB_CLIENT_SECRET", "ASTRARC", "ASTRA_PROFILE", "XDG_CONFIG_HOME",
	} {
		t.Setenv(name, "")
	}
	for i := 0; i < len(pairs); i += 2 {
		t.Setenv(pairs[i], pairs[i+1])
	}
}

func TestEnvOrder(t *testing.T) {
	for _, tc := range []struct {
		name   string
		src    token.Source
		env    []string
		origin string
	}{
		{"application token", token.Env(), []string{"ASTRA_DB_APPLICATION_TOKEN", tokenString, "ASTRA_DB_TOKEN", otherTokenString}, "environment variable ASTRA_DB_APPLICATION_TOKEN"},
		{"database token", token.Env(), []string{"ASTRA_DB_TOKEN", tokenString, "ASTRA_TOKEN", otherTokenString}, "environment variable ASTRA_DB_TOKEN"},
		{"cql-proxy's", token.Env(), []string{"ASTRA_TOKEN", `"` + tokenString + `"`}, "environment variable ASTRA_TOKEN"},
		{"blank counts as unset", token.Env(), []string{"ASTRA_DB_APPLICATION_TOKEN", " ", "ASTRA_TOKEN", tokenString}, "environment variable ASTRA_TOKEN"},
		{"ID and secret", token.Env(), []string{"ASTRA_DB_CLIENT_ID", clientID, "ASTRA_DB_CLIENT_SECRET", secret}, "environment variables ASTRA_DB_CLIENT_ID and ASTRA_DB_CLIENT_SECRET"},
		{"the administrator's is not for CQL", token.Env(), []string{"ASTRA_API_TOKEN", otherTokenString, "ASTRA_ORG_TOKEN", otherTokenString, "ASTRA_DB_TOKEN", tokenString}, "environment variable ASTRA_DB_TOKEN"},
		{"DevOps", token.EnvDevOps(), []string{"ASTRA_API_TOKEN", tokenString, "ASTRA_ORG_TOKEN", otherTokenString, "ASTRA_DB_APPLICATION_TOKEN", otherTokenString}, "environment variable ASTRA_API_TOKEN"},
		{"DevOps, organization", token.EnvDevOps(), []string{"ASTRA_ORG_TOKEN", tokenString, "ASTRA_DB_APPLICATION_TOKEN", otherTokenString}, "environment variable ASTRA_ORG_TOKEN"},
		{"DevOps falls back", token.EnvDevOps(), []string{"ASTRA_DB_APPLICATION_TOKEN", tokenString}, "environment variable ASTRA_DB_APPLICATION_TOKEN"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			setenv(t, tc.env...)
			tok, err := tc.src.Current(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if tok.Bearer() != tokenString || tok.Origin() != tc.origin {
				t.Errorf("%v came from %q", tok, tok.Origin())
			}
		})
	}
}

func TestEnvErrors(t *testing.T) {
	setenv(t)
	_, err := token.Env().Current(context.Background())
	wantError(t, err, "set ASTRA_DB_APPLICATION_TOKEN")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("an empty environment is not fs.ErrNotExist")
	}

	// A damaged token is reported: the next variable may hold another organization's.
	setenv(t, "ASTRA_DB_APPLICATION_TOKEN", clientID, "ASTRA_DB_TOKEN", tokenString)
	_, err = token.First(token.Env(), parse(t, tokenString)).Current(context.Background())
	wantError(t, err, "ASTRA_DB_APPLICATION_TOKEN: the token has the form of a client ID", clientID)

	setenv(t, "ASTRA_DB_CLIENT_ID", clientID)
	_, err = token.Env().Current(context.Background())
	wantError(t, err, "client secret is empty")
}

func TestFileForms(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"bare":              tokenString + "\n",
		"quoted":            `"` + tokenString + `"`,
		"json":              `{"clientId":"` + clientID + `","secret":"` + secret + `","token":"` + tokenString + `"}`,
		"csv":               "\"Client Id\",\"Client Secret\",\"Token\",\"Role\"\n\"" + clientID + "\",\"" + secret + "\",\"" + tokenString + "\",\"x\"\n",
		"csv without token": "Client Id,Client Secret\n" + clientID + ",\"" + secret + "\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "secret")
			write(t, file, content)
			tok, err := token.File(file).Current(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if tok.Bearer() != tokenString || tok.Origin() != "file "+file {
				t.Errorf("%v came from %q", tok, tok.Origin())
			}
		})
	}
}

func TestFileErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx := context.Background()

	_, err := token.File(filepath.Join(dir, "none")).Current(ctx)
	wantError(t, err, "none")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("a missing file is not fs.ErrNotExist")
	}
	_, err = token.File("").Current(ctx)
	wantError(t, err, "file")
	_, err = token.File(dir).Current(ctx)
	wantError(t, err, "not a regular file")
	if runtime.GOOS == "linux" {
		_, err = token.File("/dev/zero").Current(ctx)
		wantError(t, err, "not a regular file")
	}

	for name, tc := range map[string]struct{ content, want string }{
		"empty":           {"", "is empty"},
		"UTF-16":          {"\xff\xfeA\x00s\x00", "UTF-16"},
		"half written":    {tokenString[:50], "copy it whole"},
		"half JSON":       {`{"token":"` + tokenString[:50], "malformed"},
		"huge":            {strings.Repeat("a", 1<<20+1), "more than"},
		"not a token":     {strings.Repeat("a", 1<<19), "neither the JSON nor the CSV"},
		"service account": {`{"clientName":"x","clientId":"y","clientSecret":"` + secret + `"}`, "service account"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			write(t, file, tc.content)
			_, err := token.File(file).Current(ctx)
			wantError(t, err, tc.want, tc.content)
			wantError(t, err, filepath.Base(file))
		})
	}

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := token.File(filepath.Join(dir, "empty")).Current(canceled); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFileIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	src := token.File(file)
	for _, want := range []string{tokenString, otherTokenString, tokenString} {
		write(t, file, want)
		tok, err := src.Current(context.Background())
		if err != nil || tok.Bearer() != want {
			t.Fatal("the file was not read again", err)
		}
	}
}

// Kubernetes mounts a secret as file -> ..data/file, ..data -> ..<timestamp>, and swaps ..data (users P11).
func TestFileSeesKubernetesSwap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	for version, content := range map[string]string{"..1": tokenString, "..2": otherTokenString} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "token"), content)
	}
	link("..1", "..data")
	link(filepath.Join("..data", "token"), "token")
	src := token.File(filepath.Join(dir, "token"))
	if tok, err := src.Current(context.Background()); err != nil || tok.Bearer() != tokenString {
		t.Fatal("first version:", err)
	}
	link("..2", "..data_tmp")
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	if tok, err := src.Current(context.Background()); err != nil || tok.Bearer() != otherTokenString {
		t.Fatal("after the swap:", err)
	}
}

func TestAstrarc(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ content, profile, want string }{
		"default":        {"[default]\nASTRA_DB_APPLICATION_TOKEN=" + tokenString + "\nASTRA_ENV=PROD\n", "default", ""},
		"spaces":         {"# mine\n; too\n\n [ work ] \n ASTRA_DB_APPLICATION_TOKEN = " + tokenString + " \r\n", "work", ""},
		"quotes":         {"[p]\nASTRA_DB_APPLICATION_TOKEN=\"" + tokenString + "\"\n", "p", ""},
		"comment behind": {"[p]\nASTRA_DB_APPLICATION_TOKEN=" + tokenString + " # rotated in May\n", "p", ""},
		"second profile": {"[a]\nASTRA_DB_APPLICATION_TOKEN=" + otherTokenString + "\n[b]\nASTRA_DB_APPLICATION_TOKEN=" + tokenString, "b", ""},
		"no profile":     {"[a]\nASTRA_DB_APPLICATION_TOKEN=" + tokenString, "b", "no such profile"},
		"no token":       {"[a]\nASTRA_ENV=DEV", "a", "has no ASTRA_DB_APPLICATION_TOKEN"},
		"empty file":     {"", "a", "no such profile"},
		"twice":          {"[a]\nASTRA_ENV=DEV\n[a]\n", "a", "line 3: the profile stands in the file twice"},
		"key twice":      {"[a]\nASTRA_ENV=DEV\nASTRA_ENV=PROD", "a", "line 3: the key stands in the profile twice"},
		"bare token":     {tokenString + "\n", "a", "line 1 is neither"},
		"before":         {"ASTRA_DB_APPLICATION_TOKEN=" + tokenString, "a", "line 1 stands before"},
		"no bracket":     {"[a\n", "a", "line 1: a profile's name"},
		"bad token":      {"[a]\nASTRA_DB_APPLICATION_TOKEN=" + clientID, "a", "form of a client ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "astrarc")
			write(t, file, tc.content)
			tok, err := token.Astrarc(file, tc.profile).Current(context.Background())
			if tc.want != "" {
				wantError(t, err, tc.want)
				wantError(t, err, "profile "+tc.profile+" of "+file)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := "profile " + tc.profile + " of " + file; tok.Bearer() != tokenString || tok.Origin() != want {
				t.Errorf("%v came from %q", tok, tok.Origin())
			}
		})
	}
}

func TestAstrarcFalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rc"), "[a]\nASTRA_ENV=DEV\n")
	for _, src := range []token.Source{
		token.Astrarc(filepath.Join(dir, "none"), "a"), token.Astrarc(filepath.Join(dir, "rc"), "b"), token.Astrarc(filepath.Join(dir, "rc"), "a"),
	} {
		if _, err := src.Current(context.Background()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not fs.ErrNotExist", err)
		}
	}
}

// ASTRARC, then $XDG_CONFIG_HOME/astra/.astrarc, then ~/.astrarc; ASTRA_PROFILE, then default (devops-api 4.3).
func TestAstrarcPlaces(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the home directory is not $HOME")
	}
	dir := t.TempDir()
	home, xdg, explicit := filepath.Join(dir, "home"), filepath.Join(dir, "xdg"), filepath.Join(dir, "explicit")
	for _, d := range []string{home, filepath.Join(xdg, "astra")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	content := "[default]\nASTRA_DB_APPLICATION_TOKEN=" + tokenString + "\n[work]\nASTRA_DB_APPLICATION_TOKEN=" + otherTokenString + "\n"
	write(t, filepath.Join(home, ".astrarc"), content)
	check := func(origin string) {
		t.Helper()
		tok, err := token.Astrarc("", "").Current(context.Background())
		if err != nil || tok.Origin() != origin {
			t.Errorf("came from %q, want %q; error %v", tok.Origin(), origin, err)
		}
	}
	setenv(t, "HOME", home, "XDG_CONFIG_HOME", xdg)
	check("profile default of " + filepath.Join(home, ".astrarc"))
	write(t, filepath.Join(xdg, "astra", ".astrarc"), content)
	check("profile default of " + filepath.Join(xdg, "astra", ".astrarc"))
	write(t, explicit, content)
	t.Setenv("ASTRARC", explicit)
	check("profile default of " + explicit)
	t.Setenv("ASTRA_PROFILE", "work")
	check("profile work of " + explicit)
	t.Setenv("ASTRARC", explicit+"-missing")
	if _, err := token.Astrarc("", "").Current(context.Background()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file named by ASTRARC that is missing was replaced by another:", err)
	}
}
