package astratest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/token"
)

// api is the simulated DevOps API as any HTTP client sees it.
type api struct {
	t      *testing.T
	server *astratest.Server
	bearer string
}

func newAPI(t *testing.T) api {
	s := astratest.NewServer()
	t.Cleanup(s.Close)
	return api{t, s, s.Token().Bearer()}
}

// call sends a request to a path, or to a whole URL, and returns status and body.
func (a api) call(method, path, body string) (int, []byte) {
	a.t.Helper()
	url := path
	if strings.HasPrefix(path, "/") {
		url = a.server.URL + path
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if a.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+a.bearer)
	}
	resp, err := a.server.Client().Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, data
}

func (a api) links(query string) []byte {
	a.t.Helper()
	status, body := a.call("POST", "/databases/"+a.server.DatabaseID+"/secureBundleURL"+query, "")
	if status != http.StatusOK {
		a.t.Fatalf("%d %s", status, body)
	}
	return body
}

// Without all the answer is an object, with it an array; both are what the real API gives (devops-api 3.1).
func TestDevOpsBundleForms(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.server.DevOps().AddRegion("europe-west1")
	var object struct{ Region, DownloadURL string }
	if err := json.Unmarshal(a.links(""), &object); err != nil || object.Region != "us-east1" {
		t.Error(object, err)
	}
	var array []map[string]any
	if err := json.Unmarshal(a.links("?all=true"), &array); err != nil || len(array) != 2 {
		t.Error(array, err)
	}
	a.server.DevOps().SetQuirks(astratest.DevOpsQuirks{MisspeltKeys: true, NoRegions: true, SecondaryFirst: true})
	array = nil
	if err := json.Unmarshal(a.links("?all=true"), &array); err != nil || array[0]["datcenterID"] != a.server.DatabaseID+"-2" || array[0]["datacenterID"] != nil || array[0]["region"] != nil {
		t.Error(array, err)
	}
	a.bearer = "" // the store takes none
	status, zip := a.call("GET", object.DownloadURL, "")
	if b, err := bundle.Parse(zip); status != http.StatusOK || err != nil || b.Host() != "localhost" {
		t.Error(status, err)
	}
}

