package cql

// Flags of query parameters.
const (
	paramValues            = 0x01
	paramSkipMetadata      = 0x02
	paramPageSize          = 0x04
	paramPagingState       = 0x08
	paramSerialConsistency = 0x10
	paramTimestamp         = 0x20
	paramNames             = 0x40
)

// Parameters are what QUERY and EXECUTE carry beside the statement, and, but
// for values and pages, BATCH too.
type Parameters struct {
	Consistency       Consistency
	SerialConsistency Consistency // 0 when there is none: ANY is none
	SkipMetadata      bool
	Values            []Value
	Names             []string // of the values, or empty
	PageSize          int      // 0 when there is none
	PagingState       []byte   // nil when there is none
	Timestamp         int64    // microseconds; 0 when there is none
}

// Parameters reads query parameters into p, whose slices it uses again.
func (r *Reader) Parameters(p *Parameters) {
	*p = Parameters{Values: p.Values[:0], Names: p.Names[:0], Consistency: r.Consistency()}
	flags := r.Byte()
	if flags&paramValues != 0 {
		for n := r.Short(); n > 0 && r.err == nil; n-- {
			if flags&paramNames != 0 {
				p.Names = append(p.Names, r.ShortString())
			}
			p.Values = append(p.Values, r.Value())
		}
	}
	p.SkipMetadata = flags&paramSkipMetadata != 0
	if flags&paramPageSize != 0 {
		p.PageSize = int(r.Int())
	}
	if flags&paramPagingState != 0 {
		p.PagingState = r.Bytes()
	}
	r.consistencyAndTime(flags, p)
}

// BatchParameters reads what stands at the end of a BATCH.
func (r *Reader) BatchParameters(p *Parameters) {
	*p = Parameters{Values: p.Values[:0], Names: p.Names[:0], Consistency: r.Consistency()}
	r.consistencyAndTime(r.Byte(), p)
}

func (r *Reader) consistencyAndTime(flags byte, p *Parameters) {
	if flags&paramSerialConsistency != 0 {
		p.SerialConsistency = r.Consistency()
	}
	if flags&paramTimestamp != 0 {
		p.Timestamp = r.Long()
	}
}

// AppendParameters appends query parameters.
func AppendParameters(dst []byte, p *Parameters) []byte {
	dst = AppendShort(dst, uint16(p.Consistency))
	var flags byte
	for flag, set := range map[byte]bool{
		paramValues:            len(p.Values) > 0,
		paramNames:             len(p.Names) > 0,
		paramSkipMetadata:      p.SkipMetadata,
		paramPageSize:          p.PageSize != 0,
		paramPagingState:       p.PagingState != nil,
		paramSerialConsistency: p.SerialConsistency != 0,
		paramTimestamp:         p.Timestamp != 0,
	} {
		if set {
			flags |= flag
		}
	}
	dst = append(dst, flags)
	if flags&paramValues != 0 {
		dst = AppendShort(dst, uint16(len(p.Values)))
		for i, v := range p.Values {
			if flags&paramNames != 0 {
				dst = AppendString(dst, p.Names[i])
			}
			dst = v.append(dst)
		}
	}
	if flags&paramPageSize != 0 {
		dst = AppendInt(dst, p.PageSize)
	}
	if flags&paramPagingState != 0 {
		dst = AppendBytes(dst, p.PagingState)
	}
	return appendConsistencyAndTime(dst, flags, p)
}

func appendConsistencyAndTime(dst []byte, flags byte, p *Parameters) []byte {
	if flags&paramSerialConsistency != 0 {
		dst = AppendShort(dst, uint16(p.SerialConsistency))
	}
	if flags&paramTimestamp != 0 {
		dst = AppendLong(dst, p.Timestamp)
	}
	return dst
}

func (v Value) append(dst []byte) []byte {
	if v.Unset {
		return AppendInt(dst, -2)
	}
	return AppendBytes(dst, v.Bytes)
}

// Kinds of batches.
const (
	BatchLogged   = 0
	BatchUnlogged = 1
	BatchCounter  = 2
)

// A BatchEntry is one statement of a batch.
type BatchEntry struct {
	Statement []byte // the text, or nil for a prepared one
	ID        []byte // of a prepared one
	Values    []Value
}

// Batch reads a BATCH message.
func (r *Reader) Batch(p *Parameters) (kind byte, entries []BatchEntry) {
	kind = r.Byte()
	for n := r.Short(); n > 0 && r.err == nil; n-- {
		var e BatchEntry
		switch prepared := r.Byte(); prepared {
		case 0:
			e.Statement = r.LongString()
		case 1:
			e.ID = r.ShortBytes()
		default:
			r.fail("invalid kind %d of a batched statement", prepared)
		}
		for n := r.Short(); n > 0 && r.err == nil; n-- {
			e.Values = append(e.Values, r.Value())
		}
		entries = append(entries, e)
	}
	r.BatchParameters(p)
	return kind, entries
}

// AppendBatch appends a BATCH message.
func AppendBatch(dst []byte, kind byte, entries []BatchEntry, p *Parameters) []byte {
	dst = AppendShort(append(dst, kind), uint16(len(entries)))
	for _, e := range entries {
		if e.Statement != nil {
			dst = AppendLongString(append(dst, 0), string(e.Statement))
		} else {
			dst = AppendShortBytes(append(dst, 1), e.ID)
		}
		dst = AppendShort(dst, uint16(len(e.Values)))
		for _, v := range e.Values {
			dst = v.append(dst)
		}
	}
	var flags byte
	if p.SerialConsistency != 0 {
		flags |= paramSerialConsistency
	}
	if p.Timestamp != 0 {
		flags |= paramTimestamp
	}
	dst = append(AppendShort(dst, uint16(p.Consistency)), flags)
	return appendConsistencyAndTime(dst, flags, p)
}
