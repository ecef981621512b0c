package bundle_test

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// findings returns what Verify finds, one text each.
func findings(t testing.TB, b *bundle.Bundle) []string {
	t.Helper()
	err := b.Verify()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T is no list of findings: %v", err, err)
	}
	var texts []string
	for _, finding := range joined.Unwrap() {
		var e *bundle.Error
		if !errors.As(finding, &e) || e.Entry == "" {
			t.Errorf("finding without an entry: %v", finding)
		}
		texts = append(texts, finding.Error())
	}
	noSecrets(t, err.Error())
	return texts
}

func TestVerifyFixture(t *testing.T) {
	t.Parallel()
	b := must[*bundle.Bundle](t)(bundle.Parse(fixture(t)))
	if time.Now().After(b.Certificate().NotAfter) {
		t.Skip("the fixture has expired")
	}
	if err := b.Verify(); err != nil {
		t.Error(err)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	all, c := files(t), contents()
	otherAuthority := must[*pki.Authority](t)(pki.NewAuthority("other", pki.ECDSA))
	otherClient := must[*pki.KeyPair](t)(sharedAuthority().Issue(pki.Leaf{CommonName: "other", Client: true}))
	stranger := must[*pki.KeyPair](t)(otherAuthority.Issue(pki.Leaf{CommonName: "stranger", Client: true}))
	server := must[*pki.KeyPair](t)(sharedAuthority().Issue(pki.Leaf{CommonName: "server", Server: true}))
	jks := func(pair *pki.KeyPair, more ...*x509.Certificate) []byte {
		return must[[]byte](t)(scb.IdentityJKS(pair.Key, append([]*x509.Certificate{pair.Certificate}, more...), c.KeyStorePassword))
	}
	pfx := func(pair *pki.KeyPair, more ...*x509.Certificate) []byte {
		return must[[]byte](t)(pkcs12.Modern2023.Encode(pair.Key, pair.Certificate, more, c.PFXPassword))
	}
	trust := func(certs ...*x509.Certificate) []byte {
		return must[[]byte](t)(scb.TrustStoreJKS(certs, c.TrustStorePassword))
	}
	ini := func(old, new string) []byte { return []byte(strings.Replace(string(all["cqlshrc"]), old, new, 1)) }
	damaged := func(name string) map[string][]byte { return map[string][]byte{name: []byte("garbage")} }

	for name, test := range map[string]struct {
		changes map[string][]byte
		want    []string // one part of each finding, in order
	}{
		"all is well":                          {nil, nil},
		"only what connecting needs":           {map[string][]byte{"cqlshrc": nil, "cert.pfx": nil, "identity.jks": nil, "trustStore.jks": nil}, nil},
		"several authorities everywhere":       {map[string][]byte{"ca.crt": append(otherAuthority.CertPEM(), sharedAuthority().CertPEM()...), "trustStore.jks": trust(c.CA, otherAuthority.Certificate())}, nil},
		"identity.jks with the authority":      {map[string][]byte{"identity.jks": jks(sharedClient(), c.CA)}, nil},
		"identity.jks damaged":                 {damaged("identity.jks"), []string{"identity.jks: is neither"}},
		"identity.jks with another password":   {map[string][]byte{"config.json": config(t, map[string]any{"keyStorePassword": "wrong"})}, []string{"identity.jks: wrong password"}},
		"identity.jks without a password":      {map[string][]byte{"config.json": config(t, map[string]any{"keyStorePassword": nil})}, []string{"identity.jks: wrong password"}},
		"identity.jks of another":              {map[string][]byte{"identity.jks": jks(otherClient)}, []string{"identity.jks: has another client certificate"}},
		"identity.jks with another authority":  {map[string][]byte{"identity.jks": jks(sharedClient(), otherAuthority.Certificate())}, []string{"identity.jks: has another authority"}},
		"identity.jks is a trust store":        {map[string][]byte{"identity.jks": must[[]byte](t)(scb.TrustStoreJKS([]*x509.Certificate{c.CA}, c.KeyStorePassword))}, []string{"identity.jks: holds no private key"}},
		"cert.pfx damaged":                     {damaged("cert.pfx"), []string{"cert.pfx: is neither"}},
		"cert.pfx with another password":       {map[string][]byte{"config.json": config(t, map[string]any{"pfxCertPassword": "wrong"})}, []string{"cert.pfx: wrong password"}},
		"cert.pfx of another":                  {map[string][]byte{"cert.pfx": pfx(otherClient)}, []string{"cert.pfx: has another client certificate"}},
		"cert.pfx with another authority":      {map[string][]byte{"cert.pfx": pfx(sharedClient(), otherAuthority.Certificate())}, []string{"cert.pfx: has another authority"}},
		"trustStore.jks damaged":               {damaged("trustStore.jks"), []string{"trustStore.jks: is neither"}},
		"trustStore.jks with another password": {map[string][]byte{"config.json": config(t, map[string]any{"trustStorePassword": "wrong"})}, []string{"trustStore.jks: wrong password"}},
		"trustStore.jks of another":            {map[string][]byte{"trustStore.jks": trust(otherAuthority.Certificate())}, []string{"trustStore.jks: has another authority"}},
		"trustStore.jks with one more":         {map[string][]byte{"trustStore.jks": trust(c.CA, otherAuthority.Certificate())}, []string{"trustStore.jks: has another authority"}},
		"trustStore.jks with one less":         {map[string][]byte{"ca.crt": append(otherAuthority.CertPEM(), sharedAuthority().CertPEM()...)}, []string{"trustStore.jks: has another authority"}},
		"trustStore.jks empty":                 {map[string][]byte{"trustStore.jks": trust()}, []string{"trustStore.jks: holds no certificate"}},
		"certificate by another authority":     {map[string][]byte{"cert": stranger.CertPEM(), "key": stranger.KeyPEM(), "identity.jks": nil, "cert.pfx": nil}, []string{"cert: no authority of the bundle has signed it"}},
		"certificate of a server":              {map[string][]byte{"cert": server.CertPEM(), "key": server.KeyPEM(), "identity.jks": nil, "cert.pfx": nil}, []string{"cert: no authority of the bundle has signed it for a client"}},
		"key alone, of another":                {map[string][]byte{"cert": nil, "key": otherClient.KeyPEM()}, []string{"key: the private key does not belong"}},
		"key alone, garbage":                   {map[string][]byte{"cert": nil, "key": []byte("garbage")}, []string{"key: has no PEM private key"}},
		"key alone":                            {map[string][]byte{"cert": nil}, nil},
		"cert alone, of another":               {map[string][]byte{"key": nil, "cert": otherClient.CertPEM()}, []string{"cert: has another client certificate"}},
		"cert alone, garbage":                  {map[string][]byte{"key": nil, "cert": []byte("garbage")}, []string{"cert: has no PEM certificate"}},
		"cert alone":                           {map[string][]byte{"key": nil}, nil},
		"cqlshrc with another host":            {map[string][]byte{"cqlshrc": ini(astraHost, "other.test")}, []string{`cqlshrc: hostname is "other.test"`}},
		"cqlshrc with capitals":                {map[string][]byte{"cqlshrc": ini(astraHost, strings.ToUpper(astraHost))}, nil},
		"cqlshrc with another port":            {map[string][]byte{"cqlshrc": ini("29042", "9042")}, []string{"cqlshrc: port is 9042, but cql_port of config.json is 29042"}},
		"cqlshrc with a port that is none":     {map[string][]byte{"cqlshrc": ini("29042", "x")}, []string{"cqlshrc: has no valid port"}},
		"cqlshrc, and config without CQL port": {map[string][]byte{"config.json": config(t, map[string]any{"cql_port": nil})}, nil},
		"cqlshrc with other files":             {map[string][]byte{"cqlshrc": ini("./ca.crt", "/etc/ca.crt")}, []string{`cqlshrc: certfile is "/etc/ca.crt", not ./ca.crt`}},
		"cqlshrc with swapped files":           {map[string][]byte{"cqlshrc": []byte(strings.NewReplacer("./key", "./cert", "./cert", "./key").Replace(string(all["cqlshrc"])))}, []string{"cqlshrc: userkey", "cqlshrc: usercert"}},
		"cqlshrc empty":                        {map[string][]byte{"cqlshrc": {}}, []string{"cqlshrc: has no hostname", "cqlshrc: has no valid port"}},
		"cqlshrc with comments and spaces":     {map[string][]byte{"cqlshrc": []byte("; comment\r\n[connection]\r\n# port = 1\r\n HOSTNAME=" + astraHost + "\r\nport =29042\r\n[ui]\r\ncolor = on\r\n")}, nil},
		"many at once": {
			map[string][]byte{"cert.pfx": []byte("garbage"), "identity.jks": jks(otherClient), "trustStore.jks": {}, "cqlshrc": ini("29042", "1")},
			[]string{"identity.jks", "cert.pfx", "trustStore.jks", "cqlshrc"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := findings(t, parse(t, with(all, test.changes)))
			if !slices.EqualFunc(got, test.want, strings.Contains) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Entries that connecting does not need are unpacked only by Verify, which is when it shows that they are damaged.
func TestVerifyUnpacksEverything(t *testing.T) {
	t.Parallel()
	all := files(t)
	for _, name := range []string{"identity.jks", "trustStore.jks", "cert.pfx", "cqlshrc"} {
		entry := storedEntry(name, all[name])
		entry.CRC32++
		packed := rawZip(t, with(all, map[string][]byte{name: nil}), entry)
		b, same := must[*bundle.Bundle](t)(bundle.Parse(packed)), must[*bundle.Bundle](t)(bundle.Parse(packed))
		if got := findings(t, b); len(got) != 1 || !strings.Contains(got[0], name+": cannot be unpacked") {
			t.Errorf("%s: %q", name, got)
		}
		if name == "cqlshrc" && b.CQLSHRC() != nil {
			t.Error("CQLSHRC returns what cannot be unpacked")
		}
		if b.Equal(same) || !b.Equal(b) {
			t.Error("a damaged bundle has another as its equal, or is not its own")
		}
	}
}

// In the bubble it is the year 2000.
func TestVerifyDates(t *testing.T) {
	t.Parallel()
	sharedClient() // made outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		authority := must[*pki.Authority](t)(pki.NewAuthority("ca.test", pki.ECDSA))
		client := must[*pki.KeyPair](t)(authority.Issue(pki.Leaf{CommonName: "client", Client: true}))
		p := parts()
		p.CA, p.Certificate = authority.CertPEM(), client.CertPEM()
		b := must[*bundle.Bundle](t)(bundle.FromParts(p, client.KeyPEM()))
		check := func(want ...string) {
			t.Helper()
			got := findings(t, b)
			if !slices.EqualFunc(got, want, strings.Contains) {
				t.Errorf("in %v: got %q, want %q", time.Now(), got, want)
			}
			if err := b.Verify(); err != nil && !expired(err) {
				t.Errorf("%v is no x509.CertificateInvalidError", err)
			}
		}
		check()
		time.Sleep(2 * 365 * 24 * time.Hour)
		check("cert: download the bundle again: x509: certificate has expired or is not yet valid: valid until 2000-12-31")
		time.Sleep(10 * 365 * 24 * time.Hour)
		check("cert: download", "ca.crt: download the bundle again: x509: certificate has expired or is not yet valid: valid until 2010-01-01")
	})
	earlier := must[*pki.KeyPair](t)(sharedAuthority().Issue(pki.Leaf{
		CommonName: "client", Client: true, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
	}))
	p := parts()
	p.Certificate = earlier.CertPEM()
	if err := must[*bundle.Bundle](t)(bundle.FromParts(p, earlier.KeyPEM())).Verify(); err != nil {
		t.Errorf("dated before its authority: %v", err)
	}
	future := time.Now().AddDate(1, 0, 0)
	client := must[*pki.KeyPair](t)(sharedAuthority().Issue(pki.Leaf{CommonName: "client", Client: true, NotBefore: future}))
	p.Certificate = client.CertPEM()
	b := must[*bundle.Bundle](t)(bundle.FromParts(p, client.KeyPEM()))
	if got := findings(t, b); len(got) != 1 || !strings.Contains(got[0], "cert: is the clock right?") {
		t.Errorf("not yet valid: %q", got)
	}
}

// As in the Python driver's test bundle: both have expired, the authority first. That it once signed the certificate still holds.
func TestVerifyWhereEverythingExpired(t *testing.T) {
	t.Parallel()
	var b *bundle.Bundle
	sharedClient()                        // made outside of the bubble
	synctest.Test(t, func(t *testing.T) { // in the year 2000
		authority := must[*pki.Authority](t)(pki.NewAuthority("ca.test", pki.ECDSA))
		client := must[*pki.KeyPair](t)(authority.Issue(pki.Leaf{CommonName: "client", Client: true, NotAfter: time.Now().AddDate(15, 0, 0)}))
		p := parts()
		p.CA, p.Certificate = authority.CertPEM(), client.CertPEM()
		b = must[*bundle.Bundle](t)(bundle.FromParts(p, client.KeyPEM()))
	})
	want := []string{"valid until 2015-01-01", "valid until 2010-01-01"}
	if got := findings(t, b); !slices.EqualFunc(got, want, strings.Contains) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVerifyNamesTheEntryThatTheCertificateIsFrom(t *testing.T) {
	t.Parallel()
	old := time.Date(2019, 6, 18, 0, 0, 0, 0, time.UTC)
	client := must[*pki.KeyPair](t)(sharedAuthority().Issue(pki.Leaf{CommonName: "client", Client: true, NotBefore: old, NotAfter: old.AddDate(1, 0, 0)}))
	jks := must[[]byte](t)(scb.IdentityJKS(client.Key, []*x509.Certificate{client.Certificate}, contents().KeyStorePassword))
	b := parse(t, map[string][]byte{"config.json": config(t, nil), "ca.crt": sharedAuthority().CertPEM(), "identity.jks": jks})
	for _, finding := range findings(t, b) {
		if !strings.Contains(finding, "identity.jks: ") {
			t.Error(finding)
		}
	}
}
