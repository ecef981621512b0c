package devops_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/devops"
)

// script makes the API report these statuses of its database one after the other, the last one for ever.
func script(s *astratest.Server, statuses ...string) {
	for i, status := range statuses {
		times := 1
		if i == len(statuses)-1 {
			times = -1
		}
		s.DevOps().Intercept("GET /v2/databases/", times, answer(200, "application/json", fmt.Sprintf(`{"id":%q,"status":%q,"info":{"region":"us-east1"}}`, s.DatabaseID, status)))
	}
}

func TestWaitActive(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	script(s, "PENDING", "INITIALIZING", "MAINTENANCE", "FROBNICATING", "", "RESUMING", "UNPARKING", "ACTIVE")
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		d, err := newClient(t, s).WaitActive(ctx(t), s.DatabaseID, func(d *devops.Database) { seen = append(seen, string(d.Status)) })
		if err != nil || d.ID != s.DatabaseID || !d.Status.Ready() {
			t.Fatalf("%+v, %v", d, err)
		}
		if want := []string{"PENDING", "INITIALIZING", "MAINTENANCE", "FROBNICATING", "", "RESUMING", "UNPARKING", "ACTIVE"}; !slices.Equal(seen, want) {
			t.Errorf("progress %q", seen)
		}
	})
}

// A database may be given by its name; the list is gone through once.
func TestWaitActiveByName(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.SetStatus("MAINTENANCE")
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(time.Minute, s.Wake)
		d, err := newClient(t, s).WaitActive(ctx(t), "testdb", nil)
		if err != nil || !d.Status.Ready() {
			t.Error(err)
		}
		_, err = newClient(t, s).WaitActive(ctx(t), "nobody", nil)
		wantError(t, err, devops.ErrNotFound)
	})
	if n := slices.Index(s.DevOps().Requests(), "GET /v2/databases/"+s.DatabaseID); n != 1 {
		t.Errorf("requests %v", s.DevOps().Requests())
	}
}

// Waiting ends early where it is in vain; the CLI waits for a database in ERROR until its time is up.
func TestWaitActiveEndsEarly(t *testing.T) {
	t.Parallel()
	for status, advice := range map[string]string{
		"HIBERNATED": "Client.Resume", "PARKED": "Client.Resume", "SUSPENDED": "Billing", "ERROR": "portal", "TERMINATED": "deleted", "TERMINATING": "deleted", "DECOMMISSIONING": "portal",
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.SetStatus(status)
			_, err := newClient(t, s).WaitActive(ctx(t), s.DatabaseID, nil)
			wantError(t, err, nil, s.DatabaseID, status, advice)
			var e *devops.StatusError
			if !errors.As(err, &e) || string(e.Status) != status {
				t.Errorf("%v", err)
			}
		})
	}
}

// A database that was just created may be unknown for a moment, null, and the API may fail now and then.
func TestWaitActiveBearsFailures(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, h := range []http.Handler{answer(404, "text/plain", "unknown"), answer(200, "application/json", "null"), answer(500, "text/plain", "x"), answer(429, "text/plain", "x")} {
		s.DevOps().Intercept("GET", 6, h)
	}
	synctest.Test(t, func(t *testing.T) {
		d, err := newClient(t, s).WaitActive(ctx(t), s.DatabaseID, nil)
		if err != nil || !d.Status.Ready() {
			t.Error(err)
		}
	})
}

