package devops_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/devops"
)

func twoRegions(t testing.TB, q astratest.DevOpsQuirks) *astratest.Server {
	s := newServer(t)
	s.DevOps().AddRegion("europe-west1")
	s.DevOps().AddDomain("db.example.com")
	s.DevOps().SetQuirks(q)
	return s
}

// The right bundle is found whatever form and order the links have. Peers take the first (users P4).
func TestDownloadBundle(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]astratest.DevOpsQuirks{
		"documented":              {},
		"secondary region first":  {SecondaryFirst: true},
		"no region":               {NoRegions: true, SecondaryFirst: true},
		"misspelt key":            {MisspeltKeys: true, SecondaryFirst: true},
		"misspelt key, no region": {MisspeltKeys: true, NoRegions: true, SecondaryFirst: true},
		"empty datacenter status": {EmptyDatacenterStatus: true, NoRegions: true},
		"migration proxies":       {MigrationProxy: true},
		"all of it":               {NoRegions: true, MigrationProxy: true, SecondaryFirst: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := twoRegions(t, quirks)
			c := newClient(t, s)
			for _, q := range []devops.BundleQuery{{}, {Region: "us-east1"}, {Region: "US-East1"}} {
				data, err := c.DownloadBundle(ctx(t), "testdb", q)
				if err != nil || !bytes.Equal(data, s.BundleZip()) {
					t.Errorf("%+v: not the primary region's bundle; %v", q, err)
				}
			}
			data, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{Region: "europe-west1"})
			if err != nil {
				t.Fatal(err)
			}
			if b, err := bundle.Parse(data); err != nil || b.Region() != "europe-west1" {
				t.Error("not the secondary region's bundle", err)
			}
			data, err = c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{Region: "europe-west1", Domain: "DB.example.com"})
			if err != nil {
				t.Fatal(err)
			}
			if b, err := bundle.Parse(data); err != nil || b.Host() != s.DatabaseID+"-europe-west1.db.example.com" {
				t.Error("not the custom domain's bundle", err)
			}
			data, err = c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{Domain: "db.example.com"})
			if err != nil {
				t.Fatal(err)
			}
			if b, err := bundle.Parse(data); err != nil || b.Host() != s.DatabaseID+"-us-east1.db.example.com" {
				t.Error("not the custom domain's bundle in the primary region", err)
			}
		})
	}
}

// With all=true the real API answers an array, without it an object; an object is taken in any case (cql-proxy #131).
func TestBundleLinksObject(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.DevOps().SetQuirks(astratest.DevOpsQuirks{BundleObject: true})
	links, err := newClient(t, s).BundleLinks(ctx(t), s.DatabaseID)
	if err != nil || len(links) != 1 || !links[0].Primary || links[0].Region != "us-east1" {
		t.Fatalf("%+v, %v", links, err)
	}
	if n := len(s.DevOps().Requests()); n != 1 {
		t.Errorf("%d requests for one link", n)
	}
}

func TestBundleLinks(t *testing.T) {
	t.Parallel()
	s := twoRegions(t, astratest.DevOpsQuirks{SecondaryFirst: true, MigrationProxy: true})
	links, err := newClient(t, s).BundleLinks(ctx(t), "testdb")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range links {
		got = append(got, fmt.Sprint(strings.TrimPrefix(l.DatacenterID, s.DatabaseID), l.Region, l.Primary, l.Domain, strings.TrimPrefix(l.CQLHost, s.DatabaseID)))
	}
	want := "[-1us-east1true -1us-east1truedb.example.com-us-east1.db.example.com -2europe-west1false -2europe-west1falsedb.example.com-europe-west1.db.example.com]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	seen := make(map[string]bool)
	for _, l := range links {
		for kind := devops.KindPublic; kind <= devops.KindMigrationProxyInternal; kind++ {
			link := l.URL(kind)
			if (link == "") != (l.Domain != "" && kind != devops.KindPublic) || seen[link] && link != "" {
				t.Errorf("link of %v in %s %s: %v", kind, l.Region, l.Domain, link != "")
			}
			seen[link] = true
			if link == "" {
				continue
			}
			if left := time.Until(l.Expires(kind)); left < 4*time.Minute || left > 5*time.Minute {
				t.Errorf("the link lives for %v", left)
			}
			if _, err := bundle.Parse(get(t, link)); err != nil {
				t.Error(err)
			}
		}
	}
	if l := (devops.BundleLink{}); l.URL(0) != "" || links[0].URL(-1) != "" || links[0].URL(99) != "" || !l.Expires(0).IsZero() {
		t.Error("there are links that there are not")
	}
}

