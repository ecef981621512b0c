package astratest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// authenticator is the class that Astra's nodes name.
const authenticator = "org.apache.cassandra.auth.AstraAuthenticator"

// A conn is a client's connection to a node. One goroutine reads requests and
// answers them in their order; only what a handler's function answers comes
// from a goroutine of its own.
type conn struct {
	ctx    context.Context // ends with the connection
	node   *Node
	net    net.Conn
	out    *frameWriter
	events atomic.Uint32 // an eventMask

	goroutines sync.WaitGroup

	// Of the reading goroutine:
	state    connState
	keyspace string // in use
	message  cql.Reader
	params   cql.Parameters // of the message that is being read
}

type connState int

const (
	starting connState = iota
	authenticating
	ready
)

func newConn(ctx context.Context, n *Node, netConn net.Conn) *conn {
	c := &conn{ctx: ctx, node: n, net: netConn}
	c.out = newFrameWriter(ctx, netConn, n.cluster.settings.latency, &c.goroutines)
	return c
}

// A request is what an answer has to know of the frame that it answers.
type request struct {
	header  cql.Header
	arrived time.Time
	trace   [16]byte // its ID, when the header's flags ask for tracing
	payload map[string][]byte
}

const (
	minReadBuffer  = 4 << 10
	maxReadBuffer  = 64 << 10 // that is kept
	fullReadBuffer = 32 << 10 // reads that fill less make it grow
	readBufferStep = 4 << 20  // for a frame that needs more than there is
)

// serve answers requests until the connection ends.
func (c *conn) serve() {
	buffer := make([]byte, minReadBuffer)
	used := 0 // how much of it holds input
	for {
		n, err := c.net.Read(buffer[used:])
		used += n
		done, ok := c.frames(buffer[:used])
		if !ok {
			c.out.flushNow()
			return
		}
		c.out.flush()
		if err != nil {
			return
		}
		full := used == len(buffer)
		if done > 0 {
			used = copy(buffer, buffer[done:used])
		}
		switch {
		case used == len(buffer), full && len(buffer) < fullReadBuffer:
			larger := make([]byte, max(2*len(buffer), min(frameSize(buffer[:used]), readBufferStep)))
			copy(larger, buffer[:used])
			buffer = larger
		case used == 0 && len(buffer) > maxReadBuffer:
			buffer = make([]byte, minReadBuffer)
		}
	}
}

// frameSize returns the size of the frame that begins in the input, or 0 if that is not known. Lengths out of range have been refused. The buffer grows
// to it by at most 4 MiB, or its own length, for the bytes that have arrived: the header may lie.
func frameSize(input []byte) int {
	if len(input) < cql.HeaderSize {
		return 0
	}
	header := cql.ParseHeader((*[cql.HeaderSize]byte)(input))
	return cql.HeaderSize + int(header.Length)
}

// frames answers the frames that are complete and returns how long they are.
// It reports false when the connection has to be closed.
func (c *conn) frames(input []byte) (done int, ok bool) {
	var arrived time.Time
	if c.out.latency > 0 {
		arrived = time.Now()
	}
	for len(input) > done {
		rest := input[done:]
		if v := rest[0] &^ 0x80; v < 3 || v > 6 {
			c.refuseVersion(v) // and who knows how long its header is
			return done, false
		}
		if len(rest) < cql.HeaderSize {
			break
		}
		req := request{header: cql.ParseHeader((*[cql.HeaderSize]byte)(rest)), arrived: arrived}
		if length := req.header.Length; length < 0 || length > cql.MaxBody {
			c.replyError(&req, invalid("Request is too big: length %d exceeds maximum allowed length %d.", uint32(length), cql.MaxBody))
			return done, false
		}
		end := cql.HeaderSize + int(req.header.Length)
		if len(rest) < end {
			break
		}
		if req.header.Version != cql.Version {
			c.refuseVersion(req.header.Version)
		} else if c.state == starting && c.quirks().NoVersion4 {
			c.refuseVersion4()
		} else {
			c.handle(&req, rest[cql.HeaderSize:end])
		}
		done += end
	}
	return done, true
}

