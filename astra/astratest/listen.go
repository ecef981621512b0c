package astratest

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// listen listens, or panics.
func listen(addr string) net.Listener {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		panic(fmt.Sprintf("astratest: cannot listen: %v", err))
	}
	return ln
}

// listenAll listens on one free port of all addresses, or panics.
func listenAll(addrs []netip.Addr) (listeners []net.Listener, port uint16) {
	var err error
	for range 20 { // the port that is free at the first address may be in use at another
		if listeners, port, err = tryListenAll(addrs); err == nil {
			return listeners, port
		}
	}
	panic(fmt.Sprintf("astratest: cannot listen on one port of %v: %v", addrs, err))
}

func tryListenAll(addrs []netip.Addr) (listeners []net.Listener, port uint16, err error) {
	for _, addr := range addrs {
		ln, err := net.Listen("tcp", netip.AddrPortFrom(addr, port).String())
		if err != nil {
			for _, ln := range listeners {
				ln.Close()
			}
			return nil, 0, err
		}
		listeners = append(listeners, ln)
		port = uint16(ln.Addr().(*net.TCPAddr).Port)
	}
	return listeners, port, nil
}

// listenAgain listens on a port that was ours a moment ago, or panics. A connection that leaves from it for another place may hold it for
// a while.
func listenAgain(addr netip.AddrPort) net.Listener {
	deadline := time.Now().Add(5 * time.Second)
	for {
		ln, err := net.Listen("tcp", addr.String())
		if err == nil {
			return ln
		}
		if time.Now().After(deadline) {
			panic(fmt.Sprintf("astratest: cannot listen again: %v", err))
		}
		time.Sleep(10 * time.Millisecond)
	}
}
