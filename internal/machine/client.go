package machine

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/replay"
	"github.com/sallyport/sallyport/session"
)

// Client is the client's end of one connection. Its receiving half belongs to one goroutine at a
// time, its sending half (Append) to another.
type Client struct {
	link

	config  session.ClientConfig // constant
	channel Channel              // constant

	// Receiving half.
	state       state
	hello       []byte // body of the HELLO, until WELCOME
	nonce       [16]byte
	former      *Client // the former connection of the session, until WELCOME
	lanes       *Lanes  // agreed on by WELCOME, nil without; during a resumption the former connection's
	nextReceive uint64  // the server's next number, as stated in HELLO
	leftOut     uint64  // numbers of the session left out before HELLO
	renew       []byte  // the token of a RENEW that waits for its RENEWED
	repeat      retransmission
	watch       watch
	counts      *counts // shared by all connections of the session
	limits      wire.Limits
	paced       bool      // by the idle time: ClientConfig.KeepAlive was zero
	expires     time.Time // when the session ends unless it is renewed, by the client's clock
	expiry      int64     // the same as the server has stated it, Unix ms
	asked       time.Time // when the HELLO that is under way was first sent, or the first RENEW of those that are
	clockAt     time.Time // when the server's clock showed clockSaid, at the latest
	clockSaid   int64     // Unix ms

	ticket      []byte   // the newest; nil without one
	resumption  [32]byte // the key that proves possession of the ticket
	ticketShown bool     // the ticket has been presented on this connection
	redirected  bool     // see SetRedirected

	sentPayload atomic.Bool // a payload has been sent since the last Tick
}

// retransmission paces a message that is repeated until it is answered.
type retransmission struct {
	at   time.Time
	wait time.Duration
}

func (r *retransmission) start(now time.Time) { r.at, r.wait = now, firstRetransmit }

// due reports whether it is time to send, and doubles the wait.
func (r *retransmission) due(now time.Time) bool {
	if now.Before(r.at) {
		return false
	}
	r.at = now.Add(r.wait)
	r.wait = min(2*r.wait, maxRetransmit)
	return true
}

// shorten limits the next wait to limit, but not below minRetransmit.
func (r *retransmission) shorten(limit time.Duration) {
	r.wait = min(r.wait, max(limit, minRetransmit))
}

// NewClient returns a machine that presents the identity token. Call Tick at once: it sends the
// HELLO.
func NewClient(now time.Time, config session.ClientConfig, ch Channel, identity []byte) (*Client, error) {
	paced := config.KeepAlive == 0
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{counts: new(counts), paced: paced}
	if err := c.init(now, config, ch); err != nil {
		return nil, err
	}
	m := c.newHello()
	m.NextSend, m.NextReceive, m.Token, m.Metadata = 1, 1, identity, config.Metadata
	c.hello = m.AppendTo(nil)
	if _, err := wire.ParseHello(c.hello); err != nil {
		return nil, session.ErrHello
	}
	if config.Bearer {
		c.renew = identity // becomes the token of the first epoch
	}
	return c, nil
}

// init initializes a machine for a new connection.
func (c *Client) init(now time.Time, config session.ClientConfig, ch Channel) error {
	c.config, c.channel, c.state = config, ch, verifying
	c.isClient, c.overlap = true, config.Overlap
	if config.Unbound {
		c.binding = wire.BindingNone
	} else {
		c.binding = wire.BindingExporter
	}
	c.window = replay.Make(config.Window)
	c.watch.lastAccepted = now
	c.repeat.start(now)
	c.asked = now
	_, err := io.ReadFull(config.Random, c.nonce[:])
	return err
}

// newHello returns the fields that every HELLO has.
func (c *Client) newHello() wire.Hello {
	return wire.Hello{
		Nonce: c.nonce, Binding: c.binding, Features: c.features(),
		Platform: []byte(c.config.Fingerprint.Platform), Build: []byte(c.config.Fingerprint.Build), Scope: []byte(c.config.Scope),
		Lanes: c.heldLanes(),
	}
}

// keyContext returns the input of the session's keys on this connection.
func (c *Client) keyContext(id uint32) keyContext {
	return keyContext{c.channel.Exporter, c.binding, id, digestOf(c.config.Fingerprint, &c.channel)}
}

// Live reports whether WELCOME has arrived and nothing has ended the session since.
func (c *Client) Live() bool { return c.state == live }

