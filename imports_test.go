package astrago_test

import (
	"bufio"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/seed-5f06b232/astra-go"

const (
	gocql    = "github.com/apache/cassandra-gocql-driver/v2"
	keystore = "github.com/pavlo-v-chernykh/keystore-go/v4"
	pkcs12   = "software.sslmate.com/src/go-pkcs12"
)

// allowed are the packages outside the standard library that each package may import. Every one may import internal packages, which may import
// the standard library and one another.
var allowed = map[string][]string{
	"token":           {},
	"bundle":          {keystore, pkcs12},
	"devops":          {module + "/token", module + "/bundle"},
	"astra":           {module + "/token", module + "/bundle", module + "/devops", gocql},
	"astra/astratest": {module + "/token", module + "/bundle"},
	"internal/scb":    {keystore, pkcs12},
	".":               {},
}

// Users count dependencies. A package imports what its purpose needs and nothing else.
func TestImports(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != "." && (strings.HasPrefix(base, ".") || base == "testdata") || isModule(name) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(name))
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if !mayImport(pkg, imported) {
				t.Errorf("%s: package %s must not import %s", name, pkg, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return dir != "." && err == nil
}

func mayImport(pkg, imported string) bool {
	switch {
	case imported == "testing" || imported == "flag":
		return strings.HasPrefix(pkg, "examples/") && imported == "flag"
	case !strings.Contains(strings.Split(imported, "/")[0], "."): // the standard library
		return true
	case strings.HasPrefix(imported, module+"/internal/"):
		return true
	case slices.Contains(allowed[pkg], imported):
		return true
	case strings.HasPrefix(pkg, "examples/"):
		return imported == gocql || imported == module || strings.HasPrefix(imported, module+"/")
	}
	return false
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	file, err := os.Open("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var direct []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "require ")
		fields := strings.Fields(line)
		if len(fields) == 2 && strings.HasPrefix(fields[1], "v") && path.IsAbs("/"+fields[0]) {
			direct = append(direct, fields[0])
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(direct)
	want := []string{gocql, "github.com/google/go-cmp", keystore, pkcs12}
	if !slices.Equal(direct, want) {
		t.Errorf("direct dependencies are %q, want %q", direct, want)
	}
}
