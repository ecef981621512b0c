package astratest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-5f06b232/astra-go/token"
)

// issuedToken is a token that the API created.
type issuedToken struct {
	token       token.Token
	roles       []string // IDs
	description string
	generated   time.Time
	expires     time.Time // the zero time: never
}

// The roles of the simulated organization. Those whose names end in Administrator may use the API.
var roles = []struct{ id, name string }{
	{"10000000-0000-4000-8000-000000000001", "Organization Administrator"},
	{"10000000-0000-4000-8000-000000000002", "Database Administrator"},
	{"10000000-0000-4000-8000-000000000003", "R/W User"},
	{"10000000-0000-4000-8000-000000000004", "RO User"},
}

const organizationID = "20000000-0000-4000-8000-000000000001"

// tokens returns what is accepted now: the Server's own token, an Organization Administrator's, and those that the API created.
func (d *DevOps) tokens() []issuedToken {
	own := issuedToken{token: d.server.Token(), roles: []string{roles[0].id}, description: "the Server's own"}
	d.mu.Lock()
	defer d.mu.Unlock()
	var valid []issuedToken
	for _, t := range append([]issuedToken{own}, d.created...) {
		if !d.deleted[t.token.ClientID()] && (t.expires.IsZero() || time.Now().Before(t.expires)) {
			valid = append(valid, t)
		}
	}
	return valid
}

// accepts says whether a CQL connection may be opened with a user name and password.
func (d *DevOps) accepts(username, password string) bool {
	return slices.ContainsFunc(d.tokens(), func(t issuedToken) bool { return accepts(t.token, username, password) })
}

func (d *DevOps) find(bearer string) (issuedToken, bool) {
	for _, t := range d.tokens() {
		if t.token.Bearer() == bearer {
			return t, true
		}
	}
	return issuedToken{}, false
}

func (t issuedToken) isAdmin() bool {
	return slices.ContainsFunc(roles, func(r struct{ id, name string }) bool {
		return strings.HasSuffix(r.name, " Administrator") && slices.Contains(t.roles, r.id)
	})
}

// authenticated answers in h's place where the token is not accepted.
func (d *DevOps) authenticated(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, ok := d.authenticate(w, r); ok {
			h(w, r)
		}
	}
}

// admin answers in h's place where the token is not accepted or has too low a role.
func (d *DevOps) admin(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t, ok := d.authenticate(w, r)
		switch {
		case !ok:
		case !t.isAdmin():
			d.refuse(w, http.StatusForbidden, 340020, "Forbidden: the role of the token has no permission for this")
		default:
			h(w, r)
		}
	}
}

func (d *DevOps) authenticate(w http.ResponseWriter, r *http.Request) (issuedToken, bool) {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t, known := d.find(bearer)
	switch {
	case !ok:
		d.refuse(w, http.StatusUnauthorized, 340002, "no bearer token in request")
	case strings.ContainsAny(bearer, `"'`):
		d.refuse(w, http.StatusForbidden, 340017, "Resource, token, was malformed. Error: auth-manager returned 403 for call")
	case !strings.HasPrefix(bearer, "AstraCS:"):
		d.refuse(w, http.StatusUnauthorized, 340016, "Resource, token, was malformed. Error: auth-manager returned 400 for call")
	case !known:
		d.refuse(w, http.StatusUnauthorized, 340018, "Resource not found: token with identifier: auth-manager returned 404 for call")
	}
	return t, known
}

func (d *DevOps) currentOrganization(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, object{"id": organizationID})
}

func (d *DevOps) listRoles(w http.ResponseWriter, _ *http.Request) {
	var all []object
	for _, role := range roles {
		all = append(all, object{
			"ID": role.id, "Name": role.name, "LastUpdateDateTime": "2021-03-04T00:00:00Z", "LastUpdateUserID": "",
			"Policy": object{"description": role.name, "effect": "allow", "resources": []string{"drn:astra:org:" + organizationID}, "actions": []string{"db-cql"}},
		})
	}
	writeJSON(w, http.StatusOK, all)
}

func (t issuedToken) json() object {
	o := object{"clientId": t.token.ClientID(), "roles": t.roles, "description": t.description, "generatedOn": t.generated.UTC(), "tokenExpiry": nil}
	if !t.expires.IsZero() {
		o["tokenExpiry"] = t.expires.UTC()
	}
	return o
}

func (d *DevOps) listTokens(w http.ResponseWriter, _ *http.Request) {
	var all []object
	for _, t := range d.tokens() {
		all = append(all, t.json())
	}
	writeJSON(w, http.StatusOK, object{"clients": all})
}

func (d *DevOps) createToken(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Roles       []string
		Description string
		TokenExpiry time.Time
	}
	body, _ := io.ReadAll(r.Body)
	if json.Unmarshal(body, &request) != nil || len(request.Roles) == 0 {
		http.Error(w, "malformed request", http.StatusBadRequest)
		return
	}
	for _, id := range request.Roles {
		if !slices.ContainsFunc(roles, func(r struct{ id, name string }) bool { return r.id == id }) {
			http.Error(w, "Role ID not found", http.StatusNotFound)
			return
		}
	}
	t := issuedToken{newToken(), request.Roles, request.Description, time.Now(), request.TokenExpiry}
	d.mu.Lock()
	d.created = append(d.created, t)
	d.mu.Unlock()
	answer := t.json()
	answer["orgId"], answer["secret"], answer["token"] = organizationID, t.token.Secret(), t.token.Bearer()
	writeJSON(w, http.StatusOK, answer)
}

func (d *DevOps) deleteToken(w http.ResponseWriter, r *http.Request) {
	clientID := r.PathValue("clientID")
	if !slices.ContainsFunc(d.tokens(), func(t issuedToken) bool { return t.token.ClientID() == clientID }) {
		http.Error(w, "token not found", http.StatusNotFound)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deleted[clientID] = true
	w.WriteHeader(http.StatusNoContent)
}
