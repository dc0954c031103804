//go:build linux

package main

import (
	"context"
	"errors"

	"github.com/pion/dtls/v2/pkg/crypto/selfsign"

	"github.com/sallyport/sallyport/internal/plaindtls"
	"github.com/sallyport/sallyport/policy"
)

// serveDTLS is Sallyport's DTLS alone, which does what a pion peer does: no
// envelopes, no identity, no session.
func serveDTLS(_ *job, n *counters) (endpoint, error) {
	cert, err := selfsign.GenerateSelfSignedWithDNS(serverName)
	if err != nil {
		return endpoint{}, err
	}
	s, err := plaindtls.Listen("127.0.0.1:0", plaindtls.Config{
		Certificate: cert, MaxUnproven: 1 << 16,
		Sources: policy.SourceConfig{PerSecond: unlimited, Burst: unlimited},
	})
	if err != nil {
		return endpoint{}, err
	}
	go func() {
		_ = s.Serve(plaindtls.Handler{Receive: func(c *plaindtls.Conn, payload []byte) {
			n.received.Add(1)
			if err := c.Send(payload); err != nil {
				n.failed.Add(1)
				return
			}
			n.sent.Add(1)
		}}) // ends with the process
	}()
	return endpoint{Addr: s.Addr().String(), Root: cert.Certificate[0]}, nil
}

// dtlsConn is a datagramConn over a plaindtls.Client.
type dtlsConn struct {
	*plaindtls.Client
	b [2048]byte
}

// Receive implements datagramConn.
func (c *dtlsConn) Receive() ([]byte, error) {
	n, err := c.Client.Receive(context.Background(), c.b[:])
	return c.b[:n], err
}

func dialDTLS(j *job) (conn, error) {
	roots, err := j.Endpoint.roots()
	if err != nil {
		return nil, err
	}
	ctx, cancel := dialContext()
	defer cancel()
	c, err := plaindtls.Dial(ctx, j.Endpoint.Addr, plaindtls.Config{RootCAs: roots, ServerName: serverName})
	if err != nil {
		return nil, errors.Join(errors.New("bench: dial"), err)
	}
	return &single{c: &dtlsConn{Client: c}}, nil
}
