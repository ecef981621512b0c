package astratest_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/token"
)

// only returns a file system with some of a zip's entries.
func only(t *testing.T, data []byte, names ...string) fs.FS {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, name := range names {
		content, err := fs.ReadFile(archive, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: content}
	}
	return files
}

func entryNames(t *testing.T, data []byte) (names []string) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.File {
		names = append(names, f.Name)
	}
	return names
}

// Not parallel, so that no other test's goroutines are counted.
func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		s := astratest.NewServer(astratest.ProxyAddrs(2), astratest.Host("db.astra.test"))
		addrs := s.ProxyAddrs()
		for _, serverName := range []string{"db.astra.test", unknownHostID} {
			tryDial(t, s, serverName)
		}
		s.RefuseUnknown(astratest.RefuseSilence)
		raw, err := net.Dial("tcp", addrs[0].String())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"db.astra.test", "other.astra.test"} {
			s.Resolver().LookupHost(t.Context(), name)
		}
		if resp, err := s.Client().Get(s.URL); err != nil {
			t.Error(err)
		} else {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		s.Close()
		if got := s.Stats().OpenConns; got != 0 {
			t.Errorf("%d connections after Close", got)
		}
		raw.Close()
		for _, addr := range addrs {
			if conn, err := net.Dial("tcp", addr.String()); err == nil {
				conn.Close()
				t.Errorf("something listens on %s after Close", addr)
			}
		}
		s.Close() // again: nothing happens
		s.MoveProxy()
		s.RefuseProxyAddr(0, true)
		s.RefuseProxyAddr(0, false)
	}
	waitFor(t, "all goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestManyServers(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			s := astratest.NewServer()
			defer s.Close()
			metadata(t, s)
		})
	}
	wg.Wait()
}

func TestToken(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	tok := s.Token()
	digest := sha256.Sum256([]byte(tok.Secret()))
	if want := "AstraCS:" + tok.ClientID() + ":" + hex.EncodeToString(digest[:]); tok.Bearer() != want {
		t.Error("the token's tail is not the digest of its secret")
	}
	if username, _ := tok.CQL(); username != "token" {
		t.Errorf("user name %q", username)
	}
	parsed, err := token.Parse(tok.Bearer())
	if err != nil || !strings.HasPrefix(parsed.Bearer(), "AstraCS:") {
		t.Errorf("token.Parse: %v", err)
	}
}

func TestOptionsPanic(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"no nodes":           func() { astratest.NodeCount(0) },
		"no addresses":       func() { astratest.ProxyAddrs(0) },
		"too many addresses": func() { astratest.ProxyAddrs(255) },
		"no host":            func() { astratest.Host("") },
		"status 0":           func() { astratest.MetadataStatus(0) },
		"backend, no ID":     func() { astratest.Backends(astratest.Backend{Addr: "127.0.0.1:9042"}) },
		"backend, no port":   func() { astratest.Backends(astratest.Backend{HostID: unknownHostID, Addr: "127.0.0.1"}) },
		"backend twice": func() {
			b := astratest.Backend{HostID: unknownHostID, Addr: "127.0.0.1:9042"}
			astratest.Backends(b, b)
		},
		"SetBackends without Backends": func() {
			s := astratest.NewServer()
			defer s.Close()
			s.SetBackends()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func BenchmarkNewServer(b *testing.B) {
	for b.Loop() {
		astratest.NewServer().Close()
	}
}
