package bundle_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"

	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/pki"
	"github.com/seed-5f06b232/astra-go/internal/scb"
)

// exampleZip is a bundle of a database that does not exist.
func exampleZip() []byte {
	files, err := scb.Files(contents())
	if err != nil {
		log.Fatal(err)
	}
	zip, err := scb.Zip(files)
	if err != nil {
		log.Fatal(err)
	}
	return zip
}

func ExampleLoad() {
	_, err := bundle.Load("secure-connect-shop.zip") // or a directory
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Println("download it from Astra first")
	}
	// Output: download it from Astra first
}

func ExampleParse() {
	// The zip, or base64 text of it, as it is kept in environment variables.
	b, err := bundle.Parse(exampleZip())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("database:", b.DatabaseID())
	fmt.Println("region:  ", b.Region())
	fmt.Println("keyspace:", b.Keyspace())
	fmt.Println("metadata:", b.MetadataURL())
	// Output:
	// database: 0123abcd-0123-4567-89ab-0123456789ab
	// region:   us-east1
	// keyspace: shop
	// metadata: https://0123abcd-0123-4567-89ab-0123456789ab-us-east1.db.astra.datastax.com:29080/metadata
}

func ExampleParse_error() {
	_, err := bundle.Parse([]byte("<!DOCTYPE html><html>Please sign in</html>"))
	fmt.Println(err)
	// Output: bundle: is an HTML page: the download needs a login, or its link has expired: download the bundle again
}

func ExampleFromParts() {
	authority, err := pki.NewAuthority("example", pki.ECDSA)
	if err != nil {
		log.Fatal(err)
	}
	client, err := authority.Issue(pki.Leaf{CommonName: "client", Client: true})
	if err != nil {
		log.Fatal(err)
	}
	b, err := bundle.FromParts(bundle.Parts{
		Host:        "db.example.com",
		Port:        29080,
		CA:          authority.CertPEM(), // from where they are kept
		Certificate: client.CertPEM(),
	}, client.KeyPEM())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(b.MetadataURL())
	// Output: https://db.example.com:29080/metadata
}

func ExampleBundle_Verify() {
	b, err := bundle.Parse(exampleZip())
	if err != nil {
		log.Fatal(err)
	}
	if err := b.Verify(); err != nil {
		log.Fatal(err) // one line a finding
	}
	fmt.Println("all entries agree")
	// Output: all entries agree
}

func ExampleBundle_TLSConfig() {
	b, err := bundle.Parse(exampleZip())
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: b.TLSConfig()}}
	_ = client // client.Get(b.MetadataURL())
	fmt.Println("TLS for", b.TLSConfig().ServerName)
	// Output: TLS for 0123abcd-0123-4567-89ab-0123456789ab-us-east1.db.astra.datastax.com
}

func ExampleBundle_NodeTLSConfig() {
	b, err := bundle.Parse(exampleZip())
	if err != nil {
		log.Fatal(err)
	}
	config := b.NodeTLSConfig(bundle.Node{
		HostID:    "6ef2bb2b-7da5-4d6c-9a4f-6e4d6d2f0a11", // as the metadata service states both
		ProxyHost: b.Host(),
	})
	_ = tls.Client(nil, config) // over a connection to the proxy
	fmt.Println("server name:", config.ServerName)
	// Output: server name: 6ef2bb2b-7da5-4d6c-9a4f-6e4d6d2f0a11
}

func ExampleFile() {
	file, err := os.CreateTemp("", "bundle")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	if _, err := io.WriteString(file, string(exampleZip())); err != nil {
		log.Fatal(err)
	}
	source := bundle.File(file.Name()) // a mounted secret, for example
	b, err := source.Current(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	again, err := source.Current(context.Background())
	fmt.Println(b.Region(), b == again, err)
	// Output: us-east1 true <nil>
}
