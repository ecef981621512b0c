package cql

import (
	"encoding/binary"
	"fmt"
)

const (
	// Version is the protocol version that this package speaks.
	Version = 4

	// HeaderSize is the number of bytes before each message in protocol
	// versions 3 to 5. (Version 5 wraps frames into segments, but only after
	// STARTUP was answered.)
	HeaderSize = 9

	// MaxBody is the longest message, in bytes, that a Cassandra node reads.
	MaxBody = 256 << 20

	// EventStream is the stream of messages that answer no request.
	EventStream = -1

	responseBit = 0x80
)

// Flags of a frame header.
const (
	FlagCompressed    byte = 0x01
	FlagTracing       byte = 0x02
	FlagCustomPayload byte = 0x04
	FlagWarning       byte = 0x08
	FlagBeta          byte = 0x10
)

// An Opcode says what kind of message a frame holds.
type Opcode byte

const (
	OpError         Opcode = 0x00
	OpStartup       Opcode = 0x01
	OpReady         Opcode = 0x02
	OpAuthenticate  Opcode = 0x03
	OpCredentials   Opcode = 0x04 // of protocol version 1
	OpOptions       Opcode = 0x05
	OpSupported     Opcode = 0x06
	OpQuery         Opcode = 0x07
	OpResult        Opcode = 0x08
	OpPrepare       Opcode = 0x09
	OpExecute       Opcode = 0x0A
	OpRegister      Opcode = 0x0B
	OpEvent         Opcode = 0x0C
	OpBatch         Opcode = 0x0D
	OpAuthChallenge Opcode = 0x0E
	OpAuthResponse  Opcode = 0x0F
	OpAuthSuccess   Opcode = 0x10
)

// String returns the opcode's name as the protocol's specification has it.
func (o Opcode) String() string {
	switch o {
	case OpError:
		return "ERROR"
	case OpStartup:
		return "STARTUP"
	case OpReady:
		return "READY"
	case OpAuthenticate:
		return "AUTHENTICATE"
	case OpCredentials:
		return "CREDENTIALS"
	case OpOptions:
		return "OPTIONS"
	case OpSupported:
		return "SUPPORTED"
	case OpQuery:
		return "QUERY"
	case OpResult:
		return "RESULT"
	case OpPrepare:
		return "PREPARE"
	case OpExecute:
		return "EXECUTE"
	case OpRegister:
		return "REGISTER"
	case OpEvent:
		return "EVENT"
	case OpBatch:
		return "BATCH"
	case OpAuthChallenge:
		return "AUTH_CHALLENGE"
	case OpAuthResponse:
		return "AUTH_RESPONSE"
	case OpAuthSuccess:
		return "AUTH_SUCCESS"
	}
	return fmt.Sprintf("opcode 0x%02X", byte(o))
}

// A Header is what stands before each message.
type Header struct {
	Version  byte // without the direction bit
	Response bool // the direction bit
	Flags    byte
	Stream   int16
	Opcode   Opcode
	Length   int32 // of the message; compare it with 0 and MaxBody before use
}

// ParseHeader decodes a header. Every nine bytes are one; whether it makes
// sense is for the caller to judge.
func ParseHeader(b *[HeaderSize]byte) Header {
	return Header{
		Version:  b[0] &^ responseBit,
		Response: b[0]&responseBit != 0,
		Flags:    b[1],
		Stream:   int16(binary.BigEndian.Uint16(b[2:])),
		Opcode:   Opcode(b[4]),
		Length:   int32(binary.BigEndian.Uint32(b[5:])),
	}
}

// AppendHeader appends the nine bytes of h.
func AppendHeader(dst []byte, h Header) []byte {
	version := h.Version
	if h.Response {
		version |= responseBit
	}
	dst = append(dst, version, h.Flags, byte(h.Stream>>8), byte(h.Stream), byte(h.Opcode))
	return binary.BigEndian.AppendUint32(dst, uint32(h.Length))
}

// FinishFrame sets the length of the frame that begins at frame[0] to the
// number of bytes that follow its header.
func FinishFrame(frame []byte) {
	binary.BigEndian.PutUint32(frame[HeaderSize-4:HeaderSize], uint32(len(frame)-HeaderSize))
}
