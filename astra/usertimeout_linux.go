package astra

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h, which package syscall does not name.
const (
	tcpUserTimeout       = 18
	tcpUserTimeoutMillis = 4000
)

// setUserTimeout ends a connection whose data stays unacknowledged for 4 to 5 s, instead of after a quarter of an hour. Where it cannot be
// set, the read-idle limit is what remains.
func setUserTimeout(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, tcpUserTimeoutMillis)
	})
}
