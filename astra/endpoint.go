package astra

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/refresh"
	"github.com/seed-5f06b232/astra-go/internal/staggered"
)

// endpoint is where one bundle leads: its metadata service, and the SNI proxy that the service names. A new bundle makes a new one, so
// that nothing which was learnt with an old identity is used with a new one.
type endpoint struct {
	dialer   *Dialer
	bundle   *bundle.Bundle
	metadata *refresh.Cache[*Metadata]

	nodeDials     staggered.Dialer[*tls.Conn]
	metadataDials staggered.Dialer[*tls.Conn]
	requests      staggered.Dialer[metadataAnswer]

	mu    sync.Mutex
	names map[string]*refresh.Cache[[]string] // addresses of the service and of the proxy, by "host:port"
}

type metadataValue = refresh.Value[*Metadata]

// metadataAnswer is what a request to the metadata service leads to, in place of a connection.
type metadataAnswer struct{ *Metadata }

func (metadataAnswer) Close() error { return nil }

func newEndpoint(d *Dialer, b *bundle.Bundle) *endpoint {
	e := &endpoint{dialer: d, bundle: b, names: make(map[string]*refresh.Cache[[]string])}
	const delay, again = 250 * time.Millisecond, time.Second
	e.nodeDials.Delay, e.nodeDials.Again = delay, again
	e.metadataDials.Delay = delay
	e.requests.Again, e.requests.FailureEnds = again, true
	e.metadata = refresh.New(refresh.Config[*Metadata]{
		Fetch:       e.fetchMetadata,
		MaxAge:      d.config.MetadataMaxAge,
		Timeout:     d.config.DialTimeout,
		Wait:        100 * time.Millisecond,
		MinInterval: 100 * time.Millisecond,
		MaxInterval: 2 * time.Second,
	})
	return e
}

// fetchMetadata asks the metadata service. A request without an answer is followed by another one, beside it: a service that hung for a moment
// must not hold everything up until the time-out. An answer ends it, however late and whatever it says.
func (e *endpoint) fetchMetadata(ctx context.Context) (*Metadata, error) {
	const theOnlyOne = "" // address; errors name the service by themselves
	a, err := e.requests.Dial(ctx, []string{theOnlyOne}, e.requestMetadata)
	if err != nil {
		e.dialer.config.Logger.Warn("The metadata service gave no usable answer.", "error", err)
		e.dialer.blameBundle(err)
		return nil, err
	}
	e.dialer.compareRings(a.Metadata)
	return a.Metadata, nil
}

func (e *endpoint) requestMetadata(ctx context.Context, _ string) (metadataAnswer, error) {
	start := time.Now()
	m, err := fetchMetadata(ctx, e.bundle, func(ctx context.Context, _, addr string) (net.Conn, error) {
		return e.connect(ctx, addr, e.bundle.TLSConfig(), "")
	})
	e.dialer.config.Trace.metadataDone(MetadataInfo{Metadata: m, Duration: time.Since(start), Err: err})
	return metadataAnswer{m}, err
}

// where returns what the metadata service told last.
func (e *endpoint) where(ctx context.Context) (metadataValue, error) {
	v, err := e.metadata.Get(ctx)
	var named *MetadataError
	if err != nil && !errors.As(err, &named) {
		err = &MetadataError{URL: e.bundle.MetadataURL(), Err: err}
	}
	return v, err
}

// newer returns what the metadata service tells after v has failed its user, or v if it tells nothing new soon. Requests are paced, so
// that takes a moment even where the service is quick.
func (e *endpoint) newer(ctx context.Context, v metadataValue) metadataValue {
	const patience, pause = 300 * time.Millisecond, 20 * time.Millisecond
	e.metadata.Expire(v)
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		newer, err := e.metadata.Get(ctx)
		if err != nil {
			return v
		}
		if newer.Generation > v.Generation {
			return newer
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return v
		}
	}
	return v
}

func (e *endpoint) nodeTLSConfig(a attempt) *tls.Config {
	config := e.bundle.NodeTLSConfig(bundle.Node{HostID: a.hostID, ProxyHost: a.metadata.Data.proxyHost()})
	if e.dialer.config.DisableSessionResumption {
		config.ClientSessionCache = nil
	}
	return config
}

