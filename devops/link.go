package devops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// BundleKind is the network that a bundle is for. See the package comment.
type BundleKind int

const (
	KindPublic                 BundleKind = iota // downloadURL: clients on the Internet
	KindInternal                                 // downloadURLInternal: clients behind VPC peering or a private link
	KindMigrationProxy                           // downloadURLMigrationProxy
	KindMigrationProxyInternal                   // downloadURLMigrationProxyInternal
	kinds
)

// String returns the API's key for links of this kind, such as "downloadURLInternal".
func (k BundleKind) String() string {
	switch k {
	case KindPublic:
		return "downloadURL"
	case KindInternal:
		return "downloadURLInternal"
	case KindMigrationProxy:
		return "downloadURLMigrationProxy"
	case KindMigrationProxyInternal:
		return "downloadURLMigrationProxyInternal"
	}
	return fmt.Sprintf("BundleKind(%d)", int(k))
}

// BundleLink says where the bundles of one region, or of one custom domain in one region, can be downloaded for some minutes. The links are
// secrets: whoever has one gets a bundle. They do not print with the BundleLink; only URL gives them away.
type BundleLink struct {
	DatacenterID string
	Region       string // "" if neither the API nor the list of datacenters says it
	Primary      bool   // the database's primary region
	Domain       string // a custom domain; "" for Astra's own
	CQLHost      string // the host name for CQL under a custom domain; "" for Astra's own

	links *links
}

// links are the signed URLs by kind, behind a func value that no printer and dumper looks behind.
type links struct{ reveal func() [kinds]string }

func newLinks(urls [kinds]string) *links {
	return &links{func() [kinds]string { return urls }}
}

// URL returns the link to the bundle of a kind, or "" if there is none. It is a secret.
func (l BundleLink) URL(kind BundleKind) string {
	if l.links == nil || kind < 0 || kind >= kinds {
		return ""
	}
	return l.links.reveal()[kind]
}

// Expires returns when the link of a kind ends. It is the zero time if the link does not say; Astra's live for about 5 minutes.
func (l BundleLink) Expires(kind BundleKind) time.Time {
	u, err := parseLink(l.URL(kind))
	if err != nil {
		return time.Time{}
	}
	query := u.Query()
	signed, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	if err != nil {
		return time.Time{}
	}
	life, err := time.ParseDuration(query.Get("X-Amz-Expires") + "s")
	if err != nil || life < 0 {
		return time.Time{}
	}
	return signed.Add(life)
}

// parseLink reads a link, whose scheme may be left out, as Astra's documentation shows it. The error does not quote it.
func parseLink(link string) (*url.URL, error) {
	if !strings.Contains(link, "://") {
		link = "https://" + link
	}
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the API gave a link that is not a URL")
	}
	return u, nil
}

// wireLink is an element of the answer as the API writes it.
type wireLink struct {
	DatacenterID                      text
	DatcenterID                       text // sic: the API has had this spelling
	Region                            text // not documented
	DownloadURL                       text
	DownloadURLInternal               text
	DownloadURLMigrationProxy         text
	DownloadURLMigrationProxyInternal text
	CustomDomainBundles               list[struct {
		Domain      text
		CQLFQDN     text
		DownloadURL text
	}]
}

