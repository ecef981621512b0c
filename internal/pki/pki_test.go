package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/pki"
)

var keyTypes = map[string]pki.KeyType{"ECDSA": pki.ECDSA, "RSA": pki.RSA, "Ed25519": pki.Ed25519}

func TestIssuedCertificatesVerify(t *testing.T) {
	t.Parallel()
	for name, keyType := range keyTypes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority, err := pki.NewAuthority("ca.test", keyType)
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(authority.Certificate())

			server, err := authority.Issue(pki.Leaf{CommonName: "s", DNSNames: []string{"db.test"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true, KeyType: keyType})
			if err != nil {
				t.Fatal(err)
			}
			for _, host := range []string{"db.test", "127.0.0.1"} {
				if _, err := server.Certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
					t.Errorf("server certificate for %s: %v", host, err)
				}
			}
			if _, err := server.Certificate.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err == nil {
				t.Error("a server certificate passes as a client's")
			}

			old, err := authority.Issue(pki.Leaf{CommonName: "client", V1: true, KeyType: keyType})
			if err != nil {
				t.Fatal(err)
			}
			if old.Certificate.Version != 1 || len(old.Certificate.Extensions) != 0 {
				t.Errorf("version %d with %d extensions, want 1 with none", old.Certificate.Version, len(old.Certificate.Extensions))
			}
			if _, err := old.Certificate.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
				t.Errorf("version 1 client certificate: %v", err)
			}
			for _, key := range [][]byte{old.KeyPEM(), old.TraditionalKeyPEM()} {
				if _, err := tls.X509KeyPair(old.CertPEM(), key); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestSubordinate(t *testing.T) {
	t.Parallel()
	root, err := pki.NewAuthority("root.test", pki.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := root.Subordinate("sub.test", pki.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := sub.Issue(pki.Leaf{DNSNames: []string{"db.test"}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root.Certificate())
	between.AddCert(sub.Certificate())
	if _, err := leaf.Certificate.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: "db.test"}); err != nil {
		t.Error(err)
	}
}

func TestValidityAndRefusals(t *testing.T) {
	t.Parallel()
	authority, err := pki.NewAuthority("ca.test", pki.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	leaf, err := authority.Issue(pki.Leaf{CommonName: "old", NotBefore: from, NotAfter: from.AddDate(0, 1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if got := leaf.Certificate.NotAfter; !got.Equal(from.AddDate(0, 1, 0)) {
		t.Errorf("NotAfter = %v", got)
	}
	if _, err := authority.Issue(pki.Leaf{V1: true, Server: true}); err == nil {
		t.Error("a version 1 certificate with an extension was not refused")
	}
	if _, err := pki.NewAuthority("x", pki.KeyType(9)); err == nil {
		t.Error("an unknown key type was not refused")
	}
}
