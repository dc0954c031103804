package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
)

// DTLSClient is the client's end of plain DTLS 1.2, on the handshake and records
// of a Client without a session on top. As with a DTLSServer, it is not for
// games. Its methods are safe for concurrent use.
type DTLSClient struct {
	identity

	client *Client // constant
}

// DialDTLS connects to a server and returns when the handshake is complete. ctx
// bounds the attempt only.
//
// The error is ErrTimeout when the server does not answer, or ErrHandshake; what
// is wrong with the server's certificate is in its chain, for errors.As.
func DialDTLS(ctx context.Context, address string, config DTLSConfig) (*DTLSClient, error) {
	if err := config.checkMTU(); err != nil {
		return nil, err
	}
	at, err := locate(ctx, address)
	if err != nil {
		return nil, err
	}
	plain := ClientConfig{RootCAs: config.RootCAs, ServerName: config.ServerName, Conn: config.Conn}
	if plain.ServerName == "" {
		plain.ServerName = at.host
	}
	if len(config.Certificate.Certificate) > 0 {
		plain.Certificate = &config.Certificate
	}
	client, err := newClient(ctx, plain, at)
	if err != nil {
		return nil, err
	}
	d := &DTLSClient{client: client}
	hs := plain.handshake()
	hs.MTU, hs.KeyLog = config.MTU, config.KeyLog
	if err := client.search(ctx, hs, false, d.machine); err != nil {
		client.Close()
		return nil, err
	}
	return d, nil
}

func (d *DTLSClient) machine(_ time.Time, r *handshake.Result) (clientMachine, error) {
	d.identity = identityOf(r)
	return bareClient{}, nil
}

// LocalAddr is the address that the client sends from.
func (d *DTLSClient) LocalAddr() net.Addr { return d.client.LocalAddr() }

// Send sends payload, at most MaxDTLSPayload bytes, which are copied. It never
// says whether the record arrives. It returns io.EOF when the server has left,
// and net.ErrClosed after Close.
func (d *DTLSClient) Send(payload []byte) error { return leftIsEOF(d.client.Send(payload)) }

// Receive waits for the next payload and copies it to b. It returns
// io.ErrShortBuffer when b is too short for it, ctx's error, io.EOF when the
// server has left, and net.ErrClosed after Close.
func (d *DTLSClient) Receive(ctx context.Context, b []byte) (int, error) {
	n, err := d.client.Receive(ctx, b)
	return n, leftIsEOF(err)
}

// Close says goodbye to the server and returns when nothing of the client runs
// any more.
func (d *DTLSClient) Close() error { return d.client.Close() }

func leftIsEOF(err error) error {
	if errors.Is(err, ErrDisconnected) {
		return io.EOF
	}
	return err
}

// bareClient is the machine of a client without a session: it has no state, and
// nothing is ever due.
type bareClient struct{}

// Handle implements clientMachine.
func (bareClient) Handle(_ time.Time, msg []byte) (machine.Reply, machine.Event) {
	return machine.Reply{}, machine.Event{Kind: machine.EventData, Payload: msg}
}

// Append implements clientMachine.
func (bareClient) Append(dst []byte, _ wire.Kind, payload []byte) ([]byte, error) {
	return appendBare(dst, payload)
}

// Tick implements clientMachine.
func (bareClient) Tick(time.Time, func(wire.Kind, []byte)) time.Time { return time.Time{} }

// Silent implements clientMachine: nobody has said how often the server speaks.
func (bareClient) Silent(time.Time) bool { return false }

// Lost implements clientMachine: nobody answers.
func (bareClient) Lost(time.Time) bool { return false }

// Resumable implements clientMachine.
func (bareClient) Resumable() bool { return false }

// Shown implements clientMachine.
func (bareClient) Shown() bool { return false }

// Resume implements clientMachine. There is no session.
func (bareClient) Resume(time.Time, machine.Channel) (*machine.Client, error) {
	return nil, machine.ErrNoTicket
}

// Ask implements clientMachine: nobody answers.
func (bareClient) Ask() {}

// Stats implements clientMachine.
func (bareClient) Stats() machine.ClientStats { return machine.ClientStats{} }

// Renewing implements clientMachine.
func (bareClient) Renewing() bool { return false }

// Renew implements clientMachine. There is no token.
func (bareClient) Renew(time.Time, []byte) error { return nil }

// Close implements clientMachine. DTLS says goodbye itself.
func (bareClient) Close() machine.Reply { return machine.Reply{} }

// Expires implements clientMachine.
func (bareClient) Expires() time.Time { return time.Time{} }

// MaxPayload implements clientMachine.
func (bareClient) MaxPayload() int { return MaxDTLSPayload }
