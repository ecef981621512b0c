package devops_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/token"
)

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	tok := newServer(t).Token()
	for name, tc := range map[string]struct {
		config devops.Config
		want   string
	}{
		"no token":           {devops.Config{}, "Config.Token is nil"},
		"plain http":         {devops.Config{Token: tok, BaseURL: "http://api.astra.datastax.com/v2"}, "use https"},
		"plain http, LAN":    {devops.Config{Token: tok, BaseURL: "http://192.168.1.1/v2"}, "use https"},
		"loopback lookalike": {devops.Config{Token: tok, BaseURL: "http://localhost.example.com/v2"}, "use https"},
		"no scheme":          {devops.Config{Token: tok, BaseURL: "api.astra.datastax.com"}, "not a URL"},
		"other scheme":       {devops.Config{Token: tok, BaseURL: "ftp://api.astra.datastax.com"}, "scheme"},
		"user":               {devops.Config{Token: tok, BaseURL: "https://me:secret@api.astra.datastax.com"}, "more than scheme, host and path"},
		"query":              {devops.Config{Token: tok, BaseURL: "https://api.astra.datastax.com/v2?token=secret"}, "more than scheme, host and path"},
		"negative attempts":  {devops.Config{Token: tok, MaxAttempts: -1}, "negative"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := devops.NewClient(tc.config)
			wantError(t, err, nil, tc.want)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%q shows a secret", err)
			}
		})
	}
	for _, base := range []string{"", "https://api.dev.cloud.datastax.com/v2", "http://127.0.0.1:1/v2", "http://[::1]:1", "http://localhost:1/", " https://api.astra.datastax.com/ "} {
		if _, err := devops.NewClient(devops.Config{Token: tok, BaseURL: base}); err != nil {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// recorder is a transport that notes requests and answers all with an empty list.
type recorder struct{ requests []*http.Request }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.requests = append(r.requests, req)
	w := httptest.NewRecorder()
	w.WriteString("[]")
	return w.Result(), nil
}

func TestRequestForm(t *testing.T) {
	t.Parallel()
	tok := newServer(t).Token()
	for base, want := range map[string]string{
		"":                                "https://api.astra.datastax.com/v2/databases",
		"https://api.astra.datastax.com":  "https://api.astra.datastax.com/v2/databases", // Terraform's and cql-proxy's ASTRA_API_URL (devops-api 4.4)
		"https://proxy.example/astra/v2/": "https://proxy.example/astra/v2/databases",
	} {
		var sent recorder
		c, err := devops.NewClient(devops.Config{Token: tok, BaseURL: base, HTTPClient: &http.Client{Transport: &sent}})
		if err != nil {
			t.Fatal(err)
		}
		for range c.Databases(ctx(t), devops.ListOptions{Provider: "AWS"}) {
		}
		r := sent.requests[0]
		if got := strings.Split(r.URL.String(), "?")[0]; got != want {
			t.Errorf("%q: request to %s", base, got)
		}
		if q := r.URL.Query(); q.Get("limit") != "100" || q.Get("include") != "nonterminated" || q.Get("provider") != "AWS" {
			t.Errorf("query %v", q)
		}
		if r.Header.Get("Authorization") != "Bearer "+tok.Bearer() {
			t.Error("the token is not in the header Authorization")
		}
		if ua := r.Header.Get("User-Agent"); !regexp.MustCompile(`^astra-go/\S+ \(go\S.*; \w+/\w+\)$`).MatchString(ua) {
			t.Errorf("User-Agent %q", ua)
		}
	}
}

// The client must not change what the caller gave it.
func TestHTTPClientIsCopied(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	given := &http.Client{Transport: inProcess{s.DevOps()}}
	newClient(t, s, func(c *devops.Config) { c.HTTPClient = given })
	if given.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}

func TestOverTheNetwork(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c, err := devops.NewClient(devops.Config{Token: s.Token(), BaseURL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
	if err != nil || !bytes.Equal(data, s.BundleZip()) {
		t.Fatal("the default client cannot download the bundle:", err)
	}
}

// 408, 429 and 5xx are repeated for calls that read, the POST for bundle links among them (devops-api 3.1).
func TestRetries(t *testing.T) {
	t.Parallel()
	for _, status := range []int{408, 429, 500, 502, 503, 504} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, s)
				for _, pattern := range []string{"GET /v2/databases/", "secureBundleURL", "GET /store/"} {
					s.DevOps().Intercept(pattern, 4, answer(status, "text/plain", "busy"))
				}
				if _, err := c.Database(ctx(t), s.DatabaseID); err != nil {
					t.Error(err)
				}
				if _, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{}); err != nil {
					t.Error(err)
				}
			})
			if n := requests(s, "secureBundleURL"); n != 5 {
				t.Errorf("%d requests for links", n)
			}
		})
	}
}

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{408: devops.ErrUnavailable, 429: devops.ErrRateLimited, 500: devops.ErrUnavailable, 503: devops.ErrUnavailable} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("GET", -1, answer(status, "text/plain", "busy"))
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, s, func(c *devops.Config) { c.MaxAttempts = 3 })
				start := time.Now()
				_, err := c.Database(ctx(t), s.DatabaseID)
				e := wantError(t, err, want, "after 3 attempts", "busy", s.DatabaseID)
				wantOnly(t, err, want)
				if e.Attempts != 3 || e.StatusCode != status {
					t.Errorf("%+v", *e)
				}
				if took := time.Since(start); took > 800*time.Millisecond {
					t.Errorf("two waits took %v, want at most 0.25 s and 0.5 s", took)
				}
			})
		})
	}
}

