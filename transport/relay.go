package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// RelayConfig configures a Relay. Every field is required.
type RelayConfig struct {
	// Pin is the SHA-256 of the only certificate (DER) that is accepted from the server.
	Pin [32]byte

	// Write sends a datagram to the server. It must neither block nor keep the datagram, and may be called
	// by several goroutines at once.
	Write func(datagram []byte)

	// Receive takes an envelope of the server's, in the goroutine of Deliver. It is borrowed: it is valid
	// until Receive returns. Receive may block, and must not call Deliver.
	Receive func(envelope []byte)
}

// Relay is the client's end of a DTLS connection whose session somebody else holds: a browser, which has
// no DTLS. It makes the handshake, opens the server's records, seals the client's envelopes, and knows
// nothing of what is in them (PROTOCOL.md 9.9). Package websocket of module gateway has one for each
// browser.
//
// Whoever holds the Relay can read and forge what its client sends. So it stands at the server, or in its
// process. Its methods are safe for concurrent use, except that one goroutine at a time calls Deliver.
// Close it when done.
type Relay struct {
	config      RelayConfig     // constant
	negotiating *handshake.Conn // constant

	mu sync.Mutex
	// +checklocks:mu
	record *record.Conn // nil before the handshake is complete
	// +checklocks:mu
	closed bool
	// +checklocks:mu
	buffer [wire.MaxDatagram]byte // for the datagram being sealed
}

// MinEnvelope and MaxEnvelope are the smallest and the largest size of an envelope in bytes.
const (
	MinEnvelope = wire.HeaderLen
	MaxEnvelope = wire.MaxEnvelope
)

// Errors of a Relay.
var (
	// ErrRelayUsedUp means that the keys of a Relay have protected almost as many records as they may: the
	// session has to go on on another connection.
	ErrRelayUsedUp = errors.New("transport: the relay's keys are used up: resume the session on another connection")

	errRelayClosed = fmt.Errorf("transport: the relay is closed, or its handshake is not complete: %w", net.ErrClosed)
	errNoEnvelope  = fmt.Errorf("transport: an envelope has %d to %d bytes", MinEnvelope, MaxEnvelope)
)

// NewRelay returns a Relay that has sent nothing yet.
func NewRelay(config RelayConfig) *Relay {
	r := &Relay{config: config}
	r.negotiating = handshake.NewConn(false, relayAddr, relayAddr, config.Write)
	r.negotiating.ExpectCookie()
	return r
}

// relayAddr stands for both ends in a handshake, which uses no address.
var relayAddr = &net.UDPAddr{}

// Handshake negotiates keys with the server, whose datagrams another goroutine gives to Deliver meanwhile,
// and returns what the client has to know of the connection: the exporter's value (PROTOCOL.md 6.1). It is
// called once. ctx bounds it. The error is ErrHandshake, or ErrTimeout when the server does not answer.
func (r *Relay) Handshake(ctx context.Context) (binding [32]byte, err error) {
	keys, err := dtls.Engine.Client(ctx, r.negotiating, &handshake.Config{Pin: &r.config.Pin})
	defer r.negotiating.Wait()
	if err != nil {
		if ctx.Err() != nil && !explained(err) {
			return binding, fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
		}
		return binding, &handshakeError{handshake.Cause(err), err}
	}
	defer keys.Secrets.Wipe()
	binding = channel(keys).Exporter
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return [32]byte{}, errRelayClosed
	}
	r.record, err = record.New(&keys.Secrets, true, keys.Next, 0)
	return binding, err
}

// Deliver handles a datagram from the server, whose bytes it overwrites. It returns io.EOF once the
// server has ended the connection, and nil for a datagram that does not authenticate. What arrives
// before the handshake is complete and is not part of it is dropped: a server says nothing before
// HELLO.
func (r *Relay) Deliver(datagram []byte) error {
	r.mu.Lock()
	ready := r.record != nil
	r.mu.Unlock()
	if !ready {
		r.negotiating.Deliver(datagram)
		return nil
	}
	for len(datagram) > 0 {
		rec, rest, ok := record.Next(datagram)
		if !ok {
			return nil
		}
		datagram = rest
		r.mu.Lock()
		typ, plaintext, err := r.record.Open(rec)
		r.mu.Unlock()
		switch {
		case err != nil:
		case typ == record.ApplicationData:
			r.config.Receive(plaintext)
		case typ == record.Alert && dtls.IsFinal(plaintext):
			return io.EOF
		}
	}
	return nil
}

// Send sends an envelope from the client to the server, and does not keep it. The error is
// ErrRelayUsedUp, or says that the bytes are no envelope or that the Relay is closed.
func (r *Relay) Send(envelope []byte) error {
	if len(envelope) < MinEnvelope || len(envelope) > MaxEnvelope {
		return errNoEnvelope
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.record == nil || r.closed:
		return errRelayClosed
	case max(r.record.Sealed(), r.record.Opened()) >= record.MaxRecords-rekeyMargin:
		return ErrRelayUsedUp
	}
	return r.seal(record.ApplicationData, envelope)
}

// seal seals a record and writes it.
//
// +checklocks:r.mu
func (r *Relay) seal(typ record.ContentType, plaintext []byte) error {
	b, err := r.record.Seal(r.buffer[:0], typ, plaintext)
	if err == nil {
		r.config.Write(b)
	}
	return err
}

// Close tells the server that the connection ends, and erases its keys. A second call does nothing.
func (r *Relay) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.record != nil {
		_ = r.seal(record.Alert, record.CloseNotify[:]) // used up: the server ends by silence
		r.record.Wipe()
	}
	return r.negotiating.Close()
}
