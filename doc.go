// Package astrago is the root of a module that connects gocql to Astra DB and keeps it connected. It exports nothing. Start with package astra:
//
//	tok, err := token.Parse(os.Getenv("ASTRA_DB_APPLICATION_TOKEN"))
//	b, err := bundle.Load("secure-connect-mydb.zip")
//	cluster, err := astra.NewCluster(ctx, astra.Config{Bundle: b, Token: tok})
//	session, err := astra.Connect(ctx, cluster)
//
// The packages, each of use without those after it:
//
//   - token: what Astra issues to programs, and where it is kept.
//   - bundle: Secure Connect Bundles, which tell where a database is and prove who both sides are.
//   - devops: the DevOps API: from a database's name to its bundle, and the life of a token.
//   - astra: all of it combined, for gocql. Only this package imports gocql.
//   - astra/astratest: an Astra in the process, for tests of programs that use any of these.
//
// The examples folder has programs to run, one story each.
package astrago
