package astra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Connect makes a session as cluster.CreateSession does, with three differences: it ends when ctx does, its error tells the cause by errors.Is and
// errors.As, which gocql's loses, and the session shares no state with other sessions of the same configuration but the Dialer. After it
// has returned, ctx means nothing to the session.
//
// The chain of an error holds, where they apply, *DialError, *MetadataError, ErrUnauthenticated, ErrKeyspace and ctx.Err().
// It works with configurations of NewCluster; with any other, the connections that gocql is making when ctx ends may last for a while.
func Connect(ctx context.Context, cluster *gocql.ClusterConfig) (*gocql.Session, error) {
	if cluster == nil {
		return nil, errors.New("astra: Connect needs the configuration that NewCluster returns, not nil")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("astra: connect: %w", ended(ctx))
	}
	c := *cluster
	o := &opening{open: make(map[net.Conn]struct{})}
	o.dialing, o.stopDialing = context.WithCancelCause(context.Background())
	o.attach(&c)
	stop := context.AfterFunc(ctx, func() { o.abort(context.Cause(ctx)) })
	session, err := c.CreateSession()
	aborted := !stop()
	o.finish()
	switch {
	case err == nil && !aborted:
		return session, nil
	case err == nil:
		session.Close()
		return nil, fmt.Errorf("astra: connect: %w", ended(ctx))
	case aborted:
		if cause := o.cause(); cause != nil {
			return nil, fmt.Errorf("astra: connect: %w; before that: %w", ended(ctx), cause)
		}
		return nil, fmt.Errorf("astra: connect: %w", ended(ctx))
	}
	if cause := o.cause(); cause != nil {
		return nil, fmt.Errorf("astra: connect: %w", cause)
	}
	return nil, fmt.Errorf("astra: connect: %w", err)
}

// ended tells that a context ended, and the cause if it has another one.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// opening watches over a session until it is open.
type opening struct {
	dialing     context.Context // of the dials; it ends if that of Connect does before the session is open
	stopDialing context.CancelCauseFunc

	mu       sync.Mutex
	finished bool
	open     map[net.Conn]struct{} // what was dialed
	dial     error                 // the last connection that failed, which tells most
	keyspace error
	accepted bool            // the HostFilter has accepted a host
	filtered *gocql.HostInfo // the last that it did not
	localDC  string          // at that time
}

// attach puts the opening between a configuration and its parts. They go on through it when the session is open.
func (o *opening) attach(c *gocql.ClusterConfig) {
	if c.HostFilter != nil {
		d, _ := c.HostDialer.(*Dialer)
		c.HostFilter = openingFilter{c.HostFilter, d, o}
	}
	if c.HostDialer != nil {
		c.HostDialer = openingDialer{c.HostDialer, o}
	}
	c.ConnectObserver = openingObserver{c.ConnectObserver, o}
	if p, ok := c.PoolConfig.HostSelectionPolicy.(*hostPolicy); ok {
		own := newHostPolicy(p.dialer)
		c.PoolConfig.HostSelectionPolicy = own
		if c.HostFilter != nil {
			c.HostFilter = own.filter(c.HostFilter)
		}
	}
	if c.Keyspace != "" && c.ConvictionPolicy != nil {
		c.ConvictionPolicy = openingConviction{c.ConvictionPolicy, o, c.Keyspace}
	}
}

// abort ends what waits for the network.
func (o *opening) abort(cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.finished {
		return
	}
	o.stopDialing(cause)
	for conn := range o.open {
		conn.Close()
	}
}

func (o *opening) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finished = true
	o.open = nil
}

func (o *opening) cause() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.keyspace != nil:
		return o.keyspace
	case o.dial == nil && o.filtered != nil && !o.accepted: // gocql asks for the node of its control connection first, and gives up
		return filterError(o.filtered, o.localDC)
	}
	return o.dial
}

func filterError(h *gocql.HostInfo, localDC string) error {
	if localDC != "" && localDC != h.DataCenter() {
		return fmt.Errorf("the metadata service says that the local datacenter is %q, but its contact point %s is in %q: is the bundle that of the right region?",
			localDC, h.HostID(), h.DataCenter())
	}
	return fmt.Errorf("the HostFilter of the configuration does not accept node %s in datacenter %q", h.HostID(), h.DataCenter())
}

