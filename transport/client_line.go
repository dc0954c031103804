package transport

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// line is one DTLS connection of a client, and the machine on it. All of it but
// the first four belongs to the client's mu.
type line struct {
	remote      netip.AddrPort  // constant
	negotiating *handshake.Conn // constant
	sent        atomic.Bool     // something could be
	refused     atomic.Bool     // something could not be, and the socket said so
	record      *record.Conn    // nil during the handshake
	session     *machine.Client
	emit        func(kind wire.Kind, body []byte) // Client.say for this line, made once
	backlog     [][]byte

	// While it is being made, after the first.
	cancel    context.CancelFunc
	heard     time.Time // when something of it last came
	overtaken bool      // by a newer ticket than it shows
}

func (c *Client) newLine(remote netip.AddrPort) *line {
	l := &line{remote: remote}
	l.negotiating = handshake.NewConn(false, c.LocalAddr(), udpAddr(remote), func(b []byte) { c.write(l, b) })
	return l
}

// unsent reports whether the socket has refused everything.
func (l *line) unsent() bool { return l.refused.Load() && !l.sent.Load() }

// negotiate agrees on keys, and starts the machine that start returns.
func (c *Client) negotiate(ctx context.Context, l *line, config handshake.Config, start starter) error {
	result, err := dtls.Engine.Client(ctx, l.negotiating, &config)
	switch {
	case ctx.Err() != nil && !explained(err):
		return ErrTimeout
	case err != nil:
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.negotiated(l, result, start)
}

// starter makes the machine of a line whose keys are there.
type starter func(now time.Time, r *handshake.Result) (*machine.Client, error)

// negotiated takes a handshake's result over.
//
// +checklocks:c.mu
func (c *Client) negotiated(l *line, result *handshake.Result, start starter) error {
	defer result.Secrets.Wipe()
	now := time.Now()
	rc, err := record.New(&result.Secrets, true, result.Next, 0)
	if err != nil {
		return err
	}
	machine, err := start(now, result)
	if err != nil {
		return err
	}
	c.begin(now, l, rc, machine)
	return nil
}

// explained reports whether a handshake is known to have failed for more than want of time.
func explained(err error) bool {
	cause := handshake.Cause(err)
	return cause != "" && cause != handshake.Cause(context.DeadlineExceeded)
}

// begin starts the record layer and the machine, and looks at what came early.
//
// +checklocks:c.mu
func (c *Client) begin(now time.Time, l *line, rc *record.Conn, m *machine.Client) {
	l.record, l.session = rc, m
	l.emit = func(kind wire.Kind, body []byte) { c.say(l, kind, body) }
	for _, b := range l.backlog {
		c.datagram(now, l.remote, b)
	}
	l.backlog = nil
	c.tick(now)
}

// deliver gives a datagram to the handshake, or keeps it for the keys to come.
func (l *line) deliver(now time.Time, b []byte) {
	switch l.negotiating.Deliver(b) {
	case handshake.Taken:
		l.heard = now
	case handshake.Divert:
		l.heard = now
		if len(l.backlog) < dtls.MaxBacklog {
			l.backlog = append(l.backlog, slices.Clone(b))
		}
	}
}

// channel is what the client's machine has to know of the handshake's result:
// of certificates, its own.
func (c *Client) channel(r *handshake.Result) machine.Channel {
	ch := channel(r)
	ch.HasCertificate, ch.Thumbprint = false, [32]byte{}
	if cert := c.config.Certificate; cert != nil && r.Shown {
		ch.HasCertificate, ch.Thumbprint = true, thumbprint(cert.Certificate[0])
	}
	return ch
}

// say is send for what is repeated when it is lost. The machine's Tick calls it,
// and so mu is held.
//
// +checklocksignore
func (c *Client) say(l *line, kind wire.Kind, body []byte) { _ = c.send(l, kind, body) }

// send seals an envelope and writes it.
//
// +checklocks:c.mu
func (c *Client) send(l *line, kind wire.Kind, body []byte) error {
	b, err := sealEnvelope(c.buffer, l.record, l.session, kind, body)
	if err == nil {
		c.write(l, b)
	}
	return err
}

// +checklocks:c.mu
func (c *Client) alert(l *line, alert []byte) {
	if b, err := l.record.Seal(c.buffer[:0], record.Alert, alert); err == nil {
		c.write(l, b)
	}
}
