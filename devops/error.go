package devops

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What errors of this package are, for errors.Is.
var (
	// ErrUnauthorized: the token is malformed, unknown, revoked or expired; or the API hides so that its role is too low. Retrying does not help.
	ErrUnauthorized = errors.New("the token is invalid, revoked or expired, or its role does not suffice")

	// ErrForbidden: the role of the token does not suffice, or an access list does not have this client's address. Retrying does not help.
	ErrForbidden = errors.New("the token's role does not suffice, or the organization's access list refuses this address")

	// ErrNotFound: there is no such database, region, bundle or token.
	ErrNotFound = errors.New("not found")

	// ErrAmbiguous: several databases have the name, or several regions have a bundle and none is known to be the primary.
	ErrAmbiguous = errors.New("ambiguous")

	// ErrConflict: the database is in a state that does not permit the call, such as MAINTENANCE or HIBERNATED. See [Client.WaitActive].
	ErrConflict = errors.New("the state of the database does not permit this")

	// ErrRateLimited: there were too many requests; later ones may pass.
	ErrRateLimited = errors.New("too many requests; try again later")

	// ErrUnavailable: the API or the network failed, on every attempt; later ones may pass.
	ErrUnavailable = errors.New("unavailable; try again later")
)

// Error is the failure of a call. errors.Is tells by the sentinels of this package what it is; a context that ended is found by
// errors.Is(err, context.DeadlineExceeded) or context.Canceled.
type Error struct {
	Op         string // such as "list databases"
	StatusCode int    // of the last answer; 0 if there was none
	Code       int    // Astra's number of the error, such as 340018; 0 if the answer had none
	Message    string // what is wrong, on one line, without secrets; of what an answer said, up to 300 bytes; may be empty
	RequestID  string // of the last answer, if it had one
	Attempts   int    // how often the request was sent; 0: never

	storage    bool          // the answer came from the store that the links lead to
	transient  bool          // another attempt may succeed
	retryAfter time.Duration // what the answer asks for before another attempt; 0: nothing
	advice     string        // what to do; may be empty
	err        error         // what Unwrap returns
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("devops: " + e.Op)
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ": %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (code %d)", e.Code)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (after %d attempts)", e.Attempts)
	}
	if e.advice != "" {
		b.WriteString(": " + e.advice)
	} else if kind := e.kind(); kind != nil && kind != ErrNotFound && kind != ErrAmbiguous {
		b.WriteString(": " + kind.Error())
	}
	return b.String()
}

// advise adds to what Error says one should do.
func (e *Error) advise(advice string) {
	if e.advice != "" {
		advice = e.advice + "; " + advice
	}
	e.advice = advice
}

// Is reports whether target is the sentinel of what e is.
func (e *Error) Is(target error) bool { return target != nil && target == e.kind() }

// Unwrap returns the cause that is not an answer, such as an error of the network; often nil.
func (e *Error) Unwrap() error { return e.err }

// kind returns the sentinel of what e is, or nil.
func (e *Error) kind() error {
	switch {
	case e.Code == 340002 || e.Code >= 340016 && e.Code <= 340018: // sent with 401 and with 403
		return ErrUnauthorized
	case e.StatusCode == http.StatusNotFound:
		return ErrNotFound
	case e.StatusCode == http.StatusTooManyRequests:
		return ErrRateLimited
	case e.StatusCode >= 500:
		return ErrUnavailable
	case e.storage:
		return nil // it knows no tokens
	case e.StatusCode == http.StatusUnauthorized:
		return ErrUnauthorized
	case e.StatusCode == http.StatusForbidden:
		return ErrForbidden
	case e.StatusCode == http.StatusConflict:
		return ErrConflict
	case e.transient:
		return ErrUnavailable
	}
	return nil
}

// described is what the body of an error says.
type described struct {
	code    int
	message string
}

