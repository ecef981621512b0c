package astra

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/staggered"
	"github.com/seed-5f06b232/astra-go/token"
)

// Dialer connects to the nodes of one database. It is a gocql.HostDialer and is safe for concurrent use. It has nothing to close: it owns no
// goroutine that outlives its time-out, and no connection.
//
// Sessions that share a Dialer share its metadata.
type Dialer struct {
	config   Config
	bundles  lastGood[*bundle.Bundle]
	tokens   credentials
	nodes    nodes
	controls controls
	rings    rings
	sessions sessions
	lost     lostHosts

	contactPoints staggered.Dialer[nodeConn] // its addresses are host IDs

	mu       sync.Mutex
	endpoint *endpoint // of the last good bundle

	handshake atomic.Int64              // how long the last good TCP and TLS handshake took
	gathering atomic.Pointer[gathering] // of the connection where requests began to gather last
	doubt     atomic.Bool               // the proxy was silent until the end of a dial, and has not answered since
}

var _ gocql.HostDialer = (*Dialer)(nil)

// NewDialer returns a Dialer. It asks no source yet. An error means that the configuration is wrong.
func NewDialer(config Config) (*Dialer, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Dialer{config: config}
	d.contactPoints.Delay = 500 * time.Millisecond
	d.bundles = lastGood[*bundle.Bundle]{what: "bundle", source: config.Bundle, logger: config.Logger}
	d.tokens.lastGood = lastGood[token.Token]{what: "token", source: config.Token, logger: config.Logger}
	return d, nil
}

// nodeConn is an established connection and what the dial knew when it was made.
type nodeConn struct {
	*tls.Conn
	attempt
}

// attempt is what a dial to a node goes by.
type attempt struct {
	hostID   string // lower case
	endpoint *endpoint
	metadata metadataValue
}

func (a attempt) listed() bool { return a.metadata.Data.lists(a.hostID) }

// surprising reports whether a failure is a reason to ask the metadata service again: not if its answer is new and shows that the node is gone.
func (a attempt) surprising() bool {
	return a.listed() || time.Since(a.metadata.Fetched) > maxUnlistedBackOff
}

// DialHost connects to a node for gocql: to the node with the host's ID, or, for a host without one as gocql has at the start and when it
// has lost all others, to any node that proves to be alive. It asks the sources of bundle and token, the metadata service if need be, and the
// resolver, all within Config.DialTimeout. Errors are *net.OpError, since gocql gives up at once only on that type, and wrap *DialError.
//
// gocql gives all dials of a session one context, by which a Dialer knows them, and ends them when the session is being closed. A HostDialer
// around a Dialer should hand it on as it is.
func (d *Dialer) DialHost(ctx context.Context, host *gocql.HostInfo) (*gocql.DialedHost, error) {
	s := d.sessions.of(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout(), errTimeout)
	defer cancel()
	ctx, release := s.dialing(ctx)
	defer release()
	hostID := ""
	if host != nil {
		hostID = host.HostID()
	}
	t, err := d.tokens.current(ctx)
	if err != nil {
		return nil, opError(&DialError{HostID: hostID, Err: err})
	}
	n, err := d.dial(ctx, hostID)
	switch {
	case err != nil && context.Cause(ctx) == errClosing:
		return nil, opError(&DialError{HostID: hostID, Err: errClosing})
	case err != nil:
		return nil, err
	}
	// The connection merges writes itself where that is wanted. gocql's way of doing it only delays them over TLS.
	return &gocql.DialedHost{Conn: newConn(d, s, host, n, t), DisableCoalesce: true}, nil
}

// DialNode connects to the node with a host ID, or to any node if it is empty, for tools and tunnels that speak CQL themselves. TLS is done, CQL
// has not begun. Errors are as for DialHost.
func (d *Dialer) DialNode(ctx context.Context, hostID string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout(), errTimeout)
	defer cancel()
	n, err := d.dial(ctx, hostID)
	if err != nil {
		return nil, err
	}
	return n.Conn, nil
}