// refuseVersion answers as Cassandra does: in a version that it speaks, and
// on stream 0.
func (c *conn) refuseVersion(v byte) {
	lowest := min(3, cql.Version)
	if v == 3 {
		lowest = cql.Version // Cassandra speaks it
	}
	c.replyError(&request{}, protocolFault("Invalid or unsupported protocol version (%d); the lowest supported version is %d and the greatest is %d",
		v, lowest, cql.Version))
}

func protocolFault(format string, args ...any) *cql.Error {
	return &cql.Error{Code: cql.CodeProtocol, Message: fmt.Sprintf(format, args...)}
}

// handle answers one request.
func (c *conn) handle(req *request, body []byte) {
	c.message.Reset(body)
	op := req.header.Opcode
	if req.header.Flags&cql.FlagCustomPayload != 0 {
		req.payload = c.message.BytesMap()
	}
	var err *cql.Error
	switch {
	case req.header.Response:
		err = protocolFault("Wrong protocol direction (expected REQUEST, got RESPONSE) for opcode %d (%v)", byte(op), op)
	case req.header.Flags&cql.FlagCompressed != 0:
		err = protocolFault("Received a compressed frame on a connection without compression")
	case !c.mayCome(op):
		err = c.unexpected(op)
		if c.state == starting {
			req.header.Stream = 0
		}
	default:
		err = c.dispatch(req, op)
	}
	if err != nil {
		c.replyError(req, err)
	}
}

func (c *conn) mayCome(op cql.Opcode) bool {
	switch op {
	case cql.OpStartup:
		return c.state == starting
	case cql.OpOptions:
		return c.state != authenticating
	case cql.OpAuthResponse:
		return c.state != starting
	case cql.OpRegister, cql.OpQuery, cql.OpPrepare, cql.OpExecute, cql.OpBatch:
		return c.state == ready
	}
	return false
}

func (c *conn) unexpected(op cql.Opcode) *cql.Error {
	switch {
	case op > cql.OpAuthSuccess:
		return protocolFault("Unknown opcode %d", byte(op))
	case c.state == starting:
		return protocolFault("Unexpected message %v, expecting STARTUP or OPTIONS", op)
	case c.state == authenticating:
		return protocolFault("Unexpected message %v, expecting SASL_RESPONSE", op)
	case op == cql.OpStartup:
		return protocolFault("Unexpected message STARTUP, the connection is already initialized")
	}
	return protocolFault("Wrong protocol direction (expected RESPONSE, got REQUEST) for opcode %d (%v)", byte(op), op)
}

func (c *conn) dispatch(req *request, op cql.Opcode) *cql.Error {
	switch op {
	case cql.OpOptions:
		c.reply(req, cql.OpSupported, cql.AppendStringMultimap(nil, c.quirks().supported()))
		return nil
	case cql.OpStartup:
		return c.startup(req)
	case cql.OpAuthResponse:
		return c.authenticate(req)
	case cql.OpRegister:
		return c.register(req)
	}
	if c.node.cluster.overloaded.Load() {
		return &cql.Error{Code: cql.CodeOverloaded, Message: "Rate limit reached, please consult astra.dev/rate-limit"}
	}
	switch op {
	case cql.OpQuery:
		return c.query(req)
	case cql.OpPrepare:
		return c.prepare(req)
	case cql.OpExecute:
		return c.executePrepared(req)
	default:
		return c.batch(req)
	}
}

func (c *conn) quirks() *Quirks { return c.node.cluster.quirks.Load() }

func (c *conn) startup(req *request) *cql.Error {
	options := c.message.StringMap()
	if err := c.message.Err(); err != nil {
		return protocolFault("%v", err)
	}
	version, ok := options["CQL_VERSION"]
	switch compression := options["COMPRESSION"]; {
	case !ok:
		return protocolFault("Missing value CQL_VERSION in STARTUP message")
	case strings.Trim(version, "0123456789.") != "" || version == "":
		return protocolFault("Invalid version value: %s", version)
	case compression != "":
		return protocolFault("Unknown compression algorithm: %s", compression)
	}
	if c.quirks().NoAuthentication {
		c.state = ready
		c.reply(req, cql.OpReady, nil)
		return nil
	}
	c.state = authenticating
	c.reply(req, cql.OpAuthenticate, cql.AppendString(nil, cmp.Or(c.quirks().Authenticator, authenticator)))
	return nil
}