// describe reads the body of an answer that is not a success, whatever form it has: the API's list of errors, a JSON string or another
// object, XML of the store, HTML of a gateway, plain text, or nothing.
func describe(contentType string, body []byte) described {
	media, _, _ := mime.ParseMediaType(contentType)
	text := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(text) == 0:
		return described{}
	case text[0] == '{':
		if d, ok := describeObject(text); ok {
			return d
		}
		return described{message: "an answer in unknown JSON"}
	case text[0] == '"':
		var s string
		if json.Unmarshal(text, &s) == nil {
			return described{message: tidy(s)}
		}
	case text[0] == '[':
		if d, ok := describeErrors(text); ok {
			return d
		}
		return described{message: "an answer in unknown JSON"}
	case isHTML(media, text):
		return described{message: tidy("an HTML page in place of the API's answer, from a proxy or gateway" + htmlTitle(text))}
	case text[0] == '<':
		return describeXML(text)
	}
	return described{message: tidy(string(text))}
}

func describeObject(body []byte) (described, bool) {
	var object struct {
		Errors      json.RawMessage
		Message     text
		Error       text
		Description text
	}
	if json.Unmarshal(body, &object) != nil {
		return described{}, false
	}
	if d, ok := describeErrors(object.Errors); ok {
		return d, true
	}
	for _, s := range []text{object.Message, object.Error, object.Description} {
		if s != "" {
			return described{message: tidy(string(s))}, true
		}
	}
	return described{}, false
}

// describeErrors reads [{"ID": 340002, "message": "…"}]; the ID may be spelled id and may be a string, and there may be several.
func describeErrors(list []byte) (described, bool) {
	var errs []struct {
		ID      text
		Message text
	}
	if len(list) == 0 || json.Unmarshal(list, &errs) != nil || len(errs) == 0 {
		return described{}, false
	}
	var messages []string
	for _, e := range errs {
		if e.Message != "" {
			messages = append(messages, string(e.Message))
		}
	}
	code, _ := strconv.Atoi(string(errs[0].ID))
	return described{code: code, message: tidy(strings.Join(messages, "; "))}, true
}

// describeXML reads <Error><Code>AccessDenied</Code><Message>Request has expired</Message>…</Error>, as stores answer.
func describeXML(body []byte) described {
	var answer struct {
		Code    string
		Message string
	}
	if xml.Unmarshal(body, &answer) != nil || answer.Code == "" && answer.Message == "" {
		return described{message: "an answer in unknown XML"}
	}
	return described{message: tidy(strings.Trim(answer.Code+": "+answer.Message, ": "))}
}

func isHTML(media string, text []byte) bool {
	start := strings.ToLower(string(text[:min(len(text), 64)]))
	return media == "text/html" || strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

var titleTag = regexp.MustCompile(`(?is)<title[^>]*>([^<]*)</title>`)

func htmlTitle(page []byte) string {
	if m := titleTag.FindSubmatch(page); m != nil && len(bytes.TrimSpace(m[1])) > 0 {
		return ": " + string(m[1])
	}
	return ""
}

const maxMessage = 300

// secretForms are what must not be shown wherever it turns up: tokens, the query of a signed link, private keys, and the user and password in a URL.
var secretForms = regexp.MustCompile(`(?i)//[^/\s"'@]+@|AstraCS:[^\s"',;]*|Bearer\s+[^\s"',;]+|eyJ[\w-]{8,}\.[^\s"',;]*|\?[^\s"'<>]*(?:X-Amz-|Signature=|sig=)[^\s"'<>]*|(?:X-Amz-[\w-]+|Signature|sig)=[^\s&"'<>]*|-----BEGIN[^\x00]*`)

// tidy makes foreign text fit for an error or a log: one line, not long, without secrets.
func tidy(s string) string {
	s = secretForms.ReplaceAllString(s, "[redacted]")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
	}), " ")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage-len("…")], "") + "…"
	}
	return s
}
