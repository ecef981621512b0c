// Package astratest is an Astra in the process, for tests: start one with [NewServer], and connect with [Server.Bundle] and [Server.Token].
// It is to a program that uses Astra DB what [net/http/httptest] is to one that uses HTTP.
//
// A [Server] holds what a client of Astra meets, on loopback and with certificates of its own: the metadata service, the SNI proxy, nodes
// that speak CQL's native protocol, the DevOps API, and DNS. It serves any driver that reads a Secure Connect Bundle, in this process or
// another.
//
// # Statements
//
// Simulated nodes know the system tables. They are no database: what they answer to other statements, a test says with [Server.Handle]. With
// the option [Backends], real Cassandra nodes take their place.
//
// # Faults
//
// What Astra does to its clients, a test does by a method, at any time and under load: [Server.ReplaceNodes], [Server.MoveProxy],
// [Server.DropConns], [Server.Stall], [Server.SilenceProxy], [Server.RefuseUnknown], [Server.SetMetadata], [Server.DelayMetadata],
// [Server.SetDNS], [Server.RotateToken], [Server.RotateBundle], [Server.Hibernate] and others. Faults combine.
//
// # Isolation
//
// There is no state outside of a Server, so any number of them may run side by side. All listeners are on loopback, at ports that the system
// chose. The addresses that nodes report lie in 127.0.0.0/8 where nothing listens, so a client that bypasses the proxy fails.
// [Server.Close] waits for every goroutine. Functions of this package panic when they are used wrongly or the system refuses a listener;
// nothing that a client sends makes them panic.
package astratest
