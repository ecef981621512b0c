package devops_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/token"
)

// newServer starts an Astra. Its address is loopback, so the client takes its plain http.
func newServer(t testing.TB, options ...astratest.Option) *astratest.Server {
	t.Helper()
	s := astratest.NewServer(options...)
	t.Cleanup(s.Close)
	return s
}

// newClient returns a client of s that calls the API's handler without a network, so that time may be faked.
func newClient(t testing.TB, s *astratest.Server, change ...func(*devops.Config)) *devops.Client {
	t.Helper()
	config := devops.Config{Token: s.Token(), BaseURL: s.URL, HTTPClient: &http.Client{Transport: inProcess{s.DevOps()}}}
	for _, f := range change {
		f(&config)
	}
	c, err := devops.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// once makes a client try each request once, for tests that count.
func once(c *devops.Config) { c.MaxAttempts = 1 }

// inProcess is a transport that calls a handler.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.Host = r.URL.RequestURI(), r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler {
				panic(v)
			}
			err = io.EOF
		}
	}()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp = w.Result()
	resp.Request = r
	return resp, nil
}

// answer is a handler that always answers the same.
func answer(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// silence is a handler that never answers.
func silence() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// requests counts the requests whose method and path contain a pattern.
func requests(s *astratest.Server, pattern string) int {
	n := 0
	for _, r := range s.DevOps().Requests() {
		if strings.Contains(r, pattern) {
			n++
		}
	}
	return n
}

// wantError checks that err is the sentinel, if there is one, and says each text.
func wantError(t *testing.T, err, sentinel error, texts ...string) *devops.Error {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if sentinel != nil && !errors.Is(err, sentinel) {
		t.Errorf("%q is not %q", err, sentinel)
	}
	for _, s := range texts {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has several lines", err)
	}
	var e *devops.Error
	if !errors.As(err, &e) {
		return &devops.Error{}
	}
	return e
}

// sentinels are all that an Error can be.
var sentinels = []error{devops.ErrUnauthorized, devops.ErrForbidden, devops.ErrNotFound, devops.ErrAmbiguous, devops.ErrConflict, devops.ErrRateLimited, devops.ErrUnavailable}

// wantOnly checks that err is one sentinel and no other; nil: none at all.
func wantOnly(t *testing.T, err, sentinel error) {
	t.Helper()
	for _, s := range sentinels {
		if errors.Is(err, s) != (s == sentinel) {
			t.Errorf("errors.Is(%q, %q) is %v", err, s, errors.Is(err, s))
		}
	}
}

// rejected is a source that counts how often its token was refused.
type rejected struct {
	token.Token
	times atomic.Int64
}

func (r *rejected) Invalidate() { r.times.Add(1) }

func ctx(t testing.TB) context.Context { return t.Context() }

func get(t *testing.T, link string) []byte {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(u.String())
	if err != nil {
		t.Fatal("the link cannot be read")
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return data
}
