package astratest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// The kinds of bundles, as a part of the file name in a link.
var bundleKinds = []struct{ name, key string }{
	{"", "downloadURL"},
	{"internal-", "downloadURLInternal"},
	{"proxy-", "downloadURLMigrationProxy"},
	{"proxy-internal-", "downloadURLMigrationProxyInternal"},
}

const amzTime = "20060102T150405Z"

// bundleLinks answers POST secureBundleURL.
func (d *DevOps) bundleLinks(w http.ResponseWriter, r *http.Request) {
	db, ok := d.database(r.PathValue("id"))
	if !ok {
		d.refuse(w, http.StatusNotFound, 2000063, "database not found")
		return
	}
	status := db.status
	if status == "" {
		status = d.server.currentStatus()
	}
	if status != "ACTIVE" {
		d.refuse(w, http.StatusConflict, 2000089, "The database is not in a valid state to perform the operation")
		return
	}
	d.mu.Lock()
	quirks, domains := d.quirks, slices.Clone(d.domains)
	d.mu.Unlock()
	if db.id != d.server.DatabaseID {
		domains = nil
	}
	var all []object
	for _, region := range db.regions {
		element := object{"datacenterID": db.datacenterID(region), "region": region}
		if quirks.MisspeltKeys {
			delete(element, "datacenterID")
			element["datcenterID"] = db.datacenterID(region)
		}
		if quirks.NoRegions {
			delete(element, "region")
		}
		for _, kind := range bundleKinds {
			element[kind.key] = d.link(r, db, region, kind.name, "")
		}
		var custom []object
		for _, domain := range domains {
			fqdn := db.id + "-" + region + "." + domain
			custom = append(custom, object{"domain": domain, "cqlFQDN": fqdn, "apiFQDN": "api." + fqdn, "dashboardFQDN": "dashboard." + fqdn, "downloadURL": d.link(r, db, region, "", domain)})
		}
		element["customDomainBundles"] = custom
		all = append(all, element)
	}
	if r.URL.Query().Get("all") != "true" || quirks.BundleObject {
		writeJSON(w, http.StatusOK, all[0])
		return
	}
	if quirks.SecondaryFirst {
		slices.Reverse(all)
	}
	writeJSON(w, http.StatusOK, all)
}

// linkPath is the path of a bundle in the store, with names as Astra's has them.
func linkPath(db simulatedDatabase, region, kind, domain string) string {
	name := "secure-connect-" + kind + db.name
	if region != db.regions[0] {
		name += "-" + region
	}
	if domain != "" {
		name += "-" + domain
	}
	return "/store/" + db.datacenterID(region) + "/" + name + ".zip"
}

// link returns a signed link.
func (d *DevOps) link(r *http.Request, db simulatedDatabase, region, kind, domain string) string {
	d.mu.Lock()
	quirks := d.quirks
	d.mu.Unlock()
	date, life := time.Now(), 5*time.Minute
	switch {
	case quirks.LinkLife > 0:
		life = quirks.LinkLife
	case quirks.LinkLife < 0:
		date = date.Add(-time.Hour)
	}
	u := url.URL{Scheme: "http", Host: r.Host, Path: linkPath(db, region, kind, domain)}
	query := url.Values{
		"X-Amz-Algorithm":     {"AWS4-HMAC-SHA256"},
		"X-Amz-Credential":    {"AKIASIMULATED/us-east-2/s3/aws4_request"},
		"X-Amz-Date":          {date.UTC().Format(amzTime)},
		"X-Amz-Expires":       {strconv.Itoa(int(life.Seconds()))},
		"X-Amz-SignedHeaders": {"host"},
	}
	query.Set("X-Amz-Signature", d.sign(u.Path, query))
	u.RawQuery = query.Encode()
	if quirks.NoScheme {
		return strings.TrimPrefix(u.String(), "http://")
	}
	return u.String()
}

func (d *DevOps) sign(path string, query url.Values) string {
	h := hmac.New(sha256.New, d.key)
	fmt.Fprint(h, path, query.Get("X-Amz-Date"), query.Get("X-Amz-Expires"))
	return hex.EncodeToString(h.Sum(nil))
}

// serveBundle is the store that links lead to. It takes no token: like S3, it refuses a request that has one.
func (d *DevOps) serveBundle(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	date, err := time.Parse(amzTime, query.Get("X-Amz-Date"))
	life, _ := strconv.Atoi(query.Get("X-Amz-Expires"))
	switch {
	case r.Header.Get("Authorization") != "" || r.Header.Get("Token") != "":
		storeError(w, http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed")
		return
	case err != nil || query.Get("X-Amz-Signature") != d.sign(r.URL.Path, query):
		storeError(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
		return
	case time.Now().After(date.Add(time.Duration(life) * time.Second)):
		storeError(w, http.StatusForbidden, "AccessDenied", "Request has expired")
		return
	}
	d.mu.Lock()
	databases, domains, quirks := slices.Clone(d.databases), append([]string{""}, d.domains...), d.quirks
	d.mu.Unlock()
	for _, db := range databases {
		for _, region := range db.regions {
			for _, kind := range bundleKinds {
				for _, domain := range domains {
					if linkPath(db, region, kind.name, domain) != r.URL.Path || strings.HasPrefix(kind.name, "proxy-") && !quirks.MigrationProxy {
						continue
					}
					if quirks.WrongBundle {
						db.id = newUUID()
					}
					w.Header().Set("Content-Type", "application/zip")
					w.Write(d.bundleZip(db, region, kind.name, domain))
					return
				}
			}
		}
	}
	storeError(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
}

func storeError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "SIMULATED")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

type bundleKey struct {
	identity                   *identity
	database                   string
	region, kind, domain       string
	metadataPort, proxyPortNow uint16
}

// bundleZip returns a bundle of a database. Only those of the Server's own database in its own region lead anywhere.
func (d *DevOps) bundleZip(db simulatedDatabase, region, kind, domain string) []byte {
	s := d.server
	own := db.id == s.DatabaseID && region == db.regions[0] && domain == ""
	if own && kind == "" {
		return s.BundleZip()
	}
	key := bundleKey{s.identity.Load(), db.id, region, kind, domain, s.metadata.port, s.proxy.currentPort()}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bundles[key] == nil {
		host := s.settings.host
		switch {
		case domain != "":
			host = db.id + "-" + region + "." + domain
		case !own:
			host = db.id + "-" + region + ".db.astra.test"
		}
		d.bundles[key] = key.identity.zip(scb.Contents{
			Host:     host,
			Port:     int(key.metadataPort),
			CQLPort:  int(key.proxyPortNow),
			Keyspace: s.settings.keyspace,
			LocalDC:  region,
		})
	}
	return d.bundles[key]
}
