package bundle_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/pki"
)

func TestPEMKeys(t *testing.T) {
	t.Parallel()
	s := astraServer(t)
	all := files(t)
	for name, leaf := range map[string]pki.Leaf{
		"RSA, version 1": {CommonName: "client", V1: true, KeyType: pki.RSA}, // as in the fixture
		"RSA":            {CommonName: "client", Client: true, KeyType: pki.RSA},
		"ECDSA":          {CommonName: "client", Client: true},
		"Ed25519":        {CommonName: "client", Client: true, KeyType: pki.Ed25519},
		"both usages":    {CommonName: "client", Client: true, Server: true},
		"no key usage":   {CommonName: "client"},
		"with DNS names": {CommonName: "client", DNSNames: []string{"client.test"}, Client: true},
	} {
		pair := must[*pki.KeyPair](t)(sharedAuthority().Issue(leaf))
		mislabeled := strings.ReplaceAll(string(pair.TraditionalKeyPEM()), "EC PRIVATE", "PRIVATE")
		parameters := "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
		for form, key := range map[string]string{
			"PKCS#8":                   string(pair.KeyPEM()),
			"PKCS#1 or SEC 1":          string(pair.TraditionalKeyPEM()),
			"wrong label":              mislabeled,
			"parameters before it":     parameters + string(pair.TraditionalKeyPEM()),
			"text around it":           "Bag Attributes\n" + string(pair.KeyPEM()) + "\ntext",
			"line ends of Windows":     strings.ReplaceAll(string(pair.KeyPEM()), "\n", "\r\n"),
			"certificate in the entry": string(pair.CertPEM()) + string(pair.KeyPEM()),
		} {
			t.Run(name+", "+form, func(t *testing.T) {
				handshake(t, parse(t, with(all, map[string][]byte{"cert": pair.CertPEM(), "key": []byte(key)})), s)
			})
		}
	}
}

func TestSeveralAuthorities(t *testing.T) {
	t.Parallel()
	other := must[*pki.Authority](t)(pki.NewAuthority("other", pki.ECDSA))
	certs := append(other.CertPEM(), sharedAuthority().CertPEM()...)
	handshake(t, parse(t, with(files(t), map[string][]byte{"ca.crt": certs})), astraServer(t))
}

func TestClientCertificateWithChain(t *testing.T) {
	t.Parallel()
	between := must[*pki.Authority](t)(sharedAuthority().Subordinate("between", pki.ECDSA))
	client := must[*pki.KeyPair](t)(between.Issue(pki.Leaf{CommonName: "client", Client: true}))
	s := astraServer(t)
	leafFirst := append(client.CertPEM(), between.CertPEM()...)
	leafLast := append(between.CertPEM(), client.CertPEM()...)
	for _, cert := range [][]byte{leafFirst, leafLast} {
		b := parse(t, map[string][]byte{"config.json": config(t, nil), "ca.crt": sharedAuthority().CertPEM(), "cert": cert, "key": client.KeyPEM()})
		handshake(t, b, s)
		if err := b.Verify(); err != nil {
			t.Errorf("Verify: %v", err)
		}
	}
}

func TestExpiredCertificatesLoad(t *testing.T) {
	t.Parallel()
	old := time.Date(2019, 6, 18, 0, 0, 0, 0, time.UTC)
	client := must[*pki.KeyPair](t)(sharedAuthority().Issue(pki.Leaf{CommonName: "client", Client: true, NotBefore: old, NotAfter: old.AddDate(1, 0, 0)}))
	b := parse(t, with(files(t), map[string][]byte{"cert": client.CertPEM(), "key": client.KeyPEM()}))
	if got := b.Certificate().NotAfter; !got.Equal(old.AddDate(1, 0, 0)) {
		t.Errorf("expires %v", got)
	}
}

