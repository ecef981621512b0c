package astra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/token"
)

// Config says which database to reach, as whom, and how. Bundle and Token are required; the zero value of every other field is its
// default. A Config is copied by the functions that take one.
//
// What is not here is a field of the *gocql.ClusterConfig that NewCluster returns. Its values, and what this package adds:
//
//	what                             value            why
//	DialTimeout                      5 s              gocql gives a dial no deadline
//	  to a node that is not listed   8 × the last good handshake, 100 ms to 1 s, but at least 2 ×: it has most likely been replaced
//	  after a dial met with silence  1 s, or twice the last good handshake (2 s before the first): the proxy is in doubt
//	  between attempts on one dial   1 s; 250 ms from one address to the next (RFC 8305), 500 ms from one contact point to the next
//	metadata request                 DialTimeout      another one beside it after each second without an answer
//	MetadataMaxAge                   5 min            a failed connection makes it look earlier
//	  between two after failures     100 ms to 2 s    jittered, a thirty-second of the time that things have been wrong
//	wait for newer metadata          100 ms           then the last good answer is used
//	addresses of a name              10 s             asked again earlier after a failed connection
//	back-off of a node that fails    50 to 250 ms     250 ms to 1 s if the metadata does not list it; to 5 s for a refused token
//	RecoveryWait                     2 s              long enough for every fault but an outage
//	read-idle limit                  10.5 s           two missed heartbeats of gocql, which sends one every 5 s
//	unacknowledged data (Linux)      4 s              TCP_USER_TIMEOUT, which ends a connection within 5 s
//	ProtoVersion                     4                Astra's; a discovery costs up to two dials
//	Consistency                      LOCAL_QUORUM     Astra refuses writes at ANY, ONE and LOCAL_ONE; QUORUM crosses regions
//	NumConns                         1 a node         as official drivers; the fewer there are, the more requests leave in one write
//	Timeout, WriteTimeout            11 s             gocql's
//	ConnectTimeout                   5 s              for OPTIONS, STARTUP and authentication of one connection
//	RetryPolicy                      RetryPolicy{}    5 retries of idempotent statements
//	PageSize                         5000             gocql's
//	Metadata.CacheMode               Disabled         see NewCluster
//	Events.DisableNodeStatusEvents   true             they name nodes by addresses that mean nothing here
type Config struct {
	// Bundle is the database's Secure Connect Bundle or where to get it, such as a *bundle.Bundle, bundle.File or devops.Client.Bundle.
	// It is asked at every new connection, so that a new bundle is used without a restart; it should keep its value between calls.
	// Required.
	Bundle bundle.Source

	// Token is the application token or where to get it, such as a token.Token, token.Env() or token.File.
	// It is asked at every new connection, so that a rotated token is used without a restart; it should keep its value between calls.
	// Required.
	//
	// If a source of a bundle or token has a method Invalidate(), it is called when Astra has refused its value.
	// Connections that are open go on with the old token for as long as Astra lets them.
	Token token.Source

	// Keyspace is that of every statement which names none. Empty: none; the keyspace in the bundle is not used.
	Keyspace string

	// DialTimeout bounds one connection to a node, from the sources to the end of the TLS handshake, and one request to the
	// metadata service. Zero: 5 seconds.
	DialTimeout time.Duration

	// MetadataMaxAge is how long an answer of the metadata service is used before it is asked again; it is asked when a connection
	// is needed, and earlier when one has failed. Zero: 5 minutes.
	MetadataMaxAge time.Duration

	// RecoveryWait is how long a statement waits for a connection while there is none at all, unless its context ends earlier.
	// Nothing has been sent then, so this is safe for every statement. Zero: 2 seconds. Negative: not at all; such a statement
	// fails at once with gocql.ErrNoConnections, as does one that has waited in vain, also where it was its context that ended.
	RecoveryWait time.Duration

	// DisableWriteMerging sends each request in a TLS record and a system call of its own instead of joining those that come together.
	DisableWriteMerging bool

	// DisableSessionResumption makes every TLS handshake a full one.
	DisableSessionResumption bool

	// DialContext makes the TCP connections, for instance through a tunnel. It must honor its context. The address is "host:port"
	// with an unresolved name, unless Resolver is set too. Nil: a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Resolver looks names up. Nil: net.DefaultResolver.
	Resolver *net.Resolver

	// Logger gets what this package and gocql report. Nil: nothing is logged.
	Logger *slog.Logger

	// Trace is called at the steps of each connection. Nil: nothing is called.
	Trace *Trace
}

const (
	defaultDialTimeout    = 5 * time.Second
	defaultMetadataMaxAge = 5 * time.Minute
	defaultRecoveryWait   = 2 * time.Second
)

// withDefaults returns c with its zero values filled in, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Bundle == nil:
		return c, errors.New("astra: Config.Bundle is nil: set it to what bundle.Load returns, or to another bundle.Source")
	case c.Token == nil:
		return c, errors.New("astra: Config.Token is nil: set it to what token.Parse returns, or to another token.Source")
	case c.DialTimeout < 0:
		return c, fmt.Errorf("astra: Config.DialTimeout is %v; zero means %v", c.DialTimeout, defaultDialTimeout)
	case c.MetadataMaxAge < 0:
		return c, fmt.Errorf("astra: Config.MetadataMaxAge is %v; zero means %v", c.MetadataMaxAge, defaultMetadataMaxAge)
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = defaultDialTimeout
	}
	if c.MetadataMaxAge == 0 {
		c.MetadataMaxAge = defaultMetadataMaxAge
	}
	if c.RecoveryWait == 0 {
		c.RecoveryWait = defaultRecoveryWait
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
