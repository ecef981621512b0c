package astratest_test

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/bundle"
)

func Example() {
	server := astratest.NewServer(astratest.Keyspace("shop"))
	defer server.Close()

	// What a program under test is given: a bundle, as a file's content, and a token.
	b, err := bundle.Parse(server.BundleZip())
	if err != nil {
		fmt.Println(err)
		return
	}
	username, _ := server.Token().CQL()
	fmt.Println(b.Host(), b.Keyspace(), b.LocalDC(), username)

	// What a driver does first.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: b.TLSConfig(), DisableKeepAlives: true}}
	response, err := client.Get(b.MetadataURL())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	var metadata struct {
		ContactInfo struct {
			ContactPoints []string `json:"contact_points"`
		} `json:"contact_info"`
	}
	if err := json.NewDecoder(response.Body).Decode(&metadata); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(metadata.ContactInfo.ContactPoints), "nodes,", server.Stats().MetadataRequests, "metadata request")

	// Output:
	// localhost shop us-east1 token
	// 3 nodes, 1 metadata request
}

func ExampleServer_SetMetadata() {
	server := astratest.NewServer()
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: server.Bundle().TLSConfig(), DisableKeepAlives: true}}

	server.SetMetadata(astratest.MetadataStatus(503))
	response, err := client.Get(server.Bundle().MetadataURL())
	if err != nil {
		fmt.Println(err)
		return
	}
	response.Body.Close()
	fmt.Println(response.Status)

	server.SetMetadata(astratest.MetadataDown)
	_, err = client.Get(server.Bundle().MetadataURL())
	fmt.Println("down:", err != nil)

	// Output:
	// 503 Service Unavailable
	// down: true
}
