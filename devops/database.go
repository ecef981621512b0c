package devops

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Database is what the API tells of a database. It holds no secrets: the links that the API's answer has are not kept.
type Database struct {
	ID             string // a UUID
	Name           string // not unique
	OrganizationID string
	Status         Status
	Type           string // "vector", or "" for one without vector search
	Tier           string // "serverless" or that of a classic database
	CloudProvider  string // "AWS", "GCP", "AZURE", in varying case
	Region         string // the primary one; "" if the API does not say
	Datacenters    []Datacenter
	Keyspaces      []string // the one that the database was created with first
	CreationTime   time.Time
	// DataEndpointURL is where the API says that the HTTP APIs of the database are, in the primary region. See Client.DataAPIEndpoint.
	DataEndpointURL string
}

// Datacenter is the part of a database in one region.
type Datacenter struct {
	ID             string // the database's ID, a hyphen, and a number
	Name           string // such as "dc-1"
	Region         string
	CloudProvider  string
	Zone           string // such as "emea"
	Classification string // "standard", "premium" or "premium_plus"
	Status         Status // often empty
	Primary        bool
}

// Regions returns the regions of the database, the primary first and the others sorted.
func (d *Database) Regions() []string {
	var regions []string
	for _, dc := range d.Datacenters {
		if dc.Region != "" && !dc.Status.is("TERMINATED") {
			regions = append(regions, dc.Region)
		}
	}
	if d.Region != "" {
		regions = append(regions, d.Region)
	}
	slices.SortFunc(regions, func(a, b string) int {
		switch {
		case strings.EqualFold(a, b):
			return 0
		case strings.EqualFold(a, d.Region):
			return -1
		case strings.EqualFold(b, d.Region):
			return 1
		}
		return strings.Compare(a, b)
	})
	return slices.CompactFunc(regions, strings.EqualFold)
}

// region returns the region of a datacenter by its ID, or "".
func (d *Database) region(datacenterID string) string {
	for _, dc := range d.Datacenters {
		if dc.ID != "" && strings.EqualFold(dc.ID, datacenterID) {
			return dc.Region
		}
	}
	return ""
}

// wireDatabase is a database as the API writes it.
type wireDatabase struct {
	ID              text
	OrgID           text
	Status          text
	CreationTime    instant
	DataEndpointURL text
	DBType          text
	Info            struct {
		Name                text
		Keyspace            text
		Keyspaces           list[text]
		AdditionalKeyspaces list[text]
		DBType              text
		CloudProvider       text
		Tier                text
		Region              text
		Datacenters         list[wireDatacenter]
	}
}

type wireDatacenter struct {
	ID                   text
	Name                 text
	Region               text
	CloudProvider        text
	RegionZone           text
	RegionClassification text
	Status               text
	IsPrimary            flag
}

func (w *wireDatabase) database() *Database {
	d := &Database{
		ID:              string(w.ID),
		Name:            string(w.Info.Name),
		OrganizationID:  string(w.OrgID),
		Status:          Status(w.Status),
		Type:            string(cmp.Or(w.DBType, w.Info.DBType)),
		Tier:            string(w.Info.Tier),
		CloudProvider:   string(w.Info.CloudProvider),
		Region:          string(w.Info.Region),
		CreationTime:    w.CreationTime.Time,
		DataEndpointURL: string(w.DataEndpointURL),
	}
	for _, k := range slices.Concat([]text{w.Info.Keyspace}, w.Info.Keyspaces, w.Info.AdditionalKeyspaces) {
		if k != "" && !slices.Contains(d.Keyspaces, string(k)) {
			d.Keyspaces = append(d.Keyspaces, string(k))
		}
	}
	for _, dc := range w.Info.Datacenters {
		d.Datacenters = append(d.Datacenters, Datacenter{
			ID:             string(dc.ID),
			Name:           string(dc.Name),
			Region:         string(dc.Region),
			CloudProvider:  string(dc.CloudProvider),
			Zone:           string(dc.RegionZone),
			Classification: string(dc.RegionClassification),
			Status:         Status(dc.Status),
			Primary:        bool(dc.IsPrimary),
		})
	}
	d.findPrimary()
	return d
}

// findPrimary makes Region and the datacenters' Primary agree. Their order says nothing: Astra does not list the primary first.
func (d *Database) findPrimary() {
	for _, dc := range d.Datacenters {
		if d.Region == "" && (dc.Primary || len(d.Datacenters) == 1) {
			d.Region = dc.Region
		}
	}
	for i, dc := range d.Datacenters {
		d.Datacenters[i].Primary = d.Region != "" && strings.EqualFold(dc.Region, d.Region)
	}
}

// ListOptions narrows down a list of databases. The zero value: all but the terminated ones, of every cloud provider.
type ListOptions struct {
	Include  string // a status in lower case, "all", or "nonterminated", which is the default
	Provider string // "AWS", "GCP" or "AZURE"
}

const pageSize = 100 // the most that the API allows

