package astra

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/token"
)

// placeholder is the address of every host. Astra's nodes are reached by host ID; what they report as addresses is private, changes, and may
// repeat. This one is reserved for documentation (RFC 5737) and is never dialed.
var placeholder = net.IPv4(192, 0, 2, 1)

// defaultPort is the port that gocql shows with the placeholder where a bundle does not name the proxy's.
const defaultPort = 29042

// NewCluster returns a configuration for gocql that reaches the database through a new Dialer. It asks the sources of bundle and token, which
// must answer, and nothing else: the first connection is made by Connect or by the configuration's CreateSession.
//
// What it sets is in the table of Config; change it as you would for any cluster, before the session is made. These belong to the
// Dialer, though, and should stay as they are: Hosts, AuthProvider, HostDialer, AddressTranslator, ConvictionPolicy,
// ReconnectionPolicy; and DisableInitialHostLookup, which makes gocql invent host IDs. Without the HostFilter, nodes of remote datacenters are dialed in vain.
// Without the PoolConfig.HostSelectionPolicy, statements lose token awareness and RecoveryWait, and gocql's own policies, which go by
// addresses, find one node only.
//
// The schema is not cached: Session.KeyspaceMetadata asks the node every time. Where schema change listeners need the cache,
// set Metadata.CacheMode; then new nodes are not used before they agree on the schema, for which gocql waits up to 10 s.
//
// Several sessions can be made of one configuration.
func NewCluster(ctx context.Context, config Config) (*gocql.ClusterConfig, error) {
	d, err := NewDialer(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.config.DialTimeout)
	defer cancel()
	e, err := d.current(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := d.tokens.current(ctx); err != nil {
		return nil, err
	}

	cluster := gocql.NewCluster(placeholder.String())
	cluster.Port = defaultPort
	if port := e.bundle.CQLPort(); port != 0 {
		cluster.Port = port
	}
	cluster.Keyspace = config.Keyspace
	cluster.ProtoVersion = 4
	cluster.ConnectTimeout = 5 * time.Second
	cluster.Consistency = gocql.LocalQuorum
	cluster.RetryPolicy = RetryPolicy{}
	cluster.NumConns = 1
	cluster.HostDialer = d
	cluster.AuthProvider = d.authenticator
	port := cluster.Port // sessions read it while the configuration may be changed for another one
	cluster.AddressTranslator = gocql.AddressTranslatorFunc(func(net.IP, int) (net.IP, int) { return placeholder, port })
	policy := newHostPolicy(d)
	cluster.PoolConfig.HostSelectionPolicy = policy
	cluster.HostFilter = policy.filter(gocql.HostFilterFunc(d.acceptHost))
	// A host is down when no connection to it can be made, which the pool finds out by itself and anew each time.
	cluster.ConvictionPolicy = neverConvict{}
	cluster.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 1, Interval: time.Millisecond}
	cluster.Events.DisableNodeStatusEvents = true
	cluster.Metadata.CacheMode = gocql.Disabled
	if config.Logger != nil {
		cluster.Logger = logger{config.Logger}
	}
	return cluster, nil
}

// acceptHost keeps gocql in the local datacenter.
func (d *Dialer) acceptHost(h *gocql.HostInfo) bool {
	if d.isLocal(h) {
		return true
	}
	m, level := d.lastMetadata(), slog.LevelDebug
	if m.lists(h.HostID()) {
		level = slog.LevelWarn // the service contradicts the node
	}
	d.config.Logger.Log(context.Background(), level, "A node in a remote datacenter is left out.",
		"host_id", h.HostID(), "datacenter", h.DataCenter(), "local", m.LocalDC)
	return false
}

type neverConvict struct{}

func (neverConvict) AddFailure(error, *gocql.HostInfo) bool { return false }
func (neverConvict) Reset(*gocql.HostInfo)                  {}

// authenticator is gocql's AuthProvider. DialHost has just asked the source for the token, under its context.
func (d *Dialer) authenticator(*gocql.HostInfo) (gocql.Authenticator, error) {
	t, ok := d.tokens.peek()
	if !ok { // another HostDialer is in place
		ctx, cancel := context.WithTimeout(context.Background(), d.config.DialTimeout)
		defer cancel()
		var err error
		if t, err = d.tokens.current(ctx); err != nil {
			return nil, err
		}
	}
	return authenticator{t}, nil
}

// authenticator answers any authenticator class by SASL PLAIN, as Astra's wants it.
type authenticator struct{ token token.Token }

func (a authenticator) Challenge([]byte) ([]byte, gocql.Authenticator, error) {
	username, password := a.token.CQL()
	answer := make([]byte, 0, 2+len(username)+len(password))
	answer = append(append(append(append(answer, 0), username...), 0), password...)
	return answer, authenticated{}, nil
}

func (authenticator) Success([]byte) error { return nil }

// authenticated has answered. gocql panics on a challenge if there is nothing to answer it.
type authenticated struct{}

func (authenticated) Challenge([]byte) ([]byte, gocql.Authenticator, error) {
	return nil, nil, errors.New("the node answers the token with a challenge, so it wants more than SASL PLAIN: is there a newer release of this module?")
}

func (authenticated) Success([]byte) error { return nil }
