// Package recording tells what real Apache Cassandra nodes answered to a list of requests, so that simulated nodes can be asked the
// same and compared. Start with [Read] and [Exchange.Run].
//
// What differs from one cluster to the next (identifiers, addresses, ports, tokens, times) is written as a word in angle
// brackets: see [Answer].
package recording

import (
	"encoding/json"
	"fmt"
)

// Recording is the content of a recording's file.
type Recording struct {
	Cassandra     string // version
	Conversations []Conversation
	Events        []Event
	Tables        map[string]map[string]Table // by keyspace and table
}

// Conversation is what was said on one connection, which ended with it.
type Conversation struct {
	Name      string
	Exchanges []Exchange
}

// Exchange is one request and its answer.
type Exchange struct {
	Request Request
	Answer  Answer
}

// Event is what clients that had registered for all events were told.
type Event struct {
	When   string // what was done
	Events []Answer
}

// Table is a table as system_schema describes it.
type Table struct {
	Columns []Column
}

// Column is a column of a table.
type Column struct {
	Name, Type, Kind string
	Position         int    `json:",omitempty"` // within the key; -1 outside of it
	ClusteringOrder  string `json:",omitempty"` // "none" for columns that do not cluster
}

// Read parses a recording's file.
func Read(data []byte) (*Recording, error) {
	var r Recording
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return &r, nil
}

// Request is what was sent. Which fields matter depends on the opcode.
type Request struct {
	Version byte `json:",omitempty"` // default: 4
	Flags   byte `json:",omitempty"`
	Opcode  string

	Options map[string]string `json:",omitempty"` // STARTUP
	// AUTH_RESPONSE: whose; "right" and "wrong" stand for the right and a wrong password of a user that exists, other texts are sent as they are.
	Credentials string   `json:",omitempty"`
	Events      []string `json:",omitempty"` // REGISTER

	Statement    string   `json:",omitempty"` // QUERY, PREPARE
	Unprepared   bool     `json:",omitempty"` // EXECUTE: an ID that the node does not know, not the one of the last PREPARE
	Values       []string `json:",omitempty"` // QUERY, EXECUTE: in hex
	Consistency  string   `json:",omitempty"` // QUERY, EXECUTE, BATCH; default: ONE
	PageSize     int      `json:",omitempty"`
	NextPage     bool     `json:",omitempty"` // with the paging state of the last answer that had one
	SkipMetadata bool     `json:",omitempty"`

	BatchKind byte     `json:",omitempty"`
	Batch     []string `json:",omitempty"` // BATCH: statements without values
}

// Answer is a frame that a node sent, decoded. Which fields are there depends on the opcode.
//
// Words in angle brackets stand for: "<uuid>" and "<timeuuid>", "<address>", "<port>", "<tokens>", "<generation>", "<timestamp>", "<truncations>", a value of that kind
// that differs from cluster to cluster.
type Answer struct {
	Version byte
	Stream  string `json:",omitempty"` // empty: that of the request
	Flags   byte   `json:",omitempty"`
	Opcode  string
	Closed  bool `json:",omitempty"` // the node closed the connection, after this answer or instead of one

	Supported     map[string][]string `json:",omitempty"`
	Authenticator string              `json:",omitempty"`
	Token         string              `json:",omitempty"` // AUTH_SUCCESS: hex, or "null"

	Error *Error `json:",omitempty"`

	Result    string     `json:",omitempty"` // kind: "void", "rows", "set keyspace", "prepared", "schema change"
	Keyspace  string     `json:",omitempty"`
	Event     string     `json:",omitempty"` // kind
	Change    string     `json:",omitempty"` // of a schema change, or of a node's state
	Schema    *Schema    `json:",omitempty"`
	Address   string     `json:",omitempty"` // of an event: "<address>:<port>", whose it was
	Columns   []Field    `json:",omitempty"`
	Bind      []Field    `json:",omitempty"` // of a prepared statement
	KeyIndex  []int      `json:",omitempty"` // of a prepared statement: bind markers of the partition key
	Rows      [][]string `json:",omitempty"`
	MorePages bool       `json:",omitempty"`
	Warnings  []string   `json:",omitempty"`
	Tracing   string     `json:",omitempty"`
}

// Schema is what a schema change is about.
type Schema struct {
	Target, Keyspace string
	Name             string   `json:",omitempty"`
	Arguments        []string `json:",omitempty"` // of a function or aggregate
}

// Error is an ERROR.
type Error struct {
	Code    string // "0x2200"
	Message string
	Fields  map[string]string `json:",omitempty"` // beyond code and message
}

// Field is a column of a result, or a bind marker.
type Field struct {
	Keyspace, Table, Name, Type string
}
