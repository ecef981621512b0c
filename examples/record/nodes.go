package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// lookAtNodes connects to each contact point, twice to the first one that answers.
func (r *recorder) lookAtNodes(ctx context.Context) error {
	var failed error
	points := r.metadata.ContactInfo.ContactPoints
	for _, id := range points {
		n, err := r.dialNode(ctx, id)
		if err == nil {
			_, err = n.supported(ctx)
			n.Close()
		}
		if err != nil {
			failed = fmt.Errorf("%s: %w", r.names.node(id), err)
			continue
		}
		r.nodes = append(r.nodes, strings.ToLower(id))
	}
	if len(r.nodes) < len(points) {
		r.note("contact-points-are-host-ids", false, "%d of %d nodes serve: %s", len(r.nodes), len(points), r.names.words(failed.Error()))
	} else {
		r.note("contact-points-are-host-ids", true, "all %d serve", len(points))
	}
	if len(r.nodes) == 0 {
		if codeOf(failed) == cql.CodeProtocol || strings.Contains(failed.Error(), "protocol version") {
			r.note("protocol-v4", false, "%s", r.names.words(lastPart(failed)))
		}
		return failed
	}
	n, err := r.dialNode(ctx, r.nodes[0])
	if err != nil {
		return err
	}
	defer n.Close()
	secured, ok := n.Conn.(interface{ ConnectionState() tls.ConnectionState })
	switch {
	case !ok:
		r.unseen("session-tickets", "the connection does not tell")
	case secured.ConnectionState().DidResume:
		r.note("session-tickets", true, "resumed")
	default:
		r.note("session-tickets", false, "the second handshake was a full one, too")
	}
	return nil
}

// lookAtProtocol looks at what nodes say before the login.
func (r *recorder) lookAtProtocol(ctx context.Context) error {
	n, err := r.dialNode(ctx, r.nodes[0])
	if err != nil {
		return err
	}
	defer n.Close()
	options, err := n.supported(ctx)
	if err != nil {
		r.note("protocol-v4", false, "%s", r.names.words(err.Error()))
		return err
	}
	r.note("protocol-v4", true, "offered are %s", r.plainList(options["PROTOCOL_VERSIONS"]))
	product := strings.Join(options["PRODUCT_TYPE"], ", ")
	r.note("product-type", product == "DATASTAX_APOLLO", "%s", r.plainList(options["PRODUCT_TYPE"]))
	class, err := n.start(ctx) // without compression
	if err != nil {
		r.note("compression", false, "%s", r.names.words(err.Error()))
		return err
	}
	r.note("compression", true, "offered are %s", r.plainList(options["COMPRESSION"]))
	if class == "" {
		r.note("authenticator", false, "none")
	} else {
		r.note("authenticator", class == "org.apache.cassandra.auth.AstraAuthenticator", "%s", r.names.plain(class))
	}
	return r.lookAtVersion5(ctx)
}

func (r *recorder) plainList(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(r.plainAll(names), ", ")
}

func (r *recorder) lookAtVersion5(ctx context.Context) error {
	n, err := r.dialNode(ctx, r.nodes[0])
	if err != nil {
		return err
	}
	defer n.Close()
	a, err := n.ask(ctx, 5, cql.OpOptions, nil)
	switch e := a.refusal(); {
	case err != nil:
		r.note("protocol-v5-refused", false, "%s", r.names.words(err.Error()))
	case e != nil:
		r.note("protocol-v5-refused", a.Stream == 0, "error 0x%04X on stream %d, in version %d", e.Code, a.Stream, a.Version)
	default:
		r.note("protocol-v5-refused", false, "%v in version %d", a.Opcode, a.Version)
	}
	return nil
}
