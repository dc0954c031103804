package transport

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/clockstep"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// Dial connects to the server at address, presents an identity token, and returns when the session
// is live. ctx bounds only that; give it a deadline, since Dial tries until ctx is done. A port on
// which nobody listens looks like silence, because anybody could forge the message that says
// otherwise: Dial goes on, and its error says in the end that nothing listens there, where the
// system reports it (Linux), or that what answers is not a Sallyport server.
//
// Where a name has several addresses, Dial tries the next when one does not answer for a quarter of
// a second, and keeps the first that completes a handshake. The client looks the name up again when
// it loses the server.
//
// A handshake in which nothing arrives for 1.5 s starts over: the server may have evicted it, or
// have been replaced. Once the server has the identity token, it has 5 s more to verify it. If
// HELLO is still not answered, or has not arrived whole, Dial asks ClientConfig.Token for another
// token, since the first may have been used, and starts over with it.
//
// The error is a *CloseError when the server refuses, ErrTimeout when it does not answer,
// ErrHandshake when DTLS fails, ErrConfig, or what ClientConfig.Token returned. An ErrTimeout
// matches the error of ctx, too, once ctx is done, and the socket's last error, if there is one;
// when the socket sends nothing at all, it comes within a second. A port, a name or a token that no
// server can have is an error before anything is sent.
//
// With ClientConfig.Fallback, Dial tries that as well once UDP has failed, and then goes on until ctx
// is done, even if the socket sends nothing.
//
// A program that starts many clients must not have more than eight Dials at once from one address:
// a server has no more room for clients of one /24 that have not yet returned its cookie (PROTOCOL.md 12).
func Dial(ctx context.Context, address string, config ClientConfig) (*Client, error) {
	c, identity, err := prepare(ctx, address, config)
	if err != nil {
		if config.Conn != nil {
			_ = config.Conn.Close()
		}
		return nil, err
	}
	d := dialing{client: c, identity: identity}
	if err := d.connect(ctx); err != nil {
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
		return nil, nil, badField("Session", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, &unanswered{causes: []error{err}}
	}
	if cert := config.Certificate; cert != nil {
		if err := handshake.CheckKey(cert, dtls.Signers); err != nil {
			return nil, nil, badField("Certificate", err)
		}
	}
	at, err := udp.Locate(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	known, err := at.Look(ctx, maxAddresses)
	if err != nil {
		return nil, nil, err
	}
	if config.ServerName == "" {
		config.ServerName = at.Host
	}
	if config.ServerName == "" && config.Pin == nil {
		return nil, nil, badConfig("ServerName is missing: the address names no host for which the server's certificate must be")
	}
	now := clockstep.Of(ctx)
	began := now()
	identity, err := config.identityToken(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := newClient(config, address, addresses{place: at, known: known}, renewal{took: now().Sub(began)}, now)
	return c, identity, err
}

// newClient returns a client that reads its socket, and has no connection yet.
func newClient(config ClientConfig, address string, at addresses, r renewal, now func() time.Time) (*Client, error) {
	socket := config.Conn
	if socket == nil {
		var err error
		if socket, err = net.ListenUDP("udp", nil); err != nil {
			return nil, fmt.Errorf("transport: no socket: %w", err)
		}
	}
	config.KeyLog = newKeyLog(config.KeyLog, func() {})
	c := &Client{config: config, now: now}
	c.socket.init(socket, address, config.Conn == nil)
	c.inbox.arrived, c.inbox.letters = make(chan struct{}, 1), make(chan struct{}, 1)
	c.polling.turns = make(dtls.Turns, 1)
	c.progress.init()
	c.background.init()
	c.state = clientState{
		config: &c.config, socket: &c.socket, inbox: &c.inbox, progress: &c.progress, candidates: &c.candidates,
		conns:      connections{current: new(clientConn)},
		addresses:  at,
		renewal:    r,
		lanes:      clientLanes{socket: &c.socket, letters: letters{arrived: c.inbox.letters}},
		reports:    reports{onEvent: config.OnEvent},
		resumption: resumption{rekeyAt: record.MaxRecords - rekeyMargin},
	}
	c.polling.looped = make(chan struct{})
	c.background.Go(c.loopUntilPoll)
	return c, nil
}
