package astratest

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// encodedRows are a result's rows as they go over the wire, so that pages can
// be cut from them.
type encodedRows struct {
	columns []cql.Column
	rows    []byte
	ends    []int // where each row ends

	pagingState []byte // the handler's own
	warnings    []string
	payload     map[string][]byte

	// The whole RESULT message, with and without metadata, for answers of one
	// page.
	body, bodyWithoutMetadata []byte
}

// encodeRows encodes a result; nil is one without rows.
func encodeRows(columns []cql.Column, result *Result) (*encodedRows, error) {
	e, err := encodePages(columns, result)
	if err != nil {
		return nil, err
	}
	e.body = e.appendPage(nil, 0, len(e.ends), e.pagingState, false)
	e.bodyWithoutMetadata = e.appendPage(nil, 0, len(e.ends), e.pagingState, true)
	return e, nil
}

// encodePages is encodeRows for a result that is used only once.
func encodePages(columns []cql.Column, result *Result) (*encodedRows, error) {
	e := &encodedRows{columns: columns}
	if result == nil {
		return e, nil
	}
	if len(result.PagingState) > 0 {
		e.pagingState = result.PagingState
	}
	e.warnings, e.payload = result.Warnings, result.Payload
	for i, row := range result.Rows {
		if len(row) != len(columns) {
			return nil, fmt.Errorf("astratest: row %d of the result has %d values for %d columns", i, len(row), len(columns))
		}
		for j, v := range row {
			var err error
			if e.rows, err = cql.AppendValue(e.rows, columns[j].Type, v); err != nil {
				return nil, fmt.Errorf("astratest: row %d, column %s of the result: %w", i, columns[j].Name, err)
			}
		}
		e.ends = append(e.ends, len(e.rows))
	}
	return e, nil
}

// append appends the RESULT message that p asks for.
func (e *encodedRows) append(dst []byte, p *cql.Parameters) ([]byte, *cql.Error) {
	if e.pagingState != nil || len(p.PagingState) == 0 && (p.PageSize <= 0 || len(e.ends) <= p.PageSize) {
		switch {
		case e.body == nil:
			return e.appendPage(dst, 0, len(e.ends), e.pagingState, p.SkipMetadata), nil
		case p.SkipMetadata:
			return append(dst, e.bodyWithoutMetadata...), nil
		}
		return append(dst, e.body...), nil
	}
	first, ok := parsePagingState(p.PagingState)
	if !ok {
		return dst, &cql.Error{Code: cql.CodeProtocol, Message: "Invalid value for the paging state"}
	}
	first = min(first, len(e.ends))
	last := len(e.ends)
	var next []byte
	if p.PageSize > 0 && last-first > p.PageSize {
		last = first + p.PageSize
		next = newPagingState(last)
	}
	return e.appendPage(dst, first, last, next, p.SkipMetadata), nil
}

// appendPage appends a RESULT message with the rows from first to last.
func (e *encodedRows) appendPage(dst []byte, first, last int, next []byte, skipMetadata bool) []byte {
	if len(e.columns) == 0 {
		return cql.AppendInt(dst, cql.ResultVoid)
	}
	dst = cql.AppendMetadata(cql.AppendInt(dst, cql.ResultRows), e.columns, next, skipMetadata)
	dst = cql.AppendInt(dst, last-first)
	start, end := 0, 0
	if first > 0 {
		start = e.ends[first-1]
	}
	if last > 0 {
		end = e.ends[last-1]
	}
	return append(dst, e.rows[start:end]...)
}

// pagingMark distinguishes paging states of ours from anything else.
var pagingMark = []byte("astratest")

func newPagingState(row int) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(pagingMark), uint32(row))
}

// parsePagingState returns the row that a page begins with; the first page
// has no state.
func parsePagingState(state []byte) (row int, ok bool) {
	if len(state) == 0 {
		return 0, true
	}
	number, ok := bytes.CutPrefix(state, pagingMark)
	if !ok || len(number) != 4 {
		return 0, false
	}
	return int(binary.BigEndian.Uint32(number) & 0x7fffffff), true
}
