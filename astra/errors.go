package astra

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
)

// ErrUnauthenticated is in the chain of errors that a refused token causes.
// A token is refused when it was deleted, has expired, belongs to another organization, or has a role without access to this database.
var ErrUnauthenticated = errors.New("Astra refused the token: was it deleted or has it expired, and does its role allow CQL access to this database?")

// ErrKeyspace is in the chain of errors that Connect returns when the keyspace of the configuration cannot be used.
var ErrKeyspace = errors.New("the keyspace cannot be used: does it exist in this database, and may the token's role use it?")

// DialError says which connection could not be made. It is what a *net.OpError by DialHost and DialNode wraps.
// Trying again is right unless the chain holds ErrUnauthenticated or a certificate error.
type DialError struct {
	HostID string // the node; empty: any of the contact points
	Addr   string // the SNI proxy, "host:port"; empty: not known yet
	Err    error
}

func (e *DialError) Error() string {
	var s strings.Builder
	if e.HostID == "" {
		s.WriteString("any node")
	} else {
		s.WriteString("node " + e.HostID)
	}
	if e.Addr != "" {
		s.WriteString(" through " + e.Addr)
	}
	return s.String() + ": " + e.Err.Error()
}

func (e *DialError) Unwrap() error { return e.Err }

// MetadataError says why the metadata service gave no usable answer. The service of a database that is hibernated, parked or
// terminated does not answer at all, so the portal is the place to look first.
type MetadataError struct {
	URL        string
	StatusCode int // of the HTTP answer; 0: there was none
	Err        error
}

func (e *MetadataError) Error() string {
	switch {
	case e.StatusCode != 0:
		return fmt.Sprintf("metadata service %s: status %d: %v", e.URL, e.StatusCode, e.Err)
	case aboutCertificates(e.Err):
		return fmt.Sprintf("metadata service %s: %v (the bundle may be outdated: download a new one)", e.URL, e.Err)
	}
	return fmt.Sprintf("metadata service %s: %v (a hibernated, parked or terminated database does not answer: see its status in the Astra portal)", e.URL, e.Err)
}

func (e *MetadataError) Unwrap() error { return e.Err }

// aboutCertificates reports whether either side refused the other's certificate.
func aboutCertificates(err error) bool {
	var verification *tls.CertificateVerificationError
	var remote *net.OpError
	return errors.As(err, &verification) ||
		errors.As(err, &remote) && remote.Op == "remote error" && strings.Contains(remote.Err.Error(), "certificate")
}