// authenticate speaks SASL's PLAIN.
func (c *conn) authenticate(req *request) *cql.Error {
	token := c.message.Bytes()
	if err := c.message.Err(); err != nil {
		return protocolFault("%v", err)
	}
	username, password := parsePlain(string(token))
	refuse := func(why string) *cql.Error {
		return c.quirks().refusal(&cql.Error{Code: cql.CodeCredentials, Message: why})
	}
	switch check := c.node.cluster.settings.authenticate; {
	case password == "":
		return refuse("Password must not be null")
	case username == "":
		return refuse("Authentication ID must not be null")
	case check != nil:
		if err := check(username, password); err != nil {
			return refuse(err.Error())
		}
	}
	if c.quirks().Challenge {
		c.reply(req, cql.OpAuthChallenge, cql.AppendBytes(nil, []byte("more")))
		return nil
	}
	c.state = ready
	c.reply(req, cql.OpAuthSuccess, cql.AppendBytes(nil, nil))
	return nil
}

// parsePlain reads "authorization ID, NUL, username, NUL, password" from its
// end, as Cassandra does.
func parsePlain(token string) (username, password string) {
	i := strings.LastIndexByte(token, 0)
	if i < 0 {
		return "", ""
	}
	username = token[:i]
	return username[strings.LastIndexByte(username, 0)+1:], token[i+1:]
}

func (c *conn) register(req *request) *cql.Error {
	kinds := c.message.StringList()
	if err := c.message.Err(); err != nil {
		return protocolFault("%v", err)
	}
	mask := eventMask(c.events.Load())
	for _, kind := range kinds {
		bit := maskOf(kind)
		if bit == 0 {
			return protocolFault("Invalid value '%s' for Type", kind)
		}
		mask |= bit
	}
	c.reply(req, cql.OpReady, nil)
	c.events.Store(uint32(mask))
	return nil
}

// reply answers a request with a message.
func (c *conn) reply(req *request, op cql.Opcode, body []byte) {
	buffer := c.out.lock()
	start := len(buffer)
	buffer = append(req.begin(buffer, op, nil, nil), body...)
	cql.FinishFrame(buffer[start:])
	c.out.unlock(buffer, req.arrived)
}

func (c *conn) replyError(req *request, e *cql.Error) {
	c.reply(req, cql.OpError, cql.AppendError(nil, e))
}

// replyRows answers a request with the rows that p asks for.
func (c *conn) replyRows(req *request, rows *encodedRows, p *cql.Parameters) *cql.Error {
	buffer := c.out.lock()
	start := len(buffer)
	answer, err := rows.append(req.begin(buffer, cql.OpResult, rows.warnings, rows.payload), p)
	if err != nil {
		c.out.unlock(buffer, req.arrived)
		return err
	}
	cql.FinishFrame(answer[start:])
	c.out.unlock(answer, req.arrived)
	return nil
}

// begin appends the header of an answer and what its flags announce.
func (req *request) begin(dst []byte, op cql.Opcode, warnings []string, payload map[string][]byte) []byte {
	flags := req.header.Flags & cql.FlagTracing
	if op != cql.OpResult && op != cql.OpError || req.trace == [16]byte{} {
		flags = 0
	}
	if len(warnings) > 0 {
		flags |= cql.FlagWarning
	}
	if len(payload) > 0 {
		flags |= cql.FlagCustomPayload
	}
	dst = cql.AppendHeader(dst, cql.Header{Version: cql.Version, Response: true, Flags: flags, Stream: req.header.Stream, Opcode: op})
	if flags&cql.FlagTracing != 0 {
		dst = append(dst, req.trace[:]...)
	}
	if len(warnings) > 0 {
		dst = cql.AppendStringList(dst, warnings)
	}
	if len(payload) > 0 {
		dst = cql.AppendBytesMap(dst, payload)
	}
	return dst
}
