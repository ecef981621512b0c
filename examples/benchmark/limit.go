package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/bundle"
	"github.com/seed-5f06b232/astra-go/internal/cql"
	"github.com/seed-5f06b232/astra-go/token"
)

// limit is a client without a driver: it writes the same requests over one connection to each node, all that it may have in flight at once, and
// counts answers. No driver can be faster.
const limit = "no driver"

// limitLoad is load for it. It needs at least one worker for each connection.
func limitLoad(ctx context.Context, j loadJob) (loadResult, error) {
	b, err := bundle.Parse(j.Client.Bundle)
	if err != nil {
		return loadResult{}, err
	}
	t, err := token.Parse(j.Client.Token)
	if err != nil {
		return loadResult{}, err
	}
	dialer, err := astra.NewDialer(astra.Config{Bundle: b, Token: t})
	if err != nil {
		return loadResult{}, err
	}
	metadata, err := dialer.Metadata(ctx)
	if err != nil {
		return loadResult{}, err
	}
	var conns []*limitConn
	for _, hostID := range metadata.ContactPoints {
		conn, err := dialer.DialNode(ctx, hostID)
		if err != nil {
			return loadResult{}, err
		}
		defer conn.Close()
		c := &limitConn{Conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
		if err := c.start(t); err != nil {
			return loadResult{}, err
		}
		conns = append(conns, c)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(conns))
	answers := make([]int, len(conns))
	cpu, begin := processTime(), time.Now()
	for i, c := range conns {
		window := j.Workers / len(conns)
		if i < j.Workers%len(conns) {
			window++
		}
		wg.Go(func() { answers[i], errs[i] = c.pump(window, begin.Add(j.Time)) })
	}
	wg.Wait()
	took := time.Since(begin)
	var n float64
	for i := range conns {
		if errs[i] != nil {
			return loadResult{}, errs[i]
		}
		n += float64(answers[i])
	}
	return loadResult{Rate: n / took.Seconds(), CPU: microseconds(processTime()-cpu) / n}, nil
}

type limitConn struct {
	net.Conn
	in       *bufio.Reader
	prepared []byte // ID of the statement
}

// start authenticates and prepares the statement.
func (c *limitConn) start(t token.Token) error {
	if _, err := c.exchange(cql.OpStartup, cql.AppendStringMap(nil, map[string]string{"CQL_VERSION": "3.0.0"}), cql.OpAuthenticate); err != nil {
		return err
	}
	username, password := t.CQL()
	if _, err := c.exchange(cql.OpAuthResponse, cql.AppendBytes(nil, []byte("\x00"+username+"\x00"+password)), cql.OpAuthSuccess); err != nil {
		return err
	}
	result, err := c.exchange(cql.OpPrepare, cql.AppendLongString(nil, selectValue), cql.OpResult)
	if err != nil {
		return err
	}
	r := cql.NewReader(result)
	r.Int() // the kind of the result
	c.prepared = r.ShortBytes()
	return r.Err()
}

func (c *limitConn) exchange(op cql.Opcode, message []byte, want cql.Opcode) ([]byte, error) {
	if _, err := c.Write(frame(op, 0, message)); err != nil {
		return nil, err
	}
	h, body, err := c.read()
	if err == nil && h.Opcode != want {
		err = fmt.Errorf("%v was answered by %v", op, h.Opcode)
	}
	return body, err
}

// pump keeps a number of requests in flight until the time has come, and returns how many were answered.
func (c *limitConn) pump(window int, end time.Time) (answered int, err error) {
	var out []byte
	ready := make([]int16, max(window, 1)) // streams
	for i := range ready {
		ready[i] = int16(i)
	}
	inFlight := 0
	for i := 0; ; {
		if time.Now().Before(end) {
			out = out[:0]
			for _, stream := range ready {
				out = append(out, c.request(stream, keys[i%distinctKeys])...)
				i++
			}
			if _, err := c.Write(out); err != nil {
				return answered, err
			}
			inFlight += len(ready)
		}
		if inFlight == 0 {
			return answered, nil
		}
		ready = ready[:0]
		for len(ready) == 0 || c.in.Buffered() >= cql.HeaderSize {
			h, _, err := c.read()
			if err != nil {
				return answered, err
			}
			if h.Opcode != cql.OpResult {
				return answered, fmt.Errorf("EXECUTE was answered by %v", h.Opcode)
			}
			ready = append(ready, h.Stream)
			answered++
			inFlight--
		}
	}
}

func (c *limitConn) request(stream int16, key string) []byte {
	message := cql.AppendShortBytes(nil, c.prepared)
	parameters := cql.Parameters{Consistency: cql.LocalQuorum, SkipMetadata: true, Values: []cql.Value{{Bytes: []byte(key)}}}
	return frame(cql.OpExecute, stream, cql.AppendParameters(message, &parameters))
}

func (c *limitConn) read() (h cql.Header, body []byte, err error) {
	var header [cql.HeaderSize]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return h, nil, err
	}
	h = cql.ParseHeader(&header)
	body = make([]byte, h.Length)
	_, err = io.ReadFull(c.in, body)
	return h, body, err
}

func frame(op cql.Opcode, stream int16, message []byte) []byte {
	f := cql.AppendHeader(make([]byte, 0, cql.HeaderSize+len(message)), cql.Header{Version: cql.Version, Stream: stream, Opcode: op})
	f = append(f, message...)
	cql.FinishFrame(f)
	return f
}
