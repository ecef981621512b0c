package astra

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	id1 = "7a5d1b7e-0f3c-4c7e-9d2a-000000000001"
	id2 = "7a5d1b7e-0f3c-4c7e-9d2a-000000000002"
)

func answer(contactInfo string) string {
	return `{"version":1,"region":"local","contact_info":{` + contactInfo + `}}`
}

func TestParseMetadata(t *testing.T) {
	t.Parallel()
	points := `"contact_points":["` + id1 + `","` + id2 + `"]`
	want := &Metadata{Region: "local", LocalDC: "dc1", ContactPoints: []string{id1, id2}, ProxyAddr: "localhost:30002"}
	for name, test := range map[string]struct {
		body string
		want *Metadata
		err  string
	}{
		"as the service answers": {body: answer(`"type":"sni_proxy","local_dc":"dc1",` + points + `,"sni_proxy_address":"localhost:30002"`), want: want},
		"no version and no type, unknown fields, byte order mark": {
			body: "\xef\xbb\xbf" + `{"region":"local","more":1,"contact_info":{"local_dc":"dc1","x":[],` + points + `,"sni_proxy_address":"localhost:30002"}}`, want: want},
		"duplicate and upper-case contact points": {
			body: answer(`"local_dc":"dc1","contact_points":["` + strings.ToUpper(id1) + `","` + id1 + `","` + id2 + `"],"sni_proxy_address":"localhost:30002"`), want: want},
		"IPv6 proxy": {body: answer(`"local_dc":"dc1",` + points + `,"sni_proxy_address":"[::1]:30002"`),
			want: &Metadata{Region: "local", LocalDC: "dc1", ContactPoints: []string{id1, id2}, ProxyAddr: "[::1]:30002"}},
		"proxy without port": {body: answer(`"local_dc":"dc1",` + points + `,"sni_proxy_address":"localhost"`),
			want: &Metadata{Region: "local", LocalDC: "dc1", ContactPoints: []string{id1, id2}, ProxyAddr: "localhost:29042"}},
		"not JSON":                 {body: "<html>", err: "not the JSON"},
		"an array":                 {body: "[]", err: "not the JSON"},
		"null":                     {body: "null", err: "no contact_info"},
		"empty object":             {body: "{}", err: "no contact_info"},
		"null contact_info":        {body: `{"contact_info":null}`, err: "no contact_info"},
		"another type":             {body: answer(`"type":"direct","local_dc":"dc1",` + points), err: "contact_info.type"},
		"no local_dc":              {body: answer(points + `,"sni_proxy_address":"localhost:1"`), err: "local_dc"},
		"no contact points":        {body: answer(`"local_dc":"dc1","sni_proxy_address":"localhost:1"`), err: "contact_points is empty"},
		"empty contact points":     {body: answer(`"local_dc":"dc1","contact_points":[],"sni_proxy_address":"localhost:1"`), err: "contact_points is empty"},
		"contact point not text":   {body: answer(`"local_dc":"dc1","contact_points":[1],"sni_proxy_address":"localhost:1"`), err: "not the JSON"},
		"contact point not a name": {body: answer(`"local_dc":"dc1","contact_points":["` + id1 + `","a b"],"sni_proxy_address":"localhost:1"`), err: "contact_points[1]"},
		"contact point an address": {body: answer(`"local_dc":"dc1","contact_points":["127.0.0.1"],"sni_proxy_address":"localhost:1"`), err: "contact_points[0]"},
		"no proxy":                 {body: answer(`"local_dc":"dc1",` + points), err: "no host"},
		"proxy with a bad port":    {body: answer(`"local_dc":"dc1",` + points + `,"sni_proxy_address":"localhost:0"`), err: "between 1 and 65535"},
		"proxy with a path":        {body: answer(`"local_dc":"dc1",` + points + `,"sni_proxy_address":"localhost/x:1"`), err: "no host"},
		"too many contact points":  {body: answer(`"local_dc":"dc1","contact_points":["a"` + strings.Repeat(`,"a"`, maxContactPoints) + `],"sni_proxy_address":"localhost:1"`), err: "more than"},
		"proxy an IPv6 without port": {body: answer(`"local_dc":"dc1",` + points + `,"sni_proxy_address":"::1"`),
			want: &Metadata{Region: "local", LocalDC: "dc1", ContactPoints: []string{id1, id2}, ProxyAddr: "[::1]:29042"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := parseMetadata([]byte(test.body), 29042)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %+v, error %v; want an error with %q", m, err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, m); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseMetadataWithoutAnyPort(t *testing.T) {
	t.Parallel()
	_, err := parseMetadata([]byte(answer(`"local_dc":"dc1","contact_points":["`+id1+`"],"sni_proxy_address":"localhost"`)), 0)
	if err == nil || !strings.Contains(err.Error(), "no port") {
		t.Errorf("got %v, want an error that says there is no port", err)
	}
}

// What is accepted can be dialed: there is a node, and the proxy has a host and a port.
func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(answer(`"type":"sni_proxy","local_dc":"dc1","contact_points":["` + id1 + `"],"sni_proxy_address":"localhost:30002"`)))
	f.Add([]byte("null"))
	f.Add([]byte(`{"contact_info":{"contact_points":[null],"sni_proxy_address":":"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parseMetadata(body, 0)
		if err != nil {
			return
		}
		if m.proxyHost() == "" || len(m.ContactPoints) == 0 || m.LocalDC == "" {
			t.Errorf("accepted %q as %+v", body, m)
		}
		for _, id := range m.ContactPoints {
			if !m.lists(id) || !validHostID(id) {
				t.Errorf("accepted the host ID %q", id)
			}
		}
	})
}
