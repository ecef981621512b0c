package bundle_test

import (
	"path/filepath"
	"testing"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// rsaFiles has keys as Astra's are.
func rsaFiles(b *testing.B) map[string][]byte {
	b.Helper()
	authority := must[*pki.Authority](b)(pki.NewAuthority("rsa", pki.RSA))
	client := must[*pki.KeyPair](b)(authority.Issue(pki.Leaf{CommonName: "client", Client: true, KeyType: pki.RSA}))
	c := contents()
	c.CA, c.Certificate, c.Key = authority.Certificate(), client.Certificate, client.Key
	return must[map[string][]byte](b)(scb.Files(c))
}

func BenchmarkParse(b *testing.B) {
	all := rsaFiles(b)
	compressed := func(files map[string][]byte) func(testing.TB) []byte {
		return func(t testing.TB) []byte { return must[[]byte](t)(scb.Zip(files)) }
	}
	for name, get := range map[string]func(testing.TB) []byte{
		"PEM, RSA":    compressed(all),
		"PEM, ECDSA":  compressed(files(b)),
		"fixture":     fixture,
		"JKS, RSA":    compressed(with(all, map[string][]byte{"cert": nil, "key": nil, "ca.crt": nil})),
		"PKCS12, RSA": compressed(with(all, map[string][]byte{"cert": nil, "key": nil, "identity.jks": nil})),
	} {
		b.Run(name, func(b *testing.B) {
			data := get(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bundle.Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFileSource(b *testing.B) {
	all := rsaFiles(b)
	file := filepath.Join(b.TempDir(), "bundle.zip")
	write(b, file, pack(b, all))
	for name, source := range map[string]bundle.Source{"file": bundle.File(file), "directory": bundle.File(writeDir(b, all))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := source.Current(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNodeTLSConfig(b *testing.B) {
	parsed := parse(b, rsaFiles(b))
	b.ReportAllocs()
	for b.Loop() {
		parsed.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost})
	}
}

func BenchmarkVerify(b *testing.B) {
	parsed := parse(b, rsaFiles(b))
	b.ReportAllocs()
	for b.Loop() {
		if err := parsed.Verify(); err != nil {
			b.Fatal(err)
		}
	}
}
