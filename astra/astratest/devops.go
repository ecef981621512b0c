package astratest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// DevOps is the simulated DevOps API of a [Server], with the store that bundle links lead to and the Data API that wakes a hibernated
// database. It answers in the forms that Astra's real API was seen to answer in; [DevOpsQuirks] switches between those that vary.
//
// It knows one database, named "testdb", which is the Server's own; [DevOps.AddDatabase] adds others that have a bundle and no nodes. Its
// methods are safe for concurrent use.
type DevOps struct {
	server *Server
	mux    *http.ServeMux
	key    []byte // signs links

	mu         sync.Mutex
	quirks     DevOpsQuirks
	databases  []simulatedDatabase // the Server's own first
	domains    []string
	created    []issuedToken
	deleted    map[string]bool // client IDs
	waking     int             // database answers until it is awake; 0: it is not waking up
	intercepts []*intercept
	requests   []string
	bundles    map[bundleKey][]byte
}

// DevOpsQuirks are ways in which Astra's real API differs from its documentation, from time to time or for some databases. The zero value
// is the API at its best.
type DevOpsQuirks struct {
	BundleObject          bool // secureBundleURL answers with an object, the primary region's, though asked for all
	MisspeltKeys          bool // bundle links have datcenterID in place of datacenterID
	NoRegions             bool // bundle links do not say their region
	NoScheme              bool // bundle links begin with the host
	NoPrimary             bool // nothing says which region is the primary one
	SecondaryFirst        bool // datacenters and bundle links begin with the region that was added last
	EmptyDatacenterStatus bool // datacenters have the status ""
	IgnoreLimit           bool // each page of databases is the first one again
	MigrationProxy        bool // links to bundles for the migration proxy lead to one
	WrongBundle           bool // links lead to a bundle of another database

	LinkLife time.Duration   // how long bundle links live, in whole seconds; 0: 5 minutes; negative: they are expired when they are given
	Errors   DevOpsErrorForm // of the API's errors
	Waking   DevOpsWaking    // how a hibernated database answers
}

// DevOpsErrorForm is the form of an error's body.
type DevOpsErrorForm int

const (
	DevOpsErrorList   DevOpsErrorForm = iota // {"errors":[{"ID":340018,"message":"…"}]}
	DevOpsErrorString                        // "…", a JSON string
	DevOpsErrorText                          // text/plain
	DevOpsErrorHTML                          // a gateway's page
	DevOpsErrorEmpty                         // nothing
)

// DevOpsWaking is how the Data API answers a request that wakes the database.
type DevOpsWaking int

const (
	DevOpsWaking503 DevOpsWaking = iota // 503, "Resuming your database, please try again shortly."
	DevOpsWaking400                     // 400, "Your database is resuming from hibernation …"
	DevOpsWakingEOF                     // it closes the connection
)

// intercept answers requests in the API's place.
type intercept struct {
	pattern string
	times   int // how often still; negative: without end
	handler http.Handler
}

// newDevOps makes the API of a Server. It serves everything behind the address in Server.URL, also outside of /v2.
func newDevOps(s *Server) *DevOps {
	d := &DevOps{
		server:    s,
		mux:       http.NewServeMux(),
		key:       make([]byte, 32),
		databases: []simulatedDatabase{{id: s.DatabaseID, name: "testdb", regions: []string{s.settings.datacenter}}},
		deleted:   make(map[string]bool),
		bundles:   make(map[bundleKey][]byte),
	}
	rand.Read(d.key) // never fails
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /v2/databases":                       d.admin(d.listDatabases),
		"GET /v2/databases/{id}":                  d.admin(d.getDatabase),
		"GET /v2/databases/{id}/datacenters":      d.admin(d.listDatacenters),
		"POST /v2/databases/{id}/secureBundleURL": d.admin(d.bundleLinks),
		"POST /v2/databases/{id}/unpark":          d.admin(d.unpark),
		"GET /v2/currentOrg":                      d.authenticated(d.currentOrganization),
		"GET /v2/organizations/roles":             d.admin(d.listRoles),
		"GET /v2/clientIdSecrets":                 d.admin(d.listTokens),
		"POST /v2/clientIdSecrets":                d.admin(d.createToken),
		"POST /v2/tokens":                         d.admin(d.createToken),
		"DELETE /v2/clientIdSecrets/{clientID}":   d.admin(d.deleteToken),
		"GET /store/{datacenter}/{file}":          d.serveBundle,
		"/api/":                                   d.dataAPI,
		"/":                                       http.NotFound, // also for a wrong method, as Astra does
	} {
		d.mux.HandleFunc(pattern, handler)
	}
	return d
}

// DevOps returns the simulated DevOps API, for its quirks and faults.
func (s *Server) DevOps() *DevOps { return s.devops.server.Handler.(*DevOps) }

// SetQuirks replaces the quirks.
func (d *DevOps) SetQuirks(q DevOpsQuirks) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.quirks = q
}

// Intercept gives the next requests, as many as times says, to h instead: those whose method and path, such as
// "POST /v2/databases/…/secureBundleURL" or "GET /store/…", contain pattern. A negative number stands for all. It serves for what
// [DevOpsQuirks] has no switch for: statuses such as 429 and 503, the answer null, redirects, slow, endless and broken bodies. Intercepts of one
// pattern are used up in the order in which they were made. A nil handler ends those of a pattern.
func (d *DevOps) Intercept(pattern string, times int, h http.Handler) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h != nil {
		d.intercepts = append(d.intercepts, &intercept{pattern, times, h})
		return
	}
	for _, i := range d.intercepts {
		if i.pattern == pattern {
			i.times = 0
		}
	}
}

// maxRequests bounds what Requests remembers.
const maxRequests = 10_000

// Requests returns the method and path of the requests so far, such as "GET /v2/databases", without queries. Of more than 10,000 it returns the last.
func (d *DevOps) Requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.requests...)
}

// ServeHTTP answers requests to the API, the store and the Data API.
func (d *DevOps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if h := d.intercepted(r.Method + " " + r.URL.Path); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	d.mux.ServeHTTP(w, r)
}

// intercepted notes a request, and returns the handler that takes it from the API, or nil.
func (d *DevOps) intercepted(request string) http.Handler {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests = append(d.requests, request)
	if len(d.requests) > maxRequests {
		d.requests = d.requests[1:]
	}
	for _, i := range d.intercepts {
		if i.times != 0 && strings.Contains(request, i.pattern) {
			i.times--
			return i.handler
		}
	}
	return nil
}

// refuse answers with an error in the form that the quirks want.
func (d *DevOps) refuse(w http.ResponseWriter, status, id int, message string) {
	d.mu.Lock()
	form := d.quirks.Errors
	d.mu.Unlock()
	switch form {
	case DevOpsErrorString:
		writeJSON(w, status, message)
	case DevOpsErrorText:
		http.Error(w, message, status)
	case DevOpsErrorHTML:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>%d</title></head><body>An error occurred.</body></html>", status)
	case DevOpsErrorEmpty:
		w.WriteHeader(status)
	default:
		writeJSON(w, status, object{"errors": []object{{"ID": id, "message": message}}})
	}
}

// object is a JSON object.
type object = map[string]any
