package merging

import "github.com/seed-5f06b232/astra-go/internal/cql"

// frames counts answers in a stream of CQL frames.
type frames struct {
	header  [cql.HeaderSize]byte
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
		if f.have < cql.HeaderSize {
			break
		}
		f.have = 0
		h := cql.ParseHeader(&f.header)
		if !h.Response || h.Version > cql.Version || h.Length < 0 || h.Length > cql.MaxBody {
			f.unknown = true
			break
		}
		f.body = int(h.Length)
		if h.Stream != cql.EventStream {
			answers++
		}
	}
	return answers
}
