package astratest_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

type metadataDocument struct {
	Version     int    `json:"version"`
	Region      string `json:"region"`
	ContactInfo struct {
		Type            string   `json:"type"`
		LocalDC         string   `json:"local_dc"`
		ContactPoints   []string `json:"contact_points"`
		SNIProxyAddress string   `json:"sni_proxy_address"`
	} `json:"contact_info"`
}

// metadataClient returns a client with the bundle's identity.
func metadataClient(t *testing.T, s *astratest.Server) *http.Client {
	dialer := &net.Dialer{Resolver: s.Resolver()}
	transport := &http.Transport{TLSClientConfig: s.Bundle().TLSConfig(), DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func get(t *testing.T, client *http.Client, url string) (status int, body string, err error) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

func metadata(t *testing.T, s *astratest.Server) (m metadataDocument) {
	t.Helper()
	status, body, err := get(t, metadataClient(t, s), s.Bundle().MetadataURL())
	if err != nil || status != 200 {
		t.Fatalf("metadata: %d %s %v", status, body, err)
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	s, echoes := newEchoServer(t, 2)
	var want metadataDocument
	want.Version = 1
	want.Region = "us-east1"
	want.ContactInfo.Type = "sni_proxy"
	want.ContactInfo.LocalDC = "us-east1"
	want.ContactInfo.ContactPoints = []string{echoes[0].hostID, echoes[1].hostID}
	want.ContactInfo.SNIProxyAddress = fmt.Sprintf("localhost:%d", s.Bundle().CQLPort())
	if diff := cmp.Diff(want, metadata(t, s)); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if got := s.Stats().MetadataRequests; got != 1 {
		t.Errorf("MetadataRequests %d, want 1", got)
	}
}

func TestMetadataRequests(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	client := metadataClient(t, s)
	url := s.Bundle().MetadataURL()
	for _, test := range []struct {
		url    string
		status int
		body   string // part of it
	}{
		{url, 200, `"contact_info"`},
		{url + "?version=1", 200, `"contact_info"`},
		{url + "?version=2", 400, `{"code":400,"message":"Invalid version"}`},
		{url + "?version=", 400, `"Invalid version"`},
		{strings.TrimSuffix(url, "metadata"), 404, `"code":404`},
		{url + "/x", 404, `"code":404`},
	} {
		status, body, err := get(t, client, test.url)
		if err != nil || status != test.status || !strings.Contains(body, test.body) {
			t.Errorf("%s: got %d %q, %v; want %d %s", test.url, status, body, err, test.status, test.body)
		}
	}
}

func TestMetadataNeedsClientCertificate(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	other := astratest.NewServer()
	defer other.Close()
	for name, certificates := range map[string][]tls.Certificate{
		"none":            nil,
		"of another CA's": other.Bundle().TLSConfig().Certificates,
	} {
		config := s.Bundle().TLSConfig()
		config.Certificates, config.GetClientCertificate = certificates, nil
		transport := &http.Transport{TLSClientConfig: config}
		if _, _, err := get(t, &http.Client{Transport: transport}, s.Bundle().MetadataURL()); err == nil {
			t.Errorf("client certificate %s: accepted", name)
		}
	}
	if got := s.Stats().MetadataRequests; got != 0 {
		t.Errorf("MetadataRequests %d, want 0", got)
	}
}

func TestSetMetadata(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	client := metadataClient(t, s)
	url := s.Bundle().MetadataURL()
	if _, _, err := get(t, client, url); err != nil { // leaves a connection alive
		t.Fatal(err)
	}

	s.SetMetadata(astratest.MetadataDown)
	if _, _, err := get(t, client, url); err == nil {
		t.Error("down: got an answer")
	}
	s.SetMetadata(astratest.MetadataGarbage)
	if status, body, err := get(t, client, url); err != nil || status != 200 || json.Valid([]byte(body)) {
		t.Errorf("garbage: got %d %q, %v", status, body, err)
	}
	s.SetMetadata(astratest.MetadataStatus(503))
	if status, body, err := get(t, client, url); err != nil || status != 503 || !json.Valid([]byte(body)) {
		t.Errorf("503: got %d %q, %v", status, body, err)
	}
	s.SetMetadataHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "mine") }))
	if _, body, err := get(t, client, url); err != nil || body != "mine" {
		t.Errorf("handler: got %q, %v", body, err)
	}
	s.SetMetadata(astratest.MetadataHang)
	hanging := *client
	hanging.Timeout = 50 * time.Millisecond
	if _, body, err := get(t, &hanging, url); err == nil {
		t.Errorf("hang: got %q", body)
	}
	s.SetMetadata(astratest.MetadataOK)
	if status, _, err := get(t, client, url); err != nil || status != 200 {
		t.Errorf("OK again: got %d, %v", status, err)
	}
}

// A server that is closed does not wait for hanging requests or for connections that are kept alive.
func TestCloseWithRequests(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	client, url := metadataClient(t, s), s.Bundle().MetadataURL()
	if _, _, err := get(t, client, url); err != nil {
		t.Fatal(err)
	}
	s.SetMetadata(astratest.MetadataHang)
	done := make(chan error, 1)
	go func() {
		_, _, err := get(t, client, url)
		done <- err
	}()
	waitFor(t, "the request", func() bool { return s.Stats().MetadataRequests == 2 })
	s.Close()
	if err := <-done; err == nil {
		t.Error("a hanging request was answered")
	}
}

func TestDelayMetadata(t *testing.T) {
	t.Parallel()
	s, _ := newEchoServer(t, 1)
	port := func() string { return metadata(t, s).ContactInfo.SNIProxyAddress }
	first := port()
	s.DelayMetadata(time.Hour)
	s.MoveProxy()
	if got := port(); got != first {
		t.Errorf("got %s, which is not to be known yet; want %s", got, first)
	}
	s.DelayMetadata(0)
	second := port()
	if second == first {
		t.Error("the delay is over and the change not known")
	}
	s.DelayMetadata(20 * time.Millisecond)
	s.MoveProxy()
	waitFor(t, "the next change to be known", func() bool { return port() != second })
}