type openingDialer struct {
	gocql.HostDialer
	*opening
}

func (d openingDialer) DialHost(ctx context.Context, host *gocql.HostInfo) (*gocql.DialedHost, error) {
	d.mu.Lock()
	finished := d.finished
	d.mu.Unlock()
	if finished {
		return d.HostDialer.DialHost(ctx, host)
	}
	ctx, cancel := context.WithCancelCause(ofSession(ctx))
	defer cancel(nil)
	defer context.AfterFunc(d.dialing, func() { cancel(context.Cause(d.dialing)) })()
	dialed, err := d.HostDialer.DialHost(ctx, host)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.finished {
		d.open[dialed.Conn] = struct{}{}
		if d.dialing.Err() != nil { // abort has been here already
			dialed.Conn.Close()
		}
	}
	return dialed, nil
}

// openingFilter gets the hosts that are not accepted.
type openingFilter struct {
	gocql.HostFilter
	dialer *Dialer // nil: another HostDialer is in place
	*opening
}

func (f openingFilter) Accept(h *gocql.HostInfo) bool {
	ok := f.HostFilter.Accept(h)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.finished:
	case ok:
		f.accepted = true
	default:
		f.filtered = h
		if f.dialer != nil {
			f.localDC = f.dialer.localDC()
		}
	}
	return ok
}

// openingObserver gets the errors of connections before gocql makes text of them.
type openingObserver struct {
	gocql.ConnectObserver
	*opening
}

func (o openingObserver) ObserveConnect(c gocql.ObservedConnect) {
	if o.ConnectObserver != nil {
		o.ConnectObserver.ObserveConnect(c)
	}
	if c.Err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.finished {
		return
	}
	err := c.Err
	var credentials *gocql.RequestErrCredentials
	if refused := o.refusal(); refused != nil {
		err = refused
	} else if errors.As(err, &credentials) { // through another HostDialer than ours
		err = fmt.Errorf("%w (%q)", ErrUnauthenticated, credentials.Message())
	}
	if !errors.Is(o.dial, ErrUnauthenticated) || errors.Is(err, ErrUnauthenticated) {
		o.dial = err
	}
}

// refusal returns the error by which a node has refused a connection. gocql takes some of these errors for a protocol version that is not
// supported, and drops what they say. The lock is held.
func (o *opening) refusal() error {
	for dialed := range o.open {
		c, ok := dialed.(*conn)
		if !ok || c.refused.Load() == nil {
			continue
		}
		delete(o.open, dialed)
		err := *c.refused.Load()
		if errors.Is(err, ErrUnauthenticated) {
			return err
		}
		return &DialError{HostID: c.attempt.hostID, Addr: c.attempt.metadata.Data.ProxyAddr, Err: fmt.Errorf("the node refuses the connection: %w", err)}
	}
	return nil
}

// openingConviction gets the errors of pools that could not be filled: the only ones that tell that the keyspace cannot be used.
type openingConviction struct {
	gocql.ConvictionPolicy
	*opening
	keyspace string
}

func (c openingConviction) AddFailure(err error, host *gocql.HostInfo) bool {
	var node gocql.RequestError
	if errors.As(err, &node) {
		c.noteRefusal(node, host)
	}
	return c.ConvictionPolicy.AddFailure(err, host)
}

func (c openingConviction) noteRefusal(err gocql.RequestError, host *gocql.HostInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished {
		return
	}
	switch err.Code() {
	case gocql.ErrCodeInvalid, gocql.ErrCodeUnauthorized, gocql.ErrCodeSyntax:
		c.opening.keyspace = fmt.Errorf("keyspace %q: %w (%q)", c.keyspace, ErrKeyspace, err.Message())
	default: // such as a node that is overloaded
		if c.dial == nil {
			c.dial = &DialError{HostID: host.HostID(), Err: err}
		}
	}
}
