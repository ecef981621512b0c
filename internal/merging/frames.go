package merging

import "encoding/binary"

const (
	frameHeader = 9         // of protocol versions 3 and 4: version, flags, stream (2), opcode, length (4)
	maxBody     = 256 << 20 // the protocol's limit
)

// frames counts answers in a stream of CQL frames.
type frames struct {
	header  [frameHeader]byte
	have    int  // bytes of header
	body    int  // bytes of the current body that are still to come
	unknown bool // the stream is something else
}

// count returns how many answers begin in p. Frames that answer nothing, those of events, do not count.
func (f *frames) count(p []byte) (answers int64) {
	for len(p) > 0 && !f.unknown {
		if f.body > 0 {
			n := min(f.body, len(p))
			f.body -= n
			p = p[n:]
			continue
		}
		n := copy(f.header[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have < frameHeader {
			break
		}
		f.have = 0
		version, stream, length := f.header[0], int16(binary.BigEndian.Uint16(f.header[2:])), binary.BigEndian.Uint32(f.header[5:])
		if version != 0x83 && version != 0x84 || length > maxBody {
			f.unknown = true
			break
		}
		f.body = int(length)
		if stream >= 0 {
			answers++
		}
	}
	return answers
}
