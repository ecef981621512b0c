package astratest

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/seed-5f06b232/astra-go/token"
)

// MetadataMode says how the metadata service behaves. The zero value is MetadataOK.
type MetadataMode int

const (
	MetadataOK      MetadataMode = 0  // it answers
	MetadataDown    MetadataMode = -1 // it resets connections, new ones and those kept alive
	MetadataHang    MetadataMode = -2 // it takes requests and never answers
	MetadataGarbage MetadataMode = -3 // it answers 200 with what is no JSON
)

// MetadataStatus is the mode in which each request is answered with this HTTP status, 200 to 999, and a JSON body that says no more.
func MetadataStatus(code int) MetadataMode {
	if code < 200 || code > 999 {
		panic("astratest: MetadataStatus: the code must be between 200 and 999")
	}
	return MetadataMode(code)
}

// SetMetadata says how the metadata service behaves from now on, and ends a handler of [Server.SetMetadataHandler].
func (s *Server) SetMetadata(mode MetadataMode) {
	m := s.metadata
	m.change(func() { m.mode, m.handler = mode, nil })
}

// SetMetadataHandler gives each request to the metadata service to h, until the next call of it or of [Server.SetMetadata]. Mutual TLS stays.
// Nil is the same as SetMetadata(MetadataOK).
func (s *Server) SetMetadataHandler(h http.Handler) {
	m := s.metadata
	m.change(func() { m.mode, m.handler = MetadataOK, h })
}

// DelayMetadata makes the metadata service tell of each change, such as new nodes or another proxy port, only d after it happened. It tells
// the old state until then. With 0, the default, it tells everything at once.
func (s *Server) DelayMetadata(d time.Duration) {
	m := s.metadata
	m.observe()
	m.change(func() { m.delay = d })
}

// RefuseUnknown says how the proxy refuses host IDs that it does not know, those of nodes that are gone included. The default is
// [RefuseAlert]. Nodes that are known but down are not meant: for them a connection is closed after the handshake.
func (s *Server) RefuseUnknown(r Refusal) {
	p := s.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusal = r
}

// MoveProxy gives the proxy another port, at once and on all its addresses. Nothing listens on the old one any more, and its connections
// are reset.
func (s *Server) MoveProxy() {
	s.proxy.move()
	s.metadata.observe()
}

func (p *proxy) move() {
	p.mu.Lock()
	if p.ctx.Err() != nil { // closed
		p.mu.Unlock()
		return
	}
	old := make([]net.Listener, len(p.addrs))
	for i, a := range p.addrs {
		old[i] = a.listener
	}
	p.listen() // first, so that it is another port
	for _, ln := range old {
		if ln != nil {
			ln.Close()
		}
	}
	p.mu.Unlock()
	p.sockets.reset(func(*socket) bool { return true })
}

// DropConns resets (RST) every connection through the proxy.
func (s *Server) DropConns() {
	s.proxy.sockets.reset(func(*socket) bool { return true })
}

// Stall makes the connections that are open now silent in both directions: nothing is read, nothing is sent, not even that the other side
// closed. New connections work. Resume ends it; what was sent before arrives then. Stalls add up, and a connection goes on when all that
// hold it have ended. The kernel acknowledges what clients send as long as it has room, which a dead network would not.
func (s *Server) Stall() (resume func()) { return s.proxy.sockets.stall() }

// SilenceProxy makes the proxy accept connections and answer nothing, not even the ClientHello. Connections that are open go on; see
// [Server.Stall] for those. When the silence ends, those that waited are served.
func (s *Server) SilenceProxy(on bool) {
	s.proxy.silence(func() { s.proxy.silent = on })
}

// SilenceProxyAddr is [Server.SilenceProxy] for one address, the i-th of [Server.ProxyAddrs].
func (s *Server) SilenceProxyAddr(i int, on bool) {
	s.proxy.silence(func() { s.proxy.addrs[i].silent = on })
}

func (p *proxy) silence(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.woken)
	p.woken = make(chan struct{})
}

// RefuseProxyAddr closes the listener of one address of the proxy, the i-th of [Server.ProxyAddrs], and resets the connections that came by
// it; or opens it again. [Server.MoveProxy] opens it too.
func (s *Server) RefuseProxyAddr(i int, on bool) {
	p := s.proxy
	p.mu.Lock()
	a := p.addrs[i]
	switch {
	case on && a.listener != nil:
		a.listener.Close()
		a.listener = nil
	case !on && a.listener == nil && p.ctx.Err() == nil:
		listener := listenAgain(netip.AddrPortFrom(a.addr, p.port))
		a.listener = listener
		p.wg.Go(func() { p.accept(a, listener) })
	}
	p.mu.Unlock()
	if on {
		p.sockets.reset(func(s *socket) bool { return s.localAddr() == a.addr })
	}
}

func (s *socket) localAddr() netip.Addr {
	return s.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
}

// ProxyAddrs returns the addresses where the proxy listens, in a stable order.
func (s *Server) ProxyAddrs() []netip.AddrPort {
	p := s.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	addrs := make([]netip.AddrPort, len(p.addrs))
	for i, a := range p.addrs {
		addrs[i] = netip.AddrPortFrom(a.addr, p.port)
	}
	return addrs
}

// RotateToken makes a new token and returns it. The old one is refused at new connections and by the DevOps API; open connections go on.
func (s *Server) RotateToken() token.Token {
	t := newToken()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = t
	return t
}

// RotateBundle makes a new CA and new certificates, and returns the bundle that goes with them. The old bundle is refused at new connections
// by the metadata service and the proxy, and its sessions cannot be resumed; open connections go on.
func (s *Server) RotateBundle() []byte {
	s.rotateIdentity()
	return s.BundleZip()
}

// SetStatus sets the status of the database that the DevOps API reports, "ACTIVE" at the beginning. In any but ACTIVE, MAINTENANCE, RESIZING
// and DEGRADED, the metadata service and the proxy reset connections, open ones too.
func (s *Server) SetStatus(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
	away := !slices.Contains([]string{"ACTIVE", "MAINTENANCE", "RESIZING", "DEGRADED"}, status)
	s.metadata.change(func() { s.metadata.away = away })
	s.proxy.setAway(away)
}

func (p *proxy) setAway(away bool) {
	p.mu.Lock()
	p.away = away
	p.mu.Unlock()
	if away {
		p.sockets.reset(func(*socket) bool { return true })
	}
}

// Hibernate sets the status HIBERNATED, as Astra does with a free database that nobody used for two days; see [Server.SetStatus].
func (s *Server) Hibernate() { s.SetStatus("HIBERNATED") }

// Wake sets the status ACTIVE.
func (s *Server) Wake() { s.SetStatus("ACTIVE") }
