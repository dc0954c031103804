package websocket

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// buffers are what connections write from.
var buffers sync.Pool

// NewServer returns an HTTP server with l at DefaultPath and nothing else. Its time limits are those of a
// server on the open Internet, and no more connections wait at once than Config.MaxConnections; it speaks HTTP/1.1 alone, since a WebSocket takes the connection over. Use
// ListenAndServeTLS, or ListenAndServe behind a proxy that ends TLS. Close l, too: a server does not end
// WebSockets.
func NewServer(l *Listener) *http.Server {
	var waiting atomic.Int64 // connections that are no WebSockets yet
	mux := http.NewServeMux()
	mux.Handle("GET "+DefaultPath, l)
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: headerTime, IdleTimeout: headerTime,
		MaxHeaderBytes: headerBytes, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ConnState: func(c net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				if waiting.Add(1) > int64(l.config.MaxConnections) {
					_ = c.Close() // the server notices, and counts it out
				}
			case http.StateHijacked, http.StateClosed:
				waiting.Add(-1)
			}
		},
	}
}
