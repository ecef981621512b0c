package astratest_test

import (
	"context"
	"fmt"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

func ExampleServer_Handle() {
	server := astratest.NewServer(astratest.Keyspace("shop"))
	defer server.Close()
	server.Handle("SELECT name FROM items WHERE id = ?", astratest.Statement{
		Params:       []astratest.Column{{Name: "id", Type: "int"}},
		PartitionKey: []int{0},
		Columns:      []astratest.Column{{Name: "name", Type: "text"}},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			if r.Values[0] == int32(7) {
				return &astratest.Result{Rows: [][]any{{"seven"}}}, nil
			}
			return nil, &astratest.Error{Code: 0x1200, Message: "too late", Required: 2, Received: 1} // a read time-out
		},
	})

	ctx := context.Background()
	cluster, err := astra.NewCluster(ctx, astra.Config{Bundle: server.Bundle(), Token: server.Token(), Keyspace: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := astra.Connect(ctx, cluster)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	var name string
	err = session.Query("SELECT name FROM items WHERE id = ?", 7).Scan(&name)
	fmt.Println(name, err)
	err = session.Query("SELECT name FROM items WHERE id = ?", 8).Scan(&name)
	fmt.Println(err)

	// Output:
	// seven <nil>
	// too late
}

func ExampleServer_DefineSchema() {
	server := astratest.NewServer(astratest.Keyspace("shop"))
	defer server.Close()
	server.DefineSchema(`
		CREATE TYPE address (street text, zip int);
		CREATE TABLE orders (customer int, at timestamp, ship_to frozen<address>, PRIMARY KEY (customer, at));
	`)

	ctx := context.Background()
	cluster, err := astra.NewCluster(ctx, astra.Config{Bundle: server.Bundle(), Token: server.Token()})
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := astra.Connect(ctx, cluster)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	iter := session.Query("SELECT column_name, kind, type FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?", "shop", "orders").Iter()
	var name, kind, typ string
	for iter.Scan(&name, &kind, &typ) {
		fmt.Println(name, kind, typ)
	}
	if err := iter.Close(); err != nil {
		fmt.Println(err)
	}

	// Output:
	// at clustering timestamp
	// customer partition_key int
	// ship_to regular frozen<address>
}

func ExampleServer_ReplaceNodes() {
	server := astratest.NewServer()
	defer server.Close()
	before := server.Nodes()
	added := server.ReplaceNodes(astratest.Replacement{Nodes: []int{1}})
	after := server.Nodes()
	fmt.Println(len(added), "new node;", after[0] == before[0], after[1] == added[0], after[2] == before[2])
	// Output:
	// 1 new node; true true true
}
