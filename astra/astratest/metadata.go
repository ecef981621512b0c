package astratest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// metadataDocument is what the metadata service answers.
type metadataDocument struct {
	Version     int         `json:"version"`
	Region      string      `json:"region"`
	ContactInfo contactInfo `json:"contact_info"`
}

type contactInfo struct {
	Type            string   `json:"type"`
	LocalDC         string   `json:"local_dc"`
	ContactPoints   []string `json:"contact_points"`
	SNIProxyAddress string   `json:"sni_proxy_address"`
}

// metadataService tells clients over mutual TLS which nodes there are and where the proxy is.
type metadataService struct {
	present   func() metadataDocument
	tlsConfig func() *tls.Config

	dials, requests atomic.Int64
	port            uint16
	sockets         *sockets
	http            *httpService

	mu      sync.Mutex
	mode    MetadataMode
	handler http.Handler // in place of the mode
	away    bool         // connections are reset, whatever the mode
	delay   time.Duration
	history []publication // what was true when; the first is known to all, the last is the present state
}

type publication struct {
	at       time.Time
	document metadataDocument
}

func newMetadataService(ctx context.Context, addrs []netip.Addr, tlsConfig func() *tls.Config, present func() metadataDocument) *metadataService {
	m := &metadataService{present: present, tlsConfig: tlsConfig, sockets: newSockets()}
	listeners, port := listenAll(addrs)
	m.port = port
	for i, ln := range listeners {
		listeners[i] = &metadataListener{ln, m}
	}
	m.http = newHTTPService(ctx, http.HandlerFunc(m.serve), listeners...)
	return m
}

func (m *metadataService) close() {
	m.sockets.close()
	m.http.close()
}

// metadataListener starts TLS with the certificates of the day, and resets connections while the service is down.
type metadataListener struct {
	net.Listener
	service *metadataService
}

func (ln *metadataListener) Accept() (net.Conn, error) {
	for {
		conn, err := ln.Listener.Accept()
		if err != nil {
			return nil, err
		}
		ln.service.dials.Add(1)
		if s, ok := ln.service.admit(conn); ok {
			return tls.Server(s, ln.service.tlsConfig()), nil
		}
	}
}

func (m *metadataService) admit(conn net.Conn) (*socket, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down() {
		reset(conn)
		return nil, false
	}
	return m.sockets.add(conn)
}

// down says whether connections are reset. m.mu is held.
func (m *metadataService) down() bool {
	return m.away || m.mode == MetadataDown && m.handler == nil
}

// change applies f, and drops connections that are kept alive when the service is down then.
func (m *metadataService) change(f func()) {
	m.mu.Lock()
	f()
	down := m.down()
	m.mu.Unlock()
	if down {
		m.sockets.reset(func(*socket) bool { return true })
	}
}

func (m *metadataService) serve(w http.ResponseWriter, r *http.Request) {
	m.requests.Add(1)
	m.mu.Lock()
	mode, handler := m.mode, m.handler
	m.mu.Unlock()
	switch {
	case handler != nil:
		handler.ServeHTTP(w, r)
	case mode == MetadataOK:
		m.answer(w, r)
	case mode == MetadataHang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // not an empty answer
	case mode == MetadataGarbage:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `<html>{"contact_info":`)
	case mode > 0:
		writeMetadataError(w, int(mode), http.StatusText(int(mode)))
	default: // went down since the connection was accepted
		panic(http.ErrAbortHandler)
	}
}

func (m *metadataService) answer(w http.ResponseWriter, r *http.Request) {
	version := r.URL.Query()["version"]
	switch {
	case r.URL.Path != "/metadata":
		writeMetadataError(w, http.StatusNotFound, "Not Found")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		writeMetadataError(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	case len(version) > 0 && version[0] != "1":
		writeMetadataError(w, http.StatusBadRequest, "Invalid version")
	default:
		writeJSON(w, http.StatusOK, m.observe())
	}
}

func writeMetadataError(w http.ResponseWriter, code int, message string) {
	writeJSON(w, code, struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, message})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

// observe notes the present state, and returns the one that clients are told. It is called after each change, and not with a lock held
// that m.present takes.
func (m *metadataService) observe() metadataDocument {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	present := m.present()
	if n := len(m.history); n == 0 || !reflect.DeepEqual(m.history[n-1].document, present) {
		m.history = append(m.history, publication{now, present})
	}
	for len(m.history) > 1 && now.Sub(m.history[1].at) >= m.delay {
		m.history = m.history[1:]
	}
	return m.history[0].document
}
