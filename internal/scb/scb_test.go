package scb_test

import (
	"archive/zip"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

func contents(t *testing.T, keyType pki.KeyType) scb.Contents {
	t.Helper()
	authority, err := pki.NewAuthority("ca.test", keyType)
	if err != nil {
		t.Fatal(err)
	}
	client, err := authority.Issue(pki.Leaf{CommonName: "client", Client: true, KeyType: keyType})
	if err != nil {
		t.Fatal(err)
	}
	return scb.Contents{
		Host: "db.test", Port: 29080, CQLPort: 29042, Keyspace: "shop", LocalDC: "us-east1",
		CA: authority.Certificate(), Certificate: client.Certificate, Key: client.Key,
		KeyStorePassword: "keystore-password", TrustStorePassword: "truststore-password", PFXPassword: "pfx-password",
	}
}

func files(t *testing.T, c scb.Contents) map[string][]byte {
	t.Helper()
	files, err := scb.Files(c)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestZipHoldsTheEightEntries(t *testing.T) {
	t.Parallel()
	packed, err := scb.Zip(files(t, contents(t, pki.ECDSA)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
	}
	want := []string{"ca.crt", "cert", "cert.pfx", "config.json", "cqlshrc", "identity.jks", "key", "trustStore.jks"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	c := contents(t, pki.ECDSA)
	c.ExtraConfig = map[string]any{"username": "u", "keyspace": nil, "port": "29080"}
	var got map[string]any
	if err := json.Unmarshal(files(t, c)["config.json"], &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"host": "db.test", "port": "29080", "cql_port": float64(29042), "localDC": "us-east1", "username": "u",
		"caCertLocation": "./ca.crt", "keyLocation": "./key", "certLocation": "./cert", "csvLocation": "./data",
		"keyStoreLocation": "./identity.jks", "keyStorePassword": "keystore-password",
		"trustStoreLocation": "./trustStore.jks", "trustStorePassword": "truststore-password", "pfxCertPassword": "pfx-password",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPasswordsAreRandomByDefault(t *testing.T) {
	t.Parallel()
	c := contents(t, pki.ECDSA)
	c.KeyStorePassword, c.TrustStorePassword, c.PFXPassword = "", "", ""
	var got struct{ KeyStorePassword, TrustStorePassword, PFXCertPassword string }
	if err := json.Unmarshal(files(t, c)["config.json"], &got); err != nil {
		t.Fatal(err)
	}
	all := []string{got.KeyStorePassword, got.TrustStorePassword, got.PFXCertPassword}
	for i, password := range all {
		if len(password) != 17 || slices.Contains(all[:i], password) {
			t.Errorf("passwords %q, want three different ones of 17 characters", all)
		}
	}
}

func TestPEM(t *testing.T) {
	t.Parallel()
	for _, keyType := range []pki.KeyType{pki.ECDSA, pki.RSA, pki.Ed25519} {
		f := files(t, contents(t, keyType))
		if _, err := tls.X509KeyPair(f["cert"], f["key"]); err != nil {
			t.Error(err)
		}
	}
}

func TestCQLSHRC(t *testing.T) {
	t.Parallel()
	got := string(files(t, contents(t, pki.ECDSA))["cqlshrc"])
	want := "[connection]\nhostname = db.test\nport = 29042\nssl = true\n\n" +
		"[ssl]\nvalidate = true\ncertfile = ./ca.crt\nuserkey = ./key\nusercert = ./cert\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Tools of others read our stores; without them the tests of package bundle still do, by the libraries that wrote them.
func TestOtherToolsReadTheStores(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, data := range files(t, contents(t, pki.RSA)) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, command, want string
	}{
		{"keytool identity.jks", "keytool -J-Xshare:auto -list -v -keystore identity.jks -storepass keystore-password", "PrivateKeyEntry"},
		{"keytool trustStore.jks", "keytool -J-Xshare:auto -list -keystore trustStore.jks -storepass truststore-password", "trustedCertEntry"},
		{"keytool cert.pfx", "keytool -J-Xshare:auto -list -storetype PKCS12 -keystore cert.pfx -storepass pfx-password", "PrivateKeyEntry"},
		{"openssl cert.pfx", "openssl pkcs12 -in cert.pfx -passin pass:pfx-password -nodes", "BEGIN PRIVATE KEY"},
		{"openssl cert and ca.crt", "openssl verify -purpose sslclient -CAfile ca.crt cert", "cert: OK"},
		{"openssl key", "openssl pkey -in key -check -noout", "Key is valid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(test.command)
			if _, err := exec.LookPath(args[0]); err != nil {
				t.Skip(err)
			}
			command := exec.Command(args[0], args[1:]...)
			command.Dir = dir
			out, err := command.CombinedOutput()
			if err != nil || !strings.Contains(string(out), test.want) {
				t.Errorf("%v, output without %q:\n%s", err, test.want, out)
			}
		})
	}
}
