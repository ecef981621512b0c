package astra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-5f06b232/astra-go/bundle"
)

// Metadata is what the metadata service of a database tells about one region: where its nodes are now.
// It is immutable.
type Metadata struct {
	Region        string   // as Astra names it, such as "us-east1"
	LocalDC       string   // the datacenter that is local to the bundle's region
	ContactPoints []string // host IDs of nodes in the local datacenter, lower case; not always all of them
	ProxyAddr     string   // "host:port" of the SNI proxy
}

// proxyHost is the name that a node's certificate must bear.
func (m *Metadata) proxyHost() string {
	host, _, _ := net.SplitHostPort(m.ProxyAddr)
	return host
}

func (m *Metadata) lists(hostID string) bool {
	return slices.Contains(m.ContactPoints, hostID)
}

// An answer of the metadata service has a few hundred bytes.
const (
	maxMetadataBytes = 1 << 20
	maxContactPoints = 10_000
)

// fetchMetadata asks the metadata service of a bundle. Redirects are not followed, no proxy variable is heeded and no
// connection is kept: the answer decides whom we trust with the token.
func fetchMetadata(ctx context.Context, b *bundle.Bundle, dialTLS func(ctx context.Context, network, addr string) (net.Conn, error)) (*Metadata, error) {
	address := b.MetadataURL()
	transport := &http.Transport{
		DialTLSContext:         dialTLS,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxMetadataBytes,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &MetadataError{URL: address, Err: err}
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, &MetadataError{URL: address, Err: withoutURL(err)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxMetadataBytes+1))
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, &MetadataError{URL: address, StatusCode: response.StatusCode, Err: refusal(response, body)}
	case err != nil:
		return nil, &MetadataError{URL: address, StatusCode: response.StatusCode, Err: fmt.Errorf("the answer broke off after %d bytes: %w", len(body), err)}
	case len(body) > maxMetadataBytes:
		return nil, &MetadataError{URL: address, StatusCode: response.StatusCode, Err: fmt.Errorf("the answer is larger than %d bytes", maxMetadataBytes)}
	}
	m, err := parseMetadata(body, b.CQLPort())
	if err != nil {
		return nil, &MetadataError{URL: address, StatusCode: response.StatusCode, Err: err}
	}
	return m, nil
}

// withoutURL takes the *url.Error off, which repeats the URL that MetadataError names.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// refusal says what an answer other than 200 means. Of the body only a short JSON message is repeated.
func refusal(response *http.Response, body []byte) error {
	var answer struct {
		Message string `json:"message"`
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch err := json.Unmarshal(body, &answer); {
	case response.StatusCode/100 == 3:
		return errors.New("a redirect, which is not followed; is the bundle's host right?")
	case err == nil && answer.Message != "" && len(answer.Message) <= 300:
		return fmt.Errorf("%q", answer.Message)
	case kind == "text/html":
		return errors.New("an HTML page; does a web proxy stand between this program and Astra?")
	default:
		return errors.New("no reason given; is the database active?")
	}
}

// parseMetadata reads an answer. A proxy address without a port gets defaultPort, the bundle's cql_port, unless that is 0.
func parseMetadata(body []byte, defaultPort int) (*Metadata, error) {
	var answer struct {
		Region      string `json:"region"`
		ContactInfo *struct {
			Type          string   `json:"type"`
			LocalDC       string   `json:"local_dc"`
			ContactPoints []string `json:"contact_points"`
			ProxyAddress  string   `json:"sni_proxy_address"`
		} `json:"contact_info"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &answer); err != nil {
		return nil, fmt.Errorf("the answer is not the JSON that was expected: %w", err)
	}
	info := answer.ContactInfo
	switch {
	case info == nil:
		return nil, errors.New("the answer has no contact_info")
	case info.Type != "" && info.Type != "sni_proxy":
		return nil, fmt.Errorf("contact_info.type is %.100q; only sni_proxy is known", info.Type)
	case info.LocalDC == "":
		return nil, errors.New("the answer has no contact_info.local_dc")
	case len(info.ContactPoints) == 0:
		return nil, errors.New("contact_info.contact_points is empty: the database has no node")
	case len(info.ContactPoints) > maxContactPoints:
		return nil, fmt.Errorf("contact_info.contact_points has %d entries, more than %d", len(info.ContactPoints), maxContactPoints)
	}
	m := &Metadata{Region: answer.Region, LocalDC: info.LocalDC}
	seen := make(map[string]bool, len(info.ContactPoints))
	for i, id := range info.ContactPoints {
		if !validHostID(id) {
			return nil, fmt.Errorf("contact_info.contact_points[%d] is %.100q, which is not a host ID", i, id)
		}
		if id = strings.ToLower(id); !seen[id] {
			seen[id] = true
			m.ContactPoints = append(m.ContactPoints, id)
		}
	}
	addr, err := proxyAddr(info.ProxyAddress, defaultPort)
	if err != nil {
		return nil, fmt.Errorf("contact_info.sni_proxy_address %.100q: %w", info.ProxyAddress, err)
	}
	m.ProxyAddr = addr
	return m, nil
}

// validHostID reports whether a node can be named so in a TLS server name. Host IDs are UUIDs; nothing here depends on that.
func validHostID(id string) bool {
	if id == "" || len(id) > 253 || strings.Trim(id, ".") != id {
		return false
	}
	if _, err := netip.ParseAddr(id); err == nil {
		return false // TLS sends no server name for an address
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func proxyAddr(addr string, defaultPort int) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]"), strconv.Itoa(defaultPort)
		if defaultPort == 0 {
			return "", errors.New("no port, and the bundle has no cql_port")
		}
	}
	if host == "" || strings.ContainsAny(host, "/ []@") {
		return "", errors.New("no host")
	}
	if strings.Contains(host, ":") {
		if _, err := netip.ParseAddr(host); err != nil {
			return "", errors.New("neither host:port nor an IP address")
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("port %.20q is not between 1 and 65535", port)
	}
	return net.JoinHostPort(host, port), nil
}
