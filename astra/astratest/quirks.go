package astratest

import (
	"crypto/tls"
	"strings"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// Quirks are ways in which the real Astra may differ from what this package assumes of it: each field makes a Server do the opposite of
// one claim that nobody has proved, so that a test shows what becomes of a client then. The zero value is Astra as it is assumed to be.
type Quirks struct {
	// Of the proxy and the metadata service.

	TLS12                bool     // TLS 1.2 is the newest version that they speak
	NoSessionTickets     bool     // no session can be resumed
	NoClientCertificates bool     // clients are not asked for a certificate
	CertificateNames     []string // DNS names of their certificate in place of [Host]'s name
	CommonNameOnly       bool     // their certificate has Host's name as common name and no other name
	SendRoot             bool     // they send the certificate of the authority too

	// Of the proxy, with simulated nodes.

	IgnoreServerName bool // it hands a connection for a known host ID to whichever node is next

	// Of simulated nodes.

	NoVersion4       bool   // they refuse version 4 of the protocol, as if they spoke newer versions only
	NoProductType    bool   // SUPPORTED has no PRODUCT_TYPE
	NoAuthentication bool   // they let everybody in without asking
	Challenge        bool   // they answer a name and password with a challenge
	Authenticator    string // the class that they name; empty: Astra's
	TokenRefusal     *Error // refuses a token; nil: code 0x0100, bad credentials

	NoPeers      bool   // system.peers is empty
	NoTokens     bool   // nodes own no tokens
	OtherHostIDs bool   // system tables have other host IDs than the metadata service and the proxy
	Partitioner  string // its class; empty: Murmur3
	Release      string // release_version; empty: 4.0.11
}

// SetQuirks replaces the quirks. Those of TLS are for new connections.
func (s *Server) SetQuirks(q Quirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cluster.quirks.Store(&q)
	s.identity.Load().serve(q)
}

// serverTLS changes what the proxy and the metadata service have in common. Root is the authority's certificate.
func (q *Quirks) serverTLS(config *tls.Config, root []byte) {
	config.SessionTicketsDisabled = q.NoSessionTickets
	if q.TLS12 {
		config.MaxVersion = tls.VersionTLS12
	}
	if q.NoClientCertificates {
		config.ClientAuth = tls.NoClientCert
	}
	if q.SendRoot {
		server := config.Certificates[0]
		server.Certificate = append(server.Certificate, root)
		config.Certificates = []tls.Certificate{server}
	}
}

// supported answers OPTIONS. Real nodes offer to compress, too.
func (q *Quirks) supported() map[string][]string {
	options := map[string][]string{
		"COMPRESSION":       {},
		"CQL_VERSION":       {cqlVersion},
		"PRODUCT_TYPE":      {"DATASTAX_APOLLO"},
		"PROTOCOL_VERSIONS": {"3/v3", "4/v4"},
	}
	if q.NoProductType {
		delete(options, "PRODUCT_TYPE")
	}
	return options
}

// refusal returns the error that refuses a token, which is e as a rule.
func (q *Quirks) refusal(e *cql.Error) *cql.Error {
	if q.TokenRefusal != nil {
		return protocolError(q.TokenRefusal, 0)
	}
	return e
}

// refuseVersion4 answers as a node that speaks version 5 at least: in that version, and on stream 0.
func (c *conn) refuseVersion4() {
	err := protocolFault("Invalid or unsupported protocol version (4); the lowest supported version is 5 and the greatest is 5")
	frame := cql.AppendHeader(nil, cql.Header{Version: 5, Response: true, Opcode: cql.OpError})
	frame = cql.AppendError(frame, err)
	cql.FinishFrame(frame)
	c.out.send(frame)
}

// change changes a row of system.local or of system.peers.
func (q *Quirks) change(row systemRow) systemRow {
	if q.Release != "" {
		row["release_version"] = q.Release
	}
	if row["partitioner"] != nil && q.Partitioner != "" {
		row["partitioner"] = q.Partitioner
	}
	if q.NoTokens {
		delete(row, "tokens")
	}
	if q.OtherHostIDs {
		id := row["host_id"].(string)
		if strings.HasPrefix(id, "0") {
			row["host_id"] = "1" + id[1:]
		} else {
			row["host_id"] = "0" + id[1:]
		}
	}
	return row
}
