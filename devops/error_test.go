package devops_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/devops"
)

// Every form of an error's body that was seen survives with its status (devops-api 2.1, 2.4).
func TestErrorBodies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		contentType, body string
		message           string // exactly; "": the body has none
		code              int
	}{
		"list of errors":     {"application/json", `{"errors":[{"ID":340123,"message":"no permission"}]}`, "no permission", 340123},
		"id in lower case":   {"application/json", `{"errors":[{"id":340123,"message":"no permission"}]}`, "no permission", 340123},
		"id is a string":     {"application/json", `{"errors":[{"ID":"340123","message":"no permission"}]}`, "no permission", 340123},
		"id is a float":      {"application/json", `{"errors":[{"ID":3.4,"message":"no permission"}]}`, "no permission", 0},
		"several":            {"application/json", `{"errors":[{"ID":1,"message":"a"},{"ID":2,"message":"b"}]}`, "a; b", 1},
		"bare array":         {"application/json", `[{"ID":7,"message":"a"}]`, "a", 7},
		"no message":         {"application/json", `{"errors":[{"ID":5}]}`, "", 5},
		"gateway":            {"application/json", `{"message":"Forbidden"}`, "Forbidden", 0},
		"error":              {"application/json", `{"error":"nope"}`, "nope", 0},
		"empty object":       {"application/json", `{}`, "an answer in unknown JSON", 0},
		"null errors":        {"application/json", `{"errors":null}`, "an answer in unknown JSON", 0},
		"odd errors":         {"application/json", `{"errors":"boom"}`, "an answer in unknown JSON", 0},
		"odd array":          {"application/json", `[1,2]`, "an answer in unknown JSON", 0},
		"JSON string":        {"application/json", `"you may not"`, "you may not", 0}, // terraform #174
		"broken JSON":        {"application/json", `{"errors":[{"ID":34`, "an answer in unknown JSON", 0},
		"plain text":         {"text/plain", "Role ID not found\n", "Role ID not found", 0},
		"text as JSON":       {"application/json", "404 page not found\n", "404 page not found", 0},
		"JSON as text":       {"text/plain", `{"errors":[{"ID":9,"message":"m"}]}`, "m", 9},
		"empty":              {"", "", "", 0},
		"blank":              {"text/plain", " \r\n", "", 0},
		"HTML":               {"text/html; charset=utf-8", "<!DOCTYPE html><html><head><title>\n502 Bad\tGateway</title></head></html>", "an HTML page in place of the API's answer, from a proxy or gateway: 502 Bad Gateway", 0},
		"HTML as JSON":       {"application/json", "<html><body>x</body></html>", "an HTML page in place of the API's answer, from a proxy or gateway", 0},
		"XML of the store":   {"application/xml", `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>`, "AccessDenied: Request has expired", 0},
		"other XML":          {"application/xml", `<a><b/></a>`, "an answer in unknown XML", 0},
		"broken XML":         {"application/xml", `<Error><Code>Acc`, "an answer in unknown XML", 0},
		"byte order mark":    {"application/json", "\ufeff" + `{"message":"m"}`, "m", 0},
		"control characters": {"text/plain", "a\x00b\x1b[31mc\u202ed", "a b [31mc d", 0},
		"not UTF-8":          {"text/plain", "a\xff\xfeb", "a b", 0},
		"long":               {"text/plain", strings.Repeat("é", 1000), strings.Repeat("é", 148) + "…", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("GET", -1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "4711")
				answer(http.StatusForbidden, tc.contentType, tc.body).ServeHTTP(w, r)
			}))
			_, err := newClient(t, s).Roles(ctx(t))
			e := wantError(t, err, devops.ErrForbidden, "403 Forbidden", "4711")
			if e.StatusCode != 403 || e.Message != tc.message || e.Code != tc.code || e.RequestID != "4711" || e.Op != "list roles" {
				t.Errorf("%+v\ngot  %q\nwant %q", *e, e.Message, tc.message)
			}
		})
	}
}

