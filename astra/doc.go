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
package astra
