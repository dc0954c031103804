package transport

import (
	"cmp"
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
)

// dialing is a Dial at work: it finds the server, and has HELLO answered.
type dialing struct {
	client   *Client // constant
	identity []byte  // the identity token that HELLO shows
}

// connect negotiates keys, then says HELLO until it is answered. If it is not, the server has
// lost the connection: then connect does both again, with another identity token.
func (d *dialing) connect(ctx context.Context) error {
	c := d.client
	c.socket.reportRefusals(true)
	defer c.socket.reportRefusals(false)
	for {
		if err := d.join(ctx); err != nil {
			return err
		}
		err := c.progress.awaitWelcome(ctx, helloPatience)
		if err == errUnanswered && ctx.Err() == nil {
			d.identity = d.unusedToken(ctx)
			if d.identity != nil && d.giveUp() {
				continue
			}
			err = c.progress.awaitWelcome(ctx, 0)
		}
		if err == errUnanswered {
			e := c.socket.unanswered(ctx.Err())
			e.text = cmp.Or(e.text, "the handshake is complete, and HELLO is not answered")
			return e
		}
		return err
	}
}

// join finds the server, and says HELLO with the identity token.
func (d *dialing) join(ctx context.Context) error {
	c := d.client
	c.mu.Lock()
	known := c.state.addresses.known
	c.mu.Unlock()
	s := search{
		client: &c.config, config: c.config.handshake(), socket: &c.socket, candidates: &c.candidates, progress: &c.progress,
		background: &c.background, results: make(chan searchResult),
		open: c.openCarrier, carriers: make(chan carrierResult),
	}
	conn, keys, err := s.run(ctx, known)
	if err != nil {
		return err
	}
	defer keys.Secrets.Wipe()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.conns.current, c.state.renewal.shown = conn, d.identity
	c.candidates.clear()
	rc, err := record.New(&keys.Secrets, true, keys.Next, 0)
	if err != nil {
		return err
	}
	now := c.now()
	m, err := machine.NewClient(now, c.config.Session, c.config.channel(keys), d.identity)
	if err != nil {
		return err
	}
	c.begin(now, conn, rc, m)
	return nil
}

// unusedToken fetches an identity token that has not been shown yet. While there is none the
// connection is not given up: nil means that HELLO has been answered, or that ctx has ended.
func (d *dialing) unusedToken(ctx context.Context) []byte {
	c := d.client
	for {
		identity, err := c.config.identityToken(ctx)
		if err == nil {
			return identity
		}
		if c.progress.awaitWelcome(ctx, renewRetry) != errUnanswered || ctx.Err() != nil {
			return nil
		}
	}
}

// giveUp ends the connection on which HELLO has not been answered. It returns false if it has
// been after all.
func (d *dialing) giveUp() bool {
	c := d.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.progress.hasJoined() || c.progress.over() != nil {
		return false
	}
	c.state.conns.current.closeNotify()
	c.state.conns.current.wipe()
	c.state.conns.current = new(clientConn)
	c.socket.wakeAt(time.Time{}) // nothing is due
	return true
}