// What the API refuses for good is asked once.
func TestNoRetryOfRefusals(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		400: nil, 401: devops.ErrUnauthorized, 403: devops.ErrForbidden, 404: devops.ErrNotFound, 409: devops.ErrConflict, 422: nil, 501: devops.ErrUnavailable,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("GET", -1, answer(status, "text/plain", "no"))
			_, err := newClient(t, s).Database(ctx(t), s.DatabaseID)
			if e := wantError(t, err, want, "no"); e.Attempts != 1 || e.StatusCode != status {
				t.Errorf("%+v", *e)
			}
			wantOnly(t, err, want)
		})
	}
}

// Retry-After has seconds or a date.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]func() string{
		"seconds": func() string { return "20" },
		"date":    func() string { return time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("GET", 1, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header())
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				if _, err := newClient(t, s).Database(ctx(t), s.DatabaseID); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took < 20*time.Second || took > 21*time.Second {
					t.Errorf("waited %v", took)
				}
			})
		})
	}
}

// The API cannot make a caller wait for an hour, nor beyond the caller's own deadline.
func TestRetryAfterIsBounded(t *testing.T) {
	t.Parallel()
	later := func(seconds string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", seconds)
			w.WriteHeader(http.StatusTooManyRequests)
		})
	}
	s := newServer(t)
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, s)
		start := time.Now()
		s.DevOps().Intercept("GET", 1, later("3600"))
		_, err := c.Database(ctx(t), s.DatabaseID)
		wantError(t, err, devops.ErrRateLimited)
		short, cancel := context.WithTimeout(ctx(t), 5*time.Second)
		defer cancel()
		s.DevOps().Intercept("GET", 1, later("10"))
		_, err = c.Database(short, s.DatabaseID)
		wantError(t, err, devops.ErrRateLimited)
		if took := time.Since(start); took > 0 {
			t.Errorf("waited %v for nothing", took)
		}
	})
}

func TestContextBoundsEverything(t *testing.T) {
	t.Parallel()
	t.Run("silent API", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.DevOps().Intercept("GET", -1, silence())
		synctest.Test(t, func(t *testing.T) {
			short, cancel := context.WithTimeout(ctx(t), 7*time.Second)
			defer cancel()
			start := time.Now()
			_, err := newClient(t, s).Database(short, s.DatabaseID)
			wantError(t, err, context.DeadlineExceeded, "gave up")
			if took := time.Since(start); took != 7*time.Second {
				t.Errorf("took %v", took)
			}
		})
	})
	t.Run("between attempts", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.DevOps().Intercept("GET", -1, answer(503, "text/plain", "busy"))
		synctest.Test(t, func(t *testing.T) {
			canceled, cancel := context.WithCancelCause(ctx(t))
			stop := errors.New("shutting down")
			time.AfterFunc(10*time.Millisecond, func() { cancel(stop) })
			_, err := newClient(t, s).Database(canceled, s.DatabaseID)
			wantError(t, err, context.Canceled, "busy", "shutting down")
			wantError(t, err, stop)
			wantError(t, err, devops.ErrUnavailable)
		})
	})
	t.Run("slow body", func(t *testing.T) { // over the network: the body trickles in after the header
		t.Parallel()
		s := newServer(t)
		s.DevOps().Intercept("GET", -1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("["))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}))
		c, err := devops.NewClient(devops.Config{Token: s.Token(), BaseURL: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx(t), 50*time.Millisecond)
		defer cancel()
		_, err = c.Database(short, s.DatabaseID)
		wantError(t, err, context.DeadlineExceeded)
	})
}

// One silent answer does not cost the call: another attempt is made after 30 s.
func TestSilentAttemptIsRepeated(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.DevOps().Intercept("GET", 1, silence())
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if _, err := newClient(t, s).Database(ctx(t), s.DatabaseID); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("took %v", took)
		}
		s.DevOps().Intercept("GET", -1, silence())
		_, err := newClient(t, s, once).Database(ctx(t), s.DatabaseID)
		wantError(t, err, devops.ErrUnavailable, "no whole answer within 30s")
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("the caller's context has not ended, but the error says so")
		}
	})
}