// The two minutes begin anew with each answer.
func TestWaitActiveBearsTwoOutages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.SetStatus("RESIZING")
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		for _, at := range []time.Duration{0, 2 * time.Minute} {
			time.AfterFunc(at, func() { s.DevOps().Intercept("GET", -1, answer(503, "text/plain", "away")) })
			time.AfterFunc(at+90*time.Second, func() { s.DevOps().Intercept("GET", 0, nil) })
		}
		time.AfterFunc(4*time.Minute, s.Wake)
		time.Sleep(time.Nanosecond) // let the first outage begin
		if _, err := newClient(t, s).WaitActive(ctx(t), s.DatabaseID, nil); err != nil {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestWaitActiveGivesUp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler http.Handler
		want    error
		least   time.Duration
		most    time.Duration
	}{
		"unknown for good": {answer(404, "text/plain", "unknown"), devops.ErrNotFound, 2 * time.Minute, 3 * time.Minute},
		"API away":         {answer(503, "text/plain", "away"), devops.ErrUnavailable, 2 * time.Minute, 3 * time.Minute},
		"refused":          {answer(403, "text/plain", "no"), devops.ErrForbidden, 0, 0},
		"malformed":        {answer(200, "text/plain", "no"), nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("GET", -1, tc.handler)
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := newClient(t, s).WaitActive(ctx(t), s.DatabaseID, nil)
				wantError(t, err, tc.want)
				if took := time.Since(start); took < tc.least || took > tc.most {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestWaitActiveEndsWithContext(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.SetStatus("RESIZING")
	synctest.Test(t, func(t *testing.T) {
		short, cancel := context.WithTimeout(ctx(t), 40*time.Minute)
		defer cancel()
		start := time.Now()
		d, err := newClient(t, s).WaitActive(short, s.DatabaseID, nil)
		wantError(t, err, context.DeadlineExceeded, "RESIZING")
		if took := time.Since(start); took != 40*time.Minute || d == nil || d.Status != "RESIZING" {
			t.Errorf("after %v: %+v", took, d)
		}
	})
	if n := len(s.DevOps().Requests()); n < 200 || n > 330 {
		t.Errorf("%d requests in 40 minutes, want about one each 10 s", n)
	}
}

// A data request wakes a hibernated database. It is answered by 503, by 400 that says so, or by EOF (devops-api 3.10, astra-cli #315).
func TestResumeHibernated(t *testing.T) {
	t.Parallel()
	for name, waking := range map[string]astratest.DevOpsWaking{"503": astratest.DevOpsWaking503, "400": astratest.DevOpsWaking400, "EOF": astratest.DevOpsWakingEOF} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.Hibernate()
			s.DevOps().SetQuirks(astratest.DevOpsQuirks{Waking: waking})
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, s)
				if err := c.Resume(ctx(t), "testdb"); err != nil {
					t.Fatal(err)
				}
				if d, err := c.WaitActive(ctx(t), "testdb", nil); err != nil || !d.Status.Ready() {
					t.Error(err)
				}
			})
			if n := requests(s, "POST /api/json/v1"); n != 1 {
				t.Errorf("%d data requests", n)
			}
		})
	}
	t.Run("over the network", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.Hibernate()
		s.DevOps().SetQuirks(astratest.DevOpsQuirks{Waking: astratest.DevOpsWakingEOF})
		c, err := devops.NewClient(devops.Config{Token: s.Token(), BaseURL: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Resume(ctx(t), s.DatabaseID); err != nil {
			t.Error(err)
		}
	})
}

func TestResumeParked(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.SetStatus("PARKED")
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, s)
		if err := c.Resume(ctx(t), s.DatabaseID); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WaitActive(ctx(t), s.DatabaseID, nil); err != nil {
			t.Error(err)
		}
	})
	if unpark, wake := requests(s, "/unpark"), requests(s, "/api/"); unpark != 1 || wake != 0 {
		t.Errorf("%d requests to unpark, %d to wake", unpark, wake)
	}
}

// One that is not asleep is left alone; one that is falling asleep is waited for.
func TestResumeOthers(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"ACTIVE", "MAINTENANCE", "RESUMING"} {
		s := newServer(t)
		s.SetStatus(status)
		if err := newClient(t, s).Resume(ctx(t), s.DatabaseID); err != nil || requests(s, "POST") != 0 {
			t.Errorf("%s: %v", status, err)
		}
	}
	for _, status := range []string{"ERROR", "SUSPENDED", "TERMINATED"} {
		s := newServer(t)
		s.SetStatus(status)
		err := newClient(t, s).Resume(ctx(t), s.DatabaseID)
		wantError(t, err, nil, status)
	}
	s := newServer(t)
	s.SetStatus("HIBERNATING")
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(time.Minute, s.Hibernate)
		start := time.Now()
		if err := newClient(t, s).Resume(ctx(t), s.DatabaseID); err != nil || time.Since(start) < time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
	if n := requests(s, "POST /api/"); n != 1 {
		t.Errorf("%d data requests", n)
	}
}

// A request that has no effect is repeated, twice a minute; the context ends it.
func TestResumeWithoutEffect(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Hibernate()
	s.DevOps().Intercept("POST /api", -1, answer(503, "text/plain", "Resuming"))
	synctest.Test(t, func(t *testing.T) {
		short, cancel := context.WithTimeout(ctx(t), 2*time.Minute)
		defer cancel()
		err := newClient(t, s).Resume(short, s.DatabaseID)
		wantError(t, err, context.DeadlineExceeded, "HIBERNATED")
	})
	if n := requests(s, "POST /api"); n < 3 || n > 5 {
		t.Errorf("%d data requests in two minutes", n)
	}
}

func TestResumeRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler http.Handler
		want    error
	}{
		"400 of another kind": {answer(400, "application/json", `{"message":"Request body is missing"}`), nil},
		"401":                 {answer(401, "application/json", `{"errors":[{"message":"invalid token"}]}`), devops.ErrUnauthorized},
		"429":                 {answer(429, "text/plain", "slow down"), devops.ErrRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.Hibernate()
			s.DevOps().Intercept("POST /api", -1, tc.handler)
			err := newClient(t, s).Resume(ctx(t), s.DatabaseID)
			wantError(t, err, tc.want, "wake database")
		})
	}
	s := newServer(t)
	s.SetStatus("PARKED")
	s.DevOps().Intercept("/unpark", -1, answer(422, "text/plain", "serverless databases cannot be unparked"))
	err := newClient(t, s).Resume(ctx(t), s.DatabaseID)
	wantError(t, err, nil, "422", "serverless")
}

// In Astra's environments the endpoint follows from ID and region (devops-api 1); elsewhere the API says it.
func TestDataAPIEndpoint(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.DevOps().AddRegion("europe-west1")
	for base, domain := range map[string]string{
		"https://api.astra.datastax.com/v2":      "apps.astra.datastax.com",
		"https://api.dev.cloud.datastax.com/v2":  "apps.astra-dev.datastax.com",
		"https://api.test.cloud.datastax.com/v2": "apps.astra-test.datastax.com",
	} {
		c := newClient(t, s, func(c *devops.Config) { c.BaseURL = base })
		for region, want := range map[string]string{"": "us-east1", "us-east1": "us-east1", "Europe-West1": "europe-west1"} {
			got, err := c.DataAPIEndpoint(ctx(t), "testdb", region)
			if want := "https://" + s.DatabaseID + "-" + want + "." + domain; err != nil || got != want {
				t.Errorf("%s, %v; want %s", got, err, want)
			}
		}
		_, err := c.DataAPIEndpoint(ctx(t), "testdb", "mars-north1")
		wantError(t, err, devops.ErrNotFound, "europe-west1, us-east1")
	}
	c := newClient(t, s)
	if got, err := c.DataAPIEndpoint(ctx(t), "testdb", ""); err != nil || got != strings.TrimSuffix(s.URL, "/v2") {
		t.Error(got, err)
	}
	_, err := c.DataAPIEndpoint(ctx(t), "testdb", "europe-west1")
	wantError(t, err, nil, "does not say where")
}

// The token goes to no place that an answer names over plain http.
func TestDataAPIEndpointRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, endpoint := range []string{"http://data.example", "http://127.0.0.1:1", "ftp://data.example", "data.example", "", "%zz"} {
		s.DevOps().Intercept("GET /v2/databases/", 1, answer(200, "application/json", fmt.Sprintf(`{"id":%q,"status":"HIBERNATED","dataEndpointUrl":%q,"info":{"region":"us-east1"}}`, s.DatabaseID, endpoint)))
		h := &hosts{inProcess: inProcess{s.DevOps()}}
		c := newClient(t, s, func(c *devops.Config) {
			c.BaseURL, c.HTTPClient = "https://devops.example/v2", &http.Client{Transport: h}
		})
		wantError(t, c.Resume(ctx(t), s.DatabaseID), nil, "Data API")
		if len(h.seen) != 1 {
			t.Errorf("%q: requests to %v", endpoint, h.seen)
		}
	}
	// A region that is no part of a host name must not make another one.
	s.DevOps().Intercept("GET /v2/databases/", 1, answer(200, "application/json", fmt.Sprintf(`{"id":%q,"status":"HIBERNATED","info":{"region":"x.evil.example/"}}`, s.DatabaseID)))
	h := &hosts{inProcess: inProcess{s.DevOps()}}
	c := newClient(t, s, func(c *devops.Config) {
		c.BaseURL, c.HTTPClient = "", &http.Client{Transport: h}
	})
	wantError(t, c.Resume(ctx(t), s.DatabaseID), nil, "host name")
	if len(h.seen) != 1 {
		t.Errorf("requests to %v", h.seen)
	}
}

func TestSetDataAPIToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(s.URL, "/v2")+"/api/json/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	devops.SetDataAPIToken(r, s.Token())
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || r.Header.Get("Authorization") != "" {
		t.Error(resp.Status)
	}
}
