package astratest_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/astra/astratest"
	"github.com/seed-5f06b232/astra-go/internal/cql"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	c := dialCQL(t, s, s.Nodes()[0])
	got := c.expect(c.ask(cql.OpOptions, nil), cql.OpSupported).StringMultimap()
	want := map[string][]string{
		"COMPRESSION": nil, "CQL_VERSION": {"3.4.5"}, "PRODUCT_TYPE": {"DATASTAX_APOLLO"}, "PROTOCOL_VERSIONS": {"3/v3", "4/v4"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOtherVersions(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	for _, test := range []struct {
		version byte
		message string
		goesOn  bool
	}{
		{1, "Invalid or unsupported protocol version (1); the lowest supported version is 3 and the greatest is 4", false},
		{2, "Invalid or unsupported protocol version (2); the lowest supported version is 3 and the greatest is 4", false},
		{3, "Invalid or unsupported protocol version (3); the lowest supported version is 4 and the greatest is 4", true},
		{5, "Invalid or unsupported protocol version (5); the lowest supported version is 3 and the greatest is 4", true},
		{6, "Invalid or unsupported protocol version (6); the lowest supported version is 3 and the greatest is 4", true},
		{66, "Invalid or unsupported protocol version (66); the lowest supported version is 3 and the greatest is 4", false},
	} {
		c := dialCQL(t, s, s.Nodes()[0])
		c.send(cql.Header{Version: test.version, Stream: 7, Opcode: cql.OpOptions}, nil)
		a := c.receive()
		if a.Stream != 0 || a.Version != 4 {
			t.Errorf("version %d: the answer has the header %+v", test.version, a.Header)
		}
		c.expectError(a, cql.CodeProtocol, test.message)
		if test.goesOn {
			c.expect(c.ask(cql.OpOptions, nil), cql.OpSupported)
		} else if _, err := c.tryReceive(); !isEnd(err) {
			t.Errorf("version %d: got %v, want the connection to be closed", test.version, err)
		}
	}
}

// isEnd says whether err is how a read ends on a connection that was closed.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || isReset(err)
}

func startup(options ...string) []byte {
	m := make(map[string]string)
	for i := 0; i < len(options); i += 2 {
		m[options[i]] = options[i+1]
	}
	return cql.AppendStringMap(nil, m)
}

func TestStartup(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	c := dialCQL(t, s, s.Nodes()[0])

	// A connection survives each of these, as it does in Cassandra.
	c.send(cql.Header{Stream: 5, Opcode: cql.OpQuery}, queryBody("SELECT", cql.Parameters{}))
	early := c.receive()
	if early.Stream != 0 {
		t.Errorf("a QUERY before STARTUP is refused on stream %d", early.Stream)
	}
	c.expectError(early, cql.CodeProtocol, "Unexpected message QUERY, expecting STARTUP or OPTIONS")
	c.expectError(c.ask(cql.OpStartup, startup()), cql.CodeProtocol, "Missing value CQL_VERSION in STARTUP message")
	c.expectError(c.ask(cql.OpStartup, startup("CQL_VERSION", "x")), cql.CodeProtocol, "Invalid version value: x")
	c.expectError(c.ask(cql.OpStartup, startup("CQL_VERSION", "3.0.0", "COMPRESSION", "lz4")), cql.CodeProtocol, "Unknown compression algorithm: lz4")

	a := c.expect(c.ask(cql.OpStartup, startup("CQL_VERSION", "3.0.0", "DRIVER_NAME", "x")), cql.OpAuthenticate)
	if class := a.ShortString(); class != "org.apache.cassandra.auth.AstraAuthenticator" {
		t.Errorf("authenticator %s", class)
	}
	c.expectError(c.ask(cql.OpOptions, nil), cql.CodeProtocol, "Unexpected message OPTIONS, expecting SASL_RESPONSE")
	c.expectError(c.ask(cql.OpStartup, startup("CQL_VERSION", "3.0.0")), cql.CodeProtocol, "Unexpected message STARTUP, expecting SASL_RESPONSE")

	login := func(sasl string) answer { return c.ask(cql.OpAuthResponse, cql.AppendBytes(nil, []byte(sasl))) }
	bearer := s.Token().Bearer()
	c.expectError(login(""), cql.CodeCredentials, "Password must not be null")
	c.expectError(login("x"), cql.CodeCredentials, "Password must not be null")
	c.expectError(login("\x00token\x00"), cql.CodeCredentials, "Password must not be null")
	c.expectError(login("\x00\x00"+bearer), cql.CodeCredentials, "Authentication ID must not be null")
	c.expectError(login("\x00token\x00"+bearer+"0"), cql.CodeCredentials, "Provided username token and/or password are incorrect")
	c.expectError(c.ask(cql.OpQuery, queryBody("SELECT", cql.Parameters{})), cql.CodeProtocol, "Unexpected message QUERY, expecting SASL_RESPONSE")

	success := c.expect(login("\x00token\x00"+bearer), cql.OpAuthSuccess)
	if token := success.Bytes(); token != nil || success.Err() != nil {
		t.Errorf("AUTH_SUCCESS with %q", token)
	}
	c.expectError(c.ask(cql.OpStartup, startup("CQL_VERSION", "3.0.0")), cql.CodeProtocol, "Unexpected message STARTUP, the connection is already initialized")
	c.expect(login("authorization ID\x00token\x00"+bearer), cql.OpAuthSuccess)
	c.expect(c.ask(cql.OpOptions, nil), cql.OpSupported)

	other := dialCQL(t, s, s.Nodes()[0])
	other.expect(other.ask(cql.OpStartup, startup("CQL_VERSION", "3.0.0")), cql.OpAuthenticate)
	other.expect(other.ask(cql.OpAuthResponse, cql.AppendBytes(nil, []byte("\x00"+s.Token().ClientID()+"\x00"+s.Token().Secret()))), cql.OpAuthSuccess)
}

func TestFaultyMessages(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	c := connectCQL(t, s, s.Nodes()[0])
	c.expectError(c.ask(cql.Opcode(0x33), nil), cql.CodeProtocol, "Unknown opcode 51")
	c.expectError(c.ask(cql.OpResult, nil), cql.CodeProtocol, "Wrong protocol direction (expected RESPONSE, got REQUEST) for opcode 8 (RESULT)")
	c.send(cql.Header{Stream: 1, Response: true, Opcode: cql.OpOptions}, nil)
	c.expectError(c.receive(), cql.CodeProtocol, "Wrong protocol direction (expected REQUEST, got RESPONSE) for opcode 5 (OPTIONS)")
	c.expectError(c.askFlags(cql.OpOptions, cql.FlagCompressed, nil), cql.CodeProtocol, "Received a compressed frame on a connection without compression")
	c.expectError(c.ask(cql.OpRegister, cql.AppendStringList(nil, []string{"NOPE"})), cql.CodeProtocol, "Invalid value 'NOPE' for Type")
	for _, op := range []cql.Opcode{cql.OpQuery, cql.OpPrepare, cql.OpExecute, cql.OpBatch, cql.OpRegister} {
		a := c.ask(op, []byte{0})
		if a.Opcode != cql.OpError || a.ErrorMessage().Code != cql.CodeProtocol {
			t.Errorf("%v that is too short: %v", op, a.Opcode)
		}
	}
	c.expectError(c.ask(cql.OpQuery, queryBody("SELECT key FROM system.local", cql.Parameters{Consistency: 77})), cql.CodeProtocol, "cql: unknown consistency level 77")
	c.expect(c.ask(cql.OpOptions, nil), cql.OpSupported) // it still works

	// Nothing is allocated for a length that is only announced.
	for _, length := range []uint32{300 << 20, 0xfffffff0} {
		c := connectCQL(t, s, s.Nodes()[0])
		c.write(binary.BigEndian.AppendUint32([]byte{4, 0, 0, 1, byte(cql.OpQuery)}, length))
		a := c.receive()
		if e := a.ErrorMessage(); e.Code != cql.CodeInvalid || !strings.HasPrefix(e.Message, "Request is too big: length ") {
			t.Errorf("length %d: %v", length, e)
		}
		if _, err := c.tryReceive(); !isEnd(err) {
			t.Errorf("length %d: got %v, want the connection to be closed", length, err)
		}
	}
}

// Requests may come in any pieces, and many at once.
func TestFraming(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	s.Handle("SELECT v FROM t WHERE v = ?", astratest.Statement{
		Params:  []astratest.Column{{Name: "v", Type: "blob"}},
		Columns: []astratest.Column{{Name: "v", Type: "blob"}},
		Func: func(r *astratest.Request) (*astratest.Result, error) {
			return &astratest.Result{Rows: [][]any{{r.Values[0]}}}, nil
		},
	})
	c := connectCQL(t, s, s.Nodes()[0])
	request := func(stream int16, value []byte) []byte {
		frame := cql.AppendHeader(nil, cql.Header{Version: 4, Stream: stream, Opcode: cql.OpQuery})
		frame = append(frame, queryBody("SELECT v FROM t WHERE v = ?", cql.Parameters{Values: []cql.Value{{Bytes: value}}})...)
		cql.FinishFrame(frame)
		return frame
	}
	for _, b := range request(1, []byte("byte by byte")) {
		c.write([]byte{b})
	}
	if got := c.readRows(c.receive(), nil).rows[0][0]; string(got.([]byte)) != "byte by byte" {
		t.Errorf("got %q", got)
	}

	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(i * i)
	}
	c.write(request(2, big))
	if got := c.readRows(c.receive(), nil).rows[0][0]; string(got.([]byte)) != string(big) {
		t.Errorf("a value of %d bytes came back as another of %d", len(big), len(got.([]byte)))
	}

	const requests = 500
	var burst []byte
	for i := range requests {
		burst = append(burst, request(int16(i), []byte{byte(i >> 8), byte(i)})...)
	}
	c.write(burst)
	seen := make(map[int16]bool)
	for range requests {
		a := c.receive()
		value := c.readRows(a, nil).rows[0][0].([]byte)
		if int16(binary.BigEndian.Uint16(value)) != a.Stream || seen[a.Stream] {
			t.Fatalf("stream %d was answered with %x, again: %v", a.Stream, value, seen[a.Stream])
		}
		seen[a.Stream] = true
	}
}

// A client that sends and does not read holds up neither the node's other connections nor Close.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := astratest.NewServer()
	defer s.Close()
	s.Handle("SELECT v FROM t", astratest.Statement{
		Columns: []astratest.Column{{Name: "v", Type: "text"}},
		Result:  &astratest.Result{Rows: [][]any{{strings.Repeat("x", 64<<10)}}},
	})
	n := s.Nodes()[0]
	deaf := connectCQL(t, s, n)
	deaf.conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	frame := append(cql.AppendHeader(nil, cql.Header{Version: 4, Opcode: cql.OpQuery}), queryBody("SELECT v FROM t", cql.Parameters{})...)
	cql.FinishFrame(frame)
	for {
		if _, err := deaf.conn.Write(frame); err != nil {
			break // the node does not read any more
		}
	}
	c := connectCQL(t, s, n)
	c.queryRows("SELECT v FROM t")
	n.Stop()
	waitFor(t, "the node's connections to end", func() bool { open, _ := n.Conns(); return open == 0 })
}
