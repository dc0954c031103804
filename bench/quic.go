//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/pion/dtls/v2/pkg/crypto/selfsign"
	"github.com/quic-go/quic-go"
)

// protocolName is what TLS agrees on where it must.
const protocolName = "bench"

func quicConfig() *quic.Config {
	return &quic.Config{EnableDatagrams: true, MaxIdleTimeout: time.Hour}
}

// serveQUIC serves DATAGRAM frames (RFC 9221), one connection for each player.
func serveQUIC(j *job, n *counters) (endpoint, error) {
	cert, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return endpoint{}, err
	}
	socket, err := listenUDP()
	if err != nil {
		return endpoint{}, err
	}
	l, err := quic.Listen(socket, serverTLS(cert, protocolName), quicConfig())
	if err != nil {
		return endpoint{}, err
	}
	go func() {
		for {
			c, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go serveQUICConn(j, n, c)
		}
	}()
	return endpoint{Addr: l.Addr().String()}, nil
}

func serverTLS(cert tls.Certificate, protocol string) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, NextProtos: []string{protocol},
		CurvePreferences: []tls.CurveID{tls.CurveP256}, SessionTicketsDisabled: true,
	}
}

func clientTLS(protocol string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}, CurvePreferences: []tls.CurveID{tls.CurveP256}}
}

func serveQUICConn(j *job, n *counters, c *quic.Conn) {
	for {
		b, err := c.ReceiveDatagram(context.Background())
		if err != nil {
			return
		}
		n.received.Add(1)
		if j.sink() {
			continue
		}
		if c.SendDatagram(b) != nil {
			return
		}
		n.sent.Add(1)
	}
}

type quicConn struct{ c *quic.Conn }

// Send implements datagramConn.
func (q quicConn) Send(p []byte) error { return q.c.SendDatagram(p) }

// Receive implements datagramConn.
func (q quicConn) Receive() ([]byte, error) { return q.c.ReceiveDatagram(context.Background()) }

// Close implements datagramConn.
func (q quicConn) Close() error { return q.c.CloseWithError(0, "") }

func dialQUIC(j *job) (conn, error) {
	ctx, cancel := dialContext()
	defer cancel()
	c, err := quic.DialAddr(ctx, j.Endpoint.Addr, clientTLS(protocolName), quicConfig())
	if err != nil {
		return nil, err
	}
	return &single{c: quicConn{c}}, nil
}
