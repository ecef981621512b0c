package devops_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/token"
)

// output collects whatever a program might print.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

// print prints a value in every way.
func (o *output) print(values ...any) {
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
			fmt.Fprintf(o, verb+"\n", v)
		}
		if data, err := json.Marshal(v); err == nil {
			o.Write(data)
		}
		slog.New(slog.NewTextHandler(o, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(o, nil)).Info("m", "v", v)
		dump(o, reflect.ValueOf(v), make(map[uintptr]bool))
		if err, ok := v.(error); ok {
			for ; err != nil; err = errors.Unwrap(err) {
				fmt.Fprintf(o, "%v %+v %#v\n", err, err, err)
			}
		}
	}
}

// dump prints all that reflection reaches, unexported fields and pointers included.
func dump(w io.Writer, v reflect.Value, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		dump(w, v.Elem(), seen)
	case reflect.Interface:
		dump(w, v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			dump(w, v.Field(i), seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(w, "%s %x\n", v, v)
			return
		}
		for i := range v.Len() {
			dump(w, v.Index(i), seen)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			dump(w, key, seen)
			dump(w, v.MapIndex(key), seen)
		}
	case reflect.Invalid:
	default:
		fmt.Fprintln(w, v)
	}
}

// spy notes the secrets that pass by: links and the tokens in answers. Then it breaks the answer or not.
type spy struct {
	inProcess
	mu      sync.Mutex
	secrets map[string]string
}

func (s *spy) note(what, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(secret) >= 16 {
		s.secrets[secret] = what
	}
}

func (s *spy) RoundTrip(r *http.Request) (*http.Response, error) {
	if signature := r.URL.Query().Get("X-Amz-Signature"); signature != "" {
		s.note("signature of a link", signature)
	}
	return s.inProcess.RoundTrip(r)
}

// Token, client secret, signed links and private key are planted; everything is run, with all failures, logged at debug level and printed; and
// none of them must be found in any of it.
func TestNoSecretIsPrinted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.DevOps().AddRegion("europe-west1")
	s.DevOps().AddDomain("db.example.com")
	synctest.Test(t, func(t *testing.T) { printEverything(t, s) })
}

