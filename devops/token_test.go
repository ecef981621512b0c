package devops_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/token"
)

const (
	organizationAdministrator = "10000000-0000-4000-8000-000000000001"
	readWriteUser             = "10000000-0000-4000-8000-000000000003"
)

// The API spells ID and Name otherwise than its specification (devops-api 3.7).
func TestRoles(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(t, s)
	roles, err := c.Roles(ctx(t))
	if err != nil || !slices.Contains(roles, devops.Role{ID: readWriteUser, Name: "R/W User"}) {
		t.Errorf("%+v, %v", roles, err)
	}
	s.DevOps().Intercept("roles", 1, answer(200, "application/json", `[{"id":"1","name":"a","last_update_datetime":"x"}]`))
	roles, err = c.Roles(ctx(t))
	if err != nil || !slices.Equal(roles, []devops.Role{{ID: "1", Name: "a"}}) {
		t.Errorf("%+v, %v", roles, err)
	}
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(t, s)
	expires := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	created, err := c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{"r/w user", organizationAdministrator}, Description: "nightly job", Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	if created.Secret() == "" || created.ClientID() == "" || !strings.HasPrefix(created.Bearer(), "AstraCS:") {
		t.Error("the created token is not whole")
	}
	tokens, err := c.Tokens(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(tokens, func(i devops.TokenInfo) bool { return i.ClientID == created.ClientID() })
	if i < 0 {
		t.Fatal("the created token is not listed")
	}
	got := tokens[i]
	if time.Since(got.Generated) > time.Minute {
		t.Errorf("generated %v", got.Generated)
	}
	got.Generated = time.Time{}
	want := devops.TokenInfo{ClientID: created.ClientID(), Roles: []string{readWriteUser, organizationAdministrator}, Description: "nightly job", Expires: expires}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := newClient(t, s, func(c *devops.Config) { c.Token = created }).Tokens(ctx(t)); err != nil {
		t.Error("the created token is refused:", err)
	}
	if err := c.DeleteToken(ctx(t), created.ClientID()); err != nil {
		t.Error(err)
	}
	_, err = newClient(t, s, func(c *devops.Config) { c.Token = created }).Tokens(ctx(t))
	wantError(t, err, devops.ErrUnauthorized)
	wantError(t, c.DeleteToken(ctx(t), created.ClientID()), devops.ErrNotFound)
}

// The specification says 200 to DELETE, the API 204 (devops-api 3.6).
func TestDeleteAnswers(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 202, 204} {
		s := newServer(t)
		s.DevOps().Intercept("DELETE", 1, answer(status, "text/plain", ""))
		if err := newClient(t, s).DeleteToken(ctx(t), "IFmJlTkNvptFzTDEQpQIEJud"); err != nil {
			t.Error(status, err)
		}
	}
}

func TestCreateTokenSlips(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(t, s)
	_, err := c.CreateToken(ctx(t), devops.TokenRequest{})
	wantError(t, err, nil, "needs a role")
	_, err = c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{readWriteUser}, Expires: time.Unix(1, 0)})
	wantError(t, err, nil, "past")
	_, err = c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{"king"}})
	wantError(t, err, devops.ErrNotFound, "king", "R/W User")
	s.DevOps().Intercept("roles", 1, answer(200, "application/json", `[{"ID":"1","Name":"twin"},{"ID":"2","Name":"twin"}]`))
	_, err = c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{"twin"}})
	wantError(t, err, devops.ErrAmbiguous, "twin")
	_, err = c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{"30000000-0000-4000-8000-000000000003"}})
	wantError(t, err, devops.ErrNotFound, "Role ID not found") // text/plain, as these calls answer
	if n := requests(s, "POST"); n != 1 {
		t.Errorf("%d requests to create", n)
	}

	// A whole token in a client ID's place would end in a URL, and in logs of proxies.
	for _, id := range []string{"", "a/b", "..", s.Token().Bearer(), "a b", strings.Repeat("a", 65)} {
		err := c.DeleteToken(ctx(t), id)
		wantError(t, err, nil, "not a client ID")
		if len(id) > 90 && strings.Contains(err.Error(), id) {
			t.Error("the error shows the token")
		}
	}
	if n := requests(s, "DELETE"); n != 0 {
		t.Errorf("%d requests to delete", n)
	}
}

