package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
	"github.com/seed-5f06b232/astra-go/token"
)

// When 1,000 programs lose their nodes at the same moment, each asks the metadata service once, and they spread that over 0.1 s. A hundredth
// of a second has no more than 150 requests.
func TestNoHerdWhenNodesAreReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const programs = 1000
		d := newPipeDatabase(t)
		dialers := startDialers(t, d, programs)
		time.Sleep(time.Minute)
		asked := d.restart()
		d.replace(true)
		var running sync.WaitGroup
		for _, dialer := range dialers {
			running.Go(func() {
				if err := dialUntil(t.Context(), dialer, time.Minute); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		requests := d.requests()
		if len(requests) != programs {
			t.Errorf("%d programs asked %d times, want once each", programs, len(requests))
		}
		if last := requests[len(requests)-1].Sub(asked); last > 120*time.Millisecond {
			t.Errorf("the last one asked after %v", last)
		}
		if n := busiest(requests, 10*time.Millisecond); n > 150 {
			t.Errorf("%d requests within 10 ms", n)
		}
	})
}

// While the metadata service tells nothing new, each program asks it ten times a second at most, and after 16 seconds twice a second at most.
// It goes down to once in two seconds.
func TestNoHerdWhileMetadataIsStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const programs = 5
		d := newPipeDatabase(t)
		dialers := startDialers(t, d, programs)
		begun := d.restart()
		d.replace(false)
		requests := d.dialInVain(t, dialers)
		late := slices.IndexFunc(requests, func(at time.Time) bool { return at.Sub(begun) > 16*time.Second })
		if n := busiest(requests, time.Second); n > 10*programs {
			t.Errorf("%d programs made %d requests within a second", programs, n)
		}
		if n := busiest(requests[late:], time.Second); n > 2*programs {
			t.Errorf("after 16 s, %d programs made %d requests within a second", programs, n)
		}
	})
}

// While the metadata service hangs, each program asks it once a second, and never more than twice within one: a request without an answer is followed by another one beside it.
func TestNoHerdWhileMetadataHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const programs = 5
		d := newPipeDatabase(t)
		dialers := startDialers(t, d, programs)
		d.restart()
		d.replace(true)
		d.hang()
		requests := d.dialInVain(t, dialers)
		if n := busiest(requests, time.Second); n > 2*programs {
			t.Errorf("%d programs made %d requests within a second", programs, n)
		}
		if n := len(requests); n > 40*programs || n < 20*programs {
			t.Errorf("%d programs made %d requests in 30 s; want some 30 each, so that the end of the trouble is noticed soon", programs, n)
		}
	})
}

// dialInVain has each of the dialers dial a node that is gone, for 30 seconds, and returns the requests for metadata that came of it.
func (d *pipeDatabase) dialInVain(t *testing.T, dialers []*astra.Dialer) []time.Time {
	t.Helper()
	var running sync.WaitGroup
	for _, dialer := range dialers {
		running.Go(func() {
			if err := dialUntil(t.Context(), dialer, 30*time.Second); err == nil {
				t.Error("a program connected to a node that is gone")
			}
		})
	}
	running.Wait()
	requests := d.requests()
	time.Sleep(10 * time.Second) // until the last request, which nobody waits for, has ended
	return requests
}

// busiest returns the most requests that lie within a span of time.
func busiest(requests []time.Time, span time.Duration) int {
	most, first := 0, 0
	for i, at := range requests {
		for at.Sub(requests[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// startDialers makes dialers, each of which knows where the only node is.
func startDialers(t *testing.T, d *pipeDatabase, n int) []*astra.Dialer {
	t.Helper()
	tok, err := token.Parse("AstraCS:" + strings.Repeat("a", 24) + ":" + strings.Repeat("0", 64))
	if err != nil {
		t.Fatal(err)
	}
	var dialers []*astra.Dialer
	for range n {
		dialer, err := astra.NewDialer(astra.Config{Bundle: d.bundle, Token: tok, DialContext: d.dial})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dialer.Metadata(t.Context()); err != nil {
			t.Fatal(err)
		}
		dialers = append(dialers, dialer)
	}
	return dialers
}

// dialUntil dials the nodes that the metadata names until one answers, again and again as gocql does.
func dialUntil(ctx context.Context, dialer *astra.Dialer, limit time.Duration) error {
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); {
		var m *astra.Metadata
		if m, err = dialer.Metadata(ctx); err != nil {
			return err
		}
		var conn net.Conn
		if conn, err = dialer.DialNode(ctx, m.ContactPoints[0]); err == nil {
			conn.Close()
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return err
}

// pipeDatabase is a metadata service and an SNI proxy at the ends of pipes, which a bubble of package synctest can hold, so that times are exact.
type pipeDatabase struct {
	bundle *bundle.Bundle
	server *tls.Config

	mu    sync.Mutex
	node  string // the only one
	named string // by the metadata service
	hangs bool   // the metadata service
	asked []time.Time
}

const pipeHost = "astra.example"

func newPipeDatabase(t *testing.T) *pipeDatabase {
	t.Helper()
	ca, err := pki.NewAuthority("ca", pki.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(leaf pki.Leaf) *pki.KeyPair {
		pair, err := ca.Issue(leaf)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	client := issue(pki.Leaf{CommonName: "client", Client: true})
	files, err := scb.Files(scb.Contents{
		Host: pipeHost, Port: 29080, CQLPort: 29042, CA: ca.Certificate(), Certificate: client.Certificate, Key: client.Key,
	})
	if err != nil {
		t.Fatal(err)
	}
	zip, err := scb.Zip(files)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Parse(zip)
	if err != nil {
		t.Fatal(err)
	}
	server := issue(pki.Leaf{CommonName: pipeHost, DNSNames: []string{pipeHost}, Server: true})
	d := &pipeDatabase{bundle: b, node: "node-1", named: "node-1"}
	d.server = &tls.Config{
		Certificates:           []tls.Certificate{server.TLS()},
		CurvePreferences:       []tls.CurveID{tls.X25519}, // for speed
		GetConfigForClient:     d.hello,
		SessionTicketsDisabled: true, // nobody would read them from the pipe
	}
	return d
}

// replace replaces the node; the metadata service tells of it or not.
func (d *pipeDatabase) replace(told bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.node = "node-2"
	if told {
		d.named = "node-2"
	}
}

// hang leaves requests for metadata without an answer from now on.
func (d *pipeDatabase) hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hangs = true
}

// restart forgets the requests so far.
func (d *pipeDatabase) restart() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = nil
	return time.Now()
}

func (d *pipeDatabase) requests() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *pipeDatabase) hello(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if hello.ServerName != pipeHost && hello.ServerName != d.node {
		return nil, errors.New("there is no such node")
	}
	return nil, nil
}

func (d *pipeDatabase) dial(_ context.Context, _, addr string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		conn := tls.Server(server, d.server)
		if strings.HasSuffix(addr, ":29080") {
			d.answer(conn)
		} else if conn.Handshake() == nil {
			conn.Read(make([]byte, 1)) // until the client has closed it
		}
	}()
	return client, nil
}

func (d *pipeDatabase) answer(conn net.Conn) {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	request.Body.Close()
	d.mu.Lock()
	d.asked = append(d.asked, time.Now())
	hangs := d.hangs
	body := fmt.Sprintf(`{"version":1,"contact_info":{"type":"sni_proxy","local_dc":"dc1","contact_points":[%q],"sni_proxy_address":"%s:29042"}}`, d.named, pipeHost)
	d.mu.Unlock()
	if hangs {
		conn.Read(make([]byte, 1)) // until the client gives up
		return
	}
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
}
