package astra

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// startup reads along on the answers to the first requests of a connection, up to the end of the authentication, because gocql
// tells nobody that a token was refused.
type startup struct {
	header [cql.HeaderSize]byte
	read   int    // bytes of the header that are here
	left   int    // bytes of the body that are not here yet
	body   []byte // of an ERROR, as far as maxRefusal
}

// The text of a refusal is repeated in an error; longer ones are cut.
const maxRefusal = 512

// observe takes the next bytes from the node. It returns done when the authentication has ended, with the node's error if that
// is how it ended. That a node does not speak gocql's version of the protocol is no error, since gocql may try another.
func (s *startup) observe(p []byte) (done bool, err error) {
	for len(p) > 0 {
		if s.read < len(s.header) {
			n := copy(s.header[s.read:], p)
			s.read += n
			p = p[n:]
			if s.read < len(s.header) {
				return false, nil
			}
			length := cql.ParseHeader(&s.header).Length
			if length < 0 || length > cql.MaxBody {
				return true, nil // gocql refuses it in its own words
			}
			s.left, s.body = int(length), nil
		}
		n := min(s.left, len(p))
		if s.opcode() == cql.OpError {
			s.body = append(s.body, p[:min(n, maxRefusal-len(s.body))]...)
		}
		s.left -= n
		p = p[n:]
		if s.left > 0 {
			return false, nil
		}
		s.read = 0
		switch s.opcode() {
		case cql.OpReady, cql.OpAuthSuccess:
			return true, nil
		case cql.OpError:
			if len(s.body) >= 4 && binary.BigEndian.Uint32(s.body) == cql.CodeProtocol {
				return true, nil
			}
			return true, refusalOf(s.body)
		}
	}
	return false, nil
}

func (s *startup) opcode() cql.Opcode { return cql.Opcode(s.header[4]) }

// refusalOf returns what the body of an ERROR says in answer to the first requests of a connection. It is ErrUnauthenticated if it refuses the
// token, for which Cassandra has two codes.
func refusalOf(body []byte) error {
	if len(body) < 6 {
		return errors.New("an error without a text")
	}
	text := body[6:]
	text = text[:min(len(text), int(binary.BigEndian.Uint16(body[4:])), maxRefusal)]
	switch code := binary.BigEndian.Uint32(body); code {
	case cql.CodeCredentials, cql.CodeUnauthorized:
		return fmt.Errorf("%w (%q)", ErrUnauthenticated, text)
	default:
		return fmt.Errorf("%q (CQL error 0x%04X)", text, code)
	}
}
