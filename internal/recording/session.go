package recording

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// Session asks one node on one connection.
type Session struct {
	User, Password string

	conn        net.Conn
	r           *bufio.Reader
	stream      int16
	statementID []byte // of the last PREPARE
	pagingState []byte // of the last answer that had one
}

// NewSession returns a session on conn, on which nothing has been said yet. Deadlines are for the caller to set.
func NewSession(conn net.Conn, user, password string) *Session {
	return &Session{User: user, Password: password, conn: conn, r: bufio.NewReader(conn)}
}

func (s *Session) credentials(whose string) []byte {
	switch whose {
	case "right":
		return []byte("\x00" + s.User + "\x00" + s.Password)
	case "wrong":
		return []byte("\x00" + s.User + "\x00wrong")
	}
	return []byte(whose)
}

// Ask sends a request and reads the frame that follows.
func (s *Session) Ask(r Request) (Answer, error) {
	message, err := r.message(s)
	if err != nil {
		return Answer{}, err
	}
	s.stream++
	h := cql.Header{Version: r.Version, Flags: r.Flags, Stream: s.stream, Opcode: opcodes[r.Opcode]}
	if h.Version == 0 {
		h.Version = cql.Version
	}
	frame := append(cql.AppendHeader(nil, h), message...)
	cql.FinishFrame(frame)
	if h.Version < 3 {
		frame = slices.Delete(frame, 2, 3) // streams had one byte then
	}
	if _, err := s.conn.Write(frame); err != nil {
		return Answer{}, err
	}
	return s.Next()
}

// Next reads a frame: an event, if nothing was asked.
func (s *Session) Next() (Answer, error) {
	h, err := s.header()
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return Answer{Closed: true}, nil
	}
	if err != nil {
		return Answer{}, err
	}
	if h.Length < 0 || h.Length > cql.MaxBody {
		return Answer{}, fmt.Errorf("recording: a frame of %d bytes", h.Length)
	}
	message, err := io.ReadAll(io.LimitReader(s.r, int64(h.Length))) // grows with what comes, not with what is announced
	if err == nil && len(message) < int(h.Length) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Version: h.Version, Flags: h.Flags, Opcode: h.Opcode.String()}
	if h.Stream != s.stream {
		a.Stream = fmt.Sprint(h.Stream)
	}
	r := cql.NewReader(message)
	s.decode(&a, h, r)
	if err := r.Err(); err != nil {
		return a, fmt.Errorf("recording: %s: %w", a.Opcode, err)
	}
	if left := len(r.Rest()); left > 0 {
		return a, fmt.Errorf("recording: %s: %d bytes after its end", a.Opcode, left)
	}
	return a, nil
}

// header reads a frame's header.
func (s *Session) header() (cql.Header, error) {
	var raw [cql.HeaderSize]byte
	version, err := s.r.Peek(1)
	if err != nil {
		return cql.Header{}, err
	}
	short := version[0]&0x7F < 3 // a header of versions 1 and 2
	if short {
		_, err = io.ReadFull(s.r, raw[1:])
		raw[0], raw[1], raw[2] = raw[1], raw[2], 0
	} else {
		_, err = io.ReadFull(s.r, raw[:])
	}
	return cql.ParseHeader(&raw), err
}
