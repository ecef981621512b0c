package recording

import (
	"encoding/hex"
	"fmt"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// opcodes by name.
var opcodes = func() map[string]cql.Opcode {
	m := make(map[string]cql.Opcode)
	for op := cql.OpError; op <= cql.OpAuthSuccess; op++ {
		m[op.String()] = op
	}
	return m
}()

var consistencies = func() map[string]cql.Consistency {
	m := map[string]cql.Consistency{"": cql.One}
	for c := cql.Any; c.Valid(); c++ {
		m[c.String()] = c
	}
	return m
}()

// message returns the content of the request's frame.
func (r Request) message(s *Session) ([]byte, error) {
	p := cql.Parameters{Consistency: consistencies[r.Consistency], PageSize: r.PageSize, SkipMetadata: r.SkipMetadata}
	if r.NextPage {
		p.PagingState = s.pagingState
	}
	for _, v := range r.Values {
		b, err := hex.DecodeString(v)
		if err != nil {
			return nil, err
		}
		p.Values = append(p.Values, cql.Value{Bytes: b})
	}
	switch opcodes[r.Opcode] {
	case cql.OpStartup:
		return cql.AppendStringMap(nil, r.Options), nil
	case cql.OpAuthResponse:
		return cql.AppendBytes(nil, s.credentials(r.Credentials)), nil
	case cql.OpRegister:
		return cql.AppendStringList(nil, r.Events), nil
	case cql.OpQuery:
		return cql.AppendParameters(cql.AppendLongString(nil, r.Statement), &p), nil
	case cql.OpPrepare:
		return cql.AppendLongString(nil, r.Statement), nil
	case cql.OpExecute:
		id := s.statementID
		if r.Unprepared {
			id = []byte("0123456789abcdef")
		}
		return cql.AppendParameters(cql.AppendShortBytes(nil, id), &p), nil
	case cql.OpBatch:
		var entries []cql.BatchEntry
		for _, statement := range r.Batch {
			entries = append(entries, cql.BatchEntry{Statement: []byte(statement)})
		}
		return cql.AppendBatch(nil, r.BatchKind, entries, &p), nil
	case cql.OpOptions, cql.OpReady:
		return nil, nil
	}
	return nil, fmt.Errorf("recording: unknown request %q", r.Opcode)
}