// connect makes a TLS connection to any of the addresses of a name. Host ID is empty for the metadata service.
func (e *endpoint) connect(ctx context.Context, address string, config *tls.Config, hostID string) (*tls.Conn, error) {
	addrs, expire, err := e.resolve(ctx, address)
	if err != nil {
		return nil, err
	}
	dials := &e.nodeDials
	if hostID == "" {
		dials = &e.metadataDials
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conn, err := dials.Dial(ctx, addrs, func(ctx context.Context, addr string) (*tls.Conn, error) {
		start := time.Now()
		conn, err := e.handshake(ctx, addr, config)
		took := time.Since(start)
		info := DialInfo{HostID: hostID, Addr: addr, Duration: took, Err: err}
		if err == nil {
			info.Resumed = conn.ConnectionState().DidResume
		} else if answered(err) {
			cancel(err) // the other addresses would say the same
		}
		if hostID != "" {
			e.dialer.config.Trace.dialDone(info)
			switch {
			case err == nil:
				e.dialer.shookHands(took)
			case took > silence && context.Cause(ctx) == errTimeout:
				e.dialer.doubt.Store(true)
			}
		}
		return conn, err
	})
	if err == nil {
		return conn, nil
	}
	switch cause := context.Cause(ctx); {
	case cause != nil && answered(cause):
		return nil, cause
	case cause != errReplaced && cause != errClosing && cause != context.Canceled: // not for a node that is gone, nor for a caller
		expire()
	}
	return nil, err
}

// silence is how long a proxy must have said nothing, at the end of a dial, for the next dials to be shorter.
const silence = 500 * time.Millisecond

// answered reports whether a failed handshake is the verdict of either side rather than trouble on the way.
func answered(err error) bool {
	var verification *tls.CertificateVerificationError
	var remote *net.OpError
	return errors.As(err, &verification) || errors.As(err, &remote) && remote.Op == "remote error"
}

func (e *endpoint) handshake(ctx context.Context, addr string, config *tls.Config) (*tls.Conn, error) {
	tcp, err := e.dialer.dialTCP(ctx, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(tcp, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, err
	}
	return conn, nil
}

func (d *Dialer) dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	if d.config.DialContext != nil {
		return d.config.DialContext(ctx, "tcp", addr)
	}
	return tcpDialer.DialContext(ctx, "tcp", addr)
}

// tcpDialer notices a peer that has gone: by keep-alive probes when idle, and by data that stays unacknowledged where the system can tell.
var tcpDialer = net.Dialer{
	KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	Control:         setUserTimeout,
}

// resolve returns the addresses of a "host:port", and what to call if none of them works.
func (e *endpoint) resolve(ctx context.Context, address string) (addrs []string, expire func(), err error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, err
	}
	d := e.dialer
	if _, err := netip.ParseAddr(host); err == nil || d.config.DialContext != nil && d.config.Resolver == nil {
		return []string{address}, func() {}, nil
	}
	names := e.namesOf(address)
	v, err := names.Get(ctx)
	if err != nil {
		return nil, nil, err
	}
	return v.Data, func() { names.Expire(v) }, nil
}

func (e *endpoint) namesOf(address string) *refresh.Cache[[]string] {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := e.names[address]
	if names == nil {
		if len(e.names) >= 16 { // the proxy has moved often
			clear(e.names)
		}
		names = refresh.New(refresh.Config[[]string]{
			Fetch:       func(ctx context.Context) ([]string, error) { return e.dialer.lookup(ctx, address) },
			MaxAge:      10 * time.Second,
			Timeout:     e.dialer.config.DialTimeout,
			MaxInterval: time.Second,
		})
		e.names[address] = names
	}
	return names
}

func (d *Dialer) lookup(ctx context.Context, address string) ([]string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	resolver := d.config.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	ips, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolving the name (a terminated database has none): %w", err)
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("the name %s has no address", host)
	}
	addrs := make([]string, len(ips))
	for i, ip := range ips {
		addrs[i] = net.JoinHostPort(ip.Unmap().String(), port)
	}
	return addrs, nil
}
