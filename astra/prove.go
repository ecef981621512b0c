package astra

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// prove makes sure that a node speaks at the other end, by an OPTIONS request of which it needs no more than the answer. An SNI proxy may
// complete a handshake for a node that is gone.
func prove(ctx context.Context, conn *tls.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	err := options(conn)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return fmt.Errorf("the node does not serve: %w", err)
	}
	return nil
}

// An answer to OPTIONS has a few hundred bytes.
const maxSupported = 1 << 16

func options(conn io.ReadWriter) error {
	request := cql.AppendHeader(nil, cql.Header{Version: cql.Version, Opcode: cql.OpOptions})
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var header [cql.HeaderSize]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return err
	}
	h := cql.ParseHeader(&header)
	if h.Length < 0 || h.Length > maxSupported {
		return fmt.Errorf("it answers OPTIONS with %v of %d bytes", h.Opcode, h.Length)
	}
	body := make([]byte, h.Length)
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	switch h.Opcode {
	case cql.OpSupported:
		return nil
	case cql.OpError:
		return fmt.Errorf("it answers OPTIONS with an error: %w", refusalOf(body))
	}
	return fmt.Errorf("it answers OPTIONS with %v", h.Opcode)
}