// Each kind leads to the link of its key; migration proxy's links lead nowhere as a rule (devops-api 2.4).
func TestBundleKinds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(t, s)
	for kind, file := range map[devops.BundleKind]string{
		devops.KindPublic: "/secure-connect-testdb.zip", devops.KindInternal: "/secure-connect-internal-testdb.zip",
		devops.KindMigrationProxy: "/secure-connect-proxy-testdb.zip", devops.KindMigrationProxyInternal: "/secure-connect-proxy-internal-testdb.zip",
	} {
		_, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{Kind: kind})
		switch kind {
		case devops.KindPublic, devops.KindInternal:
			if err != nil {
				t.Errorf("%v: %v", kind, err)
			}
		default:
			wantError(t, err, devops.ErrNotFound, "NoSuchKey", kind.String())
		}
		if requests(s, file) == 0 {
			t.Errorf("%v does not lead to %s", kind, file)
		}
	}
	_, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{Kind: 99})
	wantError(t, err, nil, "BundleKind(99)")
	s.DevOps().Intercept("secureBundleURL", 1, answer(200, "application/json", `[{"region":"us-east1","downloadURL":"https://a/b"}]`))
	_, err = c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{Kind: devops.KindInternal})
	wantError(t, err, devops.ErrNotFound, "downloadURLInternal")
}

// What does not exist is an error that lists what does.
func TestUnknownRegionAndDomain(t *testing.T) {
	t.Parallel()
	s := twoRegions(t, astratest.DevOpsQuirks{})
	c := newClient(t, s)
	_, err := c.DownloadBundle(ctx(t), "testdb", devops.BundleQuery{Region: "mars-north1"})
	wantError(t, err, devops.ErrNotFound, "mars-north1", "europe-west1, us-east1")
	_, err = c.DownloadBundle(ctx(t), "testdb", devops.BundleQuery{Domain: "other.example"})
	wantError(t, err, devops.ErrNotFound, "other.example", "db.example.com")
	_, err = c.DownloadBundle(ctx(t), "testdb", devops.BundleQuery{Domain: "db.example.com", Region: "mars-north1"})
	wantError(t, err, devops.ErrNotFound, "mars-north1", "europe-west1, us-east1")
	_, err = c.DownloadBundle(ctx(t), "testdb", devops.BundleQuery{Domain: "db.example.com", Kind: devops.KindInternal})
	wantError(t, err, nil, "custom domain")
	if requests(s, "GET /store") != 0 {
		t.Error("something was downloaded")
	}
}