// Metadata returns where the nodes are, as the metadata service told last. It asks the service if there is no answer yet, or an old one; if
// that fails, it returns the last good answer. The error wraps *MetadataError if there is none.
func (d *Dialer) Metadata(ctx context.Context) (*Metadata, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.DialTimeout)
	defer cancel()
	e, err := d.current(ctx)
	if err != nil {
		return nil, err
	}
	v, err := e.where(ctx)
	if err != nil {
		return nil, err
	}
	return v.Data, nil
}

// errTimeout tells the end of a Dialer's own time from that of its caller.
var errTimeout = fmt.Errorf("no answer within the dial time-out: %w", context.DeadlineExceeded)

func opError(err *DialError) error {
	return &net.OpError{Op: "dial", Net: "astra", Err: err}
}

func (d *Dialer) dial(ctx context.Context, hostID string) (nodeConn, error) {
	e, err := d.current(ctx)
	if err != nil {
		return nodeConn{}, opError(&DialError{HostID: hostID, Err: err})
	}
	if hostID != "" && !validHostID(hostID) {
		return nodeConn{}, opError(&DialError{HostID: fmt.Sprintf("%.100q", hostID), Err: errors.New("this is no host ID")})
	}
	hostID = strings.ToLower(hostID)
	var n nodeConn
	var addr string
	if hostID == "" {
		n, addr, err = d.dialAny(ctx, e)
	} else {
		n, addr, err = d.dialNode(ctx, e, hostID)
	}
	if err != nil {
		return nodeConn{}, opError(&DialError{HostID: hostID, Addr: addr, Err: err})
	}
	return n, nil
}

// dialNode connects to one node. Where a newer answer of the metadata service names another proxy, it goes there, and where there is a newer
// bundle than the one that was refused, it uses that.
func (d *Dialer) dialNode(ctx context.Context, e *endpoint, hostID string) (n nodeConn, addr string, err error) {
	if err := d.nodes.blocked(hostID); err != nil {
		return n, "", err
	}
	v, err := e.where(ctx)
	if err != nil {
		return n, "", err
	}
	for {
		a := attempt{hostID: hostID, endpoint: e, metadata: v}
		n, err = d.try(ctx, a)
		if err == nil {
			return n, v.Data.ProxyAddr, nil
		}
		if latest, sourceErr := d.current(ctx); sourceErr == nil && latest != e && aboutCertificates(err) {
			return d.dialNode(ctx, latest, hostID)
		}
		newer := v
		if a.surprising() {
			newer = e.newer(ctx, v)
		}
		if newer.Data.ProxyAddr == v.Data.ProxyAddr {
			if cause := context.Cause(ctx); cause == nil || cause == errTimeout { // not for a caller that gave up
				d.nodes.failed(a.hostID, newer.Data.lists(a.hostID), err)
			}
			return n, v.Data.ProxyAddr, err
		}
		v = newer
	}
}

// dialAny connects to any contact point that is alive. gocql comes here when nothing it knows is right any more, and would come back only
// after a second. So while this Dialer has been of use before, it goes on until the context ends.
func (d *Dialer) dialAny(ctx context.Context, e *endpoint) (n nodeConn, addr string, err error) {
	const pause = 50 * time.Millisecond
	for round := 1; ; round++ {
		v, whereErr := e.where(ctx)
		if whereErr != nil {
			return n, addr, cmp.Or(err, whereErr)
		}
		addr = v.Data.ProxyAddr
		conn, dialErr := d.contactPoints.Dial(ctx, v.Data.ContactPoints, func(ctx context.Context, hostID string) (nodeConn, error) {
			n, err := d.try(ctx, attempt{hostID: hostID, endpoint: e, metadata: v})
			if err == nil {
				err = prove(ctx, n.Conn)
			}
			return n, err
		})
		if dialErr == nil {
			return conn, addr, nil
		}
		if err != nil && ctx.Err() != nil {
			return n, addr, fmt.Errorf("%w; before that: %w", dialErr, err) // the time was up before this round could tell anything
		}
		err = dialErr
		e.newer(ctx, v)
		if round == 2 && d.handshake.Load() == 0 {
			return n, addr, err // it has never worked: say why soon
		}
		select {
		case <-ctx.Done():
			return n, addr, err
		case <-time.After(pause):
		}
		latest, sourceErr := d.current(ctx)
		if sourceErr != nil || latest == e && aboutCertificates(err) {
			return n, addr, err
		}
		e = latest
	}
}

