//go:build integration

package conformance

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/process"
)

// TestIntegrationPFX has openssl read cert.pfx with the password in config.json, as the C# driver does without openssl.
func TestIntegrationPFX(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skip("SKIPPED, cert.pfx was not read by another program: ", err)
		}
		t.Fatal(err)
	}
	for name, options := range map[string][]astratest.Option{"ECDSA": nil, "RSA": {astratest.RSA()}} {
		t.Run(name, func(t *testing.T) {
			s := astratest.NewServer(options...)
			defer s.Close()
			folder := t.TempDir()
			unpack(t, s.BundleZip(), folder)
			data, err := os.ReadFile(filepath.Join(folder, "config.json"))
			if err != nil {
				t.Fatal(err)
			}
			var config struct{ PFXCertPassword string }
			if err := json.Unmarshal(data, &config); err != nil || config.PFXCertPassword == "" {
				t.Fatalf("no pfxCertPassword in config.json (%v)", err)
			}
			pem := func(password string) ([]byte, error) {
				return process.Run(t.Context(), exec.Command(openssl, "pkcs12", "-in", filepath.Join(folder, "cert.pfx"), "-nodes", "-passin", "pass:"+password))
			}
			both, err := pem(config.PFXCertPassword)
			if err != nil {
				t.Fatalf("%v\n%s", err, both)
			}
			pair, err := tls.X509KeyPair(both, both)
			if err != nil {
				t.Fatal(err)
			}
			want, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert"), filepath.Join(folder, "key"))
			if err != nil {
				t.Fatal(err)
			}
			if !pair.Leaf.Equal(want.Leaf) {
				t.Errorf("the certificate in cert.pfx is that of %v, want %v", pair.Leaf.Subject, want.Leaf.Subject)
			}
			if out, err := pem("wrong"); err == nil {
				t.Errorf("a wrong password opens cert.pfx:\n%s", out)
			}
		})
	}
}
