package astratest

import "sync"

// Unplug makes the network lose what clients send on the connections that are open now: nothing arrives, and nothing is acknowledged, as when a
// cable was pulled. New connections work. Replug ends it; clients then send again what was lost. Beside [Server.Stall], it is what a client's
// kernel can notice (TCP_USER_TIMEOUT). It works on Linux; elsewhere it does nothing and reports false.
func (s *Server) Unplug() (replug func(), ok bool) {
	var unplugged []*socket
	for _, socket := range s.proxy.sockets.matching(func(*socket) bool { return true }) {
		if setLossy(socket.Conn, true) {
			unplugged = append(unplugged, socket)
		}
	}
	return sync.OnceFunc(func() {
		for _, socket := range unplugged {
			setLossy(socket.Conn, false)
		}
	}), lossySockets
}
