package devops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-5f06b232/astra-go/token"
)

// Role is a role that a token can have, of Astra's or the organization's own making.
type Role struct {
	ID   string // a UUID
	Name string // such as "Database Administrator"
}

// TokenInfo is what the API tells of a token that exists. The API tells secrets only when it creates a token.
type TokenInfo struct {
	ClientID    string
	Roles       []string // IDs
	Description string
	Generated   time.Time
	Expires     time.Time // the zero time: never
}

// TokenRequest says what a new token shall be. Roles are required.
type TokenRequest struct {
	Roles       []string  // IDs, or names as Client.Roles has them
	Description string    // for people
	Expires     time.Time // the zero time: what the organization has set, or never
}

const tokenRoles = "a token of the role Organization Administrator can do it, or of a custom role that may manage tokens"

// Roles lists the roles of the organization.
func (c *Client) Roles(ctx context.Context) ([]Role, error) {
	r := c.newRequest("list roles", http.MethodGet, nil, "organizations", "roles")
	r.mayBeNull = true
	r.needs = tokenRoles
	body, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	roles, err := decodeRoles(body)
	if err != nil {
		return nil, &Error{Op: r.op, StatusCode: http.StatusOK, Message: err.Error(), err: err}
	}
	return roles, nil
}

func decodeRoles(body []byte) ([]Role, error) {
	var elements []struct{ ID, Name text } // spelled so, and in lower case in the API's specification
	if isNull(body) {
		return nil, nil
	}
	if err := decode(body, &elements); err != nil {
		return nil, err
	}
	roles := make([]Role, len(elements))
	for i, e := range elements {
		roles[i] = Role{ID: string(e.ID), Name: string(e.Name)}
	}
	return roles, nil
}

// Tokens lists the tokens of the organization.
func (c *Client) Tokens(ctx context.Context) ([]TokenInfo, error) {
	r := c.newRequest("list tokens", http.MethodGet, nil, "clientIdSecrets")
	r.mayBeNull = true
	r.needs = tokenRoles
	body, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	tokens, err := decodeTokens(body)
	if err != nil {
		return nil, &Error{Op: r.op, StatusCode: http.StatusOK, Message: err.Error(), err: err}
	}
	return tokens, nil
}

func decodeTokens(body []byte) ([]TokenInfo, error) {
	var answer struct {
		Clients list[struct {
			ClientID    text
			Roles       list[text]
			Description text
			GeneratedOn instant
			TokenExpiry instant
		}]
	}
	if isNull(body) {
		return nil, nil
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	var tokens []TokenInfo
	for _, e := range answer.Clients {
		info := TokenInfo{ClientID: string(e.ClientID), Description: string(e.Description), Generated: e.GeneratedOn.Time, Expires: e.TokenExpiry.Time}
		for _, role := range e.Roles {
			info.Roles = append(info.Roles, string(role))
		}
		tokens = append(tokens, info)
	}
	return tokens, nil
}

// CreateToken makes a new token and returns it, client secret included: keep it, since Astra does not show it again.
//
// The request is sent once. Where its answer is lost, the error says so: a token may exist then whose secret nobody has. Find it with
// [Client.Tokens] by its description or time, and delete it.
func (c *Client) CreateToken(ctx context.Context, request TokenRequest) (token.Token, error) {
	const op = "create token"
	if len(request.Roles) == 0 {
		return token.Token{}, &Error{Op: op, Message: "TokenRequest.Roles is empty: a token needs a role"}
	}
	roles, err := c.roleIDs(ctx, op, request.Roles)
	if err != nil {
		return token.Token{}, err
	}
	body := struct {
		Roles       []string `json:"roles"`
		Description string   `json:"description,omitempty"`
		TokenExpiry string   `json:"tokenExpiry,omitempty"`
	}{roles, request.Description, ""}
	if !request.Expires.IsZero() {
		if !request.Expires.After(time.Now()) {
			return token.Token{}, &Error{Op: op, Message: "TokenRequest.Expires is in the past"}
		}
		body.TokenExpiry = request.Expires.UTC().Format(time.RFC3339)
	}
	r := c.newRequest(op, http.MethodPost, nil, "clientIdSecrets")
	r.body = body
	r.needs = tokenRoles
	answer, err := c.do(ctx, r)
	var e *Error
	switch {
	case errors.As(err, &e):
		if e.Attempts > 0 && (e.StatusCode == 0 || e.StatusCode >= 500 || e.StatusCode < 300) {
			e.advise("a token may have been created all the same; look for it with Client.Tokens, and delete it")
		}
		return token.Token{}, e
	case err != nil:
		return token.Token{}, err
	}
	t, err := token.ParseJSON(answer)
	if err != nil {
		return token.Token{}, &Error{Op: op, StatusCode: http.StatusOK, Message: "the answer has no token: " + tidy(err.Error()), err: err,
			advice: "a token was probably created all the same; look for it with Client.Tokens, and delete it"}
	}
	return t, nil
}

// roleIDs returns the IDs of roles that are given by ID or name.
func (c *Client) roleIDs(ctx context.Context, op string, given []string) ([]string, error) {
	if !slices.ContainsFunc(given, func(s string) bool { return !uuid.MatchString(s) }) {
		return given, nil
	}
	all, err := c.Roles(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(given))
	for i, s := range given {
		if uuid.MatchString(s) {
			ids[i] = s
			continue
		}
		var names []string
		for _, role := range all {
			names = append(names, role.Name)
			if !strings.EqualFold(role.Name, s) {
				continue
			}
			if ids[i] != "" && ids[i] != role.ID {
				return nil, &Error{Op: op, Message: fmt.Sprintf("several roles have the name %q", tidy(s)), err: ErrAmbiguous, advice: "use an ID"}
			}
			ids[i] = role.ID
		}
		if ids[i] == "" {
			return nil, notFound(op, "there is no role %q; there are: %s", tidy(s), tidy(join(names)))
		}
	}
	return ids, nil
}

// DeleteToken deletes the token with a client ID, at once and for good. The request is sent once; where its answer is lost, Tokens tells what
// became of it. A token that does not exist is [ErrNotFound].
func (c *Client) DeleteToken(ctx context.Context, clientID string) error {
	const op = "delete token"
	if !isClientID(clientID) { // it becomes part of a URL; a whole token must not
		return &Error{Op: op, Message: "this is not a client ID, which has letters and digits only"}
	}
	r := c.newRequest(op+" "+clientID, http.MethodDelete, nil, "clientIdSecrets", clientID)
	r.needs = tokenRoles
	_, err := c.do(ctx, r)
	var e *Error
	if errors.As(err, &e) && e.Attempts > 0 && (e.StatusCode == 0 || e.StatusCode >= 500) {
		e.advise("the token may have been deleted all the same; Client.Tokens tells")
	}
	return err
}

func isClientID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
}
