package astratest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// DNSMode says how the DNS server behind [Server.Resolver] answers.
type DNSMode int

const (
	DNSOK       DNSMode = iota // with the addresses of [Host]'s name
	DNSFail                    // SERVFAIL
	DNSNotFound                // NXDOMAIN: no such name
	DNSSilent                  // not at all
)

// dnsServer answers for one name, over UDP and TCP on one port.
type dnsServer struct {
	name    string // lower case
	udp     net.PacketConn
	tcp     net.Listener
	queries atomic.Int64

	mu    sync.Mutex
	mode  DNSMode
	addrs []netip.Addr
	conns map[net.Conn]bool // over TCP; nil after close
	wg    sync.WaitGroup
}

func newDNSServer(name string, addrs []netip.Addr) *dnsServer {
	d := &dnsServer{name: strings.ToLower(strings.TrimSuffix(name, ".")), addrs: addrs, conns: make(map[net.Conn]bool)}
	d.udp, d.tcp = listenDNS()
	d.wg.Go(d.serveUDP)
	d.wg.Go(d.serveTCP)
	return d
}

// listenDNS takes one port for both protocols.
func listenDNS() (net.PacketConn, net.Listener) {
	for attempt := 0; ; attempt++ {
		tcp := listen("127.0.0.1:0")
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp
		}
		tcp.Close()
		if attempt == 10 { // another program has the UDP port of each
			panic("astratest: " + err.Error())
		}
	}
}

func (d *dnsServer) close() {
	d.udp.Close()
	d.tcp.Close()
	d.mu.Lock()
	for conn := range d.conns {
		conn.Close()
	}
	d.conns = nil
	d.mu.Unlock()
	d.wg.Wait()
}

func (d *dnsServer) set(mode DNSMode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mode = mode
}

func (d *dnsServer) setAddrs(addrs []netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addrs = addrs
}

// resolver asks d for every name that the system's hosts file does not know.
func (d *dnsServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, d.tcp.Addr().String())
	}}
}

func (d *dnsServer) serveUDP() {
	buf := make([]byte, dnsMaxQuery)
	for {
		n, from, err := d.udp.ReadFrom(buf)
		if err != nil {
			if isClosed(err) {
				return
			}
			continue // an ICMP error of an earlier answer
		}
		if response := d.respond(buf[:n], dnsMaxUDP); response != nil {
			d.udp.WriteTo(response, from)
		}
	}
}

func (d *dnsServer) serveTCP() {
	for {
		conn, err := d.tcp.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		if d.conns == nil {
			d.mu.Unlock()
			conn.Close()
			return
		}
		d.conns[conn] = true
		d.mu.Unlock()
		d.wg.Go(func() {
			d.serveConn(conn)
			conn.Close()
			d.mu.Lock()
			delete(d.conns, conn)
			d.mu.Unlock()
		})
	}
}

// serveConn reads messages that a length precedes, until the client closes or sends what is no query.
func (d *dnsServer) serveConn(conn net.Conn) {
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, min(int(binary.BigEndian.Uint16(size[:])), dnsMaxQuery+1))
		if _, err := io.ReadFull(conn, query); err != nil || len(query) > dnsMaxQuery {
			return
		}
		response := d.respond(query, 1<<16-1)
		if response == nil {
			io.Copy(io.Discard, conn) // silent, until the client gives up
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(response))), response...)); err != nil {
			return
		}
	}
}

// respond returns the answer to a query, or nil for none. Other types than A and AAAA have no records; other names do not exist.
func (d *dnsServer) respond(msg []byte, limit int) []byte {
	q, err := parseDNSQuery(msg)
	if err != nil {
		return nil
	}
	d.queries.Add(1)
	d.mu.Lock()
	mode, addrs := d.mode, d.addrs
	d.mu.Unlock()
	switch {
	case mode == DNSSilent:
		return nil
	case mode == DNSFail:
		return q.answer(dnsServerFailure, nil, limit)
	case q.flags&dnsOpcodeMask != 0 || q.class != dnsClassIN:
		return q.answer(dnsNotImplemented, nil, limit)
	case mode == DNSNotFound || q.name != d.name:
		return q.answer(dnsNameError, nil, limit)
	}
	return q.answer(0, addrs, limit)
}

// Resolver returns a resolver that knows [Host]'s name and no other (but reads the system's hosts file first, as Go's resolver does). It
// asks a DNS server in this process, which [Server.SetDNS] and [Server.SetProxyAddrs] change. Nothing is cached.
func (s *Server) Resolver() *net.Resolver { return s.dns.resolver() }

// SetDNS says how names are answered from now on.
func (s *Server) SetDNS(mode DNSMode) { s.dns.set(mode) }

// SetProxyAddrs says which addresses [Host]'s name has from now on, in this order; with none the name exists without an address. At the
// beginning they are those of [Server.ProxyAddrs]. The proxy goes on listening where it did.
func (s *Server) SetProxyAddrs(addrs ...netip.Addr) { s.dns.setAddrs(slices.Clone(addrs)) }
