package cassandra

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// conn is a connection to a node, for one request at a time.
type conn struct {
	net.Conn
	r *bufio.Reader
}

// dial connects to a node and logs in if the node asks for it.
func dial(ctx context.Context, addr, user, password string) (*conn, error) {
	c, err := connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	if err := c.startup(user, password); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// connect connects to a node and says nothing yet.
func connect(ctx context.Context, addr string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	c.SetDeadline(deadline)
	return &conn{Conn: c, r: bufio.NewReader(c)}, nil
}

func (c *conn) startup(user, password string) error {
	op, body, err := c.ask(cql.OpStartup, cql.AppendStringMap(nil, map[string]string{"CQL_VERSION": "3.0.0"}))
	if err == nil && op == cql.OpAuthenticate {
		op, body, err = c.ask(cql.OpAuthResponse, cql.AppendBytes(nil, []byte("\x00"+user+"\x00"+password)))
	}
	if err != nil {
		return err
	}
	if op != cql.OpReady && op != cql.OpAuthSuccess {
		return fmt.Errorf("%v to a start, %d bytes", op, len(body))
	}
	return nil
}

// query sends a statement and returns the rows of its result.
func (c *conn) query(statement string, level cql.Consistency) (rows [][][]byte, err error) {
	body := cql.AppendLongString(nil, statement)
	body = append(cql.AppendShort(body, uint16(level)), 0) // no flags
	op, body, err := c.ask(cql.OpQuery, body)
	if err == nil && op != cql.OpResult {
		err = fmt.Errorf("answered by %v", op)
	}
	if err == nil {
		_, rows, err = readRows(body)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	return rows, nil
}

// readRows decodes a RESULT. One of another kind than rows has none.
func readRows(body []byte) (columns []cql.Column, rows [][][]byte, err error) {
	r := cql.NewReader(body)
	if r.Int() != cql.ResultRows {
		return nil, nil, r.Err()
	}
	columns, _ = r.Metadata()
	for n := r.Int(); n > 0 && r.Err() == nil; n-- {
		row := make([][]byte, len(columns))
		for i := range row {
			row[i] = r.Bytes()
		}
		rows = append(rows, row)
	}
	return columns, rows, r.Err()
}

// ask sends a request and reads its answer. An ERROR is returned as a *cql.Error.
func (c *conn) ask(op cql.Opcode, body []byte) (cql.Opcode, []byte, error) {
	h, answer, err := c.exchange(cql.Header{Version: cql.Version, Opcode: op}, body)
	if err != nil {
		return 0, nil, err
	}
	if h.Opcode != cql.OpError {
		return h.Opcode, answer, nil
	}
	r := cql.NewReader(answer)
	if e := r.ErrorMessage(); r.Err() == nil {
		return 0, nil, e
	}
	return 0, nil, r.Err()
}

// exchange sends a frame and reads the next one.
func (c *conn) exchange(h cql.Header, body []byte) (cql.Header, []byte, error) {
	frame := append(cql.AppendHeader(nil, h), body...)
	cql.FinishFrame(frame)
	if _, err := c.Write(frame); err != nil {
		return cql.Header{}, nil, err
	}
	return c.read()
}

// read reads a frame.
func (c *conn) read() (cql.Header, []byte, error) {
	var raw [cql.HeaderSize]byte
	if _, err := io.ReadFull(c.r, raw[:]); err != nil {
		return cql.Header{}, nil, err
	}
	h := cql.ParseHeader(&raw)
	if h.Length < 0 || h.Length > cql.MaxBody {
		return h, nil, fmt.Errorf("a frame of %d bytes", h.Length)
	}
	body := make([]byte, h.Length)
	_, err := io.ReadFull(c.r, body)
	return h, body, err
}
