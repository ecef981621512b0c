package bundle

// These tests are inside of the package to reach each parser without the others around it.

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// fuzzFiles are the entries of a bundle, with the passwords "a" for all stores, and quick to open.
func fuzzFiles(f *testing.F) map[string][]byte {
	f.Helper()
	id := newTestIdentity(f)
	key, err := parseKey(id.pkcs8)
	if err != nil {
		f.Fatal(err)
	}
	files, err := scb.Files(scb.Contents{
		Host: "db.test", Port: 1, CQLPort: 2, CA: id.authority, Certificate: id.cert, Key: key,
		KeyStorePassword: "a", TrustStorePassword: "a", PFXPassword: "a",
	})
	if err != nil {
		f.Fatal(err)
	}
	if files[entryPFX], err = pkcs12.LegacyDES.WithIterations(1).Encode(key, id.cert, []*x509.Certificate{id.authority}, "a"); err != nil {
		f.Fatal(err)
	}
	return files
}

func FuzzParse(f *testing.F) {
	files := fuzzFiles(f)
	add := func(files map[string][]byte) {
		packed, err := scb.Zip(files)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
		f.Add([]byte(base64.StdEncoding.EncodeToString(packed)))
	}
	add(files)
	add(map[string][]byte{"a/config.json": files[entryConfig], "a/ca.crt": files[entryCA], "a/cert": files[entryCert], "a/key": files[entryKey]})
	add(map[string][]byte{"config.json": files[entryConfig], "cert.pfx": files[entryPFX]})
	add(map[string][]byte{"config.json": files[entryConfig], "identity.jks": files[entryIdentity], "trustStore.jks": files[entryTrustStore]})
	if real, err := os.ReadFile("../../shared/fixtures/java-driver-creds.zip"); err == nil {
		f.Add(real)
	}
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Parse(data)
		if (b == nil) == (err == nil) {
			t.Fatalf("%v, %v", b, err)
		}
		if err != nil {
			return
		}
		b.Verify()
		again, err := Parse(b.Zip())
		if err != nil || again.String() != b.String() {
			t.Fatalf("the zip of %v gives %v, %v", b, again, err)
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add(fuzzFiles(f)[entryConfig])
	for _, seed := range []string{
		`{"host":"db.test","port":"29080"}`, "\xef\xbb\xbf{}", "null", `{"host":"[::1]","port":1,"cql_port":null,"username":"u"}`, `{"port":1e3}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data)
		if err != nil {
			return
		}
		if c.host == "" || c.port < 1 || c.port > 65535 || c.cqlPort < 0 || c.cqlPort > 65535 {
			t.Fatalf("accepted %+v", c)
		}
		if _, err := json.Marshal(c.host); err != nil || strings.ContainsAny(c.host, "/@ \n") {
			t.Fatalf("accepted the host %q", c.host)
		}
	})
}

func FuzzJKS(f *testing.F) {
	files := fuzzFiles(f)
	f.Add(files[entryIdentity], "a")
	f.Add(files[entryTrustStore], "a")
	f.Add(files[entryIdentity], "")
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		if len(data) > maxEntry {
			return
		}
		// The digest would stop almost everything, so what is inside gets the one that it needs.
		if len(data) > 20 {
			signed := signJKS(data[:len(data)-20], password)
			fuzzStore(t, signed, password)
		}
		fuzzStore(t, data, password)
	})
}

func FuzzPKCS12(f *testing.F) {
	files := fuzzFiles(f)
	f.Add(files[entryPFX], "a")
	id := newTestIdentity(f)
	password := bmpPassword(testPassword)
	f.Add(pkcs12Of(f, password, encryptedPart(0, certBag(id.cert), certBag(id.authority)), plainPart(shroudedBag(id.pkcs8, 0))), testPassword)
	f.Add(pkcs12Of(f, password, encryptedPart(0, shroudedBag(id.pkcs8, 1<<40)), plainPart(shroudedBag(id.pkcs8, 0))), testPassword)
	f.Add(pkcs12Of(f, password, plainPart(certBag(id.cert), shroudedBag(id.pkcs8, 0))), testPassword)
	trust, err := pkcs12.Modern2026.WithIterations(1).EncodeTrustStore([]*x509.Certificate{id.authority}, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(trust, "")
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		if len(data) > maxEntry {
			return
		}
		fuzzStore(t, data, password)
		// The authentication code would stop almost everything, so the parts are opened without that of the file.
		if parts, err := readPKCS12(data); err == nil && parts.hasKey && parts.rounds <= maxRounds {
			parts.open(bmpPassword(password), password)
			parts.open(nil, "")
		}
	})
}

func fuzzStore(t *testing.T, data []byte, password string) {
	s, err := parseStore(data, password)
	if (s == nil) == (err == nil) {
		t.Fatalf("%v, %v", s, err)
	}
	if err == nil {
		s.identity()
		s.authorities()
	}
}

func FuzzPEM(f *testing.F) {
	files := fuzzFiles(f)
	f.Add(files[entryCA])
	f.Add(files[entryKey])
	f.Add(append(bytes.Clone(files[entryCert]), files[entryKey]...))
	if authority, err := pki.NewAuthority("rsa", pki.RSA); err == nil {
		f.Add(authority.KeyPair().TraditionalKeyPEM())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, certErr := pemCertificates(data)
		key, keyErr := pemKey(data)
		if (len(certs) == 0) == (certErr == nil) || (key == nil) == (keyErr == nil) {
			t.Fatal(certErr, keyErr)
		}
		if certErr == nil && keyErr == nil {
			newIdentity(certs, key)
		}
	})
}
