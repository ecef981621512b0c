// Package cql encodes and decodes the native protocol of Apache Cassandra,
// version 4: frame headers, the notations that messages are made of, types
// and values, results, errors and events.
//
// Start with [ParseHeader] for what stands before each message and with
// [NewReader] for what is in it. Functions that write append to a slice, as
// those of package strconv do.
//
// Nothing in this package panics on input, and nothing reads from or writes
// to a connection.
package cql
