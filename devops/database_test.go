package devops_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/devops"
)

func TestDatabase(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.DevOps().AddRegion("europe-west1")
	s.DevOps().SetQuirks(astratest.DevOpsQuirks{SecondaryFirst: true, EmptyDatacenterStatus: true})
	c := newClient(t, s)
	want := &devops.Database{
		ID: s.DatabaseID, Name: "testdb", OrganizationID: "20000000-0000-4000-8000-000000000001", Status: devops.StatusActive, Type: "vector",
		Tier: "serverless", CloudProvider: "GCP", Region: "us-east1", Keyspaces: []string{"default_keyspace"},
		CreationTime: time.Date(2024, 2, 29, 12, 34, 56, 0, time.UTC), DataEndpointURL: strings.TrimSuffix(s.URL, "/v2") + "/api/rest",
		Datacenters: []devops.Datacenter{
			{ID: s.DatabaseID + "-2", Name: "dc-2", Region: "europe-west1", CloudProvider: "GCP", Zone: "na", Classification: "standard"},
			{ID: s.DatabaseID + "-1", Name: "dc-1", Region: "us-east1", CloudProvider: "GCP", Zone: "na", Classification: "standard", Primary: true},
		},
	}
	for _, idOrName := range []string{s.DatabaseID, strings.ToUpper(s.DatabaseID), " testdb\n"} {
		got, err := c.Database(ctx(t), idOrName)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", idOrName, diff)
		}
	}
	if got := want.Regions(); !slices.Equal(got, []string{"us-east1", "europe-west1"}) {
		t.Errorf("regions %v, want the primary first", got)
	}
}

// The primary region is info.region, else the datacenter that says so, else the only one; never the first one (devops-api 3.2).
func TestPrimaryRegion(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ info, want string }{
		"region":                {`"region":"b","datacenters":[{"region":"a","isPrimary":true},{"region":"b"}]`, "b"},
		"isPrimary":             {`"datacenters":[{"region":"a"},{"region":"b","isPrimary":true}]`, "b"},
		"isPrimary as a string": {`"datacenters":[{"region":"a","isPrimary":"false"},{"region":"b","isPrimary":"true"}]`, "b"},
		"only one":              {`"datacenters":[{"region":"a"}]`, "a"},
		"nobody says":           {`"datacenters":[{"region":"a"},{"region":"b"}]`, ""},
		"null":                  {`"datacenters":null,"region":null`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.DevOps().Intercept("GET", -1, answer(200, "application/json", fmt.Sprintf(`{"id":%q,"info":{%s}}`, s.DatabaseID, tc.info)))
			d, err := newClient(t, s).Database(ctx(t), s.DatabaseID)
			if err != nil || d.Region != tc.want {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

// Unknown fields, other number forms, null for arrays, and numbers in strings' place do not cost the answer.
func TestDatabaseForms(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.DevOps().Intercept("GET", -1, answer(200, "application/json", fmt.Sprintf(`{
		"id": %q, "status": "FROBNICATING", "novel": {"a": [1, null]}, "creationTime": 12, "cost": {"costPerReadGbCents": 0.1}, "storage": null, "studioUrl": null,
		"orgId": 12.50, "dbType": null, "terminationTime": "0001-01-01T00:00:00Z", "availableActions": null, "dataEndpointUrl": {},
		"info": {"name": 2024, "capacityUnits": "1", "additionalKeyspaces": ["b", "a", null, 7], "keyspaces": null, "keyspace": "a", "tier": true,
			"datacenters": [null, 3, {"id": 1, "region": "r", "isPrimary": null, "capacityUnits": 1.5e3}]}}`, s.DatabaseID)))
	got, err := newClient(t, s).Database(ctx(t), s.DatabaseID)
	if err != nil {
		t.Fatal(err)
	}
	want := &devops.Database{
		ID: s.DatabaseID, Name: "2024", OrganizationID: "12.50", Status: "FROBNICATING", Tier: "true", Region: "r",
		Datacenters: []devops.Datacenter{{ID: "1", Region: "r", Primary: true}}, Keyspaces: []string{"a", "b", "7"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got.Status.Waiting() {
		t.Error("an unknown status is not one to wait for")
	}
}

// GET answers 200 and null for a moment after the database was created (terraform #222).
func TestNullAfterCreation(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"null": "null", "nothing": "", "blank": " \n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, s)
				s.DevOps().Intercept("GET", 1, answer(200, "application/json", body))
				if d, err := c.Database(ctx(t), s.DatabaseID); err != nil || d.Name != "testdb" {
					t.Error(err)
				}
				s.DevOps().Intercept("GET", -1, answer(200, "application/json", body))
				_, err := c.Database(ctx(t), s.DatabaseID)
				wantError(t, err, devops.ErrNotFound, "after 5 attempts")
			})
		})
	}
}

func TestDatabaseErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(t, s)
	_, err := c.Database(ctx(t), "  ")
	wantError(t, err, nil, "empty")
	_, err = c.Database(ctx(t), "00000000-0000-4000-8000-000000000000")
	wantError(t, err, devops.ErrNotFound, "00000000-0000-4000-8000-000000000000")
	_, err = c.Database(ctx(t), "nobody")
	wantError(t, err, devops.ErrNotFound, `"nobody"`, "none of the organization's 1 databases")
	_, err = c.Database(ctx(t), "TestDB")
	wantError(t, err, devops.ErrNotFound, `there is "testdb"`)
	s.DevOps().Intercept("GET", 1, answer(200, "application/json", `{"id":"00000000-0000-4000-8000-000000000000"}`))
	_, err = c.Database(ctx(t), s.DatabaseID)
	wantError(t, err, nil, "another database")
}

