package astra_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
)

func newServer(t testing.TB, options ...astratest.Option) *astratest.Server {
	t.Helper()
	s := astratest.NewServer(options...)
	t.Cleanup(s.Close)
	return s
}

func config(s *astratest.Server) astra.Config {
	return astra.Config{Bundle: s.Bundle(), Token: s.Token(), Resolver: s.Resolver()}
}

func newDialer(t testing.TB, c astra.Config) *astra.Dialer {
	t.Helper()
	d, err := astra.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func metadata(t testing.TB, d *astra.Dialer) *astra.Metadata {
	t.Helper()
	m, err := d.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDialNode(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDialer(t, config(s))
	ids := metadata(t, d).ContactPoints
	if len(ids) != 3 {
		t.Fatalf("contact points are %q, want three", ids)
	}
	for _, id := range slices.Concat(ids, []string{strings.ToUpper(ids[0])}) {
		conn, err := d.DialNode(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	stats := s.Stats()
	if stats.MetadataRequests != 1 || stats.Dials != 4 || stats.BySNI[ids[0]] != 2 || stats.BySNI[ids[1]] != 1 || stats.BySNI[ids[2]] != 1 {
		t.Errorf("the server saw %+v, want one request for metadata, and each node dialed by its host ID", stats)
	}
}

func TestDialsShareOneMetadataRequest(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDialer(t, config(s))
	var dials sync.WaitGroup
	for range 20 {
		dials.Go(func() {
			conn, err := d.DialNode(t.Context(), "")
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	dials.Wait()
	if n := s.Stats().MetadataRequests; n > 2 { // on a machine so busy that handshakes look suspicious, the answer is checked once
		t.Errorf("%d requests for metadata, want 1", n)
	}
}

func TestSessionsAreResumed(t *testing.T) {
	t.Parallel()
	for _, disabled := range []bool{false, true} {
		s := newServer(t)
		c := config(s)
		c.DisableSessionResumption = disabled
		d := newDialer(t, c)
		for range 3 {
			conn, err := d.DialNode(t.Context(), "") // reads, and so gets a ticket
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
		id := metadata(t, d).ContactPoints[0]
		for range 2 {
			conn, err := d.DialNode(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
		// The server completes a TLS 1.3 handshake, and counts it, after the client does.
		eventually(t, "all handshakes are counted", func() bool { return s.Stats().Handshakes == 5 })
		if resumed := s.Stats().Resumed; (resumed > 0) == disabled {
			t.Errorf("DisableSessionResumption is %v; %d of 5 handshakes resumed a session", disabled, resumed)
		}
	}
}

func TestReplacedNodesAreNoticedHoweverTheProxyRefuses(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]astratest.Refusal{
		"alert": astratest.RefuseAlert, "close": astratest.RefuseClose, "silence": astratest.RefuseSilence,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.RefuseUnknown(refusal)
			d := newDialer(t, config(s))
			conn, err := d.DialNode(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			old := metadata(t, d).ContactPoints
			s.ReplaceNodes(astratest.Replacement{})
			conn, err = d.DialNode(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if now := metadata(t, d).ContactPoints; slices.ContainsFunc(now, func(id string) bool { return slices.Contains(old, id) }) {
				t.Errorf("contact points are %q still", now)
			}
		})
	}
}

func TestDialFollowsTheProxy(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := newDialer(t, config(s))
	m := metadata(t, d)
	s.MoveProxy()
	conn, err := d.DialNode(t.Context(), m.ContactPoints[0])
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if metadata(t, d).ProxyAddr == m.ProxyAddr {
		t.Error("the metadata still names the old proxy")
	}
}

func TestASilentAddressIsOvertaken(t *testing.T) {
	t.Parallel()
	s := newServer(t, astratest.Host("db.example"), astratest.ProxyAddrs(3))
	s.SilenceProxyAddr(1, true)
	d := newDialer(t, config(s))
	id := metadata(t, d).ContactPoints[0]
	for range 6 {
		conn, err := d.DialNode(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

func TestARefusingAddressIsPassedOver(t *testing.T) {
	t.Parallel()
	s := newServer(t, astratest.Host("db.example"), astratest.ProxyAddrs(3))
	s.RefuseProxyAddr(0, true)
	s.RefuseProxyAddr(2, true)
	d := newDialer(t, config(s))
	id := metadata(t, d).ContactPoints[0]
	for range 6 {
		conn, err := d.DialNode(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

func TestOldAddressesServeWhileNamesDoNotResolve(t *testing.T) {
	t.Parallel()
	s := newServer(t, astratest.Host("db.example"))
	c := config(s)
	c.MetadataMaxAge = time.Nanosecond
	d := newDialer(t, c)
	id := metadata(t, d).ContactPoints[0]
	conn, err := d.DialNode(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	s.SetDNS(astratest.DNSFail)
	conn, err = d.DialNode(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestAnUnresolvableNameIsAnError(t *testing.T) {
	t.Parallel()
	s := newServer(t, astratest.Host("db.example"))
	s.SetDNS(astratest.DNSNotFound)
	_, err := newDialer(t, config(s)).Metadata(t.Context())
	var dns *net.DNSError
	if !errors.As(err, &dns) || !strings.Contains(err.Error(), "db.example") {
		t.Errorf("got %v, want a *net.DNSError that names db.example", err)
	}
}

func TestDialContextGetsNames(t *testing.T) {
	t.Parallel()
	for _, resolve := range []bool{false, true} {
		s := newServer(t, astratest.Host("db.example"))
		c := config(s)
		if !resolve {
			c.Resolver = nil
		}
		var mu sync.Mutex
		var hosts []string
		c.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			hosts = append(hosts, host)
			mu.Unlock()
			var d net.Dialer
			return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		}
		conn, err := newDialer(t, c).DialNode(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		want := "db.example"
		if resolve {
			want = "127.0.0.1"
		}
		mu.Lock()
		if slices.ContainsFunc(hosts, func(h string) bool { return h != want }) || len(hosts) < 2 {
			t.Errorf("with Resolver %v, DialContext was given %q, want %q each time", resolve, hosts, want)
		}
		mu.Unlock()
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.SilenceProxy(true)
	d := newDialer(t, config(s))
	id := metadata(t, d).ContactPoints[0]
	for _, hostID := range []string{id, ""} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := d.DialNode(ctx, hostID)
		cancel()
		var op *net.OpError
		var dial *astra.DialError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &op) || !errors.As(err, &dial) || dial.HostID != hostID {
			t.Errorf("got %v, want a *net.OpError with a *DialError with context.DeadlineExceeded", err)
		}
	}
}

func TestDialTimeoutBoundsEachDial(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*astratest.Server){
		"proxy silent":             func(s *astratest.Server) { s.SilenceProxy(true) },
		"metadata service hanging": func(s *astratest.Server) { s.SetMetadata(astratest.MetadataHang) },
		"name server silent":       func(s *astratest.Server) { s.SetDNS(astratest.DNSSilent) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, astratest.Host("db.example"))
			fault(s)
			c := config(s)
			c.DialTimeout = 100 * time.Millisecond
			_, err := newDialer(t, c).DialNode(t.Context(), "")
			if err == nil {
				t.Fatal("it connected")
			}
			t.Log(err)
		})
	}
}

// Each answer of a broken service is an error of one line that says what came and from where.
func TestMetadataErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		status  int
		want    string
	}{
		"404": {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, 404, "status 404"},
		"400 with a message": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			w.Write([]byte(`{"code":400,"message":"Invalid version"}`))
		}, 400, "Invalid version"},
		"400 with an array": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(400); w.Write([]byte(`[]`)) }, 400, "status 400"},
		"500 with HTML": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(500)
			w.Write([]byte("<html>"))
		}, 500, "HTML page"},
		"503 with valid body": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			w.Write([]byte(`{"contact_info":{"local_dc":"dc","contact_points":["a"],"sni_proxy_address":"a:1"}}`))
		}, 503, "status 503"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
		}, 302, "redirect"},
		"503 after more than the second that starts another request": {func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(1200 * time.Millisecond)
			w.WriteHeader(503)
		}, 503, "status 503"},
		"204":  {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }, 204, "status 204"},
		"null": {func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("null")) }, 200, "no contact_info"},
		"truncated": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("{"))
		}, 200, "broke off"},
		"huge": {func(w http.ResponseWriter, r *http.Request) {
			for range 1 << 11 {
				w.Write(make([]byte, 1<<10))
			}
		}, 200, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.SetMetadataHandler(test.handler)
			_, err := newDialer(t, config(s)).Metadata(t.Context())
			var metadata *astra.MetadataError
			if !errors.As(err, &metadata) || metadata.StatusCode != test.status || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), s.Bundle().MetadataURL()) {
				t.Errorf("got %v, want a *MetadataError with status %d, %q and the URL", err, test.status, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %v", err)
			}
		})
	}
}

