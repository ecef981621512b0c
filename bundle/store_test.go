package bundle_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// config returns config.json of the test bundle with changes: nil removes a field.
func config(t testing.TB, changes map[string]any) []byte {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(files(t)["config.json"], &fields); err != nil {
		t.Fatal(err)
	}
	for name, value := range changes {
		if fields[name] = value; value == nil {
			delete(fields, name)
		}
	}
	return []byte(asJSON(t, fields))
}

// handshake shows that a bundle works: with a server of its authority, which demands the client certificate.
func handshake(t testing.TB, b *bundle.Bundle, s *server) {
	t.Helper()
	if _, err := s.dial(b.NodeTLSConfig(bundle.Node{HostID: hostID, ProxyHost: astraHost})); err != nil {
		t.Errorf("handshake with a node: %v", err)
	}
	if _, err := s.dial(b.TLSConfig()); err != nil {
		t.Errorf("handshake with the metadata service: %v", err)
	}
}

func astraServer(t testing.TB) *server {
	return serve(t, issue(t, pki.Leaf{CommonName: "*.db.astra.datastax.com", DNSNames: []string{"*.db.astra.datastax.com"}, Server: true, Client: true}))
}

func TestEverySubsetOfEntriesThatSuffices(t *testing.T) {
	t.Parallel()
	s := astraServer(t)
	all := files(t)
	names := []string{"ca.crt", "cert", "key", "identity.jks", "trustStore.jks", "cert.pfx", "cqlshrc"}
	sufficient := 0
	for subset := range 1 << len(names) {
		some := map[string][]byte{"config.json": all["config.json"]}
		for i, name := range names {
			if subset>>i&1 == 1 {
				some[name] = all[name]
			}
		}
		has := func(name string) bool { return some[name] != nil }
		identity := has("cert") && has("key") || has("identity.jks") || has("cert.pfx")
		trust := has("ca.crt") || has("trustStore.jks") || has("cert.pfx")
		b, err := bundle.Parse(pack(t, some))
		if identity && trust {
			sufficient++
			if err != nil {
				t.Errorf("%b: %v", subset, err)
				continue
			}
			handshake(t, b, s)
			if err := b.Verify(); err != nil {
				t.Errorf("%b: Verify: %v", subset, err)
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%b: %v, want an error that something is missing", subset, err)
		}
	}
	if sufficient != 94 {
		t.Errorf("%d subsets suffice, want 94", sufficient)
	}
}

func TestFixtureWithoutPEM(t *testing.T) {
	t.Parallel()
	whole := must[*bundle.Bundle](t)(bundle.Parse(fixture(t)))
	real := unzip(t, fixture(t))
	for _, store := range []string{"identity.jks", "cert.pfx"} { // both are PKCS#12, with RC2 and Triple DES
		b := parse(t, map[string][]byte{"config.json": real["config.json"], "trustStore.jks": real["trustStore.jks"], store: real[store]})
		if !b.Certificate().Equal(whole.Certificate()) {
			t.Errorf("%s: another certificate", store)
		}
	}
}

func encodePFX(t testing.TB, encoder *pkcs12.Encoder, password string) []byte {
	t.Helper()
	c := contents()
	return must[[]byte](t)(encoder.Encode(c.Key, c.Certificate, []*x509.Certificate{c.CA}, password))
}

func TestPFX(t *testing.T) {
	t.Parallel()
	s := astraServer(t)
	encoders := map[string]*pkcs12.Encoder{
		"RC2": pkcs12.LegacyRC2, "Triple DES": pkcs12.LegacyDES, "AES": pkcs12.Modern2023, "AES and PBMAC1": pkcs12.Modern2026,
		"none": pkcs12.Passwordless,
	}
	for name, encoder := range encoders {
		for passwordIs, password := range map[string]any{"present": "other-secret", "empty": "", "absent": nil} {
			if name == "none" && password == "other-secret" {
				continue // such files have no password
			}
			t.Run(name+", password "+passwordIs, func(t *testing.T) {
				text, _ := password.(string)
				handshake(t, parse(t, map[string][]byte{
					"config.json": config(t, map[string]any{"pfxCertPassword": password}),
					"cert.pfx":    encodePFX(t, encoder, text),
				}), s)
			})
		}
	}
}

func TestStoresWhoseNamesLie(t *testing.T) {
	t.Parallel()
	s := astraServer(t)
	c := contents()
	trust := must[[]byte](t)(pkcs12.LegacyDES.EncodeTrustStore([]*x509.Certificate{c.CA}, c.TrustStorePassword))
	jks := must[[]byte](t)(scb.IdentityJKS(c.Key, []*x509.Certificate{c.Certificate, c.CA}, c.PFXPassword))
	for name, some := range map[string]map[string][]byte{
		"PKCS#12 in both .jks": {"identity.jks": encodePFX(t, pkcs12.LegacyDES, c.KeyStorePassword), "trustStore.jks": trust},
		"JKS in .pfx":          {"cert.pfx": jks},
	} {
		t.Run(name, func(t *testing.T) {
			b := parse(t, with(some, map[string][]byte{"config.json": config(t, nil)}))
			handshake(t, b, s)
			if err := b.Verify(); err != nil {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

func TestAuthorityInIdentityStore(t *testing.T) {
	t.Parallel()
	c := contents()
	jks := must[[]byte](t)(scb.IdentityJKS(c.Key, []*x509.Certificate{c.Certificate, c.CA}, c.KeyStorePassword))
	b := parse(t, map[string][]byte{"config.json": config(t, nil), "identity.jks": jks})
	handshake(t, b, astraServer(t))
	if err := b.Verify(); err != nil {
		t.Errorf("Verify: %v", err)
	}
}

func TestStoreOfEveryKeyType(t *testing.T) {
	t.Parallel()
	s := astraServer(t)
	for name, keyType := range map[string]pki.KeyType{"RSA": pki.RSA, "ECDSA": pki.ECDSA, "Ed25519": pki.Ed25519} {
		client := must[*pki.KeyPair](t)(sharedAuthority().Issue(pki.Leaf{CommonName: "client", V1: keyType == pki.RSA, KeyType: keyType}))
		c := contents()
		c.Certificate, c.Key = client.Certificate, client.Key
		all := must[map[string][]byte](t)(scb.Files(c))
		for _, store := range []string{"identity.jks", "cert.pfx"} {
			t.Run(name+" in "+store, func(t *testing.T) {
				handshake(t, parse(t, map[string][]byte{"config.json": all["config.json"], "ca.crt": all["ca.crt"], store: all[store]}), s)
			})
		}
	}
}

func TestJKSAliasInCapitals(t *testing.T) {
	t.Parallel()
	c := contents()
	store := keystore.New(keystore.WithCaseExactAliases())
	entry := keystore.TrustedCertificateEntry{Certificate: keystore.Certificate{Type: "X.509", Content: c.CA.Raw}}
	if err := store.SetTrustedCertificateEntry("CA", entry); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := store.Store(&out, []byte(c.TrustStorePassword)); err != nil {
		t.Fatal(err)
	}
	parse(t, with(files(t), map[string][]byte{"ca.crt": nil, "cert.pfx": nil, "trustStore.jks": out.Bytes()}))
}

// storeOnly is a bundle whose identity comes from one store.
func storeOnly(t testing.TB, name string, data []byte, changes map[string]any) []byte {
	return pack(t, map[string][]byte{"config.json": config(t, changes), "ca.crt": files(t)["ca.crt"], name: data})
}

func TestStoreRefusals(t *testing.T) {
	t.Parallel()
	all, c := files(t), contents()
	jks := all["identity.jks"]
	change := func(offset int, bytes ...byte) []byte {
		changed := append([]byte(nil), jks...)
		copy(changed[offset:], bytes)
		return changed
	}
	for _, test := range []struct {
		name, entry string
		data        []byte
		config      map[string]any
		want        string
	}{
		{"JKS, wrong password", "identity.jks", jks, map[string]any{"keyStorePassword": "wrong"}, "keyStorePassword of config.json does not open it"},
		{"JKS, no password", "identity.jks", jks, map[string]any{"keyStorePassword": nil}, "config.json has no keyStorePassword"},
		{"PFX, wrong password", "cert.pfx", all["cert.pfx"], map[string]any{"pfxCertPassword": "wrong"}, "pfxCertPassword of config.json does not open it"},
		{"PFX, no password", "cert.pfx", all["cert.pfx"], map[string]any{"pfxCertPassword": nil}, "config.json has no pfxCertPassword"},
		{"empty", "identity.jks", []byte{}, nil, "neither a Java key store nor PKCS#12"},
		{"garbage", "identity.jks", []byte("garbage"), nil, "neither a Java key store nor PKCS#12"},
		{"PEM", "identity.jks", all["cert"], nil, "is PEM text"},
		{"JCEKS", "identity.jks", []byte{0xce, 0xce, 0xce, 0xce, 0, 0, 0, 2}, nil, "JCEKS"},
		{"JKS, magic alone", "identity.jks", jks[:4], nil, "damaged"},
		{"JKS, truncated", "identity.jks", jks[:len(jks)-1], nil, "ends too early"},
		{"JKS, data after the end", "identity.jks", append(change(0), 0), nil, "more data"},
		{"JKS, version", "identity.jks", change(4, 0, 0, 0, 9), nil, "version 9"},
		{"JKS, 4 billion entries", "identity.jks", change(8, 0xff, 0xff, 0xff, 0xff), nil, "damaged"},
		{"JKS, unknown entry", "identity.jks", change(12, 0, 0, 0, 9), nil, "unknown kind"},
		{"JKS, key of 4 GiB", "identity.jks", change(30, 0xff, 0xff, 0xff, 0xff), nil, "ends too early"},
		{"JKS, malformed key", "identity.jks", change(34, 0xff), nil, "malformed private key"},
		{"JKS, digest", "identity.jks", change(len(jks)-1, jks[len(jks)-1]^1), nil, "wrong password"},
		{"JKS, no key", "identity.jks", must[[]byte](t)(scb.TrustStoreJKS([]*x509.Certificate{c.CA}, c.KeyStorePassword)), nil, "no private key"},
		{"JKS, no certificate", "identity.jks", must[[]byte](t)(scb.IdentityJKS(c.Key, nil, c.KeyStorePassword)), nil, "does not belong"},
		{"JKS, other certificate", "identity.jks", must[[]byte](t)(scb.IdentityJKS(c.Key, []*x509.Certificate{c.CA}, c.KeyStorePassword)), nil, "does not belong"},
		{"JKS, invalid certificate", "identity.jks", jksOf(t, c.KeyStorePassword, keyEntry(t, c.Key, []byte("garbage"))), nil, "invalid certificate"},
		{"JKS, invalid key", "identity.jks", jksOf(t, c.KeyStorePassword, keystore.PrivateKeyEntry{PrivateKey: []byte("garbage garbage garbage")}), nil, "invalid private key"},
		{"JKS, two keys", "identity.jks", jksOf(t, c.KeyStorePassword, keyEntry(t, c.Key, c.Certificate.Raw), keyEntry(t, c.Key, c.Certificate.Raw)), nil, "several private keys"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := bundle.Parse(storeOnly(t, test.entry, test.data, test.config))
			if err == nil || !strings.Contains(err.Error(), test.entry) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want an error about %s with %q", err, test.entry, test.want)
			}
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the error does not say that cert and key are missing: %v", err)
			}
			noSecrets(t, err.Error())
		})
	}
}

func keyEntry(t testing.TB, key crypto.Signer, cert []byte) keystore.PrivateKeyEntry {
	t.Helper()
	pkcs8 := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))
	return keystore.PrivateKeyEntry{PrivateKey: pkcs8, CertificateChain: []keystore.Certificate{{Type: "X.509", Content: cert}}}
}

func jksOf(t testing.TB, password string, entries ...keystore.PrivateKeyEntry) []byte {
	t.Helper()
	store := keystore.New(keystore.WithOrderedAliases())
	for i, entry := range entries {
		if err := store.SetPrivateKeyEntry(string(rune('a'+i)), entry, []byte(password)); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := store.Store(&out, []byte(password)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The stores that Java's and OpenSSL's own tools write are read.
func TestStoresOfOtherTools(t *testing.T) {
	t.Parallel()
	all := files(t)
	s := astraServer(t)
	for _, test := range []struct{ name, entry, command string }{
		{"keytool, JKS", "identity.jks", "keytool -J-Xshare:auto -importkeystore -srckeystore cert.pfx -srcstoretype PKCS12 -srcstorepass secret-pfx " +
			"-destkeystore out -deststoretype JKS -deststorepass secret-keystore -destkeypass secret-keystore"},
		{"keytool, PKCS#12", "identity.jks", "keytool -J-Xshare:auto -importkeystore -srckeystore identity.jks -srcstorepass secret-keystore " +
			"-destkeystore out -deststoretype PKCS12 -deststorepass secret-keystore"},
		{"openssl", "cert.pfx", "openssl pkcs12 -export -in cert -inkey key -certfile ca.crt -out out -passout pass:secret-pfx"},
		{"openssl, empty password", "cert.pfx", "openssl pkcs12 -export -in cert -inkey key -out out -passout pass:"},
		{"openssl, Triple DES", "cert.pfx", "openssl pkcs12 -export -in cert -inkey key -out out -passout pass:secret-pfx -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1"},
		{"openssl, empty password, Triple DES", "cert.pfx", "openssl pkcs12 -export -in cert -inkey key -out out -passout pass: -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1"},
		{"openssl, no encryption", "cert.pfx", "openssl pkcs12 -export -in cert -inkey key -out out -passout pass:secret-pfx -keypbe NONE -certpbe NONE"},
		{"openssl, no authentication code", "cert.pfx", "openssl pkcs12 -export -in cert -inkey key -out out -passout pass:secret-pfx -nomac"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(test.command)
			if _, err := exec.LookPath(args[0]); err != nil {
				t.Skip(err)
			}
			dir := writeDir(t, all)
			command := exec.Command(args[0], args[1:]...)
			command.Dir = dir
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			data := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "out")))
			changes := map[string]any{}
			if strings.Contains(test.name, "empty password") {
				changes["pfxCertPassword"] = ""
			}
			b, err := bundle.Parse(storeOnly(t, test.entry, data, changes))
			if err != nil {
				t.Fatal(err)
			}
			handshake(t, b, s)
		})
	}
}

// noSecrets looks for the passwords of the test bundle and for keys.
func noSecrets(t testing.TB, text string) {
	t.Helper()
	for _, secret := range []string{"secret", "PRIVATE KEY", "MII", "MIG"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in %s", secret, text)
		}
	}
}

// asJSON is for tests that compare what is printed.
func asJSON(t testing.TB, value any) string {
	return string(must[[]byte](t)(json.Marshal(value)))
}
