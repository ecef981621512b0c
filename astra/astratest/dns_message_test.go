package astratest

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// query is what Go's resolver sends for the A records of db.example, with EDNS.
var query = mustDecode("1234" + "0120" + "0001" + "0000" + "0000" + "0001" +
	"024442" + "074578616d706c65" + "00" + "0001" + "0001" + // DB.Example. A IN
	"00" + "0029" + "04d0" + "00000000" + "0000")

func mustDecode(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestParseDNSQuery(t *testing.T) {
	t.Parallel()
	q, err := parseDNSQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	if q.id != 0x1234 || q.name != "db.example" || q.typ != dnsTypeA || q.class != dnsClassIN {
		t.Errorf("got %+v", q)
	}
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	want := mustDecode("1234" + "8500" + "0001" + "0001" + "0000" + "0000" +
		"024442" + "074578616d706c65" + "00" + "0001" + "0001" +
		"c00c" + "0001" + "0001" + "00000000" + "0004" + "7f000001")
	if diff := cmp.Diff(want, q.answer(0, addrs, dnsMaxUDP)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestParseDNSQueryRefuses(t *testing.T) {
	t.Parallel()
	change := func(at int, b byte) []byte {
		msg := bytes.Clone(query)
		msg[at] = b
		return msg
	}
	for name, msg := range map[string][]byte{
		"empty":               nil,
		"header only":         query[:dnsHeaderSize],
		"cut in the name":     query[:dnsHeaderSize+5],
		"cut in the type":     query[:dnsHeaderSize+13],
		"response":            change(2, 0x80),
		"two questions":       change(5, 2),
		"no question":         change(5, 0),
		"compressed name":     change(dnsHeaderSize, 0xc0),
		"label beyond end":    change(dnsHeaderSize, 63),
		"name over 255 bytes": append(append(bytes.Clone(query[:dnsHeaderSize]), bytes.Repeat([]byte("\x03abc"), 64)...), 0, 0, 1, 0, 1),
		"too long":            append(bytes.Clone(query), make([]byte, dnsMaxQuery)...),
	} {
		if q, err := parseDNSQuery(msg); err == nil {
			t.Errorf("%s: got %+v, want an error", name, q)
		}
	}
}

func TestDNSAnswerIsTruncated(t *testing.T) {
	t.Parallel()
	q, err := parseDNSQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	addrs := make([]netip.Addr, 100)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{127, 0, 0, byte(i)})
	}
	if msg := q.answer(0, addrs, dnsMaxUDP); len(msg) > dnsMaxUDP || msg[2]&0x02 == 0 || msg[7] != 0 {
		t.Errorf("over UDP: %d bytes, header %x; want the truncated flag and no answers", len(msg), msg[:dnsHeaderSize])
	}
	if msg := q.answer(0, addrs, 1<<16-1); msg[2]&0x02 != 0 || msg[7] != 100 {
		t.Errorf("over TCP: header %x; want 100 answers", msg[:dnsHeaderSize])
	}
}

func FuzzParseDNSQuery(f *testing.F) {
	f.Add(query)
	f.Add(query[:dnsHeaderSize])
	f.Fuzz(func(t *testing.T, msg []byte) {
		q, err := parseDNSQuery(msg)
		if err != nil {
			return
		}
		// The answer repeats the question, so it parses as a query once the response flag is off.
		answer := q.answer(0, []netip.Addr{netip.IPv6Loopback()}, 1<<16-1)
		answer[2] &^= 0x80
		again, err := parseDNSQuery(answer)
		if err != nil || again.name != q.name || again.typ != q.typ || again.class != q.class || again.id != q.id {
			t.Errorf("%x: answer %x: %+v, %v; want the question %+v", msg, answer, again, err, q)
		}
	})
}