func TestTheLastGoodMetadataServes(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]astratest.MetadataMode{
		"down": astratest.MetadataDown, "hanging": astratest.MetadataHang, "garbage": astratest.MetadataGarbage, "status 503": astratest.MetadataStatus(503),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			c := config(s)
			c.MetadataMaxAge = time.Nanosecond // each dial asks again
			d := newDialer(t, c)
			id := metadata(t, d).ContactPoints[0]
			s.SetMetadata(mode)
			for range 2 {
				conn, err := d.DialNode(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				conn.Close()
			}
		})
	}
}

func TestANewBundleIsUsedAtTheNextConnection(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := config(s)
	var mu sync.Mutex
	current := s.Bundle()
	c.Bundle = bundle.SourceFunc(func(context.Context) (*bundle.Bundle, error) {
		mu.Lock()
		defer mu.Unlock()
		return current, nil
	})
	d := newDialer(t, c)
	id := metadata(t, d).ContactPoints[0]
	conn, err := d.DialNode(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	s.RotateBundle()
	if conn, err := d.DialNode(t.Context(), ""); err == nil {
		conn.Close()
		t.Error("the old bundle was accepted")
	}
	mu.Lock()
	current = s.Bundle()
	mu.Unlock()
	conn, err = d.DialNode(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// invalidated is a source of bundles that fetches a new one when it is told that its value was refused.
type invalidated struct {
	server *astratest.Server
	mu     sync.Mutex
	bundle *bundle.Bundle
	told   int
}

func (s *invalidated) Current(context.Context) (*bundle.Bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bundle == nil {
		s.bundle = s.server.Bundle()
	}
	return s.bundle, nil
}

func (s *invalidated) Invalidate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bundle = nil
	s.told++
}

func TestASourceIsToldThatItsBundleWasRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := config(s)
	source := &invalidated{server: s}
	c.Bundle = source
	d := newDialer(t, c)
	metadata(t, d)
	s.ReplaceNodes(astratest.Replacement{}) // says nothing about the bundle
	for range 2 {
		conn, err := d.DialNode(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if source.told != 0 {
		t.Errorf("the source was told %d times although the bundle was fine", source.told)
	}
	s.RotateBundle()
	var err error
	for range 10 {
		var conn net.Conn
		if conn, err = d.DialNode(t.Context(), ""); err == nil {
			conn.Close()
			break
		}
	}
	if err != nil || source.told == 0 {
		t.Errorf("the source was told %d times; the last dial gave %v", source.told, err)
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, test := range map[string]struct {
		change func(*astra.Config)
		want   string
	}{
		"no bundle":              {func(c *astra.Config) { c.Bundle = nil }, "Config.Bundle is nil"},
		"no token":               {func(c *astra.Config) { c.Token = nil }, "Config.Token is nil"},
		"negative dial time-out": {func(c *astra.Config) { c.DialTimeout = -1 }, "Config.DialTimeout"},
		"negative age":           {func(c *astra.Config) { c.MetadataMaxAge = -1 }, "Config.MetadataMaxAge"},
	} {
		c := config(s)
		test.change(&c)
		if _, err := astra.NewDialer(c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
		}
		if _, err := astra.NewCluster(t.Context(), c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v from NewCluster, want an error with %q", name, err, test.want)
		}
	}
}

func TestNilBundleIsAnError(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := config(s)
	c.Bundle = (*bundle.Bundle)(nil)
	if _, err := astra.NewCluster(t.Context(), c); err == nil {
		t.Error("a nil *bundle.Bundle was accepted")
	}
	c.Bundle = bundle.SourceFunc(func(context.Context) (*bundle.Bundle, error) { return nil, nil })
	if _, err := astra.NewCluster(t.Context(), c); err == nil || !strings.Contains(err.Error(), "no bundle") {
		t.Errorf("got %v for a source that returns nil and no error", err)
	}
}
