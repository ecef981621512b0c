package main

import (
	"archive/zip"
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

var (
	bundleEntries = []string{"ca.crt", "cert", "cert.pfx", "config.json", "cqlshrc", "identity.jks", "key", "trustStore.jks"}
	configFields  = []string{"caCertLocation", "certLocation", "cql_port", "csvLocation", "host", "keyLocation", "keyStoreLocation", "keyStorePassword", "keyspace",
		"localDC", "password", "pfxCertPassword", "port", "trustStoreLocation", "trustStorePassword", "username"}
)

func (r *recorder) lookAtBundle() {
	archive, err := zip.NewReader(bytes.NewReader(r.bundle.Zip()), int64(len(r.bundle.Zip())))
	if err != nil {
		return // it was not read from a zip
	}
	var config []byte
	var there []string
	for _, f := range archive.File {
		there = append(there, f.Name)
		if f.Name == "config.json" {
			config = contentOf(f)
		}
	}
	lacks, more := compare(there, bundleEntries)
	r.note("bundle-entries", len(lacks) == 0 && len(more) == 0, "%d entries%s%s", len(there), list(", it lacks ", lacks), list(", further ones: ", r.plainAll(more)))

	fields := make(map[string]json.RawMessage)
	if err := json.Unmarshal(config, &fields); err != nil {
		r.unseen("bundle-config", "config.json is not at the root of the zip")
	} else {
		there = there[:0]
		for name := range fields {
			there = append(there, name)
		}
		slices.Sort(there)
		_, more := compare(there, configFields)
		r.note("bundle-config", fields["host"] != nil && fields["port"] != nil, "fields %s%s", strings.Join(slices.DeleteFunc(there, func(name string) bool {
			return slices.Contains(more, name)
		}), ", "), list(", further ones: ", r.plainAll(more)))
	}

	cert := r.bundle.Certificate()
	years := cert.NotAfter.Sub(time.Now()).Hours() / 24 / 365
	seen := fmt.Sprintf("client certificate: X.509 version %d, %s, valid for %.1f more years", cert.Version, keyOf(cert), years)
	if err := r.bundle.Verify(); err != nil {
		seen += "; " + r.names.words(err.Error())
		r.note("bundle-certificates", false, "%s", seen)
	} else {
		r.note("bundle-certificates", true, "%s", seen)
	}
}

func contentOf(f *zip.File) []byte {
	const most = 64 << 10
	opened, err := f.Open()
	if err != nil {
		return nil
	}
	defer opened.Close()
	content, err := io.ReadAll(io.LimitReader(opened, most))
	if err != nil {
		return nil
	}
	return content
}

func keyOf(cert *x509.Certificate) string {
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		return fmt.Sprintf("RSA key of %d bits", key.N.BitLen())
	}
	return cert.PublicKeyAlgorithm.String() + " key"
}

// compare returns what is wanted and not there, and what is there and not wanted.
func compare(there, wanted []string) (lacks, more []string) {
	for _, name := range wanted {
		if !slices.Contains(there, name) {
			lacks = append(lacks, name)
		}
	}
	for _, name := range there {
		if !slices.Contains(wanted, name) {
			more = append(more, name)
		}
	}
	return lacks, more
}

// list joins items, and is empty if there is none.
func list(before string, items []string) string {
	if len(items) == 0 {
		return ""
	}
	return before + strings.Join(items, ", ")
}

func (r *recorder) plainAll(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = r.names.plain(name)
	}
	return out
}
