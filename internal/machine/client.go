package machine

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/replay"
	"github.com/sallyport/sallyport/session"
)

// Client is the player's end of one connection. Its receiving half belongs to
// one goroutine at a time, its sending half (Append) to another.
type Client struct {
	link

	config  session.ClientConfig // constant
	channel Channel              // constant

	// The receiving half's own.
	state       state
	hello       []byte // body of our HELLO, until WELCOME
	nonce       [16]byte
	former      *Client // whose session this one goes on with, until WELCOME
	nextReceive uint64  // the server's next number, as HELLO has said
	renew       []byte  // the token of a RENEW that waits for its RENEWED
	repeat      retransmission
	watch       watch
	counts      *counts // one for all connections of the session
	limits      wire.Limits
	expires     time.Time     // when the session ends unless it is renewed, by our clock
	clockOffset time.Duration // the server's clock less ours

	ticket      []byte   // the newest, nil without
	resumption  [32]byte // what proves that it is ours
	ticketShown bool     // it has been, for this very connection

	sentPayload atomic.Bool // a payload has been sent since the last Tick
}

// retransmission paces what is repeated until it is answered.
type retransmission struct {
	at   time.Time
	wait time.Duration
}

func (r *retransmission) start(now time.Time) { r.at, r.wait = now, firstRetransmit }

// next says whether it is time, and doubles the wait.
func (r *retransmission) due(now time.Time) bool {
	if now.Before(r.at) {
		return false
	}
	r.at = now.Add(r.wait)
	r.wait = min(2*r.wait, maxRetransmit)
	return true
}

// within lets the next wait be no longer than limit, down to minRetransmit.
func (r *retransmission) shorten(limit time.Duration) {
	r.wait = min(r.wait, max(limit, minRetransmit))
}

// NewClient returns the machine that presents the identity token. Call Tick at
// once: it sends the HELLO.
func NewClient(now time.Time, config session.ClientConfig, ch Channel, identity []byte) (*Client, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{counts: new(counts)}
	if err := c.init(now, config, ch); err != nil {
		return nil, err
	}
	m := c.newHello()
	m.NextSend, m.NextReceive, m.Token = 1, 1, identity
	c.hello = m.AppendTo(nil)
	if _, err := wire.ParseHello(c.hello); err != nil {
		return nil, session.ErrHello
	}
	if config.Bearer {
		c.renew = identity // adopted with the first epoch
	}
	return c, nil
}

// init begins a connection.
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
	_, err := io.ReadFull(config.Random, c.nonce[:])
	return err
}

// greeting is what every HELLO says.
func (c *Client) newHello() wire.Hello {
	return wire.Hello{
		Nonce: c.nonce, Binding: c.binding, Features: features,
		Platform: []byte(c.config.Fingerprint.Platform), Build: []byte(c.config.Fingerprint.Build), Scope: []byte(c.config.Scope),
	}
}

// schedule is what goes into the session's keys on this connection.
func (c *Client) schedule(id uint32) keyContext {
	return keyContext{c.channel.Exporter, c.binding, id, digestOf(c.config.Fingerprint, &c.channel)}
}

// Live says whether WELCOME has come and nothing has ended the session since.
func (c *Client) Live() bool { return c.state == live }

// ID is the session's id, 0 before WELCOME.
func (c *Client) ID() uint32 { return c.id }

// Limits is what the server said in WELCOME.
func (c *Client) Limits() wire.Limits { return c.limits }

// Expires is when the session ends unless it is renewed, by the client's clock.
func (c *Client) Expires() time.Time { return c.expires }

// MaxPayload is the largest payload in bytes that fits a datagram.
func (c *Client) MaxPayload() int {
	n := min(wire.MaxBody, int(c.limits.MaxPayload))
	if e := c.sending.Load(); c.config.Bearer && e != nil {
		n = min(n, wire.MaxBody-2-len(e.token))
	}
	return max(0, n)
}

// Renew presents a fresh identity token: RENEW is sent by Tick and repeated
// until RENEWED comes.
func (c *Client) Renew(now time.Time, identity []byte) error {
	if c.state != live {
		return ErrNotLive
	}
	if _, err := wire.ParseRenew(identity); err != nil {
		return session.ErrHello
	}
	c.renew = append([]byte(nil), identity...)
	c.repeat.start(now)
	return nil
}

// Renewing says whether a RENEW waits for its answer.
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

func (c *Client) sendParts(now time.Time, kind wire.Kind, body []byte, send func(wire.Kind, []byte)) {
	if !c.repeat.due(now) {
		return
	}
	var buf [wire.PartHeaderLen + wire.MaxPart]byte
	for part := range wire.Parts(body) {
		send(kind, part.AppendTo(buf[:0]))
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Append writes the envelope for kind and body behind dst. It is the sending
// half: one goroutine at a time, which may be another than the receiving one.
func (c *Client) Append(dst []byte, kind wire.Kind, body []byte) ([]byte, error) {
	if kind == wire.KindData && !c.sentPayload.Load() {
		c.sentPayload.Store(true)
	}
	if kind == wire.KindData && c.config.Bearer {
		return c.appendBearer(dst, body)
	}
	return c.append(dst, kind, body)
}

// appendBearer wraps a payload with the token of the epoch in use.
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

// Close ends the session from the player's side; the reply is the CLOSE to
// send.
func (c *Client) Close() Reply {
	if c.state != live {
		return Reply{}
	}
	c.state = closed
	c.end()
	return closeReply(wire.ReasonLeft, 0)
}
