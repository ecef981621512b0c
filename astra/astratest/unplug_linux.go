package astratest

import (
	"net"
	"syscall"
)

const lossySockets = true

// setLossy makes the kernel drop each packet that arrives for a connection, by a filter that keeps none of its bytes.
func setLossy(conn net.Conn, on bool) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	var result error
	err = raw.Control(func(fd uintptr) {
		if on {
			result = syscall.AttachLsf(int(fd), []syscall.SockFilter{*syscall.LsfStmt(syscall.BPF_RET|syscall.BPF_K, 0)})
		} else {
			result = syscall.DetachLsf(int(fd))
		}
	})
	return err == nil && result == nil
}
