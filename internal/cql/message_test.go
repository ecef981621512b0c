package cql_test

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Not parallel, because it counts allocations.
func TestHeader(t *testing.T) {
	tests := []struct {
		bytes  string
		header cql.Header
	}{
		{"04 00 0001 05 00000000", cql.Header{Version: 4, Stream: 1, Opcode: cql.OpOptions}},
		{"84 02 ffff 0c 0000000a", cql.Header{Version: 4, Response: true, Flags: cql.FlagTracing, Stream: -1, Opcode: cql.OpEvent, Length: 10}},
		{"05 10 7fff 0f 10000000", cql.Header{Version: 5, Flags: cql.FlagBeta, Stream: 32767, Opcode: cql.OpAuthResponse, Length: cql.MaxBody}},
		{"ff ff 8000 ff ffffffff", cql.Header{Version: 127, Response: true, Flags: 255, Stream: -32768, Opcode: 255, Length: -1}},
	}
	for _, test := range tests {
		b := unhex(t, test.bytes)
		if diff := cmp.Diff(test.header, cql.ParseHeader((*[cql.HeaderSize]byte)(b))); diff != "" {
			t.Errorf("%s:\n%s", test.bytes, diff)
		}
		if got := cql.AppendHeader(nil, test.header); !slices.Equal(got, b) {
			t.Errorf("%s appends as %x", test.bytes, got)
		}
	}
	frame := append(cql.AppendHeader(nil, cql.Header{Version: 4}), "body"...)
	if cql.FinishFrame(frame); frame[8] != 4 {
		t.Errorf("length in %x", frame)
	}
	b := (*[cql.HeaderSize]byte)(frame)
	if n := testing.AllocsPerRun(100, func() { cql.AppendHeader(frame[:0], cql.ParseHeader(b)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for op := range cql.Opcode(0x11) {
		if strings.Contains(op.String(), "0x") {
			t.Errorf("opcode %d has no name", byte(op))
		}
	}
	if got := cql.Opcode(0x33).String(); got != "opcode 0x33" {
		t.Error(got)
	}
	for c := cql.Any; c.Valid(); c++ {
		if strings.Contains(c.String(), "0x") {
			t.Errorf("consistency %d has no name", uint16(c))
		}
	}
	if got := cql.Consistency(11).String(); got != "consistency 0x000B" {
		t.Error(got)
	}
	if got := cql.QuoteName(`My "ks"`); got != `"My ""ks"""` {
		t.Error(got)
	}
	if got := cql.QuoteName("order"); got != `"order"` { // a reserved word
		t.Error(got)
	}
}

func TestNotations(t *testing.T) {
	t.Parallel()
	type state struct {
		Strings  []string
		Map      map[string]string
		Multimap map[string][]string
		Payload  map[string][]byte
		Addr     netip.AddrPort
		Long     int64
		ID       [16]byte
	}
	want := state{
		Strings:  []string{"a", ""},
		Map:      map[string]string{"CQL_VERSION": "3.0.0", "b": ""},
		Multimap: map[string][]string{"COMPRESSION": nil, "V": {"3/v3", "4/v4"}},
		Payload:  map[string][]byte{"k": {1}, "null": nil},
		Addr:     netip.MustParseAddrPort("127.0.0.1:9042"),
		Long:     -5,
		ID:       [16]byte{1, 15: 16},
	}
	b := cql.AppendStringList(nil, want.Strings)
	b = cql.AppendStringMap(b, want.Map)
	b = cql.AppendStringMultimap(b, want.Multimap)
	b = cql.AppendBytesMap(b, want.Payload)
	b = cql.AppendInet(b, want.Addr)
	b = cql.AppendLong(b, want.Long)
	b = append(b, want.ID[:]...)
	r := cql.NewReader(b)
	got := state{r.StringList(), r.StringMap(), r.StringMultimap(), r.BytesMap(), r.Inet(), r.Long(), r.UUID()}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" || r.Err() != nil || len(r.Rest()) != 0 {
		t.Errorf("%v, %d bytes left:\n%s", r.Err(), len(r.Rest()), diff)
	}
	if got := hex.EncodeToString(cql.AppendInet(nil, want.Addr)); got != "047f00000100002352" {
		t.Errorf("inet %s", got)
	}
	for n := range b {
		r := cql.NewReader(b[:n])
		r.StringList()
		r.StringMap()
		r.StringMultimap()
		r.BytesMap()
		r.Inet()
		r.Long()
		r.UUID()
		if r.Err() == nil {
			t.Errorf("no error after %d of %d bytes", n, len(b))
		}
	}
}

func TestReaderFailsOnce(t *testing.T) {
	t.Parallel()
	r := cql.NewReader([]byte{0, 5, 'a'})
	if s := r.ShortString(); s != "" {
		t.Errorf("read %q", s)
	}
	first := r.Err()
	if want := "cql: message ends within a string: 5 bytes needed, 1 left"; first == nil || first.Error() != want {
		t.Errorf("got %v, want %s", first, want)
	}
	if r.Byte() != 0 || r.Int() != 0 || r.Bytes() != nil || r.Value().Bytes != nil || r.Err() != first {
		t.Error("reading goes on after an error")
	}
	r.Reset([]byte{7})
	if r.Byte() != 7 || r.Err() != nil {
		t.Error("no new beginning after Reset")
	}
}

// As a Cassandra 5.0.5 node sends them.
func TestErrorMessage(t *testing.T) {
	t.Parallel()
	id := unhex(t, "78787878787878787878787878787878")
	tests := []struct {
		bytes string
		err   cql.Error
	}{
		{"0000000a 0003 626164", cql.Error{Code: cql.CodeProtocol, Message: "bad"}},
		{"00001000 0000 0006 00000002 00000001", cql.Error{Code: cql.CodeUnavailable, Consistency: cql.LocalQuorum, Required: 2, Received: 1}},
		{"00001100 0000 0006 00000001 00000002 0006 53494d504c45", cql.Error{Code: cql.CodeWriteTimeout, Consistency: cql.LocalQuorum, Received: 1, Required: 2, WriteType: "SIMPLE"}},
		{"00001200 0000 0001 00000000 00000001 01", cql.Error{Code: cql.CodeReadTimeout, Consistency: cql.One, Required: 1, DataPresent: true}},
		{"00001300 0000 0001 00000000 00000001 00000002 00", cql.Error{Code: cql.CodeReadFailure, Consistency: cql.One, Required: 1, Failures: 2}},
		{"00001500 0000 0001 00000000 00000001 00000002 0003 434153", cql.Error{Code: cql.CodeWriteFailure, Consistency: cql.One, Required: 1, Failures: 2, WriteType: "CAS"}},
		{"00001400 0000 0002 6b73 0001 66 0001 0003 696e74", cql.Error{Code: cql.CodeFunctionFailure, Keyspace: "ks", Name: "f", Arguments: []string{"int"}}},
		{"00002400 0000 0002 6b73 0000", cql.Error{Code: cql.CodeAlreadyExists, Keyspace: "ks"}},
		{"00002500 0000 0010 78787878787878787878787878787878", cql.Error{Code: cql.CodeUnprepared, StatementID: id}},
	}
	for _, test := range tests {
		b := unhex(t, test.bytes)
		if got := cql.AppendError(nil, &test.err); !slices.Equal(got, b) {
			t.Errorf("%s appends as %x", test.bytes, got)
		}
		r := cql.NewReader(b)
		if diff := cmp.Diff(&test.err, r.ErrorMessage()); diff != "" || r.Err() != nil || len(r.Rest()) != 0 {
			t.Errorf("%s: %v\n%s", test.bytes, r.Err(), diff)
		}
	}
	if got := tests[0].err.Error(); got != "CQL error 0x000A: bad" {
		t.Error(got)
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		bytes string
		event cql.Event
	}{
		{"000f 544f504f4c4f47595f4348414e4745 0008 4e45575f4e4f4445 04 7f000001 00002352",
			cql.Event{Kind: cql.TopologyChange, Change: "NEW_NODE", Addr: netip.MustParseAddrPort("127.0.0.1:9042")}},
		{"000d 5354415455535f4348414e4745 0002 5550 10 00000000000000000000000000000001 00002352",
			cql.Event{Kind: cql.StatusChange, Change: "UP", Addr: netip.MustParseAddrPort("[::1]:9042")}},
		{"000d 534348454d415f4348414e4745 0007 43524541544544 0008 4b45595350414345 0002 6b73",
			cql.Event{Kind: cql.SchemaChange, Change: "CREATED", Schema: cql.Schema{Target: "KEYSPACE", Keyspace: "ks"}}},
		{"000d 534348454d415f4348414e4745 0007 43524541544544 0005 5441424c45 0002 6b73 0001 74",
			cql.Event{Kind: cql.SchemaChange, Change: "CREATED", Schema: cql.Schema{Target: "TABLE", Keyspace: "ks", Name: "t"}}},
		{"000d 534348454d415f4348414e4745 0007 44524f50504544 0008 46554e4354494f4e 0002 6b73 0001 66 0001 0003 696e74",
			cql.Event{Kind: cql.SchemaChange, Change: "DROPPED", Schema: cql.Schema{Target: "FUNCTION", Keyspace: "ks", Name: "f", Arguments: []string{"int"}}}},
	}
	for _, test := range tests {
		b := unhex(t, test.bytes)
		if got := cql.AppendEvent(nil, test.event); !slices.Equal(got, b) {
			t.Errorf("%v appends as %x", test.event, got)
		}
		r := cql.NewReader(b)
		if diff := cmp.Diff(test.event, r.Event(), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" || r.Err() != nil || len(r.Rest()) != 0 {
			t.Errorf("%v:\n%s", r.Err(), diff)
		}
	}
	r := cql.NewReader(cql.AppendString(nil, "WEATHER_CHANGE"))
	if r.Event(); r.Err() == nil {
		t.Error("an unknown kind of event was read")
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	one, null, unset := cql.Value{Bytes: []byte{1}}, cql.Value{}, cql.Value{Unset: true}
	tests := []struct {
		bytes  string
		params cql.Parameters
	}{
		{"0006 00", cql.Parameters{Consistency: cql.LocalQuorum}},
		{"0001 01 0003 00000001 01 ffffffff fffffffe", cql.Parameters{Consistency: cql.One, Values: []cql.Value{one, null, unset}}},
		{"0001 41 0001 0001 6b 00000001 01", cql.Parameters{Consistency: cql.One, Values: []cql.Value{one}, Names: []string{"k"}}},
		{"0006 3e 0000000a 00000001 09 0009 0000000000000007", cql.Parameters{
			Consistency: cql.LocalQuorum, SkipMetadata: true, PageSize: 10, PagingState: []byte{9}, SerialConsistency: cql.LocalSerial, Timestamp: 7,
		}},
	}
	var p cql.Parameters // used again, as a server does
	for _, test := range tests {
		b := unhex(t, test.bytes)
		if got := cql.AppendParameters(nil, &test.params); !slices.Equal(got, b) {
			t.Errorf("%s appends as %x", test.bytes, got)
		}
		r := cql.NewReader(b)
		r.Parameters(&p)
		if diff := cmp.Diff(test.params, p, cmpopts.EquateEmpty()); diff != "" || r.Err() != nil || len(r.Rest()) != 0 {
			t.Errorf("%s: %v\n%s", test.bytes, r.Err(), diff)
		}
	}
	r := cql.NewReader(unhex(t, "004d 00"))
	if r.Parameters(&p); r.Err() == nil || r.Err().Error() != "cql: unknown consistency level 77" {
		t.Errorf("got %v", r.Err())
	}
	r = cql.NewReader(unhex(t, "0001 01 0001 fffffffb"))
	if r.Parameters(&p); r.Err() == nil {
		t.Error("a value of length -5 was read")
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	b := unhex(t, "01 0002 00 00000001 41 0000 01 0002 abcd 0001 00000001 05 0006 30 0008 0000000000000007")
	entries := []cql.BatchEntry{
		{Statement: []byte("A")},
		{ID: []byte{0xab, 0xcd}, Values: []cql.Value{{Bytes: []byte{5}}}},
	}
	params := cql.Parameters{Consistency: cql.LocalQuorum, SerialConsistency: cql.Serial, Timestamp: 7}
	if got := cql.AppendBatch(nil, cql.BatchUnlogged, entries, &params); !slices.Equal(got, b) {
		t.Errorf("appends as %x", got)
	}
	r := cql.NewReader(b)
	var p cql.Parameters
	kind, read := r.Batch(&p)
	if diff := cmp.Diff(entries, read) + cmp.Diff(params, p); diff != "" || kind != cql.BatchUnlogged || r.Err() != nil || len(r.Rest()) != 0 {
		t.Errorf("kind %d, %v:\n%s", kind, r.Err(), diff)
	}
	r = cql.NewReader(unhex(t, "00 0001 07"))
	if r.Batch(&p); r.Err() == nil {
		t.Error("a statement of kind 7 was read")
	}
}

// As a Cassandra 5.0.5 node sends them.
func TestMetadata(t *testing.T) {
	t.Parallel()
	columns := []cql.Column{
		{Keyspace: "ks", Table: "t", Name: "id", Type: cql.Type{Kind: cql.Int}},
		{Keyspace: "ks", Table: "t", Name: "c1", Type: cql.Type{Kind: cql.Text}},
	}
	const spec = "0002 6b73 0001 74 0002 6964 0009 0002 6331 000d"
	for _, test := range []struct {
		bytes   string
		state   []byte
		skip    bool
		columns []cql.Column
	}{
		{"00000001 00000002" + spec, nil, false, columns},
		{"00000005 00000002", nil, true, columns},
		{"00000003 00000002 00000001 09" + spec, []byte{9}, false, columns},
		{"00000004 00000000", nil, false, nil},
		{"00000000 00000002 0002 6b73 0001 74 0002 6964 0009 0002 6b73 0001 75 0001 78 000d", nil, false,
			[]cql.Column{columns[0], {Keyspace: "ks", Table: "u", Name: "x", Type: cql.Type{Kind: cql.Text}}}},
	} {
		b := unhex(t, test.bytes)
		if got := cql.AppendMetadata(nil, test.columns, test.state, test.skip); !slices.Equal(got, b) {
			t.Errorf("%s appends as %x", test.bytes, got)
		}
		want := test.columns
		if test.skip {
			want = nil
		}
		r := cql.NewReader(b)
		got, state := r.Metadata()
		if diff := cmp.Diff(want, got) + cmp.Diff(test.state, state); diff != "" || r.Err() != nil || len(r.Rest()) != 0 {
			t.Errorf("%s: %v\n%s", test.bytes, r.Err(), diff)
		}
	}
	b := unhex(t, "00000001 00000002 00000001 0000"+spec)
	if got := cql.AppendPreparedMetadata(nil, columns, []int{0}); !slices.Equal(got, b) {
		t.Errorf("prepared: appends as %x", got)
	}
	r := cql.NewReader(b)
	got, key := r.PreparedMetadata()
	if diff := cmp.Diff(columns, got) + cmp.Diff([]int{0}, key); diff != "" || r.Err() != nil {
		t.Errorf("prepared: %v\n%s", r.Err(), diff)
	}
	if got := hex.EncodeToString(cql.AppendPreparedMetadata(nil, nil, nil)); got != "000000000000000000000000" {
		t.Errorf("prepared without markers: %s", got)
	}
}

// Each way to read a message ends, whatever the message is.
func FuzzReader(f *testing.F) {
	params := cql.Parameters{Values: []cql.Value{{Bytes: []byte{1}}}, PageSize: 5}
	f.Add(cql.AppendParameters(nil, &params))
	f.Add(cql.AppendBatch(nil, 0, []cql.BatchEntry{{Statement: []byte("A")}, {ID: []byte{1}, Values: params.Values}}, &params))
	f.Add(cql.AppendError(nil, &cql.Error{Code: cql.CodeFunctionFailure, Arguments: []string{"int"}}))
	f.Add(cql.AppendEvent(nil, cql.Event{Kind: cql.SchemaChange, Schema: cql.Schema{Target: "TABLE"}}))
	f.Add(cql.AppendMetadata(nil, []cql.Column{{Type: address}}, []byte{1}, false))
	f.Add(cql.AppendStringMultimap(nil, map[string][]string{"a": {"b"}}))
	f.Fuzz(func(t *testing.T, message []byte) {
		var p cql.Parameters
		for _, read := range []func(*cql.Reader){
			func(r *cql.Reader) { r.Parameters(&p) },
			func(r *cql.Reader) { r.Batch(&p) },
			func(r *cql.Reader) { r.ErrorMessage() },
			func(r *cql.Reader) { r.Event() },
			func(r *cql.Reader) { r.Metadata() },
			func(r *cql.Reader) { r.PreparedMetadata() },
			func(r *cql.Reader) { r.StringMap() },
			func(r *cql.Reader) { r.StringMultimap() },
			func(r *cql.Reader) { r.BytesMap() },
			func(r *cql.Reader) { r.Inet() },
		} {
			r := cql.NewReader(message)
			read(r)
			if r.Err() != nil && len(r.Rest()) != 0 {
				t.Errorf("%v, but there is more to read", r.Err())
			}
		}
		if len(message) >= cql.HeaderSize {
			header := (*[cql.HeaderSize]byte)(message)
			if again := cql.AppendHeader(nil, cql.ParseHeader(header)); !slices.Equal(again, header[:]) {
				t.Errorf("header %x appends as %x", *header, again)
			}
		}
	})
}
