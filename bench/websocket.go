//go:build linux

package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/pion/dtls/v2/pkg/crypto/selfsign"
)

// httpName is HTTP/1.1 in TLS: a WebSocket wants no other.
const httpName = "http/1.1"

// serveWebSocket serves binary messages over TLS 1.3, uncompressed.
func serveWebSocket(j *job, n *counters) (endpoint, error) {
	cert, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return endpoint{}, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return endpoint{}, err
	}
	up := websocket.Upgrader{ReadBufferSize: 4096, WriteBufferSize: 4096}
	server := &http.Server{
		TLSConfig: serverTLS(cert, httpName),
		ErrorLog:  log.New(io.Discard, "", 0), // players who leave are no news
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := up.Upgrade(w, r, nil); err == nil {
				serveMessages(j, n, c)
			}
		}),
	}
	go func() { _ = server.ServeTLS(l, "", "") }() // ends with the process
	return endpoint{Addr: l.Addr().String()}, nil
}

func serveMessages(j *job, n *counters, c *websocket.Conn) {
	defer c.Close()
	for {
		kind, b, err := c.ReadMessage()
		if err != nil {
			return
		}
		n.received.Add(1)
		if j.sink() {
			continue
		}
		if c.WriteMessage(kind, b) != nil {
			return
		}
		n.sent.Add(1)
	}
}

type webSocketConn struct {
	c  *websocket.Conn
	mu sync.Mutex // it allows one writer at a time
}

// Send implements datagramConn.
func (w *webSocketConn) Send(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.c.WriteMessage(websocket.BinaryMessage, p)
}

// Receive implements datagramConn.
func (w *webSocketConn) Receive() ([]byte, error) {
	_, b, err := w.c.ReadMessage()
	return b, err
}

// Close implements datagramConn.
func (w *webSocketConn) Close() error { return w.c.Close() }

func dialWebSocket(j *job) (conn, error) {
	d := websocket.Dialer{TLSClientConfig: clientTLS(httpName), HandshakeTimeout: dialTime}
	c, _, err := d.Dial("wss://"+j.Endpoint.Addr+"/", nil)
	if err != nil {
		return nil, err
	}
	return &single{c: &webSocketConn{c: c}}, nil
}
