// Package astra connects gocql to Astra DB. Start with [NewCluster] and [Connect]:
//
//	cluster, err := astra.NewCluster(ctx, astra.Config{Bundle: b, Token: t})
//	cluster.Timeout = 5 * time.Second // a plain *gocql.ClusterConfig: tune it as usual
//	session, err := astra.Connect(ctx, cluster)
//
// Astra's nodes are behind one SNI proxy for each region, and Astra replaces them, moves the proxy, and puts a database to sleep
// whenever it likes. What gocql needs to survive that is here: [Dialer] finds the nodes anew through the metadata service, and the
// host selection policy that NewCluster sets knows nodes by their host IDs and has statements wait a moment when there is
// no connection at all. [Config] has a table of all defaults.
//
// # Limits of gocql
//
// Two of gocql v2.1.2's ways cannot be mended from outside. A statement that is being prepared on a node for the first time, when the connection to
// that node ends, may fail with context.Canceled although its own context has not ended, and is not repeated. And Session.Close may wait for
// the control connection where that is just being made anew: for as long as dials take, and, if it comes at the very moment in which that
// connection is ready, for good; call it from a goroutine of its own where a program must end in time.
package astra