var errReplaced = errors.New("the metadata service does not list the node any more, and it does not answer")

// try connects to a node by what one answer of the metadata service says. If the node takes its time, the service is asked again meanwhile.
func (d *Dialer) try(ctx context.Context, a attempt) (nodeConn, error) {
	patience := d.patience(100 * time.Millisecond)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	suspect := time.AfterFunc(patience, func() {
		if !a.listed() {
			cancel(errReplaced)
			return
		}
		newer := a.endpoint.newer(ctx, a.metadata)
		if !newer.Data.lists(a.hostID) || newer.Data.ProxyAddr != a.metadata.Data.ProxyAddr {
			cancel(errReplaced)
		}
	})
	defer suspect.Stop()

	config := a.endpoint.nodeTLSConfig(a)
	conn, err := a.endpoint.connect(ctx, a.metadata.Data.ProxyAddr, config, a.hostID)
	if err != nil {
		if cause := context.Cause(ctx); cause == errReplaced {
			return nodeConn{}, errReplaced
		}
		d.blameBundle(err)
		return nodeConn{}, err
	}
	return nodeConn{conn, a}, nil
}

// patience is how long a handshake may reasonably take, but not less than least: 8 times the last one, which is enough unless that
// would be more than a second. Nothing is known before the first one.
func (d *Dialer) patience(least time.Duration) time.Duration {
	last := time.Duration(d.handshake.Load())
	if last == 0 {
		last = time.Second
	}
	return min(max(min(8*last, time.Second), 2*last, least), d.config.DialTimeout)
}

// timeout is that of one dial. While nothing answers, it is shorter: gocql comes back anyway, and its Session.Close may have to wait for a dial.
func (d *Dialer) timeout() time.Duration {
	if d.doubt.Load() {
		return d.patience(time.Second)
	}
	return d.config.DialTimeout
}

// shookHands notes a good handshake.
func (d *Dialer) shookHands(took time.Duration) {
	d.handshake.Store(int64(max(took, 1)))
	d.doubt.Store(false)
}

// current returns the endpoint of the present bundle.
func (d *Dialer) current(ctx context.Context) (*endpoint, error) {
	b, err := d.bundles.current(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.endpoint == nil || !b.Equal(d.endpoint.bundle) {
		if d.endpoint != nil {
			d.config.Logger.Info("There is a new bundle.", "host", b.Host())
		}
		d.endpoint = newEndpoint(d, b)
	}
	return d.endpoint, nil
}

// localDC returns the datacenter that is local, or "" if the metadata service has not been asked yet.
func (d *Dialer) localDC() string { return d.lastMetadata().LocalDC }

// lastMetadata returns what the metadata service told last, which is nothing if it has not been asked yet.
func (d *Dialer) lastMetadata() *Metadata {
	d.mu.Lock()
	e := d.endpoint
	d.mu.Unlock()
	if e == nil {
		return new(Metadata)
	}
	v, ok := e.metadata.Peek()
	if !ok {
		return new(Metadata)
	}
	return v.Data
}

// hungUp notes that a node ended a connection before it said anything.
func (d *Dialer) hungUp(a attempt, err error) {
	if a.surprising() {
		a.endpoint.metadata.Expire(a.metadata)
	}
	d.nodes.failed(a.hostID, a.listed(), fmt.Errorf("the connection ended before the node said anything: %w", err))
	d.blameBundle(err)
}

func (d *Dialer) tokenRefused(a attempt, t token.Token, err error) {
	d.config.Logger.Error("Astra refused the token.", "client_id", t.ClientID(), "host_id", a.hostID)
	d.tokens.refuse(t, err)
}

func (d *Dialer) tokenAccepted(a attempt, t token.Token) {
	d.nodes.succeeded(a.hostID)
	d.tokens.accept(t)
}

// blameBundle tells the source of the bundle if its certificates are what an error is about.
func (d *Dialer) blameBundle(err error) {
	if aboutCertificates(err) {
		d.bundles.invalidate()
	}
}
