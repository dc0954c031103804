package transport

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// clientConn is one DTLS connection of a client, and the session's machine on it. Client.mu
// guards what is neither constant nor atomic, except while it is one of candidates.
type clientConn struct {
	socket      *clientSocket   // constant
	remote      netip.AddrPort  // constant
	carrier     *carrier        // what the datagrams travel by, nil for UDP; its own, and constant
	negotiating *handshake.Conn // constant
	sent        atomic.Bool     // the network has taken a datagram
	refused     atomic.Bool     // the network has refused one

	record   *record.Conn                      // nil during the handshake
	machine  *machine.Client                   // nil as long as record is
	emit     func(kind wire.Kind, body []byte) // send for the machine's Tick, made once
	backlog  [][]byte                          // datagrams that came before the keys
	messages *clientMessages                   // nil without lanes, and unless the session lives here

	// Of the handshake.
	answered bool // the server was heard
	cancel   context.CancelFunc
	heard    time.Time // when the server was last heard on this connection, or when it began

	resuming resuming
}

// newClientConn returns a connection whose handshake can begin. The server's first answer must
// be a HelloVerifyRequest: a Sallyport server always asks for its cookie.
func newClientConn(now time.Time, socket *clientSocket, remote netip.AddrPort) *clientConn {
	return newConnBy(now, socket, nil, remote)
}

// newConnBy is newClientConn by a carrier, which then is the connection's own; nil is UDP.
func newConnBy(now time.Time, socket *clientSocket, by *carrier, remote netip.AddrPort) *clientConn {
	c := &clientConn{socket: socket, carrier: by, remote: remote, heard: now}
	c.negotiating = handshake.NewConn(false, socket.localAddr(), udpAddr(remote), c.write)
	c.negotiating.ExpectCookie()
	return c
}

// byUDP returns the server's address by UDP, the zero AddrPort on a carrier.
func (c *clientConn) byUDP() netip.AddrPort {
	if c.carrier != nil {
		return netip.AddrPort{}
	}
	return c.remote
}

// unsent reports whether the network has refused everything.
func (c *clientConn) unsent() bool { return c.refused.Load() && !c.sent.Load() }

// hears reports whether the datagrams that a carrier brings from an address, nil for UDP, may be the
// connection's.
func (c *clientConn) hears(by *carrier, from netip.AddrPort) bool {
	return c.carrier == by && udp.Same(from, c.remote)
}

// deliver hands a datagram to the handshake, or keeps it until there are keys.
func (c *clientConn) deliver(now time.Time, b []byte) {
	switch c.negotiating.Deliver(b) {
	case handshake.Refused:
		c.socket.answeredBy(handshake.Foreign(b))
	case handshake.Taken:
		c.heard, c.answered = now, true
		c.socket.progressed()
	case handshake.Divert:
		if len(c.backlog) < dtls.MaxBacklog {
			c.backlog = append(c.backlog, slices.Clone(b))
		}
	}
}

// start sets the record layer and the machine, and returns what came before the keys.
func (c *clientConn) start(rc *record.Conn, m *machine.Client) (backlog [][]byte) {
	c.record, c.machine = rc, m
	c.emit = func(kind wire.Kind, body []byte) { _ = c.send(kind, body) } // it is repeated when it is lost
	backlog, c.backlog = c.backlog, nil
	return backlog
}

// write sends a datagram. One that the network refuses is lost, as any may be.
func (c *clientConn) write(b []byte) {
	switch {
	case c.carrier != nil && c.carrier.write(b), c.carrier == nil && c.socket.write(c.remote, b):
		c.sent.Store(true)
	default:
		c.refused.Store(true)
	}
}

// send seals an envelope and writes it.
func (c *clientConn) send(kind wire.Kind, body []byte) error {
	b, err := sealEnvelope(c.socket.buffer, c.record, c.machine, kind, body)
	if err == nil {
		c.write(b)
		if c.messages != nil {
			c.messages.sent(kind, len(body))
		}
	}
	return err
}

// closeNotify tells the server that this connection ends.
func (c *clientConn) closeNotify() {
	if b, err := c.record.Seal(c.socket.buffer[:0], record.Alert, record.CloseNotify[:]); err == nil {
		c.write(b)
	}
}

// closeElsewhere tells the server of a former connection that the session goes on where that has sent
// the client, if it has.
func (c *clientConn) closeElsewhere() {
	if c.resuming.left {
		r := c.machine.CloseElsewhere()
		c.send(r.Kind, r.Body) //nolint:errcheck // a lost datagram: the next NOTICE is answered in the same way
	}
}

// abort ends the handshake, and forgets the keys if there are any.
func (c *clientConn) abort() {
	c.cancel()
	c.negotiating.Close() //nolint:errcheck // never fails
	c.wipe()
}

// wipe forgets the keys, and ends the carrier if there is one.
func (c *clientConn) wipe() {
	c.carrier.end()
	if c.record != nil {
		c.record.Wipe()
	}
}