// Databases lists the databases of the token's organization, asking the API for 100 at a time as the loop goes on. It ends at the first
// error, which it yields with a nil Database.
func (c *Client) Databases(ctx context.Context, options ListOptions) iter.Seq2[*Database, error] {
	return func(yield func(*Database, error) bool) {
		seen := make(map[string]bool)
		for last := ""; ; {
			page, err := c.databasePage(ctx, options, last)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, d := range page {
				if !yield(d, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last = page[len(page)-1].ID
			if last == "" || seen[last] {
				yield(nil, &Error{Op: "list databases", Message: "the API repeats a page, so the list would not end"})
				return
			}
			seen[last] = true
		}
	}
}

func (c *Client) databasePage(ctx context.Context, options ListOptions, after string) ([]*Database, error) {
	query := url.Values{"include": {cmp.Or(options.Include, "nonterminated")}, "limit": {strconv.Itoa(pageSize)}}
	if options.Provider != "" {
		query.Set("provider", options.Provider)
	}
	if after != "" {
		query.Set("starting_after", after)
	}
	r := c.newRequest("list databases", http.MethodGet, query, "databases")
	r.mayBeNull = true
	body, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	page, err := decodeDatabases(body)
	if err != nil {
		return nil, &Error{Op: r.op, StatusCode: http.StatusOK, Message: err.Error(), err: err}
	}
	return page, nil
}

func decodeDatabases(body []byte) ([]*Database, error) {
	var elements []wireDatabase
	if isNull(body) {
		return nil, nil
	}
	if err := decode(body, &elements); err != nil {
		return nil, err
	}
	page := make([]*Database, len(elements))
	for i := range elements {
		page[i] = elements[i].database()
	}
	return page, nil
}

func decodeDatabase(body []byte) (*Database, error) {
	var w wireDatabase
	if err := decode(body, &w); err != nil {
		return nil, err
	}
	if w.ID == "" {
		return nil, errMalformed
	}
	return w.database(), nil
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Database returns one database by its ID, or by its name, exactly as it is spelled. A name that several databases have is
// [ErrAmbiguous], with their IDs in the text. Databases that are being terminated do not count unless no other has the name.
func (c *Client) Database(ctx context.Context, idOrName string) (*Database, error) {
	idOrName = strings.TrimSpace(idOrName)
	switch {
	case idOrName == "":
		return nil, &Error{Op: "get database", Message: "the ID or name of the database is empty"}
	case !uuid.MatchString(idOrName):
		return c.databaseNamed(ctx, idOrName)
	}
	r := c.newRequest("get database "+idOrName, http.MethodGet, nil, "databases", idOrName)
	body, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	d, err := decodeDatabase(body)
	if err != nil {
		return nil, &Error{Op: r.op, StatusCode: http.StatusOK, Message: err.Error(), err: err}
	}
	if !strings.EqualFold(d.ID, idOrName) {
		return nil, &Error{Op: r.op, StatusCode: http.StatusOK, Message: "the answer is about another database"}
	}
	return d, nil
}

// databaseNamed looks through all databases, since the API does not look for names.
func (c *Client) databaseNamed(ctx context.Context, name string) (*Database, error) {
	var found, ending []*Database
	similar := ""
	count := 0
	for d, err := range c.Databases(ctx, ListOptions{}) {
		switch {
		case err != nil:
			return nil, err
		case d.Name == name && d.Status.is("TERMINATING", "TERMINATED"):
			ending = append(ending, d)
		case d.Name == name:
			found = append(found, d)
		case strings.EqualFold(d.Name, name):
			similar = fmt.Sprintf("; there is %q", d.Name)
		}
		count++
	}
	if len(found) == 0 {
		found = ending
	}
	op := fmt.Sprintf("get database %q", tidy(name))
	switch len(found) {
	case 0:
		message := fmt.Sprintf("none of the organization's %d databases has this name%s", count, similar)
		return nil, &Error{Op: op, Message: message, err: ErrNotFound}
	case 1:
		return found[0], nil
	}
	var ids []string
	for _, d := range found {
		ids = append(ids, fmt.Sprintf("%s (%s, %s)", d.ID, d.Region, d.Status))
	}
	return nil, &Error{Op: op, Message: "several databases have this name: " + join(ids), err: ErrAmbiguous, advice: "use one of the IDs"}
}

// databaseID returns the ID for an ID or name.
func (c *Client) databaseID(ctx context.Context, idOrName string) (string, error) {
	if id := strings.TrimSpace(idOrName); uuid.MatchString(id) {
		return strings.ToLower(id), nil
	}
	d, err := c.Database(ctx, idOrName)
	if err != nil {
		return "", err
	}
	if !uuid.MatchString(d.ID) { // it becomes part of a URL
		return "", &Error{Op: "get database", StatusCode: http.StatusOK, Message: "the answer has a database ID that is not a UUID"}
	}
	return strings.ToLower(d.ID), nil
}
