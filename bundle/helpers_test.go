package bundle_test

import (
	"archive/zip"
	"bytes"
	"crypto/x509"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

const (
	databaseID = "0123abcd-0123-4567-89ab-0123456789ab"
	astraHost  = databaseID + "-us-east1.db.astra.datastax.com"
	hostID     = "6ef2bb2b-7da5-4d6c-9a4f-6e4d6d2f0a11"
)

// must ends the test at an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// sharedAuthority signs for the tests that do not care by whom.
var sharedAuthority = sync.OnceValue(func() *pki.Authority {
	authority, err := pki.NewAuthority("ca.db.astra-prod.datastax.com", pki.ECDSA)
	if err != nil {
		panic(err)
	}
	return authority
})

var sharedClient = sync.OnceValue(func() *pki.KeyPair {
	client, err := sharedAuthority().Issue(pki.Leaf{CommonName: "client", Client: true})
	if err != nil {
		panic(err)
	}
	return client
})

func contents() scb.Contents {
	return scb.Contents{
		Host: astraHost, Port: 29080, CQLPort: 29042, Keyspace: "shop", LocalDC: "us-east1",
		CA: sharedAuthority().Certificate(), Certificate: sharedClient().Certificate, Key: sharedClient().Key,
		KeyStorePassword: "secret-keystore", TrustStorePassword: "secret-truststore", PFXPassword: "secret-pfx",
	}
}

// sharedFiles are the entries of a whole bundle. The PKCS#12 file is quick to open.
var sharedFiles = sync.OnceValue(func() map[string][]byte {
	c := contents()
	files, err := scb.Files(c)
	if err != nil {
		panic(err)
	}
	files["cert.pfx"], err = pkcs12.LegacyDES.WithIterations(1).Encode(c.Key, c.Certificate, []*x509.Certificate{c.CA}, c.PFXPassword)
	if err != nil {
		panic(err)
	}
	return files
})

// files returns the entries of a whole bundle, for the test to change.
func files(testing.TB) map[string][]byte { return maps.Clone(sharedFiles()) }

// pack does not compress: under the race detector that takes longer than all the rest.
func pack(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var entries []rawEntry
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entries = append(entries, storedEntry(name, files[name]))
	}
	return rawZip(t, nil, entries...)
}

// with returns the files with changes: nil removes one.
func with(files, changes map[string][]byte) map[string][]byte {
	changed := maps.Clone(files)
	for name, data := range changes {
		if changed[name] = data; data == nil {
			delete(changed, name)
		}
	}
	return changed
}

func parse(t testing.TB, files map[string][]byte) *bundle.Bundle {
	t.Helper()
	return must[*bundle.Bundle](t)(bundle.Parse(pack(t, files)))
}

// writeDir writes the files into a new directory.
func writeDir(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fixture is a real bundle of 2019.
func fixture(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("../../shared/fixtures/java-driver-creds.zip")
	if err != nil {
		t.Skip(err)
	}
	return data
}

func unzip(t testing.TB, data []byte) map[string][]byte {
	t.Helper()
	r := must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(data), int64(len(data))))
	files := make(map[string][]byte)
	for _, file := range r.File {
		entry := must[io.ReadCloser](t)(file.Open())
		files[file.Name] = must[[]byte](t)(io.ReadAll(entry))
		entry.Close()
	}
	return files
}
