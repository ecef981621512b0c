package devops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/seed-5f06b232/astra-go/bundle"
)

const (
	maxBundle = 1 << 20 // a bundle has about 12 KB
	// minLife is what a link must have left to be used: the clocks of the parties differ.
	minLife = 30 * time.Second
)

// DownloadBundle returns a bundle of a database, given by its ID or name: a zip, byte for byte as Astra stores it. It is kept in memory only.
//
// The bundle is checked: that it is one, whole and of no more than 1 MiB; and, where its host has Astra's form
// <database ID>-<region>.<domain>, that it is of this database and region. A host of another form cannot be checked. An expired or
// refused link is asked for again, once.
//
// [ErrNotFound] says that there is no such database, region, domain or bundle, and names those that there are.
func (c *Client) DownloadBundle(ctx context.Context, database string, q BundleQuery) ([]byte, error) {
	data, _, err := c.downloadBundle(ctx, database, q)
	return data, err
}

func (c *Client) downloadBundle(ctx context.Context, database string, q BundleQuery) ([]byte, *bundle.Bundle, error) {
	id, err := c.databaseID(ctx, database)
	if err != nil {
		return nil, nil, err
	}
	op := "download bundle of database " + id
	for again := false; ; again = true {
		all, err := c.BundleLinks(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		link, err := q.choose(op, all)
		if err != nil {
			return nil, nil, err
		}
		if expires := link.Expires(q.Kind); !again && !expires.IsZero() && time.Until(expires) < minLife {
			c.log.LogAttrs(ctx, slog.LevelInfo, "devops: the link to the bundle has expired; asking for another", slog.String("op", op))
			continue
		}
		data, err := c.fetch(ctx, op, link.URL(q.Kind))
		var refused *Error
		if errors.As(err, &refused) && !again && isRefusal(refused.StatusCode) {
			c.log.LogAttrs(ctx, slog.LevelInfo, "devops: the link to the bundle was refused; asking for another", slog.String("op", op), slog.Int("status", refused.StatusCode))
			continue
		}
		if err != nil {
			return nil, nil, explain(err, q.Kind)
		}
		b, err := bundle.Parse(data)
		if err != nil {
			return nil, nil, &Error{Op: op, Message: "the link leads to something else than a bundle: " + tidy(err.Error()), err: err}
		}
		if err := check(b, id, link, all); err != nil {
			return nil, nil, &Error{Op: op, Message: err.Error()}
		}
		return data, b, nil
	}
}

// fetch downloads what is behind a link, without the token.
func (c *Client) fetch(ctx context.Context, op, link string) ([]byte, error) {
	u, err := parseLink(link)
	if err != nil {
		return nil, &Error{Op: op, Message: err.Error()}
	}
	if !c.mayContact(u) {
		return nil, &Error{Op: op, Message: fmt.Sprintf("the link leads to %s by %s; only https is followed", tidy(u.Host), tidy(u.Scheme))}
	}
	return c.do(ctx, request{op: op, method: http.MethodGet, url: u, reads: true, storage: true, limit: maxBundle, mayBeNull: true})
}

// isRefusal reports whether a store answered that a link is expired, is not signed right, or leads nowhere.
func isRefusal(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

// explain adds to the refusal of a second, fresh link what it may mean.
func explain(err error, kind BundleKind) error {
	var e *Error
	if !errors.As(err, &e) || !isRefusal(e.StatusCode) {
		return err
	}
	switch {
	case kind == KindMigrationProxy || kind == KindMigrationProxyInternal:
		e.err = ErrNotFound
		e.advice = "there is probably no such bundle: the API gives links of the kind " + kind.String() + " in any case"
	default:
		e.advice = "the store refused two fresh links; is a proxy in between that changes URLs?"
	}
	return e
}

// check reports an error if a bundle is of another database or region than the link should lead to, as far as its host name tells.
func check(b *bundle.Bundle, id string, link BundleLink, all []BundleLink) error {
	if b.DatabaseID() == "" {
		return nil
	}
	if !strings.EqualFold(b.DatabaseID(), id) {
		return fmt.Errorf("the link leads to the bundle of another database, %s", b.DatabaseID())
	}
	if link.Region == "" || strings.EqualFold(b.Region(), link.Region) {
		return nil
	}
	for _, l := range all { // a part of the name that is none of the regions proves nothing
		if strings.EqualFold(b.Region(), l.Region) {
			return fmt.Errorf("the link leads to the bundle of the region %s, not %s", b.Region(), tidy(link.Region))
		}
	}
	return nil
}
