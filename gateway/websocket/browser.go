package websocket

import (
	"context"
	"crypto/sha256"
	"io"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sallyport/sallyport/transport"
)

// browser has DTLS for one that has none: what its WebSocket brings is sealed for the match server, what that
// answers is opened for it. To the server it is a player at the browser's address.
//
//	browser ── envelopes ──▶ relay ── datagrams ──▶ Listener.in
//	browser ◀─ envelopes ─── relay ◀─ datagrams ─── stream.out
//
// Of the two goroutines of a stream, its reader has the upper way and the handshake, its writer the lower.
type browser struct {
	stream *stream // constant
	relay  *transport.Relay
	bound  atomic.Bool // the browser has been told the binding: nothing comes before that

	// Of the writer.
	within time.Duration // for the write under way
	failed error         // of the last write
}

// newBrowser returns one whose handshake has not begun.
func newBrowser(l *Listener) *browser {
	b := &browser{}
	b.relay = transport.NewRelay(transport.RelayConfig{
		Pin: sha256.Sum256(l.config.Certificate().Certificate[0]), Receive: b.receive,
		Write: func(p []byte) {
			d := datagrams.Get().(*datagram)
			if d.n, d.from = copy(d.b[:], p), b.stream.peer; !l.push(d) {
				datagrams.Put(d)
			}
		},
	})
	return b
}

// relay tells a browser its binding, and then seals what it sends, until its stream ends.
func (l *Listener) relay(s *stream) {
	err := s.relay.greet()
	for d := datagrams.Get().(*datagram); err == nil; {
		if s.read(d) != nil {
			return
		}
		if l.allows(s) {
			err = s.relay.relay.Send(d.b[:d.n])
		}
	}
	select {
	case <-s.done: // the relay has been closed
	default:
		l.counts.failed.Add(1)
		s.refuse(websocket.CloseInternalServerErr)
	}
}

// greet makes the handshake and tells the browser the binding.
func (b *browser) greet() error {
	ctx, cancel := context.WithTimeout(context.Background(), relayTime)
	defer cancel()
	binding, err := b.relay.Handshake(ctx)
	if err == nil {
		b.bound.Store(b.stream.writeMessage(binding[:], writeTime) == nil) // else the browser has gone
	}
	return err
}

// deliver opens a datagram of the server's and writes what is in it. An error ends the stream.
func (b *browser) deliver(datagram []byte, within time.Duration) error {
	b.within = within
	err := b.relay.Deliver(datagram)
	if err == io.EOF {
		b.stream.refuse(websocket.CloseNormalClosure)
		return err
	}
	return b.failed
}

// receive writes an envelope.
func (b *browser) receive(envelope []byte) {
	if !b.bound.Load() || b.failed != nil {
		return
	}
	b.stream.sent.Add(1)
	b.failed = b.stream.writeMessage(envelope, b.within)
}

// close ends the relay and erases its keys. That of nil does nothing.
func (b *browser) close() {
	if b != nil {
		b.relay.Close() //nolint:errcheck // never fails
	}
}