// decodeLinks reads the answer of secureBundleURL: an object for one datacenter, or an array. Custom domains become links of their own.
func decodeLinks(body []byte) ([]BundleLink, error) {
	var elements []wireLink
	switch {
	case isNull(body):
		return nil, nil
	case firstByte(body) == '{':
		elements = make([]wireLink, 1)
		if err := decode(body, &elements[0]); err != nil {
			return nil, err
		}
	default:
		if err := decode(body, &elements); err != nil {
			return nil, err
		}
	}
	var all []BundleLink
	for _, e := range elements {
		l := BundleLink{DatacenterID: string(e.DatacenterID), Region: string(e.Region)}
		if l.DatacenterID == "" {
			l.DatacenterID = string(e.DatcenterID)
		}
		urls := [kinds]string{
			KindPublic:                 string(e.DownloadURL),
			KindInternal:               string(e.DownloadURLInternal),
			KindMigrationProxy:         string(e.DownloadURLMigrationProxy),
			KindMigrationProxyInternal: string(e.DownloadURLMigrationProxyInternal),
		}
		if urls != ([kinds]string{}) {
			l.links = newLinks(urls)
			all = append(all, l)
		}
		for _, d := range e.CustomDomainBundles {
			l.Domain, l.CQLHost = string(d.Domain), string(d.CQLFQDN)
			l.links = newLinks([kinds]string{KindPublic: string(d.DownloadURL)})
			all = append(all, l)
		}
	}
	return all, nil
}

func firstByte(body []byte) byte {
	return strings.TrimSpace(string(body[:min(len(body), 64)]) + "x")[0]
}

// BundleLinks returns the links to all bundles of a database, given by its ID or name: one for each region, and one for each custom domain in
// each region. The primary region comes first. The database must be in a state that permits it: [ErrConflict] says that it is not.
func (c *Client) BundleLinks(ctx context.Context, database string) ([]BundleLink, error) {
	id, err := c.databaseID(ctx, database)
	if err != nil {
		return nil, err
	}
	r := c.newRequest("get bundle links of database "+id, http.MethodPost, url.Values{"all": {"true"}}, "databases", id, "secureBundleURL")
	r.reads = true // in spite of its method
	r.mayBeNull = true
	r.needs = "a token of the role Database Administrator or Organization Administrator, or of a custom role with the permission db-cql, can do it"
	body, err := c.do(ctx, r)
	if err != nil {
		return nil, c.explainConflict(ctx, id, err)
	}
	all, err := decodeLinks(body)
	switch {
	case err != nil:
		return nil, &Error{Op: r.op, StatusCode: http.StatusOK, Message: err.Error(), err: err}
	case len(all) == 0:
		return nil, &Error{Op: r.op, StatusCode: http.StatusOK, Message: "the API knows no bundle of this database", err: ErrNotFound}
	}
	if err := c.completeLinks(ctx, id, all); err != nil {
		return nil, err
	}
	return all, nil
}

// explainConflict adds to a conflict the status of the database that causes it.
func (c *Client) explainConflict(ctx context.Context, id string, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.kind() != ErrConflict {
		return err
	}
	if d, err := c.Database(ctx, id); err == nil && !d.Status.Ready() {
		status := &StatusError{Database: id, Status: d.Status}
		e.err, e.advice = status, strings.TrimPrefix(status.Error(), "devops: ")
	}
	return e
}

// completeLinks finds out what the API left out: the region of each link, and which is the primary one.
func (c *Client) completeLinks(ctx context.Context, id string, all []BundleLink) error {
	alone := !slices.ContainsFunc(all, func(l BundleLink) bool {
		return l.DatacenterID != all[0].DatacenterID || !strings.EqualFold(l.Region, all[0].Region)
	})
	for i := range all {
		all[i].Primary = alone
	}
	if alone && all[0].Region != "" {
		return nil
	}
	d, err := c.Database(ctx, id)
	switch {
	case errors.Is(err, ErrForbidden) || errors.Is(err, ErrUnauthorized):
		return nil // a role may have bundles and no more; who asks for a region gets it all the same
	case err != nil:
		return err
	}
	for i := range all {
		l := &all[i]
		if l.Region == "" {
			l.Region = d.region(l.DatacenterID)
		}
		if l.Region == "" && alone {
			l.Region = d.Region
		}
		l.Primary = alone || l.Region != "" && strings.EqualFold(l.Region, d.Region)
	}
	slices.SortStableFunc(all, func(a, b BundleLink) int {
		switch {
		case a.Primary == b.Primary:
			return 0
		case a.Primary:
			return -1
		}
		return 1
	})
	return nil
}
