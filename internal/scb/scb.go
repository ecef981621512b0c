// Package scb writes Secure Connect Bundles as Astra does: eight entries that agree with each other, and the zip around them. Start with [Files]
// and [Zip]. It serves the simulator, tests and examples; package bundle, which reads what it writes, packs with Zip too.
package scb

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// Contents is what a bundle says. Host, Port, CA, Certificate and Key are required.
type Contents struct {
	Host     string
	Port     int // of the metadata service
	CQLPort  int // of the SNI proxy; zero: config.json has no such field and cqlshrc shows Port
	Keyspace string
	LocalDC  string

	CA          *x509.Certificate
	Certificate *x509.Certificate
	Key         crypto.Signer

	// Empty: a random one.
	KeyStorePassword, TrustStorePassword, PFXPassword string

	// ExtraConfig is added to config.json and replaces fields of the same name; a nil value removes one.
	ExtraConfig map[string]any
}

// Files returns the eight entries of a bundle by name.
func Files(c Contents) (map[string][]byte, error) {
	for _, password := range []*string{&c.KeyStorePassword, &c.TrustStorePassword, &c.PFXPassword} {
		if *password == "" {
			*password = randomPassword()
		}
	}
	config, err := configJSON(c)
	if err != nil {
		return nil, fmt.Errorf("scb: config.json: %w", err)
	}
	key, err := keyPEM(c.Key)
	if err != nil {
		return nil, fmt.Errorf("scb: key: %w", err)
	}
	pfx, err := pkcs12.Modern2023.Encode(c.Key, c.Certificate, []*x509.Certificate{c.CA}, c.PFXPassword)
	if err != nil {
		return nil, fmt.Errorf("scb: cert.pfx: %w", err)
	}
	identity, err := IdentityJKS(c.Key, []*x509.Certificate{c.Certificate}, c.KeyStorePassword)
	if err != nil {
		return nil, fmt.Errorf("scb: identity.jks: %w", err)
	}
	trust, err := TrustStoreJKS([]*x509.Certificate{c.CA}, c.TrustStorePassword)
	if err != nil {
		return nil, fmt.Errorf("scb: trustStore.jks: %w", err)
	}
	return map[string][]byte{
		"ca.crt":         pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.CA.Raw}),
		"cert":           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate.Raw}),
		"cert.pfx":       pfx,
		"config.json":    config,
		"cqlshrc":        cqlshrc(c),
		"identity.jks":   identity,
		"key":            key,
		"trustStore.jks": trust,
	}, nil
}

// Zip packs files in the order of their names, which it takes as they are. The same files give the same bytes.
func Zip(files map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entry, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err != nil {
			return nil, fmt.Errorf("scb: %s: %w", name, err)
		}
		if _, err := entry.Write(files[name]); err != nil {
			return nil, fmt.Errorf("scb: %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("scb: %w", err)
	}
	return out.Bytes(), nil
}

// IdentityJKS writes a Java key store with one private key, whose password is the store's, and the chain of its certificate, leaf first.
func IdentityJKS(key crypto.Signer, chain []*x509.Certificate, password string) ([]byte, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	entry := keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: pkcs8}
	for _, cert := range chain {
		entry.CertificateChain = append(entry.CertificateChain, keystore.Certificate{Type: "X.509", Content: cert.Raw})
	}
	store := keystore.New()
	if err := store.SetPrivateKeyEntry("cert", entry, []byte(password)); err != nil {
		return nil, err
	}
	return storeJKS(store, password)
}

// TrustStoreJKS writes a Java key store that trusts certs.
func TrustStoreJKS(certs []*x509.Certificate, password string) ([]byte, error) {
	store := keystore.New(keystore.WithOrderedAliases())
	for i, cert := range certs {
		entry := keystore.TrustedCertificateEntry{
			CreationTime: time.Now(),
			Certificate:  keystore.Certificate{Type: "X.509", Content: cert.Raw},
		}
		if err := store.SetTrustedCertificateEntry(fmt.Sprintf("ca%d", i), entry); err != nil {
			return nil, err
		}
	}
	return storeJKS(store, password)
}

func storeJKS(store keystore.KeyStore, password string) ([]byte, error) {
	var out bytes.Buffer
	if err := store.Store(&out, []byte(password)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// configJSON writes the fields in the order and with the names of real bundles.
func configJSON(c Contents) ([]byte, error) {
	type field struct {
		name  string
		value any
	}
	fields := []field{{"host", c.Host}, {"port", c.Port}}
	if c.CQLPort != 0 {
		fields = append(fields, field{"cql_port", c.CQLPort})
	}
	fields = append(fields,
		field{"keyspace", c.Keyspace},
		field{"localDC", c.LocalDC},
		field{"caCertLocation", "./ca.crt"},
		field{"keyLocation", "./key"},
		field{"certLocation", "./cert"},
		field{"keyStoreLocation", "./identity.jks"},
		field{"keyStorePassword", c.KeyStorePassword},
		field{"trustStoreLocation", "./trustStore.jks"},
		field{"trustStorePassword", c.TrustStorePassword},
		field{"csvLocation", "./data"},
		field{"pfxCertPassword", c.PFXPassword},
	)
	for _, name := range slices.Sorted(maps.Keys(c.ExtraConfig)) {
		fields = slices.DeleteFunc(fields, func(f field) bool { return f.name == name })
		if value := c.ExtraConfig[name]; value != nil {
			fields = append(fields, field{name, value})
		}
	}
	var out bytes.Buffer
	for i, f := range fields {
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", f.name, err)
		}
		separator := ","
		if i == 0 {
			separator = "{"
		}
		fmt.Fprintf(&out, "%s\n  %q: %s", separator, f.name, value)
	}
	out.WriteString("\n}\n")
	return out.Bytes(), nil
}

// cqlshrc is the file for the cqlsh tool, which connects to the CQL port and not to the metadata service.
func cqlshrc(c Contents) []byte {
	port := c.CQLPort
	if port == 0 {
		port = c.Port
	}
	return fmt.Appendf(nil, `[connection]
hostname = %s
port = %d
ssl = true

[ssl]
validate = true
certfile = ./ca.crt
userkey = ./key
usercert = ./cert
`, c.Host, port)
}

// keyPEM uses PKCS#1 for RSA, as real bundles do, and PKCS#8 for the rest.
func keyPEM(key crypto.Signer) ([]byte, error) {
	if key, ok := key.(*rsa.PrivateKey); ok {
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// randomPassword has the length of those in real bundles.
func randomPassword() string { return rand.Text()[:17] }
