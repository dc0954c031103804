//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/pion/dtls/v2/pkg/crypto/selfsign"
	"github.com/quic-go/quic-go"
)

// quicPair is a connection on which each message has a stream of its own, or
// each lane has one.
type quicPair struct {
	sockets        [2]net.PacketConn
	server, client *quic.Conn
	lanes          [laneCount]*quic.SendStream // nil: a stream for each message
}

// quicMatrixConfig gives streams room for the whole bulk.
func quicMatrixConfig() *quic.Config {
	const room = 8 << 20
	return &quic.Config{
		MaxIdleTimeout: time.Hour, HandshakeIdleTimeout: connectTime, MaxIncomingUniStreams: 1 << 16,
		InitialStreamReceiveWindow: room, MaxStreamReceiveWindow: room,
		InitialConnectionReceiveWindow: room, MaxConnectionReceiveWindow: room,
	}
}

func openQUICStreams(s *stage) (pair, error) { return openQUICPair(s) }

// openQUICStream opens the stream of each lane at once.
func openQUICStream(s *stage) (pair, error) {
	p, err := openQUICPair(s)
	if err != nil {
		return nil, err
	}
	for lane := range p.lanes {
		if p.lanes[lane], err = p.server.OpenUniStream(); err != nil {
			p.close()
			return nil, err
		}
		if _, err := p.lanes[lane].Write([]byte{byte(lane)}); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func openQUICPair(s *stage) (*quicPair, error) {
	cert, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return nil, err
	}
	p := new(quicPair)
	for i := range p.sockets {
		if p.sockets[i], err = listenUDP(); err != nil {
			return nil, err
		}
	}
	l, err := quic.Listen(p.sockets[0], serverTLS(cert, protocolName), quicMatrixConfig())
	if err != nil {
		return nil, err
	}
	addr, err := s.through(l.Addr().String())
	if err != nil {
		return nil, err
	}
	to, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	if p.client, err = quic.Dial(ctx, p.sockets[1], to, clientTLS(protocolName), quicMatrixConfig()); err != nil {
		return nil, err
	}
	if p.server, err = l.Accept(ctx); err != nil {
		return nil, err
	}
	go p.receive(s)
	return p, nil
}

// receive reads the client's streams. The first byte names the lane.
func (p *quicPair) receive(s *stage) {
	for {
		r, err := p.client.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		go func() {
			var lane [1]byte
			if _, err := io.ReadFull(r, lane[:]); err == nil {
				_ = readFrames(r, func(b []byte) { s.deliver(int(lane[0]), b) })
			}
		}()
	}
}

func (p *quicPair) send(lane int, b []byte) error {
	framed := make([]byte, 0, 1+4+len(b))
	stream := p.lanes[lane]
	if stream == nil {
		var err error
		stream, err = p.server.OpenUniStream()
		if limit := (*quic.StreamLimitReachedError)(nil); errors.As(err, &limit) {
			return errFull
		} else if err != nil {
			return err
		}
		framed = append(framed, byte(lane))
	}
	framed = append(binary.LittleEndian.AppendUint32(framed, uint32(len(b))), b...)
	_, err := stream.Write(framed)
	if err == nil && p.lanes[lane] == nil {
		err = stream.Close()
	}
	return err
}

func (p *quicPair) close() {
	_ = p.server.CloseWithError(0, "")
	_ = p.client.CloseWithError(0, "")
	for _, c := range p.sockets {
		_ = c.Close()
	}
}
