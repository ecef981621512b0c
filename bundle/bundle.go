// Package bundle reads Secure Connect Bundles, the zip files by which Astra DB tells a client where a database is and how both sides prove who
// they are. Start with [Load], or with [Parse] for a bundle that is in memory; [Bundle.Verify] checks everything that connecting does not need.
//
// A bundle holds up to eight entries: config.json says where the metadata service is; ca.crt is the authority that signs servers; cert and key are
// the client's identity. The other four say the same for other tools: identity.jks and trustStore.jks for Java, cert.pfx for .NET, cqlshrc for
// cqlsh. Connecting needs config.json, one identity (cert and key, else identity.jks, else cert.pfx) and one trust (ca.crt, else trustStore.jks,
// else the authorities in cert.pfx or identity.jks).
//
// The package opens no sockets and writes no files.
//
// # Limits
//
// A real bundle is about 12 KB. Refused before anything is unpacked: a zip of more than 1 MiB, more than 64 entries, entries that claim more than
// 64 KiB each or 1 MiB together, two entries of one name, names that are absolute or contain "..", and encrypted zips. Key stores whose passwords
// would need more than 500,000 rounds of key derivation are refused too.
package bundle

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strconv"

	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// The entries of a bundle.
const (
	entryCA         = "ca.crt"
	entryCert       = "cert"
	entryKey        = "key"
	entryPFX        = "cert.pfx"
	entryConfig     = "config.json"
	entryCQLSHRC    = "cqlshrc"
	entryIdentity   = "identity.jks"
	entryTrustStore = "trustStore.jks"
)

var entryNames = []string{entryConfig, entryCA, entryCert, entryKey, entryIdentity, entryTrustStore, entryPFX, entryCQLSHRC}

// Bundle is a parsed Secure Connect Bundle. It is immutable and safe for concurrent use.
//
// However it is printed, by any verb of package fmt, as JSON or by [log/slog], it shows the facts about the database and never a key or a password.
//
// The zero value and nil are bundles of nothing: they trust no server, and as a [Source] they are errors.
type Bundle struct {
	// A func, so that nothing that walks through values, such as fmt on an unexported field of another struct, can reach the keys.
	get func() *contents
}

// contents is what a bundle says, in the form that connecting needs. Nothing changes it once it is in a Bundle.
type contents struct {
	zip      []byte // what the bundle was read from; nil: not from a zip
	entries  entries
	config   config
	roots    *x509.CertPool // of trust
	sessions tls.ClientSessionCache
	warnings []string

	identity                tls.Certificate
	trust                   []*x509.Certificate
	identityFrom, trustFrom string // entries
}

// newBundle makes a bundle of entries and, where they came in one, of the zip.
func newBundle(found entries, zip []byte) (*Bundle, error) {
	c := &contents{zip: zip, entries: found, roots: x509.NewCertPool(), sessions: tls.NewLRUClientSessionCache(maxSessions)}
	var err error
	if c.config, err = readEntry(found, entryConfig, parseConfig); err != nil {
		return nil, err
	}
	if c.trust, c.trustFrom, err = findTrust(found, &c.config); err != nil {
		return nil, err
	}
	for _, cert := range c.trust {
		c.roots.AddCert(cert)
	}
	if c.identity, c.identityFrom, err = findIdentity(found, &c.config); err != nil {
		return nil, err
	}
	if c.config.credentials {
		c.warnings = append(c.warnings, "config.json: username and password are ignored: connect with an application token")
	}
	return &Bundle{func() *contents { return c }}, nil
}

var noContents = &contents{roots: x509.NewCertPool()}

func (b *Bundle) contents() *contents {
	if b == nil || b.get == nil {
		return noContents
	}
	return b.get()
}

// Current returns b, so that a Bundle is its own [Source]. It is an error where b is nil or the zero value.
func (b *Bundle) Current(context.Context) (*Bundle, error) {
	if b.contents() == noContents {
		return nil, errNoBundle
	}
	return b, nil
}

var errNoBundle = errors.New("bundle: no bundle: a nil or zero *bundle.Bundle was used: get one from Load or Parse")

// Host is the host name of the metadata service; on Astra also that of the SNI proxy. An IPv6 address has no brackets.
func (b *Bundle) Host() string { return b.contents().config.host }

// Port is the port of the metadata service.
func (b *Bundle) Port() int { return b.contents().config.port }

// CQLPort is the port of the SNI proxy, or 0 where the bundle does not say: older ones do not. What the metadata service says counts; this port is
// for people and for tools that do not ask it.
func (b *Bundle) CQLPort() int { return b.contents().config.cqlPort }

// Keyspace is the keyspace that was the database's first when the bundle was made. It may be empty, and it may no longer exist.
func (b *Bundle) Keyspace() string { return b.contents().config.keyspace }

// LocalDC is the local datacenter as the bundle states it. It may be empty or outdated: what the metadata service says counts.
func (b *Bundle) LocalDC() string { return b.contents().config.localDC }

// MetadataURL is the address of the metadata service, such as "https://host:29080/metadata". Use it with [Bundle.TLSConfig].
func (b *Bundle) MetadataURL() string {
	return "https://" + net.JoinHostPort(b.Host(), strconv.Itoa(b.Port())) + "/metadata"
}

// Certificate is the client certificate, for example for its expiry: an expired one does not fail loading. The caller must not change it.
func (b *Bundle) Certificate() *x509.Certificate { return b.contents().identity.Leaf }

// Warnings are remarks about a bundle that works: what it holds and nobody uses, such as the username and password of bundles from before 2021.
func (b *Bundle) Warnings() []string { return append([]string(nil), b.contents().warnings...) }

// Zip returns a copy of the exact bytes that the bundle was read from, without base64 where that was around them. For a bundle that was not read
// from a zip it makes one of the entries that there are; the same entries give the same bytes.
func (b *Bundle) Zip() []byte {
	c := b.contents()
	if c.zip != nil {
		return bytes.Clone(c.zip)
	}
	files := make(map[string][]byte)
	for name := range c.entries {
		if data, err := c.entries.read(name); err == nil { // always: entries that are not in a zip are in memory
			files[name] = data
		}
	}
	packed, err := scb.Zip(files)
	if err != nil {
		return nil // cannot be: the names are ours and the writer is memory
	}
	return packed
}

// CQLSHRC returns the configuration file of the cqlsh tool, which refers to files next to it, or nil where the bundle has none.
func (b *Bundle) CQLSHRC() []byte {
	data, err := b.contents().entries.read(entryCQLSHRC)
	if err != nil {
		return nil
	}
	return bytes.Clone(data)
}

// Equal reports whether both bundles have the same entries with the same content, wherever they came from.
func (b *Bundle) Equal(other *Bundle) bool {
	if b.contents() == other.contents() { // as at nearly every dial
		return true
	}
	mine, theirs := b.contents().entries, other.contents().entries
	if len(mine) != len(theirs) {
		return false
	}
	for name := range mine {
		a, err := mine.read(name)
		if err != nil {
			return false
		}
		b, err := theirs.read(name)
		if err != nil || !bytes.Equal(a, b) {
			return false
		}
	}
	return true
}