// Peers panic on an empty list and on null (gocql-astra, bundle.go).
func TestNoBundleLinks(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"null": "null", "empty array": "[]", "empty object": "{}", "nulls": "[null, null]", "nothing": "", "no links": `[{"datacenterID":"x-1","region":"r"}]`,
		"custom domains null": `{"customDomainBundles":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("secureBundleURL", -1, answer(200, "application/json", body))
			_, err := newClient(t, s).DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
			wantError(t, err, devops.ErrNotFound, "no bundle")
		})
	}
}

// Where nothing says which region is primary, none is picked.
func TestNoPrimary(t *testing.T) {
	t.Parallel()
	s := twoRegions(t, astratest.DevOpsQuirks{NoPrimary: true})
	c := newClient(t, s)
	_, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
	wantError(t, err, devops.ErrAmbiguous, "europe-west1, us-east1", "name a region")
	if _, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{Region: "us-east1"}); err != nil {
		t.Error(err)
	}
}

// A custom role may have bundles (db-cql) and not databases (org-db-view): a named region does without.
func TestLinksWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := twoRegions(t, astratest.DevOpsQuirks{})
	s.DevOps().Intercept("GET /v2/databases/", -1, answer(403, "text/plain", "no"))
	c := newClient(t, s)
	if _, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{Region: "europe-west1"}); err != nil {
		t.Error(err)
	}
	_, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
	wantError(t, err, devops.ErrAmbiguous)
}

// The store gets no Authorization: S3 refuses two ways to authenticate, and it is no place for the token.
func TestDownloadWithoutToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.DevOps().Intercept("GET /store", 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if name != "User-Agent" && name != "Accept-Encoding" {
				t.Errorf("the store got the header %s", name)
			}
		}
		w.Write(s.BundleZip())
	}))
	if _, err := newClient(t, s).DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{}); err != nil {
		t.Error(err)
	}
}

// A link that the store refuses is asked for again, once.
func TestRefusedLink(t *testing.T) {
	t.Parallel()
	expired := `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>300</X-Amz-Expires></Error>`
	for _, status := range []int{400, 403, 404, 410} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			c := newClient(t, s)
			s.DevOps().Intercept("GET /store", 1, answer(status, "application/xml", expired))
			if _, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{}); err != nil {
				t.Error(err)
			}
			if n := requests(s, "secureBundleURL"); n != 2 {
				t.Errorf("links were asked for %d times", n)
			}
			s.DevOps().Intercept("GET /store", -1, answer(status, "application/xml", expired))
			_, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
			wantError(t, err, nil, "Request has expired", "two fresh links")
			if errors.Is(err, devops.ErrForbidden) || errors.Is(err, devops.ErrUnauthorized) {
				t.Errorf("%q blames the token", err)
			}
			if n := requests(s, "secureBundleURL"); n != 4 {
				t.Errorf("links were asked for %d times", n)
			}
		})
	}
}

// A link that is about to expire is not tried, but asked for again, once; the API's clock may be the one that is wrong.
func TestExpiredLink(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(t, s)
	s.DevOps().SetQuirks(astratest.DevOpsQuirks{LinkLife: 10 * time.Second})
	if _, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{}); err != nil {
		t.Error(err)
	}
	if links, store := requests(s, "secureBundleURL"), requests(s, "GET /store"); links != 2 || store != 1 {
		t.Errorf("%d requests for links, %d to the store", links, store)
	}
	s.DevOps().SetQuirks(astratest.DevOpsQuirks{LinkLife: -1})
	_, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
	wantError(t, err, nil, "403", "Request has expired")
	if links, store := requests(s, "secureBundleURL"), requests(s, "GET /store"); links != 4 || store != 2 {
		t.Errorf("%d requests for links, %d to the store", links, store)
	}
}

// What the link leads to is checked before anybody saves it: an expired link's XML is no zip (the old CLI saved 348 bytes of it).
func TestNotABundle(t *testing.T) {
	t.Parallel()
	other := newServer(t).BundleZip()
	for name, tc := range map[string]struct{ body, want string }{
		"XML":       {`<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>` + strings.Repeat(" ", 290), "something else than a bundle"},
		"empty":     {"", "something else than a bundle"},
		"truncated": {string(other[:len(other)/2]), "something else than a bundle"},
		"empty zip": {"PK\x05\x06" + strings.Repeat("\x00", 18), "something else than a bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("GET /store", 1, answer(200, "application/zip", tc.body))
			_, err := newClient(t, s).DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
			wantError(t, err, nil, tc.want)
		})
	}
}

func TestBundleOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	s := twoRegions(t, astratest.DevOpsQuirks{WrongBundle: true})
	c := newClient(t, s)
	_, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
	wantError(t, err, nil, "another database")

	s.DevOps().SetQuirks(astratest.DevOpsQuirks{})
	europe, err := c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{Region: "europe-west1"})
	if err != nil {
		t.Fatal(err)
	}
	s.DevOps().Intercept("GET /store", 1, answer(200, "application/zip", string(europe)))
	_, err = c.DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
	wantError(t, err, nil, "region europe-west1, not us-east1")
}

// hosts is a transport that notes where requests go and hands those for the store to the API's handler.
type hosts struct {
	inProcess
	seen []string
}

func (h *hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	h.seen = append(h.seen, r.URL.Scheme+"://"+r.URL.Hostname())
	return h.inProcess.RoundTrip(r)
}

// The documentation's example links have no scheme: https is meant. Plain http is not followed but where the API itself is on loopback.
func TestLinkSchemes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	client := func(base string, h *hosts) *devops.Client {
		c, err := devops.NewClient(devops.Config{Token: s.Token(), BaseURL: base, HTTPClient: &http.Client{Transport: h}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	h := &hosts{inProcess: inProcess{s.DevOps()}}
	s.DevOps().SetQuirks(astratest.DevOpsQuirks{NoScheme: true})
	links, err := client(s.URL, h).BundleLinks(ctx(t), s.DatabaseID)
	if err != nil || strings.Contains(links[0].URL(devops.KindPublic), "://") || links[0].Expires(devops.KindPublic).IsZero() {
		t.Fatal("the simulated link has a scheme, or no end;", err)
	}
	if _, err := client(s.URL, h).DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{}); err != nil {
		t.Fatal(err)
	}
	if last := h.seen[len(h.seen)-1]; last != "https://127.0.0.1" {
		t.Errorf("the link was followed to %s", last)
	}

	for _, link := range []string{"http://store.example/a.zip", "http://127.0.0.1:1/a.zip", "ftp://store.example/a.zip", "https://user:pw@store.example/a.zip", "https://", "file:///etc/passwd", "://", "%zz", "javascript:alert(1)"} {
		s.DevOps().Intercept("secureBundleURL", 1, answer(200, "application/json", fmt.Sprintf(`[{"region":"us-east1","downloadURL":%q}]`, link+"?X-Amz-Signature=xyzzy")))
		h := &hosts{inProcess: inProcess{s.DevOps()}}
		_, err := client("https://api.astra.datastax.com", h).DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
		wantError(t, err, nil, "link")
		if strings.Contains(err.Error(), "xyzzy") || strings.Contains(err.Error(), "pw") || len(h.seen) != 1 {
			t.Errorf("%q: %q after requests to %v", link, err, h.seen)
		}
	}
}

// A conflict says which status is in the way, for people and for programs.
func TestConflictNamesStatus(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Hibernate()
	_, err := newClient(t, s).DownloadBundle(ctx(t), s.DatabaseID, devops.BundleQuery{})
	wantError(t, err, devops.ErrConflict, "HIBERNATED", "Client.Resume")
	var status *devops.StatusError
	if !errors.As(err, &status) || status.Status != devops.StatusHibernated || status.Database != s.DatabaseID {
		t.Errorf("%v", err)
	}
}

func TestBundleSource(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	synctest.Test(t, func(t *testing.T) {
		src := newClient(t, s).Bundle("testdb", devops.BundleQuery{})
		invalidate := src.(interface{ Invalidate() }).Invalidate
		invalidate() // before there is anything
		if n := len(s.DevOps().Requests()); n != 0 {
			t.Errorf("%d requests before the first use", n)
		}
		var wg sync.WaitGroup
		var first *bundle.Bundle
		var mu sync.Mutex
		for range 10 {
			wg.Go(func() {
				b, err := src.Current(context.Background())
				mu.Lock()
				defer mu.Unlock()
				if err != nil || first != nil && b != first {
					t.Error("callers that come together got different bundles:", err)
				}
				first = b
			})
		}
		wg.Wait()
		time.Sleep(100 * time.Hour)
		if b, err := src.Current(ctx(t)); err != nil || b != first {
			t.Error("the bundle was not kept:", err)
		}
		if n := requests(s, "GET /store"); n != 1 {
			t.Errorf("%d downloads", n)
		}

		// The same again is the same *Bundle: TLS sessions are resumed only within one.
		invalidate()
		if b, err := src.Current(ctx(t)); err != nil || b != first {
			t.Error("another *Bundle for the same content:", err)
		}
		if n := requests(s, "GET /store"); n != 2 {
			t.Errorf("%d downloads after Invalidate", n)
		}

		s.RotateBundle()
		time.Sleep(time.Hour)
		if b, err := src.Current(ctx(t)); err != nil || b != first {
			t.Error("the bundle was asked for without need:", err)
		}
		invalidate()
		second, err := src.Current(ctx(t))
		if err != nil || second == first || !bytes.Equal(second.Zip(), s.BundleZip()) {
			t.Error("Invalidate did not lead to the new bundle:", err)
		}

		// While the API fails, the last bundle goes on.
		s.DevOps().Intercept("/v2/", -1, answer(403, "text/plain", "no"))
		time.Sleep(time.Hour)
		invalidate()
		if b, err := src.Current(ctx(t)); err != nil || b != second {
			t.Error("the last bundle was lost:", err)
		}
		s.DevOps().Intercept("/v2/", -1, nil)
	})
}

func TestBundleSourceErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	synctest.Test(t, func(t *testing.T) {
		src := newClient(t, s).Bundle("nobody", devops.BundleQuery{})
		_, err := src.Current(ctx(t))
		wantError(t, err, devops.ErrNotFound, "nobody")
	})
	s.DevOps().Intercept("", -1, silence())
	synctest.Test(t, func(t *testing.T) {
		src := newClient(t, s).Bundle(s.DatabaseID, devops.BundleQuery{})
		short, cancel := context.WithTimeout(ctx(t), time.Second)
		defer cancel()
		_, err := src.Current(short)
		wantError(t, err, context.DeadlineExceeded)
		time.Sleep(5 * time.Minute) // the download that the caller left ends by itself
	})
}