// The store refuses two ways to authenticate, altered links, and expired ones, in S3's words (devops-api 2.4).
func TestDevOpsStoreRefuses(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	var object struct{ DownloadURL, DownloadURLMigrationProxy string }
	if err := json.Unmarshal(a.links(""), &object); err != nil {
		t.Fatal(err)
	}
	withToken := func(path string) (int, []byte) { return a.call("GET", path, "") }
	b := a
	b.bearer = ""
	without := func(path string) (int, []byte) { return b.call("GET", path, "") }
	for name, tc := range map[string]struct {
		get    func(string) (int, []byte)
		link   string
		status int
		text   string
	}{
		"token":           {withToken, object.DownloadURL, 400, "Only one auth mechanism allowed"},
		"altered":         {without, strings.Replace(object.DownloadURL, "Expires=300", "Expires=3000", 1), 403, "SignatureDoesNotMatch"},
		"unsigned":        {without, strings.Split(object.DownloadURL, "?")[0], 403, "SignatureDoesNotMatch"},
		"migration proxy": {without, object.DownloadURLMigrationProxy, 404, "NoSuchKey"},
	} {
		if status, body := tc.get(tc.link); status != tc.status || !strings.Contains(string(body), tc.text) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	a.server.DevOps().SetQuirks(astratest.DevOpsQuirks{LinkLife: -1})
	if err := json.Unmarshal(a.links(""), &object); err != nil {
		t.Fatal(err)
	}
	if status, body := without(object.DownloadURL); status != 403 || !strings.Contains(string(body), "Request has expired") {
		t.Errorf("%d %s", status, body)
	}
}

// What the API says to requests that are not welcome (devops-api 2.1, 2.2).
func TestDevOpsRefusals(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for name, tc := range map[string]struct {
		bearer, method, path string
		status               int
		text                 string
	}{
		"no token":      {"", "GET", "/databases", 401, `"ID":340002`},
		"quoted token":  {`"` + a.bearer + `"`, "GET", "/databases", 403, `"ID":340017`},
		"no such token": {"AstraCS:" + strings.Repeat("a", 24) + ":" + strings.Repeat("0", 64), "GET", "/databases", 401, `"ID":340018`},
		"malformed":     {"token", "GET", "/databases", 401, `"ID":340016`},
		"wrong method":  {a.bearer, "PUT", "/databases", 404, "404 page not found"},
		"unknown path":  {a.bearer, "GET", "/nonsense", 404, "404 page not found"},
		"unknown ID":    {a.bearer, "GET", "/databases/nonsense", 404, `"errors"`},
		"limit":         {a.bearer, "GET", "/databases?limit=1000", 400, `"errors"`},
	} {
		b := a
		b.bearer = tc.bearer
		if status, body := b.call(tc.method, tc.path, ""); status != tc.status || !strings.Contains(string(body), tc.text) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, body := a.call("GET", "/currentOrg", ""); status != 200 || !strings.Contains(string(body), `"id"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestDevOpsIntercept(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	teapot := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	d := a.server.DevOps()
	d.Intercept("GET /v2/databases", 2, teapot)
	d.Intercept("currentOrg", -1, teapot)
	var got []int
	for range 3 {
		status, _ := a.call("GET", "/databases", "")
		got = append(got, status)
		status, _ = a.call("GET", "/currentOrg", "")
		got = append(got, status)
	}
	d.Intercept("currentOrg", 0, nil)
	status, _ := a.call("GET", "/currentOrg", "")
	got = append(got, status)
	want := []int{418, 418, 418, 418, 200, 418, 200}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("statuses %v, want %v", got, want)
		}
	}
	if r := d.Requests(); len(r) != 7 || r[0] != "GET /v2/databases" {
		t.Errorf("requests %v", r)
	}
}

// Tokens that the API creates open CQL connections and are accepted by the API itself, until it deletes them.
func TestDevOpsTokens(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	status, body := a.call("POST", "/clientIdSecrets", `{"roles":["10000000-0000-4000-8000-000000000003"],"description":"d"}`)
	created, err := token.ParseJSON(body)
	if err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	check := func(tok token.Token, want bool) {
		t.Helper()
		b := a
		b.bearer = tok.Bearer()
		if status, _ := b.call("GET", "/currentOrg", ""); (status == http.StatusOK) != want {
			t.Errorf("the API answers %d", status)
		}
		cluster := newGocqlCluster(t, a.server)
		username, password := tok.CQL()
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: username, Password: password}
		session, err := cluster.CreateSession()
		if err == nil {
			session.Close()
		}
		if (err == nil) != want {
			t.Errorf("a CQL connection: %v", err)
		}
	}
	old := a.server.Token()
	check(created, true)
	check(old, true)
	if status, _ := a.call("DELETE", "/clientIdSecrets/"+created.ClientID(), ""); status != http.StatusNoContent {
		t.Error(status)
	}
	check(created, false)
	current := a.server.RotateToken()
	check(old, false)
	check(current, true)
	b := a
	b.bearer = current.Bearer()
	if status, _ := b.call("DELETE", "/clientIdSecrets/"+current.ClientID(), ""); status != http.StatusNoContent {
		t.Error(status)
	}
	check(current, false)
}

// Close ends requests that hang.
func TestDevOpsCloseEndsRequests(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	entered := make(chan struct{})
	s.DevOps().Intercept("GET", 1, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := s.Client().Get(s.URL + "/databases"); err == nil {
			resp.Body.Close()
		}
	}()
	<-entered
	s.Close()
	<-done
}

// A hibernated database wakes up by a data request, and the API reports RESUMING in between (devops-api 3.10).
func TestDevOpsWaking(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.server.Hibernate()
	root := strings.TrimSuffix(a.server.URL, "/v2")
	r, err := http.NewRequest("POST", root+"/api/json/v1", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Token", a.bearer)
	resp, err := a.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Error(resp.Status)
	}
	for _, want := range []string{"RESUMING", "RESUMING", "ACTIVE"} {
		var db struct{ Status string }
		if _, body := a.call("GET", "/databases/"+a.server.DatabaseID, ""); json.Unmarshal(body, &db) != nil || db.Status != want {
			t.Errorf("status %q, want %q", db.Status, want)
		}
	}
}

// A program meets what it must bear with: another order of regions, and an API that fails now and then.
func ExampleDevOps() {
	server := astratest.NewServer()
	defer server.Close()
	api := server.DevOps()
	api.AddRegion("europe-west1")
	api.SetQuirks(astratest.DevOpsQuirks{SecondaryFirst: true})
	api.Intercept("secureBundleURL", 1, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}))

	client, err := devops.NewClient(devops.Config{Token: server.Token(), BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	zip, err := client.DownloadBundle(context.Background(), "testdb", devops.BundleQuery{})
	fmt.Println(bytes.Equal(zip, server.BundleZip()), err)
	// Output:
	// true <nil>
}