// ID returns the session id, 0 before WELCOME.
func (c *Client) ID() uint32 { return c.id }

// Limits returns the limits that the server stated in WELCOME.
func (c *Client) Limits() wire.Limits { return c.limits }

// Expires returns when the session ends unless it is renewed, by the client's clock: not later than
// it does, and earlier by no more than what the answer to the last HELLO has taken, or to the first
// RENEW since there was an answer.
func (c *Client) Expires() time.Time { return c.expires }

// Outlives returns how much longer the session lasts as the server has stated it on this connection than as
// it has on another one.
func (c *Client) Outlives(other *Client) time.Duration {
	return time.UnixMilli(c.expiry).Sub(time.UnixMilli(other.expiry))
}

// MaxPayload is the largest payload in bytes that fits a datagram.
func (c *Client) MaxPayload() int {
	n := min(wire.MaxBody, int(c.limits.MaxPayload))
	if e := c.sending.Load(); c.config.Bearer && e != nil {
		n = min(n, wire.MaxBody-2-len(e.token))
	}
	return max(0, n)
}

// Renew presents a fresh identity token: Tick sends RENEW and repeats it until RENEWED arrives.
func (c *Client) Renew(now time.Time, identity []byte) error {
	if c.state != live {
		return ErrNotLive
	}
	if _, err := wire.ParseRenew(identity); err != nil {
		return session.ErrHello
	}
	if c.renew == nil { // else RENEWED may be the answer to the token before
		c.asked = now
	}
	c.renew = append([]byte(nil), identity...)
	c.repeat.start(now)
	return nil
}

// Renewing reports whether a RENEW waits for its answer.
func (c *Client) Renewing() bool { return c.state == live && c.renew != nil }

// Tick sends what is due: HELLO, RENEW, PING. It returns when to call it again.
func (c *Client) Tick(now time.Time, send func(kind wire.Kind, body []byte)) time.Time {
	switch {
	case c.state == verifying:
		c.sendParts(now, wire.KindHello, c.hello, send)
		return c.repeat.at
	case c.state != live:
		return now.Add(maxRetransmit)
	}
	c.retire(now)
	due := c.keepAlive(now, send)
	if c.renew != nil {
		c.repeat.shorten(c.expires.Sub(now) / 8)
		c.sendParts(now, wire.KindRenew, c.renew, send)
		due = earlier(due, c.repeat.at)
	}
	return due
}

// sendParts sends the parts of body if a transmission is due.
func (c *Client) sendParts(now time.Time, kind wire.Kind, body []byte, send func(wire.Kind, []byte)) {
	if !c.repeat.due(now) {
		return
	}
	var buf [wire.PartHeaderLen + wire.MaxPart]byte
	for part := range wire.Parts(body) {
		send(kind, part.AppendTo(buf[:0]))
	}
}

// earlier returns the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Append appends the envelope for kind and body to dst. It is the sending half: one goroutine at a
// time, which may be another than the receiving one.
func (c *Client) Append(dst []byte, kind wire.Kind, body []byte) ([]byte, error) {
	if (kind == wire.KindData || kind == wire.KindFrames) && !c.sentPayload.Load() {
		c.sentPayload.Store(true)
	}
	if kind == wire.KindData && c.config.Bearer {
		return c.appendBearer(dst, body)
	}
	return c.append(dst, kind, body)
}

// appendBearer appends a payload with the token of the current epoch.
func (c *Client) appendBearer(dst, payload []byte) ([]byte, error) {
	e := c.sending.Load()
	if e == nil {
		return dst, ErrNotLive
	}
	var buf [wire.MaxBody]byte
	m := wire.BearerBody{Token: e.token, Payload: payload}
	if 2+len(m.Token)+len(m.Payload) > wire.MaxBody {
		return dst, session.ErrBearerTooLarge
	}
	return c.append(dst, wire.KindBearer, m.AppendTo(buf[:0]))
}

// Close ends the session from the client's side. The reply is the CLOSE to send.
func (c *Client) Close() Reply {
	if c.state != live {
		return Reply{}
	}
	c.state = closed
	c.end()
	return closeReply(wire.ReasonLeft)
}

// CloseElsewhere returns the CLOSE that ends a session on the server that has sent its client to
// another one, where it has been resumed. It may be sent again.
func (c *Client) CloseElsewhere() Reply { return closeReply(wire.ReasonReplaced) }
