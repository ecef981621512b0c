package astratest

import (
	"errors"
	"io"
	"net"
)

// Refusal is how the SNI proxy refuses a host ID that it does not know.
type Refusal int

const (
	RefuseAlert   Refusal = iota // with the TLS alert unrecognized_name, in place of a handshake
	RefuseClose                  // by completing the handshake and closing the connection then
	RefuseSilence                // by never answering the ClientHello
)

// unrecognizedName is a TLS record: a fatal alert, 112 (RFC 6066, 3). crypto/tls sends internal_error for whatever GetConfigForClient
// returns.
var unrecognizedName = []byte{21, 3, 3, 0, 2, 2, 112}

var errUnknownHost = errors.New("astratest: unknown host ID in SNI")

// drain reads until the peer closes, and keeps nothing.
func drain(conn net.Conn) { io.Copy(io.Discard, conn) }