// Names are not unique: the IDs are listed, and none is taken.
func TestAmbiguousName(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	other := s.DevOps().AddDatabase("testdb", "ACTIVE")
	c := newClient(t, s)
	_, err := c.Database(ctx(t), "testdb")
	wantError(t, err, devops.ErrAmbiguous, s.DatabaseID, other, "use one of the IDs")
	wantOnly(t, err, devops.ErrAmbiguous)
	_, err = c.DownloadBundle(ctx(t), "testdb", devops.BundleQuery{})
	wantError(t, err, devops.ErrAmbiguous)

	ending := s.DevOps().AddDatabase("old", "TERMINATING")
	if d, err := c.Database(ctx(t), "old"); err != nil || d.ID != ending {
		t.Error(err)
	}
	current := s.DevOps().AddDatabase("old", "ACTIVE")
	if d, err := c.Database(ctx(t), "old"); err != nil || d.ID != current {
		t.Error("a database that is being terminated makes the name of another ambiguous:", err)
	}
}

// Pages have 100 databases; there is no cursor but the last ID, and a full last page is followed by an empty one (devops-api 3.9).
func TestPages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ databases, pages int }{{1, 1}, {99, 1}, {100, 2}, {101, 2}, {250, 3}} {
		t.Run(fmt.Sprint(tc.databases), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			want := []string{s.DatabaseID}
			for i := 1; i < tc.databases; i++ {
				want = append(want, s.DevOps().AddDatabase(fmt.Sprint("db", i), "ACTIVE"))
			}
			var got []string
			c := newClient(t, s)
			for d, err := range c.Databases(ctx(t), devops.ListOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, d.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d databases, want %d", len(got), len(want))
			}
			if n := requests(s, "GET /v2/databases"); n != tc.pages {
				t.Errorf("%d requests, want %d", n, tc.pages)
			}
			name := fmt.Sprint("db", tc.databases-1)
			if tc.databases > 1 { // astra-cli #213: only the first page was searched
				if d, err := c.Database(ctx(t), name); err != nil || d.ID != want[tc.databases-1] {
					t.Error(err)
				}
			}
		})
	}
}

func TestPagesEnd(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for i := range 120 {
		s.DevOps().AddDatabase(fmt.Sprint("db", i), "ACTIVE")
	}
	c := newClient(t, s)
	t.Run("the loop ends", func(t *testing.T) {
		before := len(s.DevOps().Requests())
		for range c.Databases(ctx(t), devops.ListOptions{}) {
			break
		}
		if n := len(s.DevOps().Requests()) - before; n != 1 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("repeated page", func(t *testing.T) {
		s.DevOps().SetQuirks(astratest.DevOpsQuirks{IgnoreLimit: true})
		n := 0
		var last error
		for d, err := range c.Databases(ctx(t), devops.ListOptions{}) {
			if n++; n > 1000 {
				t.Fatal("no end")
			}
			if (d == nil) != (err != nil) {
				t.Error("neither or both of database and error")
			}
			last = err
		}
		wantError(t, last, nil, "repeats a page")
		s.DevOps().SetQuirks(astratest.DevOpsQuirks{})
	})
	t.Run("error on the second page", func(t *testing.T) {
		n := 0
		var last error
		for d, err := range c.Databases(ctx(t), devops.ListOptions{}) {
			if n++; n == 1 {
				s.DevOps().Intercept("GET /v2/databases", 1, answer(403, "text/plain", "no"))
			}
			if d == nil {
				last = err
			}
		}
		wantError(t, last, devops.ErrForbidden)
		if n != 101 {
			t.Errorf("%d steps", n)
		}
	})
	t.Run("null", func(t *testing.T) {
		s.DevOps().Intercept("GET /v2/databases", 1, answer(200, "application/json", "null"))
		for _, err := range c.Databases(ctx(t), devops.ListOptions{}) {
			t.Error("a list that is null has an element:", err)
		}
	})
	t.Run("include", func(t *testing.T) {
		id := s.DevOps().AddDatabase("gone", "TERMINATED")
		for d := range c.Databases(ctx(t), devops.ListOptions{}) {
			if d.ID == id {
				t.Error("a terminated database is listed")
			}
		}
		found := false
		for d := range c.Databases(ctx(t), devops.ListOptions{Include: "all"}) {
			found = found || d.ID == id
		}
		if !found {
			t.Error("a terminated database is not listed among all")
		}
	})
	t.Run("canceled", func(t *testing.T) {
		canceled, cancel := context.WithCancel(ctx(t))
		cancel()
		for _, err := range c.Databases(canceled, devops.ListOptions{}) {
			wantError(t, err, context.Canceled)
		}
	})
}

// Every status that was seen, in each class (devops-api 3.2).
func TestStatusClasses(t *testing.T) {
	t.Parallel()
	for class, statuses := range map[string]string{
		"ready":  "ACTIVE active",
		"asleep": "HIBERNATED PARKED hibernated",
		"gone":   "ERROR SUSPENDED TERMINATING TERMINATED DECOMMISSIONING",
		"waiting": "PENDING INITIALIZING ASSOCIATING PREPARING PREPARED PLACING RESUMING UNPARKING RESIZING MAINTENANCE SYNCHRONIZING " +
			"HIBERNATING PARKING SUSPENDING UNKNOWN DEGRADED FROBNICATING",
	} {
		for _, status := range append(strings.Fields(statuses), "") {
			s := devops.Status(status)
			if status == "" {
				class = "waiting"
			}
			got := map[string]bool{"ready": s.Ready(), "asleep": s.Asleep(), "gone": s.Gone(), "waiting": s.Waiting()}
			for name, is := range got {
				if is != (name == class) {
					t.Errorf("%q is %s: %v", status, name, is)
				}
			}
		}
	}
}
