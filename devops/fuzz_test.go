package devops

import (
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// seeds are answers in the forms that were seen, for all decoders.
var seeds = []string{
	`null`, ``, `[]`, `{}`, `"text"`, `0.1`, `[null]`, `[[]]`,
	`[{"datacenterID":"a-1","region":"r","downloadURL":"https://a/b?X-Amz-Date=20240229T123456Z&X-Amz-Expires=300","customDomainBundles":[{"domain":"d","downloadURL":"u","cqlFQDN":"c"}]}]`,
	`{"datcenterID":"a-1","downloadURL":"a/b","downloadURLInternal":"x","downloadURLMigrationProxy":"y","downloadURLMigrationProxyInternal":"z","customDomainBundles":null}`,
	`[{"id":"6f8d9c1a-0000-4000-8000-000000000000","orgId":"o","status":"ACTIVE","creationTime":"2024-02-29T12:34:56Z","terminationTime":"0001-01-01T00:00:00Z","cost":{"c":0.1},"info":{"name":"n","keyspace":"k","keyspaces":["k"],"additionalKeyspaces":null,"region":"r","datacenters":[{"id":"x-1","isPrimary":true,"status":""}]}}]`,
	`{"id":"6f8d9c1a-0000-4000-8000-000000000000","info":{"datacenters":[{"region":"b"},{"region":"a","isPrimary":"true"}]}}`,
	`{"clients":[{"clientId":"a","roles":["r"],"generatedOn":"2024-02-29T12:34:56Z","tokenExpiry":null}]}`,
	`[{"ID":"i","Name":"n","Policy":{"actions":["db-cql"]}}]`,
	`{"errors":[{"ID":340018,"message":"m"}]}`, `{"message":"AstraCS:a:b"}`, `<Error><Code>AccessDenied</Code><Message>m</Message></Error>`, `<html><title>t</title></html>`,
}

func fuzz(f *testing.F, check func(t *testing.T, body []byte)) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(check)
}

// An element of two bytes becomes a struct of hundreds: what is read must be bounded by what it is decoded to, too.
func TestAnswersOfManyElements(t *testing.T) {
	for name, element := range map[string]string{"null": "null,", "object": "{},", "array": "[],", "inner": `{"info":{"datacenters":[{},{}]}},`} {
		body := []byte("[" + strings.Repeat(element, (maxAnswer-10)/len(element)))
		body[len(body)-1] = ']'
		for kind, decode := range map[string]func(){
			"databases": func() { decodeDatabases(body) },
			"links":     func() { decodeLinks(body) },
			"roles":     func() { decodeRoles(body) },
			"tokens":    func() { decodeTokens(slices.Concat([]byte(`{"clients":`), body, []byte("}"))) },
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			decode()
			runtime.ReadMemStats(&after)
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 256 {
				t.Errorf("%s of %s took %d MiB", kind, name, took)
			}
		}
	}
}

func FuzzDecodeLinks(f *testing.F) {
	fuzz(f, func(t *testing.T, body []byte) {
		all, err := decodeLinks(body)
		if err != nil && all != nil {
			t.Error("links with an error")
		}
		for _, l := range all {
			if l.Domain == "" && l.URL(KindPublic)+l.URL(KindInternal)+l.URL(KindMigrationProxy)+l.URL(KindMigrationProxyInternal) == "" && l.CQLHost == "" && l.DatacenterID == "" && l.Region == "" {
				continue // a custom domain's without anything
			}
			for k := range kinds {
				l.Expires(k)
			}
		}
		for k := range kinds {
			if l, err := (BundleQuery{Kind: k}).choose("op", all); err == nil && l.URL(k) == "" {
				t.Error("a link without a URL was chosen")
			}
		}
	})
}

func FuzzDecodeDatabases(f *testing.F) {
	fuzz(f, func(t *testing.T, body []byte) {
		page, err := decodeDatabases(body)
		if err != nil && page != nil {
			t.Error("databases with an error")
		}
		if d, err := decodeDatabase(body); err == nil {
			page = append(page, d)
		}
		for _, d := range page {
			for i, dc := range d.Datacenters {
				if dc.Primary != (d.Region != "" && strings.EqualFold(dc.Region, d.Region)) {
					t.Errorf("datacenter %d of %d is primary: %v", i, len(d.Datacenters), dc.Primary)
				}
			}
			if regions := d.Regions(); d.Region != "" && regions[0] != d.Region && !strings.EqualFold(regions[0], d.Region) {
				t.Errorf("regions %q begin with another than %q", regions, d.Region)
			}
			n := 0
			for _, is := range []bool{d.Status.Ready(), d.Status.Asleep(), d.Status.Gone(), d.Status.Waiting()} {
				if is {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%q is in %d classes", d.Status, n)
			}
		}
	})
}

func FuzzDecodeTokens(f *testing.F) {
	fuzz(f, func(t *testing.T, body []byte) {
		if tokens, err := decodeTokens(body); err != nil && tokens != nil {
			t.Error("tokens with an error")
		}
	})
}

func FuzzDecodeRoles(f *testing.F) {
	fuzz(f, func(t *testing.T, body []byte) {
		if roles, err := decodeRoles(body); err != nil && roles != nil {
			t.Error("roles with an error")
		}
	})
}

// FuzzDescribe checks that whatever a server answers, the error's text is one short printable line without a token.
func FuzzDescribe(f *testing.F) {
	for _, s := range seeds {
		f.Add("application/json", []byte(s))
	}
	f.Add("text/html", []byte("x"))
	f.Add("text/plain", []byte("Bearer AstraCS:abc:def and ?X-Amz-Signature=0123"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		d := describe(contentType, body)
		if len(d.message) > maxMessage || !utf8.ValidString(d.message) {
			t.Errorf("%d bytes: %q", len(d.message), d.message)
		}
		if strings.ContainsFunc(d.message, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q does not print", d.message)
		}
		if strings.Contains(d.message, "AstraCS:") {
			t.Errorf("%q shows a token", d.message)
		}
	})
}

func FuzzLink(f *testing.F) {
	for _, s := range []string{"", "a/b", "https://h/p?X-Amz-Date=20240229T123456Z&X-Amz-Expires=300", "://", "%zz", "https://h?X-Amz-Expires=999999999999", "http://[::1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, link string) {
		u, err := parseLink(link)
		if err == nil && u.Host == "" {
			t.Error("a link without a host")
		}
		if err != nil && len(link) > 10 && strings.Contains(err.Error(), link) {
			t.Error("the error quotes the link")
		}
		BundleLink{links: newLinks([kinds]string{KindPublic: link})}.Expires(KindPublic)
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "1.5", "soon"} {
		f.Add(s)
	}
	now := time.Date(1999, 12, 31, 23, 59, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(http.Header{"Retry-After": {s}}, now); d < 0 {
			t.Errorf("%q: %v", s, d)
		}
	})
}

// The waits between attempts are random, grow, and stay within what the package comment says.
func TestBackOff(t *testing.T) {
	t.Parallel()
	for n := 1; n < 100; n++ {
		bound := maxWait
		if n < 6 {
			bound = minWait << (n - 1)
		}
		seen := make(map[time.Duration]bool)
		for range 20 {
			d := backOff(n)
			if d <= 0 || d > bound {
				t.Fatalf("after attempt %d: %v", n, d)
			}
			seen[d] = true
		}
		if len(seen) < 2 {
			t.Errorf("after attempt %d the wait is always the same", n)
		}
	}
}
