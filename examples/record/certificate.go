package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

func (r *recorder) lookAtMetadataCertificate(ctx context.Context) error {
	return r.lookAtCertificate(ctx, "metadata service", net.JoinHostPort(r.bundle.Host(), strconv.Itoa(r.bundle.Port())), r.bundle.TLSConfig(), r.bundle.Host())
}

func (r *recorder) lookAtProxyCertificate(ctx context.Context) error {
	host, _, _ := net.SplitHostPort(r.proxy)
	if net.ParseIP(host) != nil {
		host = r.bundle.Host() // see the certificate rule in package bundle
	}
	err := errors.New("there is no contact point")
	for _, id := range r.metadata.ContactInfo.ContactPoints {
		if err = r.lookAtCertificate(ctx, "proxy", r.proxy, r.nodeConfig(id), host); err == nil {
			break
		}
	}
	return err
}

// lookAtCertificate connects to a server without judging its certificate, and tells it nothing.
func (r *recorder) lookAtCertificate(ctx context.Context, server, addr string, config *tls.Config, name string) error {
	config.InsecureSkipVerify = true
	config.VerifyConnection = nil
	conn, err := r.dialTLS(ctx, addr, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	state := conn.ConnectionState()
	r.note("tls-1.3", state.Version == tls.VersionTLS13, "%s: %s, %s", server, tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))

	leaf, rest := state.PeerCertificates[0], state.PeerCertificates[1:]
	for _, name := range leaf.DNSNames {
		r.names.host(name)
	}
	var kind string
	switch {
	case leaf.VerifyHostname(name) != nil && len(leaf.DNSNames) == 0:
		kind = "no name but the common name"
	case leaf.VerifyHostname(name) != nil:
		kind = fmt.Sprintf("%d names, not the one expected", len(leaf.DNSNames))
	case net.ParseIP(name) != nil:
		kind = "the address"
	case slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return strings.EqualFold(n, name) }):
		kind = "the exact name"
	default:
		kind = "a wildcard"
	}
	r.note("certificate-san", leaf.VerifyHostname(name) == nil, "%s: %s", server, kind)

	intermediates := x509.NewCertPool()
	root := false
	for _, cert := range rest {
		intermediates.AddCert(cert)
		root = root || string(cert.RawSubject) == string(cert.RawIssuer)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: r.bundle.TLSConfig().RootCAs, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		r.note("certificate-ca", false, "%s: %s", server, r.names.words(err.Error()))
	} else {
		r.note("certificate-ca", true, "%s: %s, %d certificates up to the authority", server, keyOf(leaf), len(chains[0]))
	}
	r.note("root-not-sent", !root, "%s: %d certificates sent", server, len(state.PeerCertificates))
	return nil
}
