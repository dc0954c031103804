//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/xtaci/kcp-go/v5"
)

// kcpPair is two sessions of KCP, one for each lane, lest a message waits for
// the bulk.
type kcpPair struct {
	listener *kcp.Listener
	server   [laneCount]*kcp.UDPSession
	client   [laneCount]*kcp.UDPSession
	framed   [laneCount][]byte // what is being sent
}

// kcpMTU is kcp-go's default, in bytes of payload.
const kcpMTU = 1400

// openKCP uses KCP's fast mode, without encryption and without parity. That mode
// has no congestion control: the window is all that keeps the bulk from flooding
// the link, so it is the link's own.
func openKCP(s *stage) (pair, error) {
	l, err := kcp.ListenWithOptions("127.0.0.1:0", nil, 0, 0)
	if err != nil {
		return nil, err
	}
	p := &kcpPair{listener: l}
	addr, err := s.through(l.Addr().String())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	err = errors.Join(l.SetReadBuffer(socketBuffer), l.SetWriteBuffer(socketBuffer))
	for lane := range laneCount {
		if err == nil {
			err = p.connect(s, addr, lane)
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// connect opens a lane: the client speaks first.
func (p *kcpPair) connect(s *stage, addr string, lane int) error {
	c, err := kcp.DialWithOptions(addr, nil, 0, 0)
	if err != nil {
		return err
	}
	p.client[lane] = c
	window := 128
	if lane == laneBulk {
		window = max(s.trial.window()/kcpMTU, 32)
	}
	tuneKCP(c, window)
	if _, err := c.Write([]byte{byte(lane)}); err != nil {
		return err
	}
	if err := p.listener.SetDeadline(time.Now().Add(connectTime)); err != nil {
		return err
	}
	if p.server[lane], err = p.listener.AcceptKCP(); err != nil {
		return err
	}
	tuneKCP(p.server[lane], window)
	go func() { _ = readFrames(c, func(b []byte) { s.deliver(lane, b) }) }() // until it is closed
	return nil
}

func tuneKCP(c *kcp.UDPSession, window int) {
	c.SetNoDelay(1, 10, 2, 1)
	c.SetWindowSize(window, window)
	c.SetACKNoDelay(true)
	c.SetWriteDelay(false)
	c.SetMtu(kcpMTU)
}

func (p *kcpPair) send(lane int, b []byte) error {
	framed := binary.LittleEndian.AppendUint32(p.framed[lane][:0], uint32(len(b)))
	p.framed[lane] = append(framed, b...)
	_, err := p.server[lane].Write(p.framed[lane])
	return err
}

func (p *kcpPair) close() {
	for lane := range laneCount {
		for _, c := range []*kcp.UDPSession{p.server[lane], p.client[lane]} {
			if c != nil {
				_ = c.Close()
			}
		}
	}
	_ = p.listener.Close()
}

// readFrames calls f for each message of a stream, a length and so many bytes,
// until the stream fails.
func readFrames(r io.Reader, f func([]byte)) error {
	in, b := bufio.NewReaderSize(r, 1<<16), make([]byte, bulkMessage)
	for {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(head[:])
		if _, err := io.ReadFull(in, b[:n]); err != nil {
			return err
		}
		f(b[:n])
	}
}