// The simulator's own errors, in each form; also where the body says nothing the status tells.
func TestErrorForms(t *testing.T) {
	t.Parallel()
	for form := astratest.DevOpsErrorList; form <= astratest.DevOpsErrorEmpty; form++ {
		t.Run(fmt.Sprint(form), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().SetQuirks(astratest.DevOpsQuirks{Errors: form})
			c := newClient(t, s)
			_, err := c.Database(ctx(t), "00000000-0000-4000-8000-000000000000")
			wantError(t, err, devops.ErrNotFound, "404")
			s.SetStatus("MAINTENANCE") // terraform #327
			_, err = c.BundleLinks(ctx(t), s.DatabaseID)
			wantError(t, err, devops.ErrConflict, "409", "MAINTENANCE")
			s.RotateToken()
			_, err = c.Roles(ctx(t))
			wantError(t, err, devops.ErrUnauthorized, "401")
		})
	}
}

// A bad token is 401 or 403: the code tells (devops-api 2.2). And 401 may be a missing permission, so the text does not rule it out.
func TestBadTokenByCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status, code int
		want         error
	}{
		{401, 340002, devops.ErrUnauthorized},
		{401, 340016, devops.ErrUnauthorized},
		{403, 340017, devops.ErrUnauthorized}, // astra-cli #66
		{404, 340018, devops.ErrUnauthorized},
		{400, 340018, devops.ErrUnauthorized},
		{401, 0, devops.ErrUnauthorized},
		{403, 0, devops.ErrForbidden},
	} {
		t.Run(fmt.Sprint(tc.status, tc.code), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("GET", -1, answer(tc.status, "application/json", fmt.Sprintf(`{"errors":[{"ID":%d,"message":"m"}]}`, tc.code)))
			_, err := newClient(t, s).Database(ctx(t), s.DatabaseID)
			wantError(t, err, tc.want, "role")
			wantOnly(t, err, tc.want)
		})
	}
}

// A 403 names the roles that can do it.
func TestForbiddenNamesRoles(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	user, err := newClient(t, s).CreateToken(ctx(t), devops.TokenRequest{Roles: []string{"R/W User"}})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, s, func(c *devops.Config) { c.Token = user })
	_, err = c.Database(ctx(t), s.DatabaseID)
	wantError(t, err, devops.ErrForbidden, "Database Administrator", "Organization Administrator")
	_, err = c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
	wantError(t, err, devops.ErrForbidden, "Database Administrator", "db-cql")
	_, err = c.Tokens(ctx(t))
	wantError(t, err, devops.ErrForbidden, "Organization Administrator")
}

// What an answer says is shown without secrets, also where the API quotes the request.
func TestMessagesHideSecrets(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	tok := s.Token()
	digest := tok.Bearer()[len(tok.Bearer())-64:]
	for _, quoted := range []string{
		tok.Bearer(), digest, tok.Secret(), "Bearer " + tok.Bearer(), "AstraCS:other:secretsecret",
		"https://store.example/a.zip?X-Amz-Date=1&X-Amz-Signature=secretsecret", "X-Amz-Signature=secretsecret", "-----BEGIN PRIVATE KEY-----secretsecret",
	} {
		s.DevOps().Intercept("GET", 1, answer(400, "text/plain", "call "+quoted+" failed"))
		_, err := newClient(t, s).Roles(ctx(t))
		wantError(t, err, nil, "call ", "[redacted]")
		for _, secret := range []string{tok.Bearer(), digest, tok.Secret(), "secretsecret"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q shows a secret", err)
			}
		}
	}
}

