package astra

import (
	"encoding/binary"
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
// is how it ended.
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
			return true, refusalError(s.body)
		}
	}
	return false, nil
}

func (s *startup) opcode() cql.Opcode { return cql.Opcode(s.header[4]) }

// refusalError returns ErrUnauthenticated with the node's words if the body of an ERROR refuses the credentials, else nil.
func refusalError(body []byte) error {
	if len(body) < 6 || binary.BigEndian.Uint32(body) != cql.CodeCredentials {
		return nil
	}
	text := body[6:]
	if n := int(binary.BigEndian.Uint16(body[4:])); n < len(text) {
		text = text[:n]
	}
	return fmt.Errorf("%w (%q)", ErrUnauthenticated, text)
}
