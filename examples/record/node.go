package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// node is a connection to a node, for one request at a time. What gocql keeps to itself can be seen here.
type node struct{ net.Conn }

// An answer that is of use here has a few kilobytes.
const maxAnswer = 4 << 20

// answer is a response to a request.
type answer struct {
	cql.Header
	body []byte
}

// ask sends a request in some version of the protocol, on stream 1, and reads the answer. It gives up when the context ends.
func (n *node) ask(ctx context.Context, version byte, op cql.Opcode, body []byte) (answer, error) {
	stop := context.AfterFunc(ctx, func() { n.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	frame := append(cql.AppendHeader(nil, cql.Header{Version: version, Stream: 1, Opcode: op}), body...)
	cql.FinishFrame(frame)
	if _, err := n.Write(frame); err != nil {
		return answer{}, causeOf(ctx, err)
	}
	a, err := n.read()
	return a, causeOf(ctx, err)
}

func causeOf(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (n *node) read() (answer, error) {
	var raw [cql.HeaderSize]byte
	if _, err := io.ReadFull(n, raw[:]); err != nil {
		return answer{}, err
	}
	h := cql.ParseHeader(&raw)
	if h.Length < 0 || h.Length > maxAnswer {
		return answer{}, fmt.Errorf("it answers with %d bytes", h.Length)
	}
	body := make([]byte, h.Length)
	_, err := io.ReadFull(n, body)
	return answer{h, body}, err
}

// refusal returns the error that an answer holds, or nil.
func (a *answer) refusal() *cql.Error {
	if a.Opcode != cql.OpError {
		return nil
	}
	return cql.NewReader(a.body).ErrorMessage()
}

// unexpected is the error of an answer of the wrong kind.
func (a *answer) unexpected() error {
	if e := a.refusal(); e != nil {
		return e
	}
	return fmt.Errorf("it answers with %v", a.Opcode)
}

func (n *node) supported(ctx context.Context) (map[string][]string, error) {
	a, err := n.ask(ctx, cql.Version, cql.OpOptions, nil)
	if err == nil && a.Opcode != cql.OpSupported {
		err = a.unexpected()
	}
	if err != nil {
		return nil, err
	}
	r := cql.NewReader(a.body)
	options := r.StringMultimap()
	return options, r.Err()
}

// start opens the protocol. It returns the class of the authenticator, which is empty if there is none.
func (n *node) start(ctx context.Context) (authenticator string, err error) {
	a, err := n.ask(ctx, cql.Version, cql.OpStartup, cql.AppendStringMap(nil, map[string]string{"CQL_VERSION": "3.0.0"}))
	switch {
	case err != nil:
		return "", err
	case a.Opcode == cql.OpAuthenticate:
		return cql.NewReader(a.body).ShortString(), nil
	case a.Opcode == cql.OpReady:
		return "", nil
	}
	return "", a.unexpected()
}

// login answers an authenticator. A refusal is a *cql.Error.
func (n *node) login(ctx context.Context, username, password string) error {
	a, err := n.ask(ctx, cql.Version, cql.OpAuthResponse, cql.AppendBytes(nil, []byte("\x00"+username+"\x00"+password)))
	if err == nil && a.Opcode != cql.OpAuthSuccess {
		err = a.unexpected()
	}
	return err
}

// row is a row of a table by the names of its columns. What is null is missing.
type row map[string]any

// query returns the rows of a statement without bind markers. A refusal is a *cql.Error.
func (n *node) query(ctx context.Context, statement string) ([]row, error) {
	body := cql.AppendParameters(cql.AppendLongString(nil, statement), &cql.Parameters{Consistency: cql.LocalOne})
	a, err := n.ask(ctx, cql.Version, cql.OpQuery, body)
	if err != nil {
		return nil, err
	}
	r := cql.NewReader(a.body)
	if a.Opcode != cql.OpResult || r.Int() != cql.ResultRows {
		return nil, a.unexpected()
	}
	columns, _ := r.Metadata()
	var rows []row
	for count := r.Int(); count > 0 && r.Err() == nil && len(columns) > 0; count-- {
		row := make(row)
		for _, c := range columns {
			if b := r.Bytes(); b != nil {
				if row[c.Name], err = c.Type.Decode(b); err != nil {
					return nil, fmt.Errorf("column %s: %w", c.Name, err)
				}
			}
		}
		rows = append(rows, row)
	}
	return rows, r.Err()
}

// register asks for events.
func (n *node) register(ctx context.Context) error {
	a, err := n.ask(ctx, cql.Version, cql.OpRegister, cql.AppendStringList(nil, []string{cql.TopologyChange, cql.StatusChange, cql.SchemaChange}))
	if err == nil && a.Opcode != cql.OpReady {
		err = a.unexpected()
	}
	return err
}

// codeOf returns the code of a node's error, or -1 if err is none.
func codeOf(err error) int {
	var e *cql.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return -1
}
