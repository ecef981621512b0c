package astra_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// output is everything that a program could print.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

func (o *output) print(values ...any) {
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(o, verb+"\n", v)
		}
	}
}

// At debug level, with every function traced, through failures of all kinds, no secret is printed.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	handle(s)
	key, err := x509.MarshalPKCS8PrivateKey(s.Bundle().TLSConfig().Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{
		[]byte(s.Token().Secret()), []byte(s.Token().Bearer()), []byte(strings.SplitN(s.Token().Bearer(), ":", 3)[2]),
		bytes.Split(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), []byte("\n"))[1], fmt.Appendf(nil, "%x", key),
	}

	out := new(output)
	c := config(s)
	c.RecoveryWait = 100 * time.Millisecond
	c.Logger = slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.Trace = &astra.Trace{
		MetadataDone: func(i astra.MetadataInfo) { out.print(i, i.Err) },
		DialDone:     func(i astra.DialInfo) { out.print(i, i.Err) },
		ConnClosed:   func(i astra.ConnInfo) { out.print(i, i.Err) },
	}
	out.print(c, &c)
	cluster := newCluster(t, c)
	authenticator, err := cluster.AuthProvider(nil)
	out.print(cluster, cluster.HostDialer, cluster.PoolConfig, authenticator, err)
	session := connect(t, cluster)
	for _, fault := range []func(){
		func() {},
		s.DropConns,
		s.MoveProxy,
		func() { s.ReplaceNodes(astratest.Replacement{}) },
		func() { s.SetMetadata(astratest.MetadataGarbage); s.DropConns() },
		func() { s.SetMetadata(astratest.MetadataOK); s.RotateToken(); s.DropConns() },
		func() { s.RotateBundle(); s.DropConns() },
		s.Hibernate,
	} {
		fault()
		for key := range 5 {
			if err := query(session, key); err != nil {
				out.print(err)
			}
		}
		if other, err := astra.Connect(t.Context(), cluster); err != nil {
			out.print(err)
		} else {
			other.Close()
		}
	}
	session.Close()

	out.mu.Lock()
	defer out.mu.Unlock()
	if !bytes.Contains(out.Bytes(), []byte("refused the token")) || !bytes.Contains(out.Bytes(), []byte("certificate")) || out.Len() < 10_000 {
		t.Errorf("the faults left no trace in %d bytes of output", out.Len())
	}
	for i, secret := range secrets {
		if at := bytes.Index(out.Bytes(), secret); at >= 0 {
			t.Errorf("secret %d is printed: …%q", i, out.Bytes()[max(0, at-200):at])
		}
	}
}
