package devops

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/seed-5f06b232/astra-go/token"
)

const (
	productionURL      = "https://api.astra.datastax.com/v2"
	defaultMaxAttempts = 5
	attemptTimeout     = 30 * time.Second
)

// Config says how to reach the DevOps API. Token is required; the zero value of every other field is its default.
// NewClient copies it.
type Config struct {
	// Token supplies the token, before each request. Its role must be one that administers; see the package comment. A source with a
	// method Invalidate() is told when the API refused its token.
	Token token.Source

	// BaseURL is where the API is. Empty: https://api.astra.datastax.com/v2. Without a path it gets /v2. Plain http is an error,
	// except to a loopback address. Astra's other environments are https://api.dev.cloud.datastax.com/v2 and
	// https://api.test.cloud.datastax.com/v2.
	BaseURL string

	// HTTPClient is copied, and the copy follows no redirects. Nil: a client of TLS 1.2 or higher that takes proxies from the
	// environment (HTTPS_PROXY, NO_PROXY).
	HTTPClient *http.Client

	// MaxAttempts is how often a call that only reads is tried. Zero: 5. One: no retries.
	MaxAttempts int

	// Logger gets one line for each attempt at debug level, and one for each repetition at level info. Nothing of a body,
	// header or link is logged. Nil: nothing.
	Logger *slog.Logger
}

// Client calls the DevOps API. It is safe for concurrent use, and needs no closing. [NewClient] makes one; every call of the zero Client is an
// error.
type Client struct {
	tokens      token.Source
	base        *url.URL
	http        *http.Client
	maxAttempts int
	log         *slog.Logger
}

// NewClient returns a client. It sends nothing.
func NewClient(config Config) (*Client, error) {
	if config.Token == nil {
		return nil, errors.New("devops: Config.Token is nil: give a token.Token, or a source such as token.EnvDevOps()")
	}
	base, err := parseBase(config.BaseURL)
	if err != nil {
		return nil, err
	}
	c := &Client{
		tokens:      config.Token,
		base:        base,
		http:        defaultHTTP(),
		maxAttempts: config.MaxAttempts,
		log:         config.Logger,
	}
	if config.HTTPClient != nil {
		given := *config.HTTPClient
		given.CheckRedirect = keepRedirect
		c.http = &given
	}
	switch {
	case c.maxAttempts < 0:
		return nil, errors.New("devops: Config.MaxAttempts is negative: give 0 for the default, 1 for no retries")
	case c.maxAttempts == 0:
		c.maxAttempts = defaultMaxAttempts
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func parseBase(s string) (*url.URL, error) {
	if s == "" {
		s = productionURL
	}
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(s), "/"))
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("devops: Config.BaseURL is not a URL such as %s", productionURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("devops: Config.BaseURL has more than scheme, host and path; want one such as %s", productionURL)
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u):
	case u.Scheme == "http":
		return nil, fmt.Errorf("devops: Config.BaseURL is plain http to %s, which would show the token to the network; use https", u.Host)
	default:
		return nil, fmt.Errorf("devops: Config.BaseURL has the scheme %q, want https", u.Scheme)
	}
	if u.Path == "" {
		u.Path = "/v2"
	}
	return u, nil
}

func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// mayContact reports whether a URL out of an answer of the API may be asked: over https, or where the API itself is plain
// http on loopback, plain http on loopback.
func (c *Client) mayContact(u *url.URL) bool {
	return u.Host != "" && u.User == nil &&
		(u.Scheme == "https" || u.Scheme == "http" && c.base.Scheme == "http" && isLoopback(u))
}

// defaultHTTP is shared by clients, so that they share connections.
var defaultHTTP = sync.OnceValue(newHTTP)

// newHTTP does not start from http.DefaultTransport, which a program may have replaced by anything.
func newHTTP() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     90 * time.Second,
		},
		CheckRedirect: keepRedirect,
	}
}

// keepRedirect makes a redirect an answer like others: to follow it would give the token, or a link by the header Referer, to another host.
func keepRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

const modulePath = "github.com/seed-5f06b232/astra-go"

// userAgent names this module's version as the program was built with it.
var userAgent = sync.OnceValue(func() string {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == modulePath && strings.HasPrefix(m.Version, "v") {
				version = m.Version
			}
		}
	}
	return fmt.Sprintf("astra-go/%s (%s; %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
})
