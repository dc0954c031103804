//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"time"

	dtls2 "github.com/pion/dtls/v2"
	elliptic2 "github.com/pion/dtls/v2/pkg/crypto/elliptic"
	"github.com/pion/dtls/v2/pkg/crypto/selfsign"
	"github.com/pion/dtls/v2/pkg/protocol"
	"github.com/pion/dtls/v2/pkg/protocol/recordlayer"
	dtls3 "github.com/pion/dtls/v3"
	elliptic3 "github.com/pion/dtls/v3/pkg/crypto/elliptic"
	udp2 "github.com/pion/transport/v2/udp"
)

// dialTime is how long a connection may take, in every library.
const dialTime = 20 * time.Second

func dialContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), dialTime)
}

func loopback() *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// serveConn echoes one connection.
func serveConn(j *job, n *counters, c net.Conn) {
	defer c.Close()
	b := make([]byte, 8192)
	for {
		length, err := c.Read(b)
		if err != nil {
			return
		}
		n.received.Add(1)
		if j.sink() {
			continue
		}
		if _, err := c.Write(b[:length]); err != nil {
			return
		}
		n.sent.Add(1)
	}
}

// servePion2 is what dtls.Listen does, but with large socket buffers, and with
// handshakes that do not wait for each other.
func servePion2(j *job, n *counters) (endpoint, error) {
	cert, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return endpoint{}, err
	}
	config := &dtls2.Config{
		Certificates: []tls.Certificate{cert},
		CipherSuites: []dtls2.CipherSuiteID{dtls2.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	}
	listen := udp2.ListenConfig{ReadBufferSize: socketBuffer, WriteBufferSize: socketBuffer, AcceptFilter: isPionHandshake}
	l, err := listen.Listen("udp4", loopback())
	if err != nil {
		return endpoint{}, err
	}
	go accept(l, func(c net.Conn) {
		d, err := dtls2.Server(c, config)
		if err != nil {
			n.failed.Add(1)
			_ = c.Close()
			return
		}
		serveConn(j, n, d)
	})
	return endpoint{Addr: l.Addr().String()}, nil
}

func accept(l net.Listener, serve func(c net.Conn)) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go serve(c)
		}
	}
}

func isPionHandshake(datagram []byte) bool {
	records, err := recordlayer.UnpackDatagram(datagram)
	if err != nil || len(records) == 0 {
		return false
	}
	h := new(recordlayer.Header)
	return h.Unmarshal(records[0]) == nil && h.ContentType == protocol.ContentTypeHandshake
}

// netConn is a datagramConn over any net.Conn that keeps datagrams apart.
type netConn struct {
	net.Conn
	b [2048]byte
}

// Send implements datagramConn.
func (c *netConn) Send(p []byte) error { _, err := c.Write(p); return err }

// Receive implements datagramConn.
func (c *netConn) Receive() ([]byte, error) {
	n, err := c.Read(c.b[:])
	return c.b[:n], err
}

func dialPion2(j *job) (conn, error) {
	ctx, cancel := dialContext()
	defer cancel()
	to, err := net.ResolveUDPAddr("udp4", j.Endpoint.Addr)
	if err != nil {
		return nil, err
	}
	c, err := dtls2.DialWithContext(ctx, "udp4", to, &dtls2.Config{
		InsecureSkipVerify: true,
		CipherSuites:       []dtls2.CipherSuiteID{dtls2.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		EllipticCurves:     []elliptic2.Curve{elliptic2.P256},
	})
	if err != nil {
		return nil, err
	}
	return &single{c: &netConn{Conn: c}}, nil
}

func servePion3(j *job, n *counters) (endpoint, error) {
	cert, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return endpoint{}, err
	}
	l, err := dtls3.ListenWithOptions("udp4", loopback(),
		dtls3.WithCertificates(cert),
		dtls3.WithCipherSuites(dtls3.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
		dtls3.WithListenConfig(net.ListenConfig{Control: largeBuffers}),
	)
	if err != nil {
		return endpoint{}, err
	}
	go accept(l, func(c net.Conn) {
		ctx, cancel := dialContext()
		defer cancel()
		if d, ok := c.(*dtls3.Conn); ok && d.HandshakeContext(ctx) != nil {
			n.failed.Add(1)
			_ = c.Close()
			return
		}
		serveConn(j, n, c)
	})
	return endpoint{Addr: l.Addr().String()}, nil
}

func largeBuffers(_, _ string, c syscall.RawConn) (err error) {
	set := func(fd uintptr) {
		err = errors.Join(syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, socketBuffer),
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, socketBuffer))
	}
	return errors.Join(c.Control(set), err)
}

func dialPion3(j *job) (conn, error) {
	ctx, cancel := dialContext()
	defer cancel()
	to, err := net.ResolveUDPAddr("udp4", j.Endpoint.Addr)
	if err != nil {
		return nil, err
	}
	c, err := dtls3.DialWithOptions("udp4", to,
		dtls3.WithInsecureSkipVerify(true),
		dtls3.WithCipherSuites(dtls3.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
		dtls3.WithEllipticCurves(elliptic3.P256),
	)
	if err != nil {
		return nil, err
	}
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &single{c: &netConn{Conn: c}}, nil
}
