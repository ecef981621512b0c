package astratest

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// proxy is the SNI proxy: one port, on one or more addresses, by which all nodes are reached. It ends TLS and hands the connection to the node
// whose host ID the client named.
type proxy struct {
	ctx       context.Context // of the server; ends with it
	host      string          // the bundle's: as server name it means any node
	tlsConfig func() *tls.Config
	upstreams func() upstreams

	sockets *sockets
	counts  proxyCounts
	wg      sync.WaitGroup

	mu      sync.Mutex
	addrs   []*proxyAddr
	port    uint16
	away    bool // connections are reset as soon as they are accepted
	silent  bool
	woken   chan struct{} // closed and replaced when a silence ends
	refusal Refusal
}

type proxyAddr struct {
	addr     netip.Addr
	listener net.Listener // nil: connections are refused
	silent   bool
}

type proxyCounts struct {
	dials, handshakes, resumed, refusedUnknown atomic.Int64

	mu            sync.Mutex
	byServerNames map[string]int64
}

// upstreams are what is reached through the proxy, either simulated nodes or backends.
type upstreams interface {
	hostIDs() []string // that the metadata service names and the proxy knows, whether they are up or not
	find(hostID string) (up upstream, ok bool)
	any() (up upstream, ok bool)
}

// upstream speaks CQL on conn until either ends, and closes conn.
type upstream interface {
	serve(ctx context.Context, conn net.Conn)
}

func newProxy(ctx context.Context, host string, addrs []netip.Addr, tlsConfig func() *tls.Config, upstreams func() upstreams) *proxy {
	p := &proxy{
		ctx:       ctx,
		host:      strings.ToLower(host),
		tlsConfig: tlsConfig,
		upstreams: upstreams,
		sockets:   newSockets(),
		counts:    proxyCounts{byServerNames: make(map[string]int64)},
		woken:     make(chan struct{}),
	}
	for _, addr := range addrs {
		p.addrs = append(p.addrs, &proxyAddr{addr: addr})
	}
	return p
}

func (p *proxy) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listen()
}

// listen takes a new port on every address. p.mu is held.
func (p *proxy) listen() {
	addrs := make([]netip.Addr, len(p.addrs))
	for i, a := range p.addrs {
		addrs[i] = a.addr
	}
	var listeners []net.Listener
	listeners, p.port = listenAll(addrs)
	for i, a := range p.addrs {
		a.listener = listeners[i]
		p.wg.Go(func() { p.accept(a, listeners[i]) })
	}
}

func (p *proxy) currentPort() uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.port
}

func (p *proxy) close() {
	p.mu.Lock()
	for _, a := range p.addrs {
		if a.listener != nil {
			a.listener.Close()
		}
	}
	p.mu.Unlock()
	p.sockets.close()
	p.wg.Wait()
}

func (p *proxy) accept(a *proxyAddr, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if isClosed(err) {
			return
		}
		if err != nil { // out of file descriptors
			time.Sleep(10 * time.Millisecond)
			continue
		}
		p.counts.dials.Add(1)
		if s, ok := p.admit(a, listener, conn); ok {
			p.wg.Go(func() { p.serve(a, s) })
		}
	}
}

// admit adds conn to the open connections, unless the proxy has moved or is away. It is one step with those changes, so that none of the
// connections from before is left over.
func (p *proxy) admit(a *proxyAddr, listener net.Listener, conn net.Conn) (*socket, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away || a.listener != listener {
		reset(conn)
		return nil, false
	}
	return p.sockets.add(conn)
}

func (p *proxy) serve(a *proxyAddr, s *socket) {
	defer s.Close()
	if !p.outlastSilence(a, s) {
		return
	}
	conn := tls.Server(s, p.tlsConfig())
	if err := conn.Handshake(); err != nil {
		return
	}
	state := conn.ConnectionState()
	if state.DidResume {
		p.counts.resumed.Add(1)
	}
	p.counts.handshakes.Add(1)
	up, ok := p.route(state.ServerName)
	if !ok { // unknown, to be closed after the handshake; or known, but down
		conn.Close()
		return
	}
	up.serve(p.ctx, conn)
}

// outlastSilence returns when a's silence ends, or with false when s was closed.
func (p *proxy) outlastSilence(a *proxyAddr, s *socket) bool {
	for {
		p.mu.Lock()
		silent, woken := p.silent || a.silent, p.woken
		p.mu.Unlock()
		if !silent {
			return true
		}
		select {
		case <-woken:
		case <-s.gone:
			return false
		}
	}
}

// route finds what serves a connection with this server name. Drivers name a host ID; cqlsh, which knows none, names the bundle's host or
// nothing.
func (p *proxy) route(serverName string) (upstream, bool) {
	if name := strings.ToLower(serverName); name != "" && name != p.host {
		return p.upstreams().find(name)
	}
	return p.upstreams().any()
}

func (p *proxy) knows(serverName string) bool {
	name := strings.ToLower(serverName)
	return name == "" || name == p.host || slices.Contains(p.upstreams().hostIDs(), name)
}

// hello is called with each ClientHello. An unknown server name is refused here, except where the handshake shall succeed first.
func (p *proxy) hello(info *tls.ClientHelloInfo) (*tls.Config, error) {
	p.counts.serverName(info.ServerName)
	if p.knows(info.ServerName) {
		return nil, nil
	}
	p.counts.refusedUnknown.Add(1)
	p.mu.Lock()
	refusal := p.refusal
	p.mu.Unlock()
	if refusal == RefuseClose {
		return nil, nil
	}
	if refusal == RefuseSilence {
		drain(info.Conn)
	} else {
		info.Conn.Write(unrecognizedName)
	}
	info.Conn.Close() // before crypto/tls sends the alert that it has for every error
	return nil, errUnknownHost
}

// serverName counts a ClientHello. Clients choose the names, so what there is to remember has a limit.
func (c *proxyCounts) serverName(name string) {
	const maxNames = 10_000
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byServerNames[name]; ok || len(c.byServerNames) < maxNames {
		c.byServerNames[name]++
	}
}
