package transport

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// Dial connects to the server at address, presents an identity token, and returns when the
// session is live. ctx bounds only that; give it a deadline, since Dial tries until ctx is done. A
// port on which nobody listens looks like silence, because anybody could forge the message that
// says otherwise.
//
// Where a name has several addresses Dial goes on to the next when one does not answer for a
// quarter of a second, and keeps the first with which a handshake is complete. The client looks
// the name up again when it loses the server.
//
// A handshake in which nothing comes for 1.5 s begins anew: the server may have evicted it, or
// have been replaced. Once it is shown the identity token, the server has 5 s more to verify it.
// If HELLO is not answered then, Dial asks ClientConfig.Token for another token, since the first
// may have been used, and begins anew with that.
//
// The error is a *CloseError when the server refuses, ErrTimeout when it does not answer,
// ErrHandshake when DTLS fails, or what ClientConfig.Token returned. With ErrTimeout it wraps the
// socket's last error, if there is one; when the socket sends nothing at all, it comes within a
// second.
//
// A server admits at most eight clients of one /24 that have not yet returned its cookie. A
// program that starts many clients must not exceed that number.
func Dial(ctx context.Context, address string, config ClientConfig) (*Client, error) {
	c, identity, err := prepare(ctx, address, config)
	if err != nil {
		if config.Conn != nil {
			_ = config.Conn.Close()
		}
		return nil, err
	}
	if err := c.connect(ctx, identity); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// prepare checks the configuration, fetches an identity token, and makes a client that has not
// sent anything yet.
func prepare(ctx context.Context, address string, config ClientConfig) (*Client, []byte, error) {
	if config.Token == nil {
		return nil, nil, errNoToken
	}
	if _, err := config.Session.WithDefaults(); err != nil {
		return nil, nil, fmt.Errorf("%w: Session: %w", ErrConfig, err)
	}
	at, err := udp.Locate(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	if config.ServerName == "" {
		config.ServerName = at.Host
	}
	identity, err := config.Token(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("transport: no identity token: %w", err)
	}
	c, err := newClient(ctx, config, at)
	return c, identity, err
}

// newClient returns a client that reads its socket, and has no connection yet.
func newClient(ctx context.Context, config ClientConfig, at udp.Place) (*Client, error) {
	known, err := at.Look(ctx, maxAddresses)
	if err != nil {
		return nil, err
	}
	socket := config.Conn
	if socket == nil {
		if socket, err = net.ListenUDP("udp", nil); err != nil {
			return nil, err
		}
	}
	c := &Client{config: config}
	c.socket.init(socket)
	c.inbox.arrived = make(chan struct{}, 1)
	c.progress.init()
	c.background.init()
	c.state = clientState{
		config: &c.config, socket: &c.socket, inbox: &c.inbox, progress: &c.progress, candidates: &c.candidates,
		conns:      connections{current: new(clientConn)},
		addresses:  addresses{place: at, known: known},
		resumption: resumption{rekeyAt: record.MaxRecords - rekeyMargin},
	}
	c.background.Go(c.receive)
	return c, nil
}

// connect negotiates keys, then says HELLO until it is answered. If it is not, the server has
// lost the connection: then connect does both again, with another identity token.
func (c *Client) connect(ctx context.Context, identity []byte) error {
	for {
		if err := c.join(ctx, identity); err != nil {
			return err
		}
		err := c.progress.awaitWelcome(ctx, helloPatience)
		if err == errUnanswered && ctx.Err() == nil {
			identity = unusedToken(ctx, c.config.Token, &c.progress)
			if identity != nil && c.giveUp() {
				continue
			}
			err = c.progress.awaitWelcome(ctx, 0)
		}
		if err == errUnanswered {
			return c.socket.silence()
		}
		return err
	}
}

// join finds the server, and says HELLO with the identity token.
func (c *Client) join(ctx context.Context, identity []byte) error {
	c.mu.Lock()
	known := c.state.addresses.known
	c.mu.Unlock()
	s := search{
		config: c.config.handshake(), socket: &c.socket, candidates: &c.candidates, progress: &c.progress,
		background: &c.background, results: make(chan searchResult),
	}
	conn, keys, err := s.run(ctx, known)
	if err != nil {
		return err
	}
	defer keys.Secrets.Wipe()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.conns.current = conn
	c.candidates.clear()
	rc, err := record.New(&keys.Secrets, true, keys.Next, 0)
	if err != nil {
		return err
	}
	now := time.Now()
	m, err := machine.NewClient(now, c.config.Session, c.config.channel(keys), identity)
	if err != nil {
		return err
	}
	c.begin(now, conn, rc, m)
	return nil
}

// unusedToken fetches an identity token that has not been shown yet. While there is none the
// connection is not given up: nil means that HELLO has been answered, or that ctx has ended.
func unusedToken(ctx context.Context, fetch func(context.Context) ([]byte, error), p *progress) []byte {
	for {
		identity, err := fetch(ctx)
		if err == nil {
			return identity
		}
		if p.awaitWelcome(ctx, renewRetry) != errUnanswered || ctx.Err() != nil {
			return nil
		}
	}
}

// giveUp ends the connection on which HELLO has not been answered. It returns false if it has
// been after all.
func (c *Client) giveUp() bool {
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
