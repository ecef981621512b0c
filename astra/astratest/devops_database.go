package astratest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// simulatedDatabase is a database as the API knows it.
type simulatedDatabase struct {
	id      string
	name    string
	regions []string // the primary one first
	status  string   // "": the Server's
}

func (db simulatedDatabase) datacenterID(region string) string {
	return fmt.Sprintf("%s-%d", db.id, slices.Index(db.regions, region)+1)
}

// AddDatabase adds a database with a name, which need not be unique, and a status, such as "ACTIVE", and returns its ID. It has a bundle,
// but there is nothing to connect to.
func (d *DevOps) AddDatabase(name, status string) (id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	db := simulatedDatabase{newUUID(), name, []string{d.server.settings.datacenter}, status}
	d.databases = append(d.databases, db)
	return db.id
}

// AddRegion adds a secondary region to the Server's own database. It has bundles, but there is nothing to connect to.
func (d *DevOps) AddRegion(region string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	own := &d.databases[0]
	own.regions = append(slices.Clip(own.regions), region)
}

// AddDomain adds a custom domain, with a bundle in each region, to the Server's own database.
func (d *DevOps) AddDomain(domain string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.domains = append(d.domains, domain)
}

// database finds a database by its ID.
func (d *DevOps) database(id string) (simulatedDatabase, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, db := range d.databases {
		if strings.EqualFold(db.id, id) {
			return db, true
		}
	}
	return simulatedDatabase{}, false
}

func (d *DevOps) getDatabase(w http.ResponseWriter, r *http.Request) {
	db, ok := d.database(r.PathValue("id"))
	if !ok {
		d.refuse(w, http.StatusNotFound, 2000063, "database not found")
		return
	}
	writeJSON(w, http.StatusOK, d.databaseJSON(r, db))
}

func (d *DevOps) listDatacenters(w http.ResponseWriter, r *http.Request) {
	db, ok := d.database(r.PathValue("id"))
	if !ok {
		d.refuse(w, http.StatusNotFound, 2000063, "database not found")
		return
	}
	writeJSON(w, http.StatusOK, d.datacentersJSON(r, db))
}

func (d *DevOps) listDatabases(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit := 25
	if s := query.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 100 {
			d.refuse(w, http.StatusBadRequest, 2000001, "limit must be between 1 and 100")
			return
		}
		limit = n
	}
	d.mu.Lock()
	all, quirks := slices.Clone(d.databases), d.quirks
	d.mu.Unlock()
	all = slices.DeleteFunc(all, func(db simulatedDatabase) bool { return !included(db.status, query.Get("include")) })
	if after := query.Get("starting_after"); after != "" && !quirks.IgnoreLimit {
		i := slices.IndexFunc(all, func(db simulatedDatabase) bool { return db.id == after })
		all = all[i+1:]
	}
	page := []object{} // not null
	for _, db := range all[:min(limit, len(all))] {
		page = append(page, d.databaseJSON(r, db))
	}
	writeJSON(w, http.StatusOK, page)
}

func included(status, include string) bool {
	switch include {
	case "", "nonterminated":
		return status != "TERMINATED"
	case "all":
		return true
	}
	return strings.EqualFold(status, include) || status == ""
}

// databaseJSON is a database as the real API was seen to write it: signed links, fractional costs and zero times included.
func (d *DevOps) databaseJSON(r *http.Request, db simulatedDatabase) object {
	status := db.status
	if status == "" {
		status = d.observe()
	}
	d.mu.Lock()
	quirks := d.quirks
	d.mu.Unlock()
	region := db.regions[0]
	if quirks.NoPrimary {
		region = ""
	}
	return object{
		"id": db.id, "orgId": organizationID, "ownerId": organizationID, "status": status, "observedStatus": status,
		"creationTime": "2024-02-29T12:34:56Z", "terminationTime": "0001-01-01T00:00:00Z", "lastUsageTime": "2024-03-01T00:00:00Z",
		"dataEndpointUrl": "http://" + r.Host + "/api/rest", "studioUrl": nil, "dbType": "vector",
		"availableActions": []string{"park", "getCreds", "setEngineType"},
		"cost":             object{"costPerReadGbCents": 0.1, "costPerMinCents": 0, "costPerMonthCents": 0},
		"metrics":          object{"errors_total_count": 0, "live_data_size_bytes": 1.5e+09},
		"storage":          object{"nodeCount": 3, "replicationFactor": 1, "totalStorage": 10},
		"info": object{
			"name": db.name, "keyspace": d.server.settings.keyspace, "keyspaces": []string{d.server.settings.keyspace}, "additionalKeyspaces": nil,
			"cloudProvider": "GCP", "tier": "serverless", "capacityUnits": 1, "region": region, "dbType": "vector", "engineType": "vector",
			"datacenters": d.datacentersJSON(r, db),
		},
	}
}

func (d *DevOps) datacentersJSON(r *http.Request, db simulatedDatabase) []object {
	d.mu.Lock()
	quirks := d.quirks
	d.mu.Unlock()
	status := "ACTIVE"
	if quirks.EmptyDatacenterStatus {
		status = ""
	}
	var all []object
	for i, region := range db.regions {
		dc := object{
			"id": db.datacenterID(region), "name": fmt.Sprintf("dc-%d", i+1), "region": region, "isPrimary": i == 0 && !quirks.NoPrimary,
			"status": status, "tier": "serverless", "cloudProvider": "GCP", "regionZone": "na", "regionClassification": "standard",
			"capacityUnits": 1, "requestedNodeCount": 3, "dateCreated": "2024-02-29T12:34:56Z", "streamingTenant": object{},
		}
		for kind, key := range map[string]string{"": "secureBundleUrl", "internal-": "secureBundleInternalUrl", "proxy-": "secureBundleMigrationProxyUrl", "proxy-internal-": "secureBundleMigrationProxyInternalUrl"} {
			dc[key] = d.link(r, db, region, kind, "")
		}
		all = append(all, dc)
	}
	if quirks.SecondaryFirst {
		slices.Reverse(all)
	}
	return all
}
