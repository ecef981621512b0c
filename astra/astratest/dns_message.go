package astratest

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
)

// The part of DNS messages (RFC 1035) that answering for one name needs.

const (
	dnsHeaderSize = 12
	dnsMaxUDP     = 512     // of an answer over UDP; longer ones are cut and asked for again over TCP
	dnsMaxQuery   = 4 << 10 // of a query, over UDP or TCP
	dnsMaxName    = 255
	dnsMaxLabel   = 63

	dnsTypeA    = 1
	dnsTypeAAAA = 28
	dnsClassIN  = 1

	dnsFlagResponse      = 1 << 15
	dnsFlagAuthoritative = 1 << 10
	dnsFlagTruncated     = 1 << 9
	dnsFlagRecursion     = 1 << 8 // desired; copied from the query
	dnsOpcodeMask        = 0xf << 11

	dnsServerFailure  = 2
	dnsNameError      = 3
	dnsNotImplemented = 4
)

// dnsQuery is a query with its one question.
type dnsQuery struct {
	id, flags uint16
	name      string // lower case, without the final dot
	typ       uint16
	class     uint16
	question  []byte // as it came, to be repeated in the answer
}

var errDNSQuery = errors.New("astratest: malformed DNS query")

// parseDNSQuery reads a query with exactly one question. What follows the question (EDNS) is ignored.
func parseDNSQuery(msg []byte) (dnsQuery, error) {
	if len(msg) < dnsHeaderSize || len(msg) > dnsMaxQuery {
		return dnsQuery{}, errDNSQuery
	}
	q := dnsQuery{id: binary.BigEndian.Uint16(msg), flags: binary.BigEndian.Uint16(msg[2:])}
	if q.flags&dnsFlagResponse != 0 || binary.BigEndian.Uint16(msg[4:]) != 1 {
		return dnsQuery{}, errDNSQuery
	}
	var labels []string
	rest := msg[dnsHeaderSize:]
	for {
		if len(rest) == 0 {
			return dnsQuery{}, errDNSQuery
		}
		n := int(rest[0])
		rest = rest[1:]
		if n == 0 {
			break
		}
		if n > dnsMaxLabel || n > len(rest) { // a compressed name is longer than a label may be; queries have none
			return dnsQuery{}, errDNSQuery
		}
		labels = append(labels, string(rest[:n]))
		rest = rest[n:]
	}
	if len(rest) < 4 || len(msg)-len(rest)-dnsHeaderSize > dnsMaxName {
		return dnsQuery{}, errDNSQuery
	}
	q.name = strings.ToLower(strings.Join(labels, "."))
	q.typ = binary.BigEndian.Uint16(rest)
	q.class = binary.BigEndian.Uint16(rest[2:])
	q.question = msg[dnsHeaderSize : len(msg)-len(rest)+4]
	return q, nil
}

// answer writes the response to q: code (0: no error) and the addresses of the question's type. A response of more than limit bytes
// loses its addresses and is marked as truncated.
func (q dnsQuery) answer(code uint16, addrs []netip.Addr, limit int) []byte {
	msg := make([]byte, dnsHeaderSize, dnsMaxUDP)
	msg = append(msg, q.question...)
	var count uint16
	for _, addr := range addrs {
		if typ := dnsTypeOf(addr); q.typ != typ {
			continue
		}
		msg = append(msg, 0xc0, dnsHeaderSize) // the name: that of the question
		msg = binary.BigEndian.AppendUint16(msg, q.typ)
		msg = binary.BigEndian.AppendUint16(msg, dnsClassIN)
		msg = binary.BigEndian.AppendUint32(msg, 0) // time to live: never cached, a test may change it at any moment
		data := addr.AsSlice()
		msg = binary.BigEndian.AppendUint16(msg, uint16(len(data)))
		msg = append(msg, data...)
		count++
	}
	flags := dnsFlagResponse | dnsFlagAuthoritative | q.flags&(dnsOpcodeMask|dnsFlagRecursion) | code
	if len(msg) > limit {
		msg = msg[:dnsHeaderSize+len(q.question)]
		count = 0
		flags |= dnsFlagTruncated
	}
	binary.BigEndian.PutUint16(msg, q.id)
	binary.BigEndian.PutUint16(msg[2:], flags)
	binary.BigEndian.PutUint16(msg[4:], 1)
	binary.BigEndian.PutUint16(msg[6:], count)
	return msg
}

func dnsTypeOf(addr netip.Addr) uint16 {
	if addr.Is4() {
		return dnsTypeA
	}
	return dnsTypeAAAA
}
