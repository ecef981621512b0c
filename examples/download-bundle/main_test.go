package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

func server(t *testing.T) *astratest.Server {
	s := astratest.NewServer()
	t.Cleanup(s.Close)
	s.DevOps().AddRegion("europe-west1")
	s.DevOps().AddDomain("db.example.com")
	for _, name := range []string{"ASTRA_ORG_TOKEN", "ASTRA_DB_APPLICATION_TOKEN", "ASTRA_DB_TOKEN", "ASTRA_TOKEN", "ASTRA_DB_CLIENT_ID", "ASTRA_DB_CLIENT_SECRET", "ASTRA_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("ASTRARC", filepath.Join(t.TempDir(), "none"))
	t.Setenv("ASTRA_API_TOKEN", s.Token().Bearer())
	return s
}

// download runs the command in a directory of its own, and returns what it left there.
func download(t *testing.T, s *astratest.Server, args ...string) (stdout string, files map[string][]byte, err error) {
	t.Helper()
	dir := t.TempDir()
	var out, errs bytes.Buffer
	err = run(context.Background(), append([]string{"-api", s.URL, "-d", dir}, args...), &out, &errs)
	if errs.Len() > 0 && err == nil {
		t.Errorf("progress without a terminal: %q", &errs)
	}
	files = make(map[string][]byte)
	entries, readErr := os.ReadDir(dir)
	if readErr != nil {
		t.Fatal(readErr)
	}
	for _, e := range entries {
		info, statErr := e.Info()
		if statErr != nil {
			t.Fatal(statErr)
		}
		if runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%s has the mode %v", e.Name(), info.Mode())
		}
		if files[e.Name()], readErr = os.ReadFile(filepath.Join(dir, e.Name())); readErr != nil {
			t.Fatal(readErr)
		}
	}
	for _, text := range []string{out.String(), errs.String()} {
		if strings.Contains(text, s.Token().Bearer()) || strings.Contains(text, "X-Amz-") {
			t.Errorf("%q shows a secret", text)
		}
	}
	return strings.ReplaceAll(out.String(), dir+string(filepath.Separator), ""), files, err
}

// The file is byte for byte what the link served.
func TestDownload(t *testing.T) {
	s := server(t)
	for name, tc := range map[string]struct {
		args []string
		file string
	}{
		"name":         {[]string{"testdb"}, "secure-connect-testdb.zip"},
		"ID":           {[]string{s.DatabaseID}, "secure-connect-testdb.zip"},
		"region":       {[]string{"-r", "europe-west1", "testdb"}, "secure-connect-testdb-europe-west1.zip"},
		"region after": {[]string{"testdb", "-r", "europe-west1"}, "secure-connect-testdb-europe-west1.zip"},
		"internal":     {[]string{"-kind", "internal", "testdb"}, "secure-connect-internal-testdb.zip"},
		"domain":       {[]string{"-domain", "db.example.com", "testdb"}, "secure-connect-testdb-db.example.com.zip"},
	} {
		t.Run(name, func(t *testing.T) {
			var served []byte
			s.DevOps().Intercept("GET /store", 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.DevOps().ServeHTTP(&tee{ResponseWriter: w, data: &served}, r)
			}))
			stdout, files, err := download(t, s, tc.args...)
			if err != nil {
				t.Fatal(err)
			}
			if stdout != tc.file+"\n" || len(files) != 1 || !bytes.Equal(files[tc.file], served) || len(served) == 0 {
				t.Errorf("printed %q and wrote %d files", stdout, len(files))
			}
			if name == "name" && !bytes.Equal(served, s.BundleZip()) {
				t.Error("not the database's bundle")
			}
		})
	}
}

type tee struct {
	http.ResponseWriter
	data *[]byte
}

func (t *tee) Write(p []byte) (int, error) {
	*t.data = append(*t.data, p...)
	return t.ResponseWriter.Write(p)
}

// A failure says what to do, and leaves no file.
func TestFailures(t *testing.T) {
	s := server(t)
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no database":    {nil, "give the name or ID"},
		"two databases":  {[]string{"a", "b"}, "give the name or ID"},
		"unknown":        {[]string{"nobody"}, "none of the organization's 1 databases"},
		"unknown region": {[]string{"-r", "mars", "testdb"}, "europe-west1, us-east1"},
		"unknown kind":   {[]string{"-kind", "external", "testdb"}, `no kind "external"`},
		"no such bundle": {[]string{"-kind", "migration-proxy", "testdb"}, "no such bundle"},
		"no profile":     {[]string{"-profile", "work", "testdb"}, "profile work"},
		"no directory":   {[]string{"-d", filepath.Join(t.TempDir(), "none"), "testdb"}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, files, err := download(t, s, tc.args...)
			if err == nil || !strings.Contains(err.Error(), tc.want) || stdout != "" || len(files) != 0 {
				t.Errorf("%v; printed %q and wrote %d files", err, stdout, len(files))
			}
		})
	}
	t.Run("hibernated", func(t *testing.T) {
		s.Hibernate()
		defer s.Wake()
		if _, files, err := download(t, s, "testdb"); err == nil || !strings.Contains(err.Error(), "HIBERNATED") || len(files) != 0 {
			t.Error(err)
		}
	})
	t.Run("no token", func(t *testing.T) {
		t.Setenv("ASTRA_API_TOKEN", "")
		if _, files, err := download(t, s, "testdb"); err == nil || !strings.Contains(err.Error(), "ASTRA_API_TOKEN") || len(files) != 0 {
			t.Error(err)
		}
	})
}

func TestFileName(t *testing.T) {
	t.Parallel()
	for database, want := range map[string]string{"my db": "secure-connect-my db.zip", "../a\x00b": "secure-connect-.._a_b.zip", `c:\d`: "secure-connect-c__d.zip"} {
		if got := fileName(database, "public", "", ""); got != want {
			t.Errorf("%q: %q", database, got)
		}
	}
}
