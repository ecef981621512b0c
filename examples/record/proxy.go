package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// lookAtStrangers connects without the client certificate.
func (r *recorder) lookAtStrangers(ctx context.Context) error {
	config := r.bundle.TLSConfig()
	config.Certificates = nil
	if answer, err := r.get(ctx, "", config); err == nil {
		r.note("client-certificate", false, "metadata service: not needed, status %d", answer.status)
	} else {
		r.note("client-certificate", true, "metadata service: %s", r.names.words(lastPart(err)))
	}
	config = r.nodeConfig(r.nodes[0])
	config.Certificates = nil
	if err := r.probe(ctx, config); err == nil {
		r.note("client-certificate", false, "proxy: not needed")
	} else {
		r.note("client-certificate", true, "proxy: %s", r.names.words(lastPart(err)))
	}
	return nil
}

// probe connects to a node by some TLS configuration, and makes sure that it speaks.
func (r *recorder) probe(ctx context.Context, config *tls.Config) error {
	conn, err := r.dialTLS(ctx, r.proxy, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	n := &node{conn}
	_, err = n.ask(ctx, cql.Version, cql.OpOptions, nil)
	return err
}

// lastPart leaves off what was being done, which is known.
func lastPart(err error) string {
	parts := strings.Split(err.Error(), ": ")
	return parts[len(parts)-1]
}

func (r *recorder) lookAtAddresses(ctx context.Context) error {
	host, port, _ := net.SplitHostPort(r.proxy)
	resolver := r.config.Resolver
	switch {
	case net.ParseIP(host) != nil:
		r.note("proxy-addresses", false, "it is an IP address")
		return nil
	case resolver == nil && r.config.DialContext != nil:
		r.unseen("proxy-addresses", "names are resolved elsewhere")
		return nil
	case resolver == nil:
		resolver = net.DefaultResolver
	}
	addrs, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return err
	}
	serve := 0
	for _, addr := range addrs {
		conn, err := r.dialTCP(ctx, net.JoinHostPort(addr.Unmap().String(), port))
		if err != nil {
			continue
		}
		secured := tls.Client(conn, r.nodeConfig(r.nodes[0]))
		if secured.HandshakeContext(ctx) == nil {
			serve++
		}
		conn.Close()
	}
	r.note("proxy-addresses", len(addrs) > 1 && serve == len(addrs), "%d addresses, %d serve%s", len(addrs), serve,
		choose(slices.ContainsFunc(addrs, isPrivate), ", private ones among them", ""))
	return nil
}

func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

func (r *recorder) lookAtUnknownNode(ctx context.Context) error {
	how, refused := r.refusalOf(ctx, randomID())
	r.note("unknown-host-id-refused", refused, "%s", how)
	return nil
}

// refusalOf tells how the proxy refuses a host ID, if it does.
func (r *recorder) refusalOf(ctx context.Context, hostID string) (how string, refused bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := r.dialTLS(ctx, r.proxy, r.nodeConfig(hostID))
	switch {
	case err != nil && ctx.Err() != nil:
		return "by silence", true
	case err != nil:
		return "in the handshake: " + r.names.words(lastPart(err)), true
	}
	defer conn.Close()
	n := &node{conn}
	_, err = n.supported(ctx)
	switch {
	case err == nil:
		return "it is handed to a node", false
	case ctx.Err() != nil:
		return "by silence after the handshake", true
	}
	return "after the handshake: " + r.names.words(lastPart(err)), true
}

func randomID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return cql.FormatUUID(id)
}