// What changes something is sent once, whatever the answer; a lost answer says what may exist now.
func TestTokensAreNotRepeated(t *testing.T) {
	t.Parallel()
	abort := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for name, tc := range map[string]struct {
		handler http.Handler
		unknown bool
	}{
		"503": {answer(503, "text/plain", "x"), true}, "500": {answer(500, "text/plain", "x"), true}, "EOF": {abort, true},
		"429": {answer(429, "text/plain", "x"), false}, "403": {answer(403, "text/plain", "x"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			c := newClient(t, s)
			s.DevOps().Intercept("clientIdSecrets", -1, tc.handler)
			_, err := c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{readWriteUser}})
			if e := wantError(t, err, nil); e.Attempts != 1 || strings.Contains(err.Error(), "may have been created") != tc.unknown {
				t.Errorf("%+v", e)
			}
			err = c.DeleteToken(ctx(t), "IFmJlTkNvptFzTDEQpQIEJud")
			if e := wantError(t, err, nil); e.Attempts != 1 || strings.Contains(err.Error(), "may have been deleted") != tc.unknown {
				t.Errorf("%+v", e)
			}
			if n := requests(s, "clientIdSecrets"); n != 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// Where the context ends a call that changes something, the error says that, too, not only what may exist now.
func TestLostAnswerSaysWhy(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.DevOps().Intercept("clientIdSecrets", -1, silence())
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, s)
		short, cancel := context.WithTimeout(ctx(t), time.Second)
		defer cancel()
		_, err := c.CreateToken(short, devops.TokenRequest{Roles: []string{readWriteUser}})
		wantError(t, err, context.DeadlineExceeded, "context deadline exceeded", "may have been created")
		short, cancel = context.WithTimeout(ctx(t), time.Second)
		defer cancel()
		err = c.DeleteToken(short, "IFmJlTkNvptFzTDEQpQIEJud")
		wantError(t, err, context.DeadlineExceeded, "context deadline exceeded", "may have been deleted")
	})
}

// An answer to the creation without a token string has one all the same, by the client ID and secret.
func TestCreateTokenAnswers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(t, s)
	request := devops.TokenRequest{Roles: []string{readWriteUser}}
	s.DevOps().Intercept("POST", 1, answer(200, "application/json", `{"clientId":"IFmJlTkNvptFzTDEQpQIEJud","secret":"`+strings.Repeat("s.", 60)+`"}`))
	tok, err := c.CreateToken(ctx(t), request)
	if err != nil || tok.ClientID() != "IFmJlTkNvptFzTDEQpQIEJud" || tok.Bearer() == "" {
		t.Error(err)
	}
	for _, body := range []string{"", "null", "{}", `{"clientId":"x"}`, "created", `{"token":"secretsecret","clientId":5}`} {
		s.DevOps().Intercept("POST", 1, answer(201, "application/json", body))
		_, err := c.CreateToken(ctx(t), request)
		wantError(t, err, nil, "Client.Tokens")
		if strings.Contains(err.Error(), "secretsecret") {
			t.Errorf("%q quotes the answer", err)
		}
	}
}

