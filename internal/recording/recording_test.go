package recording_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/internal/cql"
	"github.com/seed-5f06b232/astra-go/internal/recording"
)

func TestRead(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "astra", "astratest", "testdata", "cassandra-5.0.5.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recording.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	if r.Cassandra != "5.0.5" || len(r.Conversations) == 0 || len(r.Events) == 0 || len(r.Tables["system_schema"]["columns"].Columns) != 8 {
		t.Errorf("recording of %q with %d conversations, %d events, tables %v", r.Cassandra, len(r.Conversations), len(r.Events), r.Tables)
	}
	if _, err := recording.Read([]byte("{")); err == nil {
		t.Error("half a file is read without an error")
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	id := []byte("an ID of sixteen")
	columns := []cql.Column{
		{Keyspace: "ks", Table: "t", Name: "name", Type: cql.Type{Kind: cql.Text}},
		{Keyspace: "ks", Table: "t", Name: "host_id", Type: cql.Type{Kind: cql.UUID}},
		{Keyspace: "ks", Table: "t", Name: "numbers", Type: cql.Type{Kind: cql.List, Elements: []cql.Type{{Kind: cql.Int}}}},
	}
	rows := cql.AppendMetadata(cql.AppendInt(nil, cql.ResultRows), columns, []byte("next"), false)
	rows = cql.AppendInt(rows, 1)
	rows = cql.AppendBytes(rows, []byte("it's"))
	rows = cql.AppendBytes(rows, id)
	rows = cql.AppendBytes(rows, []byte{0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7})
	fields := []recording.Field{{"ks", "t", "name", "text"}, {"ks", "t", "host_id", "uuid"}, {"ks", "t", "numbers", "list<int>"}}

	for _, test := range []struct {
		name    string
		request recording.Request
		answer  cql.Header
		message []byte
		want    recording.Answer
	}{
		{
			"supported", recording.Request{Opcode: "OPTIONS"},
			cql.Header{Opcode: cql.OpSupported, Stream: 1}, cql.AppendStringMultimap(nil, map[string][]string{"A": {"b"}}),
			recording.Answer{Version: 4, Opcode: "SUPPORTED", Supported: map[string][]string{"A": {"b"}}},
		},
		{
			"error on another stream", recording.Request{Opcode: "QUERY", Statement: "SELECT"},
			cql.Header{Opcode: cql.OpError}, cql.AppendError(nil, &cql.Error{Code: cql.CodeUnprepared, Message: "no", StatementID: []byte("x")}),
			recording.Answer{Version: 4, Stream: "0", Opcode: "ERROR", Error: &recording.Error{Code: "0x2500", Message: "no", Fields: map[string]string{"id": "x"}}},
		},
		{
			"rows", recording.Request{Opcode: "EXECUTE", Unprepared: true, Values: []string{"00"}},
			cql.Header{Opcode: cql.OpResult, Stream: 1, Flags: cql.FlagWarning}, append(cql.AppendStringList(nil, []string{"slow"}), rows...),
			recording.Answer{
				Version: 4, Flags: 8, Opcode: "RESULT", Result: "rows", Columns: fields, MorePages: true, Warnings: []string{"slow"},
				Rows: [][]string{{"'it''s'", "<uuid>", "[7]"}},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, node := net.Pipe()
			defer client.Close()
			go func() {
				defer node.Close()
				node.SetDeadline(time.Now().Add(time.Minute))
				node.Read(make([]byte, 4096)) // net.Pipe hands over one Write
				h := test.answer
				h.Version, h.Response, h.Length = cql.Version, true, int32(len(test.message))
				node.Write(append(cql.AppendHeader(nil, h), test.message...))
			}()
			s := recording.NewSession(client, "user", "password")
			got, err := s.Ask(test.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("answer (-want +got)\n%s", diff)
			}
			if got, err = s.Next(); err != nil || !got.Closed {
				t.Errorf("at the end: %+v, %v; want that the node has closed", got, err)
			}
		})
	}
}

// Nodes may send anything.
func FuzzNext(f *testing.F) {
	for _, message := range [][]byte{
		cql.AppendError(nil, &cql.Error{Code: cql.CodeInvalid, Message: "no"}),
		cql.AppendMetadata(cql.AppendInt(nil, cql.ResultRows), nil, nil, true),
	} {
		for _, op := range []cql.Opcode{cql.OpError, cql.OpResult} {
			f.Add(append(cql.AppendHeader(nil, cql.Header{Version: 4, Response: true, Opcode: op, Length: int32(len(message))}), message...))
		}
	}
	f.Add([]byte{0x81, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, frame []byte) {
		client, node := net.Pipe()
		defer client.Close()
		go func() {
			node.Write(frame)
			node.Close()
		}()
		recording.NewSession(client, "", "").Next()
	})
}
