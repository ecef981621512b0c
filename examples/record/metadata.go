package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-5f06b232/astra-go/bundle"
)

// document is an answer of the metadata service.
type document struct {
	Version     json.RawMessage `json:"version"`
	Region      string          `json:"region"`
	ContactInfo struct {
		Type          string   `json:"type"`
		LocalDC       string   `json:"local_dc"`
		ContactPoints []string `json:"contact_points"`
		ProxyAddress  string   `json:"sni_proxy_address"`
	} `json:"contact_info"`
}

// httpAnswer is what the metadata service says to one request.
type httpAnswer struct {
	status      int
	contentType string
	body        []byte
}

// get asks the metadata service, with a query such as "?version=1", by some TLS configuration.
func (r *recorder) get(ctx context.Context, query string, config *tls.Config) (*httpAnswer, error) {
	const most = 1 << 20
	transport := &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return r.dialTCP(ctx, addr) },
		TLSClientConfig: config, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.bundle.MetadataURL()+query, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	return &httpAnswer{response.StatusCode, response.Header.Get("Content-Type"), body}, err
}

func (r *recorder) lookAtMetadata(ctx context.Context) error {
	answer, err := r.get(ctx, "", r.bundle.TLSConfig())
	if err != nil {
		return err
	}
	r.note("metadata-path", answer.status != http.StatusNotFound, "status %d", answer.status)
	r.note("metadata-status", answer.status == http.StatusOK, "status %d", answer.status)
	var seen []string
	for _, query := range []string{"?version=1", "?version=2"} {
		if other, err := r.get(ctx, query, r.bundle.TLSConfig()); err == nil {
			seen = append(seen, fmt.Sprintf("with %s status %d", query, other.status))
		}
	}
	r.note("metadata-version", answer.status/100 == 2, "status %d%s", answer.status, list("; ", seen))
	if answer.status/100 != 2 {
		return fmt.Errorf("status %d", answer.status)
	}
	if err := r.lookAtDocument(answer); err != nil {
		return err
	}
	_, err = r.dialer.Metadata(ctx)
	return err
}

func (r *recorder) lookAtDocument(answer *httpAnswer) error {
	if err := json.Unmarshal(answer.body, &r.metadata); err != nil {
		r.note("metadata-fields", false, "no JSON as expected")
		return errors.New("the answer is not the JSON that was expected")
	}
	d, info := &r.metadata, &r.metadata.ContactInfo
	var outer, inner map[string]json.RawMessage
	json.Unmarshal(answer.body, &outer) // it is an object, as the document was one
	json.Unmarshal(outer["contact_info"], &inner)
	lacks, more := compare(slices.Sorted(maps.Keys(outer)), []string{"contact_info", "region", "version"})
	lacksInner, moreInner := compare(slices.Sorted(maps.Keys(inner)), []string{"contact_points", "local_dc", "sni_proxy_address", "type"})
	lacks, more = append(lacks, lacksInner...), append(more, moreInner...)
	r.note("metadata-fields", len(lacks) == 0 && info.Type == "sni_proxy", "version %s, type %s, content type %s%s%s", r.names.plain(string(d.Version)), r.names.plain(info.Type),
		r.names.plain(answer.contentType), list("; it lacks ", lacks), list("; further ones: ", r.plainAll(more)))

	if d.Region == info.LocalDC {
		r.note("region-is-local-dc", true, "both are %s", r.names.datacenter(info.LocalDC))
	} else {
		r.note("region-is-local-dc", false, "region is %s, local_dc %s", r.names.datacenter(d.Region), r.names.datacenter(info.LocalDC))
	}

	points := info.ContactPoints
	r.note("contact-points-not-empty", len(points) > 0, "%d", len(points))
	if len(points) > 0 {
		uuid := regexp.MustCompile(`(?i)^` + ids.String() + `$`)
		r.note("contact-points-are-host-ids", !slices.ContainsFunc(points, func(id string) bool { return !uuid.MatchString(id) }), "in the form of UUIDs")
		r.note("contact-points-lower-case", !slices.ContainsFunc(points, func(id string) bool { return id != strings.ToLower(id) }), "%d seen", len(points))
		for _, id := range slices.Sorted(slices.Values(points)) {
			r.names.node(id) // numbered in this order
		}
	}
	r.lookAtProxyAddress(info.ProxyAddress)
	return nil
}

func (r *recorder) lookAtProxyAddress(address string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, strconv.Itoa(r.bundle.CQLPort())
		r.note("proxy-port", false, "there is none")
	} else {
		same := port == strconv.Itoa(r.bundle.CQLPort())
		seen := choose(same, "the same as cql_port", "another than cql_port")
		if r.bundle.CQLPort() == 0 {
			seen = "the bundle has no cql_port"
		}
		r.note("proxy-port", same, "%s", seen)
	}
	r.proxy = net.JoinHostPort(host, port)
	same := strings.EqualFold(host, r.bundle.Host())
	if net.ParseIP(host) != nil {
		r.note("proxy-name", same, "it is an IP address")
	} else {
		r.note("proxy-name", same, "it is %s, the bundle's host %s", r.names.host(host), r.names.host(r.bundle.Host()))
	}
}

// nodeConfig is that of a connection to a node, without resumed sessions.
func (r *recorder) nodeConfig(hostID string) *tls.Config {
	host, _, _ := net.SplitHostPort(r.proxy)
	config := r.bundle.NodeTLSConfig(bundle.Node{HostID: strings.ToLower(hostID), ProxyHost: host})
	config.ClientSessionCache = nil
	return config
}
