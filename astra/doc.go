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
// # Short-lived processes
//
// A function that a platform starts, freezes and thaws needs no configuration of its own: a session opens with one request to the metadata service and
// one connection to each node beside the control connection, and the first row waits for two of these, not for all. Open the session once for
// each process and keep it, as an example of [Connect] does; the platform's time-out belongs in the context. After a thaw, connections that
// died meanwhile are found by the first statement where the proxy has closed them, and within 10.5 seconds where it has not said so.
// ClusterConfig.Timeout of a second or two ends a statement earlier.
//
// # Speed
//
// Requests that come together leave in one write, and statements that come together go to one node. docs/performance.md has what that gains
// and what every setting does. Two settings are a program's own choice: GOGC=400 gains up to a fifth of the rate for memory, and
// ClusterConfig.Timeout of zero as much, but then only its context ends a statement that a node leaves without an answer.
//
// # Limits of gocql
//
// Two of gocql v2.1.2's ways cannot be mended from outside. A statement that is being prepared on a node for the first time, when the connection to
// that node ends, may fail with context.Canceled although its own context has not ended, and is not repeated. And Session.Close waits for a
// control connection that is just being made anew: for as long as dials take, and if it comes about, for good. A Dialer ends such attempts when
// it sees that a session closes the connections of its pools. Where no pool has one, as in an outage, it sees nothing: there, call Close from a
// goroutine of its own if the program must end in time.
package astra
