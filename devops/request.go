package devops

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-5f06b232/astra-go/token"
)

const (
	maxAnswer     = 8 << 20         // of the API; a page of 100 databases has about 1 MiB
	maxErrorBody  = 64 << 10        // as much as is read of the body of an error
	minWait       = time.Second / 4 // bounds the first wait between attempts
	maxWait       = 8 * time.Second // bounds all others
	maxRetryAfter = time.Minute     // the longest that the API can make a caller wait between attempts
)

// request is one call, of which there may be several attempts.
type request struct {
	op     string // for errors and logs
	method string
	url    *url.URL
	body   any  // sent as JSON; nil: nothing
	reads  bool // it changes nothing, so it may be repeated

	authorize func(*http.Request, token.Token) // nil: no token is asked for, and none sent
	limit     int                              // of the answer, in bytes
	storage   bool                             // the store of bundles answers, not Astra
	needs     string                           // a role or permission, for those who lack it
	mayBeNull bool                             // the answer null is not "does not exist yet", which is tried again
}

// newRequest returns the request to a path of the API.
func (c *Client) newRequest(op, method string, query url.Values, path ...string) request {
	r := request{op: op, method: method, authorize: bearer, reads: method == http.MethodGet, limit: maxAnswer, needs: adminRoles}
	if !c.isZero() { // else do refuses it
		r.url = c.base.JoinPath(path...)
		r.url.RawQuery = query.Encode()
	}
	return r
}

func (c *Client) isZero() bool { return c == nil || c.base == nil }

const adminRoles = "a token of the role Database Administrator or Organization Administrator can do it"

func bearer(r *http.Request, t token.Token) { r.Header.Set("Authorization", "Bearer "+t.Bearer()) }

// do sends a request until it succeeds or there is no point in going on, and returns the body of the answer.
func (c *Client) do(ctx context.Context, r request) ([]byte, error) {
	if c.isZero() {
		return nil, &Error{Op: r.op, Message: "a nil or zero *devops.Client was used: make one with NewClient"}
	}
	attempts := 1
	if r.reads {
		attempts = c.maxAttempts
	}
	for n := 1; ; n++ {
		started := time.Now()
		body, sent, err := c.attempt(ctx, r)
		c.logAttempt(ctx, r, n, time.Since(started), err)
		if err == nil {
			return body, nil
		}
		err.Op, err.storage = r.op, r.storage
		err.Attempts = n
		if !sent {
			err.Attempts--
		}
		if ctx.Err() != nil {
			return nil, err.ended(ctx)
		}
		wait := backOff(n)
		if err.retryAfter > 0 {
			wait = err.retryAfter + rand.N(minWait)
		}
		deadline, bounded := ctx.Deadline()
		if !err.transient || n >= attempts || err.retryAfter > maxRetryAfter || bounded && time.Until(deadline) < wait {
			return nil, err
		}
		c.log.LogAttrs(ctx, slog.LevelInfo, "devops: trying again", slog.String("op", r.op), slog.Duration("wait", wait), slog.String("error", err.Error()))
		if !sleep(ctx, wait) {
			return nil, err.ended(ctx)
		}
	}
}

func (c *Client) logAttempt(ctx context.Context, r request, n int, took time.Duration, err *Error) {
	if !c.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("op", r.op), slog.String("method", r.method), slog.String("host", r.url.Host), slog.Int("attempt", n), slog.Duration("took", took)}
	if err != nil {
		attrs = append(attrs, slog.Int("status", err.StatusCode), slog.String("message", err.Message))
	}
	c.log.LogAttrs(ctx, slog.LevelDebug, "devops: request", attrs...)
}

