package devops

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-5f06b232/astra-go/token"
)

// RotationError says how far [Client.RotateToken] came, and what exists now.
type RotationError struct {
	Old string // client ID; this token exists, unless Err says otherwise
	New string // client ID of the new token; "" if there is none, unless Err says that nobody knows
	Err error
}

func (e *RotationError) Error() string {
	if e.New == "" {
		return fmt.Sprintf("devops: rotate token: no new token was installed, and the old one, %s, was left as it is: %v", e.Old, e.Err)
	}
	return fmt.Sprintf("devops: rotate token: the new one, %s, and the old one, %s, both exist: %v", e.New, e.Old, e.Err)
}

func (e *RotationError) Unwrap() error { return e.Err }

// RotateToken replaces the token with the client ID old. It creates a new one; hands it to install, which puts it where the programs find it and returns
// when they can be without the old one; and deletes the old one only after that succeeded. A request without roles takes those of the old
// token, and one without a description takes its description. It is never the case that neither token works.
//
// A failure is a *[RotationError], which says what exists then. If install fails, both do, and nothing is deleted: install may have come half
// the way. The new token is returned whenever there is one, also with an error.
func (c *Client) RotateToken(ctx context.Context, old string, request TokenRequest, install func(context.Context, token.Token) error) (token.Token, error) {
	if install == nil {
		return token.Token{}, errors.New("devops: RotateToken: install is nil: there is nobody to take the new token")
	}
	if !isClientID(old) { // it is shown in errors; a whole token must not be
		return token.Token{}, &Error{Op: "rotate token", Message: "this is not a client ID, which has letters and digits only"}
	}
	info, err := c.tokenInfo(ctx, old)
	if err != nil {
		return token.Token{}, &RotationError{Old: old, Err: err}
	}
	if len(request.Roles) == 0 {
		request.Roles = info.Roles
	}
	if request.Description == "" {
		request.Description = info.Description
	}
	t, err := c.CreateToken(ctx, request)
	if err != nil {
		return token.Token{}, &RotationError{Old: old, Err: err}
	}
	if err := install(ctx, t); err != nil {
		return t, &RotationError{Old: old, New: t.ClientID(), Err: fmt.Errorf("the new token could not be installed: %w; when that is settled, delete the one that is not in use", err)}
	}
	if err := c.DeleteToken(ctx, old); err != nil && !errors.Is(err, ErrNotFound) {
		return t, &RotationError{Old: old, New: t.ClientID(), Err: fmt.Errorf("the new token is installed, but the old one could not be deleted: %w", err)}
	}
	return t, nil
}

func (c *Client) tokenInfo(ctx context.Context, clientID string) (TokenInfo, error) {
	all, err := c.Tokens(ctx)
	if err != nil {
		return TokenInfo{}, err
	}
	for _, t := range all {
		if t.ClientID == clientID {
			return t, nil
		}
	}
	return TokenInfo{}, notFound("get token", "the organization has no token with the client ID %s", clientID)
}
