package websocket

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// buffers are what connections write from.
var buffers sync.Pool

// NewServer returns an HTTP server with l at DefaultPath and nothing else. Its time limits suit a server
// on the open Internet. At most Config.MaxConnections connections that are not yet WebSockets wait at
// once, and Config.MaxPerSource of one source that is no proxy; then one that is no proxy's gives way to a
// newcomer. It speaks only HTTP/1.1, since a WebSocket takes the connection over. Use ListenAndServeTLS,
// or ListenAndServe behind a proxy that ends TLS. Close l, too: a server does not end WebSockets.
func NewServer(l *Listener) *http.Server {
	waiting := queue{listener: l, places: newPlaces(&l.config), conns: make(map[net.Conn]*place)}
	mux := http.NewServeMux()
	mux.Handle("GET "+DefaultPath, l)
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: headerTime, IdleTimeout: headerTime,
		MaxHeaderBytes: headerBytes, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ConnState: func(c net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				if !waiting.add(c) {
					_ = c.Close() // the server notices
				}
			case http.StateHijacked, http.StateClosed:
				waiting.remove(c)
			}
		},
	}
}

// queue has the connections that are no WebSockets yet.
type queue struct {
	listener *Listener // constant
	places   *places   // constant: those of a proxy, whose connections are those of many, have the zero address

	mu sync.Mutex
	// +checklocks:mu
	conns map[net.Conn]*place
}

// add takes a place for a connection, and reports whether there was one. One that there was none for takes none from others
// until the server has noticed.
func (q *queue) add(c net.Conn) bool {
	var from netip.Addr
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && !q.listener.isProxy(a.Addr().Unmap()) {
		from = a.Addr().Unmap()
	}
	p := q.places.take(time.Now(), from)
	if p == nil {
		return false
	}
	q.mu.Lock()
	q.conns[c] = p
	q.mu.Unlock()
	p.end = func() { _ = withoutTLS(c).Close() } // the server notices
	q.places.mark(p, true)
	return true
}

// withoutTLS returns what TLS runs over, whose Close does not wait until TLS has said goodbye.
func withoutTLS(c net.Conn) net.Conn {
	if c, ok := c.(*tls.Conn); ok {
		return c.NetConn()
	}
	return c
}

// remove gives the place back, if the connection has one.
func (q *queue) remove(c net.Conn) {
	q.mu.Lock()
	p := q.conns[c]
	delete(q.conns, c)
	q.mu.Unlock()
	if p != nil {
		q.places.give(p)
	}
}