// attempt sends a request once. It reports whether it came as far as sending it.
func (c *Client) attempt(parent context.Context, r request) (body []byte, sent bool, failure *Error) {
	ctx, cancel := context.WithTimeout(parent, attemptTimeout)
	defer cancel()
	req, err := r.build(ctx)
	if err != nil {
		return nil, false, &Error{Message: tidy(err.Error())}
	}
	hide := strings.NewReplacer()
	if r.authorize != nil {
		tok, err := c.tokens.Current(ctx)
		if err == nil {
			tok, err = tok.Current(ctx)
		}
		if err != nil {
			return nil, false, &Error{Message: "no token to send: " + tidy(err.Error()), err: err}
		}
		r.authorize(req, tok)
		hide = replacer(tok)
	}

	resp, err := c.http.Do(req)
	if err != nil {
		return nil, true, r.networkError(parent, ctx, err)
	}
	defer resp.Body.Close()
	limit := r.limit
	failed := resp.StatusCode < 200 || resp.StatusCode > 299
	if failed {
		limit = maxErrorBody
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	switch {
	case failed:
		failure = r.statusError(resp, body, hide)
		if kind := failure.kind(); kind == ErrUnauthorized && r.authorize != nil {
			c.invalidateToken()
		}
		return nil, true, failure
	case err != nil:
		return nil, true, r.networkError(parent, ctx, err)
	case len(body) > limit:
		return nil, true, &Error{StatusCode: resp.StatusCode, Message: fmt.Sprintf("the answer has more than %d bytes", limit)}
	case !r.mayBeNull && r.reads && isNull(body):
		// Astra answers this for a moment after a database is created.
		return nil, true, &Error{StatusCode: http.StatusNotFound, Message: "the answer is empty, as for what does not exist yet", transient: true}
	}
	return body, true, nil
}

// build makes the HTTP request, all but the token.
func (r *request) build(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), body)
	if err != nil {
		return nil, withoutURL(err)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.storage {
		req.Header.Set("Accept-Encoding", "identity") // the bytes as they are stored, not unpacked on the way
	} else {
		req.Header.Set("Accept", "application/json")
	}
	req.Header.Set("User-Agent", userAgent())
	return req, nil
}

// networkError makes an Error of what is not an answer.
func (r *request) networkError(parent, ctx context.Context, err error) *Error {
	err = withoutURL(err)
	var certificate *tls.CertificateVerificationError
	switch {
	case parent.Err() != nil:
		return &Error{}
	case ctx.Err() != nil:
		err = fmt.Errorf("no whole answer within %v", attemptTimeout)
	case errors.As(err, &certificate):
		return &Error{Message: tidy(err.Error()), err: err, advice: "if a proxy replaces certificates here, give Config.HTTPClient a transport that trusts it"}
	case r.storage || secretForms.MatchString(err.Error()):
		err = errors.New(tidy(err.Error())) // whatever a transport put into it, no link and no token must be found there
	}
	return &Error{Message: tidy(err.Error()), err: err, transient: true}
}

// withoutURL takes off the *url.Error around an error of net/http, which shows the URL, a secret if it is signed.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// statusError makes an Error of an answer that is not a success.
func (r *request) statusError(resp *http.Response, body []byte, hide *strings.Replacer) *Error {
	d := describe(resp.Header.Get("Content-Type"), []byte(hide.Replace(string(body))))
	e := &Error{StatusCode: resp.StatusCode, Code: d.code, Message: d.message, RequestID: requestID(resp.Header), storage: r.storage}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		e.transient = true
		e.retryAfter = retryAfter(resp.Header, time.Now())
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		e.transient = true
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		e.Message = "the answer is a redirect"
		if to, err := resp.Location(); err == nil {
			e.Message += " to " + tidy(to.Scheme+"://"+to.Host)
		}
		e.advice = "redirects are not followed, since a secret would go along; check Config.BaseURL"
	}
	if e.kind() == ErrForbidden || resp.StatusCode == http.StatusUnauthorized && !r.storage {
		e.advice = e.kind().Error() + "; " + r.needs
	}
	return e
}

// replacer hides a token in what an answer says, where it may be quoted in part.
func replacer(t token.Token) *strings.Replacer {
	var pairs []string
	for _, s := range []string{t.Bearer(), t.Secret(), t.Bearer()[strings.LastIndex(t.Bearer(), ":")+1:]} {
		if s != "" {
			pairs = append(pairs, s, "[redacted]")
		}
	}
	return strings.NewReplacer(pairs...)
}

func (c *Client) invalidateToken() {
	if s, ok := c.tokens.(interface{ Invalidate() }); ok {
		s.Invalidate()
	}
}

func requestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "X-Correlation-Id", "X-Amz-Request-Id"} {
		if id := tidy(h.Get(name)); id != "" && len(id) <= 128 {
			return id
		}
	}
	return ""
}

// retryAfter reads the header Retry-After, which has seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(s); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// backOff is the wait after the n-th attempt: random, so that many clients do not come back together, below a bound that doubles.
func backOff(n int) time.Duration {
	bound := maxWait
	if n < 6 {
		bound = min(minWait<<(n-1), maxWait)
	}
	return bound/10 + rand.N(bound-bound/10)
}

// sleep reports false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ended returns e as it is when the context of the call ended the attempts.
func (e *Error) ended(ctx context.Context) *Error {
	e.err = ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, e.err) {
		e.err = errors.Join(e.err, cause)
	}
	e.advice = "gave up: " + strings.ReplaceAll(tidy(e.err.Error()), "\n", ": ")
	return e
}
