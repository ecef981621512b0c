package astra

import "time"

// Trace is a set of functions that a Dialer calls at the steps of its work, in the manner of net/http/httptrace.ClientTrace.
// Any of them may be nil. They are called from many goroutines at once and must return quickly: a connection waits for them.
// What they are given names no secret.
type Trace struct {
	// MetadataDone is called after each request to the metadata service, also with context.Canceled after one that another has overtaken.
	MetadataDone func(MetadataInfo)
	// DialDone is called after each attempt to connect to a node, successful or not.
	DialDone func(DialInfo)
	// ConnClosed is called once for each connection that DialHost gave to gocql, when it ends.
	ConnClosed func(ConnInfo)
}

// MetadataInfo describes a request to the metadata service.
type MetadataInfo struct {
	Metadata *Metadata // nil if the request failed
	Duration time.Duration
	Err      error
}

// DialInfo describes an attempt to connect to a node.
type DialInfo struct {
	HostID   string
	Addr     string        // the address that was dialed, "ip:port", or "name:port" where Config.DialContext resolves names
	Duration time.Duration // of TCP and TLS handshake together
	Resumed  bool          // the TLS session was resumed
	Err      error
}

// ConnInfo describes a connection that has ended.
type ConnInfo struct {
	HostID   string
	Addr     string // the remote address
	Lifetime time.Duration
	Err      error // why it ended; nil if gocql closed it
}

func (t *Trace) metadataDone(i MetadataInfo) {
	if t != nil && t.MetadataDone != nil {
		t.MetadataDone(i)
	}
}

func (t *Trace) dialDone(i DialInfo) {
	if t != nil && t.DialDone != nil {
		t.DialDone(i)
	}
}

func (t *Trace) connClosed(i ConnInfo) {
	if t != nil && t.ConnClosed != nil {
		t.ConnClosed(i)
	}
}
