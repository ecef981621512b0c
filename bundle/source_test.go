package bundle_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// rotated is the content of a bundle by which Astra replaces the test bundle: another authority, certificate and key.
func rotated(t testing.TB) map[string][]byte {
	t.Helper()
	authority := must[*pki.Authority](t)(pki.NewAuthority("rotated", pki.ECDSA))
	client := must[*pki.KeyPair](t)(authority.Issue(pki.Leaf{CommonName: "rotated", Client: true}))
	c := contents()
	c.CA, c.Certificate, c.Key = authority.Certificate(), client.Certificate, client.Key
	return must[map[string][]byte](t)(scb.Files(c))
}

func commonName(b *bundle.Bundle) string { return b.Certificate().Subject.CommonName }

func current(t testing.TB, source bundle.Source, want string) *bundle.Bundle {
	t.Helper()
	b, err := source.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := commonName(b); got != want {
		t.Fatalf("got the bundle of %q, want that of %q", got, want)
	}
	return b
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBundleIsASource(t *testing.T) {
	t.Parallel()
	b := parse(t, files(t))
	var source bundle.Source = b
	if got := current(t, source, "client"); got != b {
		t.Error("another bundle")
	}
	source = bundle.SourceFunc(b.Current)
	if got := current(t, source, "client"); got != b {
		t.Error("another bundle")
	}
}

// A function that breaks the contract is an error where it is asked, not a panic where its bundle is used.
func TestSourceFuncOfNothing(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]bundle.SourceFunc{
		"nil":          nil,
		"returns nil":  func(context.Context) (*bundle.Bundle, error) { return nil, nil },
		"returns zero": func(context.Context) (*bundle.Bundle, error) { return new(bundle.Bundle), nil },
	} {
		if b, err := source.Current(t.Context()); err == nil || b != nil {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
	down := errors.New("vault is sealed")
	source := bundle.SourceFunc(func(context.Context) (*bundle.Bundle, error) { return nil, down })
	if _, err := source.Current(t.Context()); !errors.Is(err, down) {
		t.Error(err)
	}
}

func TestFileSource(t *testing.T) {
	t.Parallel()
	old, replaced := pack(t, files(t)), pack(t, rotated(t))
	name := filepath.Join(t.TempDir(), "bundle.zip")
	source := bundle.File(name)
	if _, err := source.Current(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before there is a file: %v", err)
	}
	write(t, name, old)
	first := current(t, source, "client")
	if again := current(t, source, "client"); again != first {
		t.Error("the same content gives another *Bundle")
	}

	// The time of the change tells nothing: here it is new for old content, then old for new content.
	info := must[fs.FileInfo](t)(os.Stat(name))
	write(t, name, old)
	if again := current(t, source, "client"); again != first {
		t.Error("the same content, written again, gives another *Bundle")
	}
	write(t, name, replaced)
	if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	second := current(t, source, "rotated")

	write(t, name, replaced[:len(replaced)/2])
	if _, err := source.Current(t.Context()); err == nil || !strings.Contains(err.Error(), "truncated") || !strings.Contains(err.Error(), name) {
		t.Errorf("half-written: %v", err)
	}
	write(t, name, replaced)
	if again := current(t, source, "rotated"); again != second {
		t.Error("after an error the same content gives another *Bundle")
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Current(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the file is gone: %v", err)
	}
	write(t, name, []byte(base64.StdEncoding.EncodeToString(old)))
	current(t, source, "client")
}

func TestFileSourceByRename(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "bundle.zip")
	write(t, name, pack(t, files(t)))
	source := bundle.File(name)
	current(t, source, "client")
	write(t, name+".new", pack(t, rotated(t)))
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
	current(t, source, "rotated")
}

func TestFileSourceOfADirectory(t *testing.T) {
	t.Parallel()
	dir := writeDir(t, files(t))
	source := bundle.File(dir)
	first := current(t, source, "client")
	if again := current(t, source, "client"); again != first {
		t.Error("the same content gives another *Bundle")
	}
	next := rotated(t)
	write(t, filepath.Join(dir, "cert"), next["cert"]) // the key comes later
	if _, err := source.Current(t.Context()); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("half-written: %v", err)
	}
	for name, data := range next {
		write(t, filepath.Join(dir, name), data)
	}
	current(t, source, "rotated")
}

// kubernetes lays out a mounted secret: its keys are symbolic links into ..data, which is one to the directory with this version's files.
func kubernetes(t testing.TB, volume, version string, files map[string][]byte) {
	t.Helper()
	dir := filepath.Join(volume, version)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		write(t, filepath.Join(dir, name), data)
		os.Symlink(filepath.Join("..data", name), filepath.Join(volume, name)) // there from the second version on
	}
	link := filepath.Join(volume, "..data")
	before, _ := os.Readlink(link)
	if err := os.Symlink(version, link+"_tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+"_tmp", link); err != nil {
		t.Fatal(err)
	}
	if before != "" {
		if err := os.RemoveAll(filepath.Join(volume, before)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFileSourceInKubernetes(t *testing.T) {
	t.Parallel()
	t.Run("secret with a zip", func(t *testing.T) {
		t.Parallel()
		volume := t.TempDir()
		kubernetes(t, volume, "..2026_01", map[string][]byte{"bundle.zip": pack(t, files(t))})
		source := bundle.File(filepath.Join(volume, "bundle.zip"))
		current(t, source, "client")
		kubernetes(t, volume, "..2026_02", map[string][]byte{"bundle.zip": pack(t, rotated(t))})
		current(t, source, "rotated")
	})
	t.Run("secret with the files", func(t *testing.T) {
		t.Parallel()
		volume := t.TempDir()
		kubernetes(t, volume, "..2026_01", files(t))
		source := bundle.File(volume)
		current(t, source, "client")
		kubernetes(t, volume, "..2026_02", rotated(t))
		current(t, source, "rotated")
	})
}

// Two versions with one certificate and key, but different authorities, so that a mixture of both would parse.
func TestFileSourceNeverMixesVersions(t *testing.T) {
	t.Parallel()
	other := must[*pki.Authority](t)(pki.NewAuthority("other", pki.ECDSA))
	versions := []map[string][]byte{
		with(files(t), map[string][]byte{"config.json": config(t, map[string]any{"keyspace": "a"})}),
		with(files(t), map[string][]byte{"config.json": config(t, map[string]any{"keyspace": "b"}), "ca.crt": other.CertPEM()}),
	}
	hosts := map[string]string{"a": string(sharedAuthority().CertPEM()), "b": string(other.CertPEM())}
	volume := t.TempDir()
	kubernetes(t, volume, "..0", versions[0])
	source := bundle.File(volume)

	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				b, err := source.Current(ctx)
				if err != nil {
					continue // between two versions
				}
				if got := string(unzip(t, b.Zip())["ca.crt"]); got != hosts[b.Keyspace()] {
					t.Errorf("keyspace %s with the authority of another version", b.Keyspace())
				}
			}
		})
	}
	for i := 1; i <= 100; i++ {
		kubernetes(t, volume, ".."+time.Unix(int64(i), 0).Format("150405"), versions[i%2])
	}
	cancel()
	readers.Wait()
}

func TestFileSourceConcurrently(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "bundle.zip")
	versions := [][]byte{pack(t, files(t)), pack(t, rotated(t))}
	write(t, name, versions[0])
	source := bundle.File(name)
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 50 {
				if b, err := source.Current(t.Context()); err == nil {
					b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost})
				}
			}
		})
	}
	for i := range 20 {
		write(t, name+".new", versions[i%2])
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
	last := current(t, source, "rotated")
	for range 4 {
		readers.Go(func() {
			if b, err := source.Current(t.Context()); b != last {
				t.Errorf("the same content gives another *Bundle: %v", err)
			}
		})
	}
	readers.Wait()
}

func TestFileSourceWithEndedContext(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "bundle.zip")
	write(t, name, pack(t, files(t)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bundle.File(name).Current(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
