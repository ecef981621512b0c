package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/token"
)

type options struct {
	named    bool
	idle     time.Duration
	patience time.Duration // for a session to use every node
}

// recorder looks at one database. It is used by one goroutine.
type recorder struct {
	config   astra.Config
	options  options
	bundle   *bundle.Bundle
	token    token.Token
	dialer   *astra.Dialer
	names    *names
	findings map[string]finding

	metadata document // what the metadata service answers
	proxy    string   // its address, "host:port"
	nodes    []string // host IDs that answered
}

// Each step may take that long. The first that fails is the last.
const stepTimeout = 10 * time.Second

// newRecorder asks for bundle and token.
func newRecorder(ctx context.Context, config astra.Config, o options) (*recorder, error) {
	r := &recorder{config: config, options: o, findings: make(map[string]finding)}
	var err error
	if r.bundle, err = config.Bundle.Current(ctx); err != nil {
		return nil, err
	}
	if r.token, err = config.Token.Current(ctx); err != nil {
		return nil, err
	}
	if r.dialer, err = astra.NewDialer(config); err != nil {
		return nil, err
	}
	r.names = newNames(r.token, o.named)
	r.names.host(r.bundle.Host())
	return r, nil
}

// record looks at everything that can be seen. An error means that nothing can.
func record(ctx context.Context, config astra.Config, o options) (*report, error) {
	r, err := newRecorder(ctx, config, o)
	if err != nil {
		return nil, err
	}
	r.lookAtBundle()
	notReached := "not reached"
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"certificate of the metadata service", r.lookAtMetadataCertificate},
		{"metadata service", r.lookAtMetadata},
		{"certificate of the proxy", r.lookAtProxyCertificate},
		{"nodes", r.lookAtNodes},
		{"clients without certificate", r.lookAtStrangers},
		{"addresses of the proxy", r.lookAtAddresses},
		{"protocol", r.lookAtProtocol},
		{"login", r.lookAtLogin},
		{"system tables", r.lookAtSystemTables},
		{"unknown nodes", r.lookAtUnknownNode},
		{"session", r.lookAtSession},
		{"idle connection", r.lookAtIdle},
	} {
		timeout := stepTimeout
		if step.name == "idle connection" {
			timeout += o.idle
		}
		if err := within(ctx, timeout, step.do); err != nil {
			notReached = fmt.Sprintf("not reached: %s: %s", step.name, r.names.words(err.Error()))
			break
		}
	}
	return newReport(r.findings, notReached), nil
}

func within(ctx context.Context, timeout time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return do(ctx)
}

func choose(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// note writes down how a claim turned out. A claim that stood up to one look may fall at another, but not the other way round.
func (r *recorder) note(claim string, ok bool, format string, args ...any) {
	f := finding{Outcome: holds, Seen: fmt.Sprintf(format, args...)}
	if !ok {
		f.Outcome = holdsNot
	}
	if before, there := r.findings[claim]; there && before.Outcome != couldNotBe {
		f.Seen = before.Seen + "; " + f.Seen
		if before.Outcome == holdsNot {
			f.Outcome = holdsNot
		}
	}
	r.findings[claim] = f
}

func (r *recorder) unseen(claim, format string, args ...any) {
	if _, ok := r.findings[claim]; !ok {
		r.findings[claim] = finding{Outcome: couldNotBe, Seen: fmt.Sprintf(format, args...)}
	}
}

// dialTCP connects as the library does, to whichever address answers first.
func (r *recorder) dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	if r.config.DialContext != nil {
		return r.config.DialContext(ctx, "tcp", addr)
	}
	dialer := net.Dialer{Resolver: r.config.Resolver}
	return dialer.DialContext(ctx, "tcp", addr)
}

func (r *recorder) dialTLS(ctx context.Context, addr string, config *tls.Config) (*tls.Conn, error) {
	tcp, err := r.dialTCP(ctx, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(tcp, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, err
	}
	return conn, nil
}

// dialNode connects through the library.
func (r *recorder) dialNode(ctx context.Context, hostID string) (*node, error) {
	conn, err := r.dialer.DialNode(ctx, hostID)
	if err != nil {
		return nil, err
	}
	return &node{conn}, nil
}

// enter connects to a node and logs in.
func (r *recorder) enter(ctx context.Context, hostID string) (*node, error) {
	n, err := r.dialNode(ctx, hostID)
	if err != nil {
		return nil, err
	}
	class, err := n.start(ctx)
	if err == nil && class != "" {
		username, password := r.token.CQL()
		err = n.login(ctx, username, password)
	}
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}
