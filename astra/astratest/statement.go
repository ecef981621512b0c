package astratest

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// Statement says what simulated nodes answer to one statement.
type Statement struct {
	Params       []Column // the bind markers in their order
	PartitionKey []int    // which of Params form the partition key, in its order; clients need it for token-aware routing
	Columns      []Column // of the result; without any, the result is void

	// Result is the answer to each execution when Func is nil. It is encoded once. Nil is a result without rows.
	Result *Result

	// Func answers one execution, or one page of one, on its own goroutine: it may wait, until [Request.Context] ends at the latest. A
	// batch calls it for each statement in it. An error that is an [*Error] is sent as it is, any other as a server error.
	Func func(*Request) (*Result, error)
}

// Result is an answer. It must not be changed once it was given away.
type Result struct {
	Rows [][]any // values in the order of [Statement.Columns]; see [Type] for what they may be

	// PagingState, if any, tells the client that there is a further page; the client sends it back in the request for that. Leave it
	// empty and give all rows each time to have them divided into pages of the size that the client asks for.
	PagingState []byte

	Warnings []string
	Payload  map[string][]byte // custom payload
}

// Request is one execution of a statement.
type Request struct {
	Node      *Node  // that was asked
	Statement string // as the client wrote it
	Keyspace  string // in use on the connection; may be empty

	Values            []any  // of the bind markers; see [Type]. Nil is null or not set.
	Consistency       string // "LOCAL_QUORUM" and so on
	SerialConsistency string // empty: not set
	PageSize          int    // 0: not set
	PagingState       []byte // of [Result.PagingState]; nil for the first page
	Timestamp         int64  // microseconds; 0: not set
	Batch             bool   // part of a batch
	Payload           map[string][]byte

	ctx context.Context
}

// Context ends when the connection does that the request came by, which includes that its node stops and that the Server is closed.
func (r *Request) Context() context.Context { return r.ctx }

// Error is an error as Cassandra has them. Beside Code and Message, a code has only those of the fields that its meaning needs.
type Error struct {
	Code    int // of the native protocol: 0x1001 is Overloaded, 0x1100 WriteTimeout and so on
	Message string

	Received    int    // Unavailable and timeouts and failures: replicas that answered or are alive
	Required    int    // the same: replicas that had to
	Failures    int    // ReadFailure and WriteFailure
	DataPresent bool   // ReadTimeout and ReadFailure
	WriteType   string // WriteTimeout and WriteFailure: "SIMPLE", the default, "BATCH", "CAS" and so on
	Keyspace    string // AlreadyExists
	Table       string // AlreadyExists
}

// Error returns code and message.
func (e *Error) Error() string { return fmt.Sprintf("CQL error 0x%04X: %s", e.Code, e.Message) }

// protocolError returns the error that a client is sent for err.
func protocolError(err error, consistency cql.Consistency) *cql.Error {
	var e *Error
	if !errors.As(err, &e) {
		var own *cql.Error
		if errors.As(err, &own) {
			return own
		}
		return &cql.Error{Code: cql.CodeServer, Message: err.Error()}
	}
	p := &cql.Error{
		Code: e.Code, Message: e.Message, Consistency: consistency,
		Received: e.Received, Required: e.Required, Failures: e.Failures, DataPresent: e.DataPresent,
		WriteType: e.WriteType, Keyspace: e.Keyspace, Name: e.Table,
	}
	if p.WriteType == "" {
		p.WriteType = "SIMPLE"
	}
	return p
}

// Handle says what simulated nodes answer to a statement, whose text has to be the same but for white space and a semicolon at its end. A
// later call with the same text takes the place of an earlier one. Statements that nodes know by themselves, such as reads of system tables,
// may be handled too. It panics when a type does not exist or an index is out of range.
func (s *Server) Handle(statement string, st Statement) {
	if err := s.cluster.handle(normalize(statement), st); err != nil {
		panic(fmt.Sprintf("astratest: Handle(%q): %v", statement, err))
	}
}
