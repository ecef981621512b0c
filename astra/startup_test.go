package astra

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

func frame(op cql.Opcode, body []byte) []byte {
	f := cql.AppendHeader(nil, cql.Header{Version: cql.Version, Response: true, Opcode: op})
	f = append(f, body...)
	cql.FinishFrame(f)
	return f
}

func TestStartupEndsWithTheAuthentication(t *testing.T) {
	t.Parallel()
	supported := frame(cql.OpSupported, bytes.Repeat([]byte{1}, 300))
	authenticate := frame(cql.OpAuthenticate, cql.AppendString(nil, "org.apache.cassandra.auth.AstraAuthenticator"))
	refused := frame(cql.OpError, cql.AppendError(nil, &cql.Error{Code: cql.CodeCredentials, Message: "Provided token is not valid"}))
	long := frame(cql.OpError, cql.AppendError(nil, &cql.Error{Code: cql.CodeCredentials, Message: strings.Repeat("x", 5000)}))
	unauthorized := frame(cql.OpError, cql.AppendError(nil, &cql.Error{Code: cql.CodeUnauthorized, Message: "no access to this datacenter"}))
	protocol := frame(cql.OpError, cql.AppendError(nil, &cql.Error{Code: cql.CodeProtocol, Message: "Invalid or unsupported protocol version"}))
	for name, test := range map[string]struct {
		stream  []byte
		refused string
	}{
		"accepted":           {bytes.Join([][]byte{supported, authenticate, frame(cql.OpAuthSuccess, []byte{0xff, 0xff, 0xff, 0xff})}, nil), ""},
		"no authentication":  {bytes.Join([][]byte{supported, frame(cql.OpReady, nil)}, nil), ""},
		"refused":            {bytes.Join([][]byte{supported, authenticate, refused}, nil), "Provided token is not valid"},
		"refused at length":  {bytes.Join([][]byte{supported, long}, nil), "xxx"},
		"not authorized":     {bytes.Join([][]byte{supported, authenticate, unauthorized}, nil), "no access"},
		"another version":    {protocol, ""},
		"an impossible size": {[]byte{0x84, 0, 0, 0, 6, 0xff, 0xff, 0xff, 0xff}, ""},
	} {
		for size := 1; size <= len(test.stream); size = size*3 + 1 {
			var s startup
			var done bool
			var err error
			for rest := test.stream; len(rest) > 0; {
				if done {
					t.Errorf("%s: it ended with %d bytes left", name, len(rest))
					break
				}
				n := min(size, len(rest))
				done, err = s.observe(rest[:n])
				rest = rest[n:]
			}
			if !done || (err != nil) != (test.refused != "") {
				t.Errorf("%s, in pieces of %d: done is %v, error %v", name, size, done, err)
			}
			if test.refused != "" && (!errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), test.refused) || len(err.Error()) > 1000) {
				t.Errorf("%s: error is %v", name, err)
			}
		}
	}
}

// A refusal says what the node says, and is about the token only where the node says so.
func TestRefusalOf(t *testing.T) {
	t.Parallel()
	whole := cql.AppendError(nil, &cql.Error{Code: cql.CodeServer, Message: "auth service is away"})
	for name, test := range map[string]struct {
		body []byte
		want string
	}{
		"whole":     {whole, `"auth service is away" (CQL error 0x0000)`},
		"cut":       {whole[:10], `"auth" (CQL error 0x0000)`},
		"no text":   {whole[:6], `"" (CQL error 0x0000)`},
		"truncated": {whole[:5], "an error without a text"},
		"empty":     {nil, "an error without a text"},
		"long":      {cql.AppendError(nil, &cql.Error{Code: cql.CodeServer, Message: strings.Repeat("x", 5000)}), `"` + strings.Repeat("x", maxRefusal) + `" (CQL error 0x0000)`},
	} {
		if err := refusalOf(test.body); err.Error() != test.want || errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzStartup(f *testing.F) {
	f.Add(frame(cql.OpReady, nil), 3)
	f.Add(frame(cql.OpError, cql.AppendError(nil, &cql.Error{Code: cql.CodeCredentials, Message: "no"})), 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		var s startup
		for size = max(1, size%64); len(stream) > 0; {
			n := min(size, len(stream))
			if done, _ := s.observe(stream[:n]); done {
				return
			}
			stream = stream[n:]
		}
		if len(s.body) > maxRefusal {
			t.Errorf("kept %d bytes", len(s.body))
		}
	})
}
