package astratest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// httpService is an HTTP server on some listeners whose close waits.
type httpService struct {
	server  http.Server
	running sync.WaitGroup // accept loops and connections
}

// newHTTPService serves until close. The context of requests ends with ctx.
func newHTTPService(ctx context.Context, handler http.Handler, listeners ...net.Listener) *httpService {
	h := &httpService{}
	h.server = http.Server{
		Handler:     handler,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew: // in the accept loop, which is counted already
				h.running.Add(1)
			case http.StateClosed, http.StateHijacked:
				h.running.Done()
			}
		},
	}
	for _, ln := range listeners {
		h.running.Go(func() { h.server.Serve(ln) })
	}
	return h
}

// close closes the listeners and all connections, busy or idle. The context of newHTTPService must have ended, so that handlers do.
func (h *httpService) close() {
	h.server.Close()
	h.running.Wait()
}