func TestTokensForms(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(t, s)
	s.DevOps().Intercept("GET", 1, answer(200, "application/json", `{"clients":[null,{"clientId":"a","roles":null,"tokenExpiry":null,"generatedOn":"yesterday"},{"clientId":"b","roles":["r",1],"tokenExpiry":"2030-01-02T03:04:05.678Z","x":1}]}`))
	got, err := c.Tokens(ctx(t))
	want := []devops.TokenInfo{{ClientID: "a"}, {ClientID: "b", Roles: []string{"r", "1"}, Expires: time.Date(2030, 1, 2, 3, 4, 5, 678e6, time.UTC)}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, body := range []string{"null", "{}", `{"clients":null}`} {
		s.DevOps().Intercept("GET", 1, answer(200, "application/json", body))
		if got, err := c.Tokens(ctx(t)); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}

func clientIDs(t *testing.T, c *devops.Client) []string {
	t.Helper()
	tokens, err := c.Tokens(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, tok := range tokens {
		ids = append(ids, tok.ClientID)
	}
	return ids
}

func TestRotateToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(t, s)
	old, err := c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{"R/W User"}, Description: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	var installed token.Token
	got, err := c.RotateToken(ctx(t), old.ClientID(), devops.TokenRequest{}, func(_ context.Context, tok token.Token) error {
		if !slices.Contains(clientIDs(t, c), old.ClientID()) {
			t.Error("the old token was deleted before the new one was installed")
		}
		installed = tok
		return nil
	})
	if err != nil || !got.Equal(installed) || got.Equal(old) {
		t.Fatal(err)
	}
	if ids := clientIDs(t, c); slices.Contains(ids, old.ClientID()) || !slices.Contains(ids, got.ClientID()) {
		t.Errorf("tokens %v", ids)
	}
	tokens, err := c.Tokens(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	if last := tokens[len(tokens)-1]; last.Description != "shop" || !slices.Equal(last.Roles, []string{readWriteUser}) {
		t.Errorf("the new token is not like the old one: %+v", last)
	}
}

// The DevOps token itself can be rotated: the old one deletes itself, or the source has the new one by then.
func TestRotateOwnToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	own := s.Token()
	c := newClient(t, s, func(c *devops.Config) {
		c.Token = token.SourceFunc(func(context.Context) (token.Token, error) { return own, nil })
	})
	old := own.ClientID()
	if _, err := c.RotateToken(ctx(t), old, devops.TokenRequest{}, func(_ context.Context, tok token.Token) error {
		own = tok
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if ids := clientIDs(t, c); slices.Contains(ids, old) {
		t.Errorf("tokens %v", ids)
	}
}

// Each failure says what exists now, and there is always a token that works.
func TestRotateTokenFailures(t *testing.T) {
	t.Parallel()
	disk := errors.New("disk full")
	for name, tc := range map[string]struct {
		pattern string // of the request that fails
		install error
		both    bool // tokens exist in the end
		text    string
	}{
		"cannot list":    {pattern: "GET /v2/clientIdSecrets", text: "was left as it is"},
		"cannot create":  {pattern: "POST", text: "was left as it is"},
		"cannot install": {install: disk, both: true, text: "both exist"},
		"cannot delete":  {pattern: "DELETE", both: true, text: "both exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			c := newClient(t, s)
			old, err := c.CreateToken(ctx(t), devops.TokenRequest{Roles: []string{"R/W User"}})
			if err != nil {
				t.Fatal(err)
			}
			before := len(clientIDs(t, c))
			if tc.pattern != "" {
				s.DevOps().Intercept(tc.pattern, -1, answer(409, "text/plain", "no"))
			}
			tok, err := c.RotateToken(ctx(t), old.ClientID(), devops.TokenRequest{}, func(context.Context, token.Token) error { return tc.install })
			s.DevOps().Intercept(tc.pattern, -1, nil)
			wantError(t, err, tc.install, tc.text, old.ClientID())
			var e *devops.RotationError
			if !errors.As(err, &e) || e.Old != old.ClientID() || e.New != tok.ClientID() || tok.IsZero() == tc.both {
				t.Errorf("%+v", e)
			}
			ids := clientIDs(t, c)
			if !slices.Contains(ids, old.ClientID()) || (len(ids) == before+1) != tc.both || tc.both && !slices.Contains(ids, e.New) {
				t.Errorf("tokens %v", ids)
			}
		})
	}
	s := newServer(t)
	c := newClient(t, s)
	install := func(context.Context, token.Token) error { t.Error("installed"); return nil }
	_, err := c.RotateToken(ctx(t), "IFmJlTkNvptFzTDEQpQIEJud", devops.TokenRequest{}, install)
	wantError(t, err, devops.ErrNotFound, "IFmJlTkNvptFzTDEQpQIEJud")
	_, err = c.RotateToken(ctx(t), s.Token().Bearer(), devops.TokenRequest{}, install)
	wantError(t, err, nil, "not a client ID")
	if strings.Contains(err.Error(), s.Token().Bearer()) {
		t.Error("the error shows the token")
	}
	_, err = c.RotateToken(ctx(t), s.Token().ClientID(), devops.TokenRequest{}, nil)
	wantError(t, err, nil, "install is nil")
}
