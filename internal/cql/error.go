package cql

import "fmt"

// Error codes.
const (
	CodeServer          = 0x0000
	CodeProtocol        = 0x000A
	CodeCredentials     = 0x0100
	CodeUnavailable     = 0x1000
	CodeOverloaded      = 0x1001
	CodeBootstrapping   = 0x1002
	CodeTruncate        = 0x1003
	CodeWriteTimeout    = 0x1100
	CodeReadTimeout     = 0x1200
	CodeReadFailure     = 0x1300
	CodeFunctionFailure = 0x1400
	CodeWriteFailure    = 0x1500
	CodeSyntax          = 0x2000
	CodeUnauthorized    = 0x2100
	CodeInvalid         = 0x2200
	CodeConfig          = 0x2300
	CodeAlreadyExists   = 0x2400
	CodeUnprepared      = 0x2500
)

// An Error is the content of an ERROR message. Beside Code and Message, each
// code has only the fields that its line names.
type Error struct {
	Code    int
	Message string

	Consistency Consistency // Unavailable and the timeouts and failures
	Received    int         // the same: replicas that answered or are alive
	Required    int         // the same: replicas that had to
	Failures    int         // ReadFailure, WriteFailure
	DataPresent bool        // ReadTimeout, ReadFailure
	WriteType   string      // WriteTimeout, WriteFailure: "SIMPLE", "BATCH" and so on
	Keyspace    string      // AlreadyExists, FunctionFailure
	Name        string      // the same: the table, empty for a keyspace; the function
	Arguments   []string    // FunctionFailure
	StatementID []byte      // Unprepared
}

// Error returns the code and the message.
func (e *Error) Error() string { return fmt.Sprintf("CQL error 0x%04X: %s", e.Code, e.Message) }

// AppendError appends the content of an ERROR message.
func AppendError(dst []byte, e *Error) []byte {
	dst = AppendString(AppendInt(dst, e.Code), e.Message)
	switch e.Code {
	case CodeUnavailable:
		dst = AppendShort(dst, uint16(e.Consistency))
		dst = AppendInt(AppendInt(dst, e.Required), e.Received)
	case CodeWriteTimeout:
		dst = AppendString(appendReplicas(dst, e), e.WriteType)
	case CodeReadTimeout:
		dst = appendBool(appendReplicas(dst, e), e.DataPresent)
	case CodeReadFailure:
		dst = AppendInt(appendReplicas(dst, e), e.Failures)
		dst = appendBool(dst, e.DataPresent)
	case CodeWriteFailure:
		dst = AppendInt(appendReplicas(dst, e), e.Failures)
		dst = AppendString(dst, e.WriteType)
	case CodeFunctionFailure:
		dst = AppendString(AppendString(dst, e.Keyspace), e.Name)
		dst = AppendStringList(dst, e.Arguments)
	case CodeAlreadyExists:
		dst = AppendString(AppendString(dst, e.Keyspace), e.Name)
	case CodeUnprepared:
		dst = AppendShortBytes(dst, e.StatementID)
	}
	return dst
}

func appendReplicas(dst []byte, e *Error) []byte {
	dst = AppendShort(dst, uint16(e.Consistency))
	return AppendInt(AppendInt(dst, e.Received), e.Required)
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// ErrorMessage reads the content of an ERROR message.
func (r *Reader) ErrorMessage() *Error {
	e := &Error{Code: int(r.Int()), Message: r.ShortString()}
	switch e.Code {
	case CodeUnavailable:
		e.Consistency = r.Consistency()
		e.Required, e.Received = int(r.Int()), int(r.Int())
	case CodeWriteTimeout:
		r.replicas(e)
		e.WriteType = r.ShortString()
	case CodeReadTimeout:
		r.replicas(e)
		e.DataPresent = r.Byte() != 0
	case CodeReadFailure:
		r.replicas(e)
		e.Failures = int(r.Int())
		e.DataPresent = r.Byte() != 0
	case CodeWriteFailure:
		r.replicas(e)
		e.Failures = int(r.Int())
		e.WriteType = r.ShortString()
	case CodeFunctionFailure:
		e.Keyspace, e.Name = r.ShortString(), r.ShortString()
		e.Arguments = r.StringList()
	case CodeAlreadyExists:
		e.Keyspace, e.Name = r.ShortString(), r.ShortString()
	case CodeUnprepared:
		e.StatementID = r.ShortBytes()
	}
	return e
}

func (r *Reader) replicas(e *Error) {
	e.Consistency = r.Consistency()
	e.Received, e.Required = int(r.Int()), int(r.Int())
}
