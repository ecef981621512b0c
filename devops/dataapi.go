package devops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	"github.com/seed-5f06b232/astra-go/token"
)

// appsDomains are the domains of the Data API by the host of the DevOps API.
var appsDomains = map[string]string{
	"api.astra.datastax.com":      "apps.astra.datastax.com",
	"api.dev.cloud.datastax.com":  "apps.astra-dev.datastax.com",
	"api.test.cloud.datastax.com": "apps.astra-test.datastax.com",
}

// DataAPIEndpoint returns where the Data API of a database, given by its ID or name, is for a region; empty: the primary region. It has
// the form https://<database ID>-<region>.apps.astra.datastax.com, as Astra's own Go client takes it. A region that the database is not in is
// [ErrNotFound].
func (c *Client) DataAPIEndpoint(ctx context.Context, database, region string) (string, error) {
	d, err := c.Database(ctx, database)
	if err != nil {
		return "", err
	}
	u, err := c.dataEndpoint(d, region)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// SetDataAPIToken sets the header by which the Data API knows a client: Token, not Authorization.
func SetDataAPIToken(r *http.Request, t token.Token) { r.Header.Set("Token", t.Bearer()) }

var regionName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// dataEndpoint returns the URL of the Data API in a region. In Astra's known environments it follows from the ID and the region; elsewhere the
// API's answer says it, for the primary region.
func (c *Client) dataEndpoint(d *Database, region string) (*url.URL, error) {
	op := "find the Data API of database " + tidy(d.ID)
	if region != "" {
		known := false
		for _, r := range d.Regions() {
			known = known || strings.EqualFold(r, region)
		}
		if !known {
			return nil, notFound(op, "the database is not in the region %s; it is in: %s", tidy(region), join(d.Regions()))
		}
	}
	primary := region == "" || strings.EqualFold(region, d.Region)
	if primary {
		region = d.Region
	}
	region = strings.ToLower(region)
	if domain := appsDomains[strings.ToLower(c.base.Hostname())]; domain != "" {
		switch {
		case region == "":
			return nil, &Error{Op: op, Message: "the API does not say which region is the primary one", err: ErrAmbiguous, advice: "name a region"}
		case !uuid.MatchString(d.ID) || !regionName.MatchString(region):
			return nil, &Error{Op: op, Message: "the ID or the region of the database is no part of a host name"}
		}
		return &url.URL{Scheme: "https", Host: fmt.Sprintf("%s-%s.%s", strings.ToLower(d.ID), region, domain)}, nil
	}
	u, err := url.Parse(d.DataEndpointURL)
	switch {
	case err != nil || u.Host == "" || !primary:
		return nil, &Error{Op: op, Message: "the API does not say where it is"}
	case !c.mayContact(u):
		return nil, &Error{Op: op, Message: fmt.Sprintf("it is at %s by %s; only https is used", tidy(u.Host), tidy(u.Scheme))}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// isWaking reports whether the failure of a request to the Data API means that the database is being woken.
func isWaking(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.StatusCode {
	case 0:
		return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	case http.StatusServiceUnavailable:
		return true
	case http.StatusBadRequest:
		return strings.Contains(strings.ToLower(e.Message), "resum")
	}
	return false
}
