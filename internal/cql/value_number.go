package cql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// maxScale bounds the digits that a decimal's text may have before or after
// its point beside those of its unscaled value, so that four hostile bytes
// cannot ask for gigabytes of zeros.
const maxScale = 1 << 16

const (
	dateEpoch     = 1 << 31 // the number that stands for 1970-01-01
	secondsPerDay = 24 * 60 * 60
)

// appendVarint appends n in two's complement, in as few bytes as hold it.
func appendVarint(dst []byte, n *big.Int) []byte {
	if n.Sign() >= 0 {
		if n.BitLen()%8 == 0 {
			dst = append(dst, 0)
		}
		return append(dst, n.Bytes()...)
	}
	// -n-1 has the inverted bits of n.
	inverted := new(big.Int).Not(n)
	start := len(dst)
	if inverted.BitLen()%8 == 0 {
		dst = append(dst, 0)
	}
	dst = append(dst, inverted.Bytes()...)
	for i := start; i < len(dst); i++ {
		dst[i] = ^dst[i]
	}
	return dst
}

func parseVarint(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func appendDecimal(dst []byte, s string) ([]byte, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	digits := strings.TrimLeft(whole, "+-") + fraction
	if len(whole)-len(strings.TrimLeft(whole, "+-")) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return dst, fmt.Errorf("%q is not a decimal number", s)
	}
	n, _ := new(big.Int).SetString(digits, 10)
	if strings.HasPrefix(whole, "-") {
		n.Neg(n)
	}
	return appendVarint(AppendInt(dst, len(fraction)), n), nil
}

func formatDecimal(b []byte) (string, error) {
	if len(b) < 5 {
		return "", errLength
	}
	scale := int(int32(binary.BigEndian.Uint32(b)))
	if scale < -maxScale || scale > maxScale {
		return "", fmt.Errorf("a scale of %d", scale)
	}
	n := parseVarint(b[4:])
	digits := new(big.Int).Abs(n).String()
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	if n.Sign() == 0 && scale < 0 {
		return "0", nil
	}
	if scale <= 0 {
		return sign + digits + strings.Repeat("0", -scale), nil
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - scale
	return sign + digits[:point] + "." + digits[point:], nil
}

func appendDate(dst []byte, v any) ([]byte, error) {
	if s, ok := v.(string); ok {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return dst, err
		}
		v = at
	}
	at, ok := v.(time.Time)
	if !ok {
		return dst, errGoType
	}
	at = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	days := at.Unix()/secondsPerDay + dateEpoch // whole days: divides without rest
	if days < 0 || days > math.MaxUint32 {
		return dst, errors.New("a date that is too far away")
	}
	return binary.BigEndian.AppendUint32(dst, uint32(days)), nil
}

// appendUvint appends n with as many leading one bits in its first byte as
// there are further bytes.
func appendUvint(dst []byte, n uint64) []byte {
	extra := max(0, bits.Len64(n)-1) / 7
	if extra >= 8 {
		return binary.BigEndian.AppendUint64(append(dst, 0xFF), n)
	}
	first := byte(n>>(8*extra)) | ^byte(0xFF>>extra)
	dst = append(dst, first)
	for i := extra - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

// cutUvint is the inverse of appendUvint.
func cutUvint(b []byte) (n uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	extra := bits.LeadingZeros8(^b[0])
	if len(b) < 1+extra {
		return 0, nil, false
	}
	n = uint64(b[0] & byte(0xFF>>extra))
	for _, c := range b[1 : 1+extra] {
		n = n<<8 | uint64(c)
	}
	return n, b[1+extra:], true
}

// appendVint appends n with its sign in the lowest bit.
func appendVint(dst []byte, n int64) []byte { return appendUvint(dst, uint64(n<<1^n>>63)) }

func cutVint(b []byte) (n int64, rest []byte, ok bool) {
	u, rest, ok := cutUvint(b)
	return int64(u>>1) ^ -int64(u&1), rest, ok
}

// durationUnits are CQL's, from long to short.
var durationUnits = []struct {
	name string
	part int // 0: months, 1: days, 2: nanoseconds
	size int64
}{
	{"y", 0, 12}, {"mo", 0, 1},
	{"w", 1, 7}, {"d", 1, 1},
	{"h", 2, int64(time.Hour)}, {"m", 2, int64(time.Minute)}, {"s", 2, int64(time.Second)},
	{"ms", 2, int64(time.Millisecond)}, {"us", 2, int64(time.Microsecond)}, {"ns", 2, 1},
}

func appendDuration(dst []byte, s string) ([]byte, error) {
	fail := func() ([]byte, error) { return dst, fmt.Errorf("%q is not a duration such as 1y2mo3d4h5m6s", s) }
	rest, negative := strings.CutPrefix(s, "-")
	if rest == "" {
		return fail()
	}
	var parts [3]int64
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return fail()
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyzµ"))
		name := strings.ReplaceAll(rest[:letters], "µ", "u")
		rest = rest[letters:]
		found := false
		for _, unit := range durationUnits {
			if unit.name != name {
				continue
			}
			found = true
			if n > (math.MaxInt64-parts[unit.part])/unit.size {
				return fail()
			}
			parts[unit.part] += n * unit.size
		}
		if !found {
			return fail()
		}
	}
	if parts[0] > math.MaxInt32 || parts[1] > math.MaxInt32 {
		return fail()
	}
	for _, n := range parts {
		if negative {
			n = -n
		}
		dst = appendVint(dst, n)
	}
	return dst, nil
}

func formatDuration(b []byte) (string, error) {
	var s strings.Builder
	var parts [3]int64
	negative := false
	for i := range parts {
		n, rest, ok := cutVint(b)
		if !ok || n == math.MinInt64 {
			return "", errLength
		}
		negative = negative || n < 0
		parts[i], b = max(n, -n), rest
	}
	if len(b) > 0 {
		return "", errLength
	}
	if negative {
		s.WriteByte('-')
	}
	for _, unit := range durationUnits {
		if n := parts[unit.part] / unit.size; n > 0 {
			parts[unit.part] %= unit.size
			s.WriteString(strconv.FormatInt(n, 10) + unit.name)
		}
	}
	if s.Len() == 0 {
		return "0s", nil
	}
	return s.String(), nil
}
