package astratest

import "maps"

// Stats are what a [Server] has seen since it began. Refused, silent and failed attempts count too, as far as they came.
type Stats struct {
	MetadataDials    int64 // TCP connections to the metadata service, also those that were reset because it is down
	MetadataRequests int64 // requests to the metadata service
	DNSQueries       int64

	Dials          int64            // TCP connections to the proxy, also those that were reset because it is away
	BySNI          map[string]int64 // TLS handshakes begun at the proxy, by the server name (a host ID) that the client sent; "": none
	RefusedUnknown int64            // those of them with a server name that the proxy does not know, however it refuses them
	Handshakes     int64            // TLS handshakes completed at the proxy, which in TLS 1.3 is a moment after the client's own end
	Resumed        int64            // those of them that resumed a session
	OpenConns      int64            // connections to the proxy that are open now
}

// Stats returns the present counts.
func (s *Server) Stats() Stats {
	counts := &s.proxy.counts
	counts.mu.Lock()
	bySNI := maps.Clone(counts.byServerNames)
	counts.mu.Unlock()
	return Stats{
		MetadataDials:    s.metadata.dials.Load(),
		MetadataRequests: s.metadata.requests.Load(),
		DNSQueries:       s.dns.queries.Load(),
		Dials:            counts.dials.Load(),
		BySNI:            bySNI,
		RefusedUnknown:   counts.refusedUnknown.Load(),
		Handshakes:       counts.handshakes.Load(),
		Resumed:          counts.resumed.Load(),
		OpenConns:        int64(s.proxy.sockets.len()),
	}
}