func TestPEMRefusals(t *testing.T) {
	t.Parallel()
	all := files(t)
	other := must[*pki.KeyPair](t)(sharedAuthority().Issue(pki.Leaf{CommonName: "client", Client: true}))
	block := func(kind string, data string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(data)})
	}
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("x")})
	for name, test := range map[string]struct {
		entry string
		data  []byte
		want  string
	}{
		"garbage ca.crt":            {"ca.crt", []byte("garbage"), "no PEM certificate"},
		"empty ca.crt":              {"ca.crt", []byte{}, "no PEM certificate"},
		"invalid certificate":       {"ca.crt", block("CERTIFICATE", "garbage"), "invalid certificate"},
		"second one invalid":        {"ca.crt", append(sharedAuthority().CertPEM(), block("CERTIFICATE", "garbage")...), "invalid certificate"},
		"second one cut off":        {"ca.crt", append(sharedAuthority().CertPEM(), sharedAuthority().CertPEM()[:200]...), "damaged, cut off"},
		"second one with a typo":    {"ca.crt", append(sharedAuthority().CertPEM(), bytes.Replace(sharedAuthority().CertPEM(), []byte("MII"), []byte("M!I"), 1)...), "damaged, cut off"},
		"certificate cut off":       {"cert", all["cert"][:200], "damaged, cut off"},
		"key cut off":               {"key", all["key"][:100], "damaged, cut off"},
		"line breaks lost":          {"key", bytes.ReplaceAll(all["key"], []byte("\n"), []byte(`\n`)), "line breaks"},
		"key in place of ca.crt":    {"ca.crt", all["key"], "swapped"},
		"garbage cert":              {"cert", []byte("garbage"), "no PEM certificate"},
		"key in place of cert":      {"cert", all["key"], "swapped"},
		"garbage key":               {"key", []byte("garbage"), "no PEM private key"},
		"empty key":                 {"key", []byte{}, "no PEM private key"},
		"cert in place of key":      {"key", all["cert"], "swapped"},
		"invalid key":               {"key", block("PRIVATE KEY", "garbage"), "invalid private key"},
		"public key":                {"key", block("PUBLIC KEY", "garbage"), "no PEM private key"},
		"encrypted PKCS#8 key":      {"key", block("ENCRYPTED PRIVATE KEY", "garbage"), "encrypted with a password"},
		"encrypted PKCS#1 key":      {"key", encrypted, "encrypted with a password"},
		"key of another":            {"key", other.KeyPEM(), "does not belong"},
		"certificate of another":    {"cert", other.CertPEM(), "does not belong"},
		"the CA's certificate":      {"cert", sharedAuthority().CertPEM(), "does not belong"},
		"ca.crt larger than limits": {"ca.crt", make([]byte, 65<<10), "65536"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := bundle.Parse(pack(t, with(all, map[string][]byte{test.entry: test.data})))
			var e *bundle.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want an *Error with %q", err, test.want)
			}
			if e.Entry != test.entry && test.want != "does not belong" {
				t.Errorf("the error names %q: %v", e.Entry, err)
			}
			noSecrets(t, err.Error())
		})
	}
}

func parts() bundle.Parts {
	return bundle.Parts{
		Host: astraHost, Port: 29080, CQLPort: 29042, Keyspace: "shop", LocalDC: "us-east1",
		CA: sharedAuthority().CertPEM(), Certificate: sharedClient().CertPEM(),
	}
}

func TestFromParts(t *testing.T) {
	t.Parallel()
	p, key := parts(), sharedClient().KeyPEM()
	b := must[*bundle.Bundle](t)(bundle.FromParts(p, key))
	clear(key)
	clear(p.CA)
	clear(p.Certificate)
	handshake(t, b, astraServer(t))
	if b.Host() != astraHost || b.Port() != 29080 || b.CQLPort() != 29042 || b.Keyspace() != "shop" || b.LocalDC() != "us-east1" {
		t.Errorf("got %v", b)
	}
	if err := b.Verify(); err != nil {
		t.Errorf("Verify: %v", err)
	}
	again := must[*bundle.Bundle](t)(bundle.Parse(b.Zip()))
	if !again.Equal(b) {
		t.Error("the zip holds another bundle")
	}
	minimal := must[*bundle.Bundle](t)(bundle.FromParts(bundle.Parts{Host: "db.test", Port: 1, CA: parts().CA, Certificate: parts().Certificate}, sharedClient().KeyPEM()))
	if minimal.CQLPort() != 0 || minimal.Keyspace() != "" || minimal.LocalDC() != "" {
		t.Errorf("got %v", minimal)
	}
}

func TestFromPartsRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(*bundle.Parts, *[]byte)
		entry   string
		missing bool
	}{
		"no host":        {func(p *bundle.Parts, _ *[]byte) { p.Host = "" }, "config.json", false},
		"no port":        {func(p *bundle.Parts, _ *[]byte) { p.Port = 0 }, "config.json", false},
		"bad CQL port":   {func(p *bundle.Parts, _ *[]byte) { p.CQLPort = -1 }, "config.json", false},
		"no authority":   {func(p *bundle.Parts, _ *[]byte) { p.CA = nil }, "ca.crt", true},
		"no certificate": {func(p *bundle.Parts, _ *[]byte) { p.Certificate = nil }, "cert", true},
		"no key":         {func(_ *bundle.Parts, key *[]byte) { *key = nil }, "key", true},
		"huge key":       {func(_ *bundle.Parts, key *[]byte) { *key = make([]byte, 1<<20) }, "key", false},
		"huge host":      {func(p *bundle.Parts, _ *[]byte) { p.Host = strings.Repeat("a", 1<<20) }, "config.json", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, key := parts(), sharedClient().KeyPEM()
			test.change(&p, &key)
			_, err := bundle.FromParts(p, key)
			var e *bundle.Error
			if !errors.As(err, &e) || e.Entry != test.entry || errors.Is(err, fs.ErrNotExist) != test.missing {
				t.Error(err)
			}
		})
	}
}
