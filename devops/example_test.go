package devops_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/token"
)

// From the name of a database to its bundle.
func ExampleClient_DownloadBundle() {
	server := astratest.NewServer() // in a program: Astra itself, with an empty BaseURL
	defer server.Close()
	client, err := devops.NewClient(devops.Config{Token: server.Token(), BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	zip, err := client.DownloadBundle(context.Background(), "testdb", devops.BundleQuery{})
	fmt.Println(bytes.Equal(zip, server.BundleZip()), err)

	_, err = client.DownloadBundle(context.Background(), "testdb", devops.BundleQuery{Region: "mars-north1"})
	fmt.Println(errors.Is(err, devops.ErrNotFound))
	// Output:
	// true <nil>
	// true
}

func ExampleClient_Databases() {
	server := astratest.NewServer()
	defer server.Close()
	client, err := devops.NewClient(devops.Config{Token: server.Token(), BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	for db, err := range client.Databases(context.Background(), devops.ListOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(db.Name, db.Status, db.Regions())
	}
	// Output:
	// testdb ACTIVE [us-east1]
}

// A database that nobody used for two days hibernates. A program that may wake it does so, and waits.
func ExampleClient_WaitActive() {
	server := astratest.NewServer()
	defer server.Close()
	server.Hibernate()
	client, err := devops.NewClient(devops.Config{Token: server.Token(), BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	_, err = client.WaitActive(ctx, "testdb", nil)
	var status *devops.StatusError
	if errors.As(err, &status) && status.Status.Asleep() {
		fmt.Println(status.Status)
		if err := client.Resume(ctx, "testdb"); err != nil {
			fmt.Println(err)
			return
		}
		_, err = client.WaitActive(ctx, "testdb", func(db *devops.Database) { fmt.Println(db.Status) })
	}
	fmt.Println(err)
	// Output:
	// HIBERNATED
	// RESUMING
	// ACTIVE
	// <nil>
}

func ExampleClient_RotateToken() {
	server := astratest.NewServer()
	defer server.Close()
	client, err := devops.NewClient(devops.Config{Token: server.Token(), BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	old, err := client.CreateToken(ctx, devops.TokenRequest{Roles: []string{"R/W User"}, Description: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	current, err := client.RotateToken(ctx, old.ClientID(), devops.TokenRequest{}, func(ctx context.Context, t token.Token) error {
		return nil // write it where the programs read it, and wait until they do
	})
	fmt.Println(err, current.Equal(old))
	fmt.Println(errors.Is(client.DeleteToken(ctx, old.ClientID()), devops.ErrNotFound))
	// Output:
	// <nil> false
	// true
}
