package token

import (
	"fmt"
	"io/fs"
)

// problem is every error of this package. Its text never holds a value that was given as a token or secret.
type problem struct {
	origin string // where the value came from; may be empty
	what   string
	err    error // for errors.Is; its text is part of what, or is not for people
}

func (p *problem) Error() string {
	if p.origin == "" {
		return "token: " + p.what
	}
	return "token: " + p.origin + ": " + p.what
}

func (p *problem) Unwrap() error { return p.err }

func errorf(format string, args ...any) error {
	return &problem{what: fmt.Sprintf(format, args...)}
}

// notExist makes an error that means that there is no token here, so that First looks further.
func notExist(format string, args ...any) error {
	return &problem{what: fmt.Sprintf(format, args...), err: fs.ErrNotExist}
}

// from returns t, or err, with the place that the value came from.
func from(origin string, t Token, err error) (Token, error) {
	if p, ok := err.(*problem); ok {
		return Token{}, &problem{origin: origin, what: p.what, err: p.err}
	}
	if err != nil {
		return Token{}, &problem{origin: origin, what: err.Error(), err: err}
	}
	c := t.credentials()
	c.origin = origin
	return newToken(c), nil
}