func TestEndlessBody(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		piece := bytes.Repeat([]byte("[\n"), 16<<10)
		for r.Context().Err() == nil {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	c, err := devops.NewClient(devops.Config{Token: s.Token(), BaseURL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	s.DevOps().Intercept("GET /v2/databases", 1, endless)
	_, err = c.Database(ctx(t), s.DatabaseID)
	wantError(t, err, nil, "more than 8388608 bytes")
	s.DevOps().Intercept("GET /store", 1, endless)
	_, err = c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
	wantError(t, err, nil, "more than 1048576 bytes")
	s.DevOps().Intercept("GET /v2/databases", -1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		endless(w, r)
	}))
	_, err = c.Database(ctx(t), s.DatabaseID)
	wantError(t, err, devops.ErrForbidden)
}

// A body that breaks off is a failure of the network: it is read again.
func TestBrokenBodyIsRepeated(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	broken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write([]byte("PK\x03\x04"))
		panic(http.ErrAbortHandler)
	})
	s.DevOps().Intercept("GET /store", 1, broken)
	s.DevOps().Intercept("secureBundleURL", 1, broken)
	c, err := devops.NewClient(devops.Config{Token: s.Token(), BaseURL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{}); err != nil || !bytes.Equal(data, s.BundleZip()) {
		t.Error(err)
	}
}

func TestNetworkErrors(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	c, err := devops.NewClient(devops.Config{Token: newServer(t).Token(), BaseURL: "http://" + listener.Addr().String(), MaxAttempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, err = range c.Databases(ctx(t), devops.ListOptions{}) {
	}
	e := wantError(t, err, devops.ErrUnavailable, "after 2 attempts")
	var op *net.OpError
	if !errors.As(err, &op) || e.StatusCode != 0 || e.Attempts != 2 {
		t.Errorf("%#v does not have the cause", e)
	}
}

// A certificate that does not verify does not get better by waiting.
func TestCertificateErrorIsNotRepeated(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c, err := devops.NewClient(devops.Config{Token: newServer(t).Token(), BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Roles(ctx(t))
	if e := wantError(t, err, nil, "Config.HTTPClient"); e.Attempts != 1 {
		t.Errorf("%d attempts", e.Attempts)
	}
}

// Go's own client would send Authorization along to a subdomain, and a link's query in the header Referer to anyone.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				t.Errorf("%s %s reached the redirect's target", r.Method, r.URL)
			}))
			defer elsewhere.Close()
			redirect := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL+"/v2?X-Amz-Signature=xyzzy", status)
			})
			s := newServer(t)
			for _, config := range []devops.Config{{}, {HTTPClient: &http.Client{}}} {
				config.Token, config.BaseURL = s.Token(), s.URL
				c, err := devops.NewClient(config)
				if err != nil {
					t.Fatal(err)
				}
				s.DevOps().Intercept("secureBundleURL", 1, redirect)
				_, err = c.BundleLinks(ctx(t), s.DatabaseID)
				e := wantError(t, err, nil, "redirect to "+elsewhere.URL, "not followed")
				if e.StatusCode != status || e.Attempts != 1 || strings.Contains(err.Error(), "xyzzy") {
					t.Errorf("%+v", e)
				}
				s.DevOps().Intercept("GET /store", 1, redirect)
				_, err = c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
				wantError(t, err, nil, "not followed")
			}
		})
	}
}

// A token source is asked before each request, and told of a refusal.
func TestTokenSource(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	broken := errors.New("vault is sealed")
	c := newClient(t, s, func(c *devops.Config) {
		c.Token = token.SourceFunc(func(context.Context) (token.Token, error) { return token.Token{}, broken })
	})
	_, err := c.Roles(ctx(t))
	if e := wantError(t, err, broken, "no token to send", "sealed"); e.Attempts != 0 {
		t.Errorf("%d attempts without a token", e.Attempts)
	}
	if n := len(s.DevOps().Requests()); n != 0 {
		t.Errorf("%d requests without a token", n)
	}

	c = newClient(t, s, func(c *devops.Config) { c.Token = token.Token{} })
	_, err = c.Roles(ctx(t))
	wantError(t, err, nil, "no token")

	old := &rejected{Token: s.Token()}
	c = newClient(t, s, func(c *devops.Config) { c.Token = old })
	if _, err := c.Roles(ctx(t)); err != nil || old.times.Load() != 0 {
		t.Error(err)
	}
	s.RotateToken()
	_, err = c.Roles(ctx(t))
	wantError(t, err, devops.ErrUnauthorized)
	if old.times.Load() != 1 {
		t.Errorf("Invalidate was called %d times", old.times.Load())
	}

	var source token.SourceFunc = func(context.Context) (token.Token, error) { return s.Token(), nil }
	c = newClient(t, s, func(c *devops.Config) { c.Token = source })
	s.RotateToken()
	if _, err := c.Roles(ctx(t)); err != nil {
		t.Error("the rotated token is not used:", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.DevOps().AddRegion("europe-west1")
	c := newClient(t, s)
	errs := make(chan error)
	for range 8 {
		go func() {
			_, err := c.DownloadBundle(context.Background(), "testdb", devops.BundleQuery{Region: "europe-west1"})
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