// A successful answer that is none is reported, not guessed at; with the status, and without the body.
func TestMalformedSuccess(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"HTML":   "<html>sign in to the hotel's network</html>",
		"string": `"ok"`,
		"number": "1",
		"broken": `[{"id":`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("/v2/", -1, answer(200, "application/json", body))
			c := newClient(t, s)
			_, err := c.Database(ctx(t), s.DatabaseID)
			wantError(t, err, nil, "proxy")
			_, err = c.Database(ctx(t), "testdb")
			wantError(t, err, nil, "proxy")
			_, err = c.BundleLinks(ctx(t), s.DatabaseID)
			wantError(t, err, nil, "proxy")
			_, err = c.Roles(ctx(t))
			wantError(t, err, nil, "proxy")
			_, err = c.Tokens(ctx(t))
			wantError(t, err, nil, "proxy")
			_, err = c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{"10000000-0000-4000-8000-000000000003"}})
			wantError(t, err, nil, "Client.Tokens")
			if strings.Contains(err.Error(), "hotel") {
				t.Errorf("%q quotes the body", err)
			}
		})
	}
}

func TestErrorIsNotNil(t *testing.T) {
	t.Parallel()
	if errors.Is(&devops.Error{}, nil) {
		t.Error("an Error is nil")
	}
}

// quoting is a transport whose errors quote the request.
type quoting struct{}

func (quoting) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("tunnel closed:\n%v", r.Header)
}

func TestTransportErrorsHideSecrets(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, err := newClient(t, s, once, func(c *devops.Config) { c.HTTPClient = &http.Client{Transport: quoting{}} }).Roles(ctx(t))
	wantError(t, err, devops.ErrUnavailable, "tunnel closed", "[redacted]")
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), s.Token().Bearer()) {
			t.Errorf("%q shows the token", err)
		}
	}
}

// net/http quotes what it cannot read in HTTPS_PROXY, the password included.
func TestProxyPasswordIsHidden(t *testing.T) {
	t.Parallel()
	proxy := func(*http.Request) (*url.URL, error) {
		return nil, errors.New(`invalid proxy address "http://me:hunter2@proxy.example:x"`)
	}
	_, err := newClient(t, newServer(t), once, func(c *devops.Config) { c.HTTPClient = &http.Client{Transport: &http.Transport{Proxy: proxy}} }).Roles(ctx(t))
	wantError(t, err, nil, "proxy.example")
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q shows a password", err)
		}
	}
}

// Names out of an answer cannot break an error's line, move a terminal's cursor, or make the error endless.
func TestNamesAreTidied(t *testing.T) {
	t.Parallel()
	const odd = "x\nlevel=info\x1b[2J"
	long := odd + strings.Repeat("y", 5000)
	list := func(elements ...map[string]any) http.Handler {
		data, err := json.Marshal(elements)
		if err != nil {
			t.Fatal(err)
		}
		return answer(200, "application/json", string(data))
	}
	s := newServer(t)
	c := newClient(t, s)
	check := func(err error) {
		t.Helper()
		if err == nil {
			t.Fatal("no error")
		}
		if text := err.Error(); strings.ContainsAny(text, "\n\x1b") || len(text) > 2000 {
			t.Errorf("%d bytes: %.200q", len(text), text)
		}
	}
	info := map[string]any{"name": "shop", "region": long}
	s.DevOps().Intercept("GET /v2/databases", 2, list(map[string]any{"id": "1" + long, "status": long, "info": info}, map[string]any{"id": "2", "info": info}))
	_, err := c.Database(ctx(t), "shop")
	check(err)
	_, err = c.Database(ctx(t), "SHOP")
	check(err)
	link := map[string]any{"datacenterID": "d", "region": long, "downloadURL": "https://a/b",
		"customDomainBundles": []any{map[string]any{"domain": long, "downloadURL": "https://a/b"}}}
	s.DevOps().Intercept("secureBundleURL", -1, list(link))
	for _, q := range []devops.BundleQuery{{Region: "r"}, {Domain: "d"}, {Kind: devops.KindInternal}} {
		_, err = c.DownloadBundle(ctx(t), s.DatabaseID, q)
		check(err)
	}
	check(&devops.StatusError{Database: s.DatabaseID, Status: devops.Status(long)})
}