func printEverything(t *testing.T, s *astratest.Server) {
	var out output
	h := &spy{inProcess: inProcess{s.DevOps()}, secrets: make(map[string]string)}
	plant := func(tok token.Token) {
		h.note("token", tok.Bearer())
		h.note("last part of a token", tok.Bearer()[len(tok.Bearer())-64:])
		h.note("client secret", tok.Secret())
	}
	plant(s.Token())
	c := newClient(t, s, func(c *devops.Config) {
		c.HTTPClient = &http.Client{Transport: h}
		c.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.MaxAttempts = 2
	})

	run := func() {
		fmt.Fprintf(&out, "%v %+v %#v\n", c, *c, *c)
		var dbs []any
		for d, err := range c.Databases(ctx(t), devops.ListOptions{}) {
			dbs = append(dbs, d, err)
		}
		out.print(dbs...)
		d, err := c.Database(ctx(t), "testdb")
		out.print(d, err)
		links, err := c.BundleLinks(ctx(t), s.DatabaseID)
		out.print(links, err)
		for _, l := range links {
			out.print(l, &l, map[string]devops.BundleLink{"l": l}, struct{ l devops.BundleLink }{l})
			for kind := range devops.BundleKind(4) {
				u, err := url.Parse(l.URL(kind))
				if err != nil {
					t.Fatal("the link does not parse")
				}
				h.note("signature of a link", u.Query().Get("X-Amz-Signature"))
			}
		}
		for _, q := range []devops.BundleQuery{{}, {Region: "europe-west1"}, {Domain: "db.example.com"}, {Kind: devops.KindInternal}, {Kind: devops.KindMigrationProxy}, {Region: "x"}, {Domain: "x"}} {
			_, err := c.DownloadBundle(ctx(t), s.DatabaseID, q)
			out.print(q, err)
		}
		src := c.Bundle(s.DatabaseID, devops.BundleQuery{})
		b, err := src.Current(ctx(t))
		fmt.Fprintf(&out, "%v %+v %#v\n", src, src, src)
		out.print(b, err)
		if b != nil {
			key(t, b, h)
		}
		roles, err := c.Roles(ctx(t))
		out.print(roles, err)
		tokens, err := c.Tokens(ctx(t))
		out.print(tokens, err)
		tok, err := c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{readWriteUser}})
		if err == nil {
			plant(tok)
		}
		out.print(tok, err)
		rotated, err := c.RotateToken(ctx(t), tok.ClientID(), devops.TokenRequest{}, func(_ context.Context, tok token.Token) error {
			plant(tok)
			return fmt.Errorf("cannot install %v", tok)
		})
		out.print(rotated, err)
		out.print(c.DeleteToken(ctx(t), tok.ClientID()), c.DeleteToken(ctx(t), s.Token().Bearer()))
		endpoint, err := c.DataAPIEndpoint(ctx(t), "testdb", "")
		out.print(endpoint, err)
		short, cancel := context.WithCancel(ctx(t))
		_, err = c.WaitActive(short, s.DatabaseID, func(d *devops.Database) { out.print(d); cancel() })
		out.print(err)
		out.print(c.Resume(short, s.DatabaseID))
	}
	run()
	for _, q := range []astratest.DevOpsQuirks{
		{NoRegions: true, NoPrimary: true}, {LinkLife: -1}, {WrongBundle: true}, {Errors: astratest.DevOpsErrorString},
	} {
		s.DevOps().SetQuirks(q)
		run()
	}
	s.DevOps().SetQuirks(astratest.DevOpsQuirks{})

	// Failures, among them answers that quote the request.
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "call %s with %s %s failed", r.URL, r.Header.Get("Authorization"), r.Header.Get("Token"))
	})
	for _, pattern := range []string{"/v2/databases", "secureBundleURL", "GET /store", "organizations/roles", "GET /v2/clientIdSecrets", "POST /v2/clientIdSecrets", "DELETE"} {
		for _, handler := range []http.Handler{
			echo, answer(401, "application/json", `{"errors":[{"ID":340018,"message":"`+s.Token().Bearer()+`"}]}`), answer(403, "text/plain", "no"), answer(404, "", ""), answer(409, "", ""), answer(302, "", ""),
			answer(200, "application/json", `{"token":"`+s.Token().Bearer()+`"`), answer(200, "application/json", "null"), answer(200, "text/html", "<html>"),
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		} {
			s.DevOps().Intercept(pattern, 1, handler)
		}
		run()
		s.DevOps().Intercept(pattern, 0, nil)
	}
	s.Hibernate()
	run()
	out.print(c.Resume(ctx(t), s.DatabaseID))
	s.Wake()
	// A transport whose errors show the URL.
	c, err := devops.NewClient(devops.Config{Token: s.Token(), BaseURL: s.URL, MaxAttempts: 1, HTTPClient: &http.Client{Transport: failing{h}}})
	if err != nil {
		t.Fatal(err)
	}
	run()
	s.RotateToken()
	run()

	text := out.String()
	if len(h.secrets) < 50 || len(text) < 100_000 {
		t.Fatalf("only %d secrets were planted and %d bytes printed", len(h.secrets), len(text))
	}
	for secret, what := range h.secrets {
		secret = secret[max(0, len(secret)-30):] // enough to tell, and quick to look for
		for _, form := range []string{secret, fmt.Sprintf("%x", secret)} {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("a %s was printed after …%q", what, text[max(0, i-200):i])
			}
		}
	}
}

// key plants the private key of a bundle, in the forms in which it may be printed.
func key(t *testing.T, b *bundle.Bundle, h *spy) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(b.Zip()), int64(len(b.Zip())))
	if err != nil {
		t.Fatal(err)
	}
	data, err := fs.ReadFile(archive, "key")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "-----") {
			h.note("line of the private key", strings.TrimSpace(line))
		}
	}
	block, _ := pem.Decode(data)
	h.note("private key", string(block.Bytes))
}

// failing is a transport that fails for the store, with the URL in its error.
type failing struct{ *spy }

func (f failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, "/store/") {
		f.note("signature of a link", r.URL.Query().Get("X-Amz-Signature"))
		return nil, fmt.Errorf("proxy refused %s: %w", r.URL, &url.Error{Op: "Get", URL: r.URL.String(), Err: io.EOF})
	}
	return f.spy.RoundTrip(r)
}
