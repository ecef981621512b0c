//go:build integration

package conformance

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/token"
)

// gocqlDriver is gocql, connected by this module.
func gocqlDriver(t *testing.T) client {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`cassandra-gocql-driver/v2 v(\S+)`).FindSubmatch(mod)
	if m == nil {
		t.Fatal("go.mod does not name gocql")
	}
	return client{name: "gocql", note: "connected by package astra; the others bring their own support of bundles.", version: string(m[1]), host: "localhost", knowsHostIDs: true, tell: tellGocql}
}

func tellGocql(t *testing.T, d *database, password string, said func(step)) {
	tok, err := token.Parse(password)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := astra.NewCluster(t.Context(), astra.Config{Bundle: d.server.Bundle(), Token: tok})
	if err != nil {
		t.Fatal(err)
	}
	cluster.Timeout = 30 * time.Second
	session, err := astra.Connect(t.Context(), cluster)
	if errors.Is(err, astra.ErrUnauthenticated) {
		said(step{Step: "refused", Error: err.Error()})
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()

	connected := step{Step: "connected", Protocol: cluster.ProtoVersion}
	for _, h := range session.GetHosts() {
		connected.Nodes = append(connected.Nodes, nodeSight{h.HostID(), h.DataCenter(), h.Rack(), strings.TrimPrefix(h.Version().String(), "v"), len(h.Tokens())})
	}
	said(connected)

	meta, err := session.KeyspaceMetadata("conformance")
	if err != nil {
		t.Fatal(err)
	}
	table := meta.Tables["items"]
	columns := make(map[string]any)
	for name, c := range table.Columns {
		columns[name] = c.Validator
	}
	said(step{Step: "schema", Columns: columns, PartitionKey: names(table.PartitionKey), Clustering: names(table.ClusteringColumns)})

	if err := session.Query(insert, 7, 7, "seven").Exec(); err != nil {
		t.Fatal(err)
	}
	iter := session.Query(selectAll, pagedID).PageSize(pageSize).Iter()
	prepared := step{Step: "prepared"}
	var result []any
	for _, c := range iter.Columns() {
		result = append(result, c.Name+" "+typeName(c.TypeInfo))
	}
	prepared.Columns = result
	bound, err := session.StatementMetadata(t.Context(), insert, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range bound.BindColumns {
		prepared.Variables = append(prepared.Variables, c.Name+" "+typeName(c.TypeInfo))
	}
	prepared.Key = bound.PKBindColumnIndexes
	said(prepared)

	paged := step{Step: "paged", Pages: 1}
	var id, c int
	var v string
	for {
		if iter.WillSwitchPage() {
			paged.Pages++
		}
		if !iter.Scan(&id, &c, &v) {
			break
		}
		if c != paged.Rows || v != row(c) {
			t.Errorf("row %d is %d, %q", paged.Rows, c, v)
		}
		paged.Rows++
	}
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}
	said(paged)

	for _, kind := range []gocql.BatchType{gocql.LoggedBatch, gocql.UnloggedBatch} {
		if err := session.Batch(kind).Query(insert, 8, 1, "a").Query(insert, 8, 2, "b").Exec(); err != nil {
			t.Fatal(err)
		}
	}
	said(step{Step: "batched"})

	iter = session.Query(count).Iter()
	said(step{Step: "warned", Warnings: iter.Warnings()})
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}

	read := func() map[string]int {
		served := make(map[string]int)
		for i := range reads {
			iter := session.Query(selectAll, 100+i).Idempotent(true).Iter()
			served[iter.Host().HostID()]++
			if err := iter.Close(); err != nil {
				t.Error(err)
			}
		}
		return served
	}
	said(step{Step: "balanced", Served: read()})
	d.lose()
	time.Sleep(time.Second) // as the other clients
	said(step{Step: "degraded", Served: read()})
}

func names(columns []*gocql.ColumnMetadata) (list []string) {
	for _, c := range columns {
		list = append(list, c.Name)
	}
	return list
}

func typeName(t gocql.TypeInfo) string {
	return map[gocql.Type]string{gocql.TypeInt: "int", gocql.TypeVarchar: "text"}[t.Type()]
}
