package statuspage

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// NewServer returns an http.Server for h with what a small server needs and the zero one lacks:
// time limits, short headers, and at most 128 connections at once. A further one then replaces the
// oldest of the address, or the IPv6 network of 64 bits, that holds the most: whoever holds all of
// them cannot keep the health checks of another machine out. It is not listening yet.
func NewServer(h http.Handler) *http.Server {
	p := &places{taken: make(map[net.Conn]place)}
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader, ConnState: p.note,
	}
}

// places are the connections of a server.
type places struct {
	mu sync.Mutex
	// +checklocks:mu
	taken map[net.Conn]place
	// +checklocks:mu
	next uint64 // number of the next one
}

// place is a connection's.
type place struct {
	source netip.Prefix
	number uint64 // the lower, the older
}

// note is http.Server.ConnState.
func (p *places) note(c net.Conn, s http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch s {
	case http.StateNew:
		p.taken[c] = place{sourceOf(c), p.next}
		p.next++
		if len(p.taken) > maxConns {
			old := p.crowding()
			delete(p.taken, old)
			abort(old)
		}
	case http.StateClosed, http.StateHijacked:
		delete(p.taken, c)
	}
}

// abort closes a connection without waiting for its peer, to which TLS would say goodbye.
func abort(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	c.Close() //nolint:errcheck // it is gone either way
}

// crowding returns the oldest connection of a source that holds the most.
//
// +checklocks:p.mu
func (p *places) crowding() (found net.Conn) {
	held := make(map[netip.Prefix]int)
	for _, at := range p.taken {
		held[at.source]++
	}
	for c, at := range p.taken {
		best := p.taken[found]
		if more := held[at.source] - held[best.source]; found == nil || more > 0 || more == 0 && at.number < best.number {
			found = c
		}
	}
	return found
}

// sourceOf returns whose connection one is, as far as its address tells; zero for a Unix socket.
func sourceOf(c net.Conn) netip.Prefix {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	a := remote.AddrPort().Addr().Unmap().WithZone("")
	network, _ := a.Prefix(min(a.BitLen(), 64)) // of a valid address never an error
	return network
}
