package transport

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
)

// errUnanswered means that a server has had more time for a HELLO than it takes.
var errUnanswered = errors.New("transport: HELLO is not answered")

// connect negotiates keys, then says HELLO until it is answered. If it is not, the server
// has lost the connection: then it does both again, with another identity token.
func (c *Client) connect(ctx context.Context, identity []byte) error {
	for {
		err := c.search(ctx, c.config.handshake(), true, func(now time.Time, r *handshake.Result) (*machine.Client, error) {
			return machine.NewClient(now, c.config.Session, c.channel(r), identity)
		})
		if err != nil {
			return err
		}
		if err = c.answeredWithin(ctx, helloPatience); err != errUnanswered {
			return err
		}
		if identity = c.another(ctx); identity == nil || !c.drop() {
			return c.welcomed(ctx)
		}
	}
}

// welcomed waits until HELLO is answered. Whatever has come since, a client that
// was let in has joined: Receive says whether it is over again.
func (c *Client) welcomed(ctx context.Context) error {
	return c.answeredWithin(ctx, 0)
}

// answeredWithin is welcomed, for some time only unless that is 0; then errUnanswered.
func (c *Client) answeredWithin(ctx context.Context, patience time.Duration) error {
	var late <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		late = t.C
	}
	unanswered := false
	select {
	case <-c.joined:
	case <-c.ended:
	case <-ctx.Done():
	case <-late:
		unanswered = true
	}
	select {
	case <-c.joined:
		return nil
	default:
	}
	switch err := c.over(); {
	case err != nil:
		return err
	case unanswered:
		return errUnanswered
	}
	return c.silence()
}

// another is an identity token that has not been shown yet. As long as there is none the
// connection is not given up: nil means that it has been answered, or that ctx has ended.
func (c *Client) another(ctx context.Context) []byte {
	for {
		identity, err := c.config.Token(ctx)
		if err == nil {
			return identity
		}
		if c.answeredWithin(ctx, renewRetry) != errUnanswered {
			return nil
		}
	}
}

// drop gives up the connection of Dial's on which HELLO has not been answered; false if it
// has been after all.
func (c *Client) drop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.joined:
		return false
	default:
	}
	if c.err != nil {
		return false
	}
	c.alert(c.line, record.CloseNotify[:])
	c.line.record.Wipe()
	c.line = new(line)
	c.socket.Load().SetReadDeadline(time.Time{}) //nolint:errcheck // of a socket that is closed: nothing is due now
	return true
}
