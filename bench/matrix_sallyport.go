//go:build linux

package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// uninsured is Sallyport without the insurance of its first lane.
const uninsured = "sallyport-uninsured"

// sallyportLanes are small messages, each as soon as it comes, before a bulk that
// keeps its order. Insured, the small ones are repeated while there is loss.
func sallyportLanes(insured bool) []transport.Lane {
	return []transport.Lane{
		laneRealTime: {Mode: transport.Reliable, Insure: insured},
		laneBulk:     {Mode: transport.Ordered, Priority: 1, MaxMessage: bulkMessage, Credit: 1 << 20, Queue: 1 << 20},
	}
}

// sallyportPair is a server that runs Serve, and one player.
type sallyportPair struct {
	server *transport.Server
	player *transport.Player
	client *transport.Client
	wg     sync.WaitGroup // Serve, of both
}

var errNoJoin = errors.New("bench: the server knows of no player")

func openSallyport(s *stage) (pair, error) { return openLanes(s, true) }

func openUninsured(s *stage) (pair, error) { return openLanes(s, false) }

func openLanes(s *stage, insured bool) (pair, error) {
	server, e, err := listenSallyport(verified, sallyportLanes(insured))
	if err != nil {
		return nil, err
	}
	p := &sallyportPair{server: server}
	joined := make(chan *transport.Player, 1)
	p.wg.Go(func() { _ = server.Serve(transport.Handler{Join: func(p *transport.Player) { joined <- p }}) })
	if e.Addr, err = s.through(e.Addr); err == nil {
		p.client, err = dialLaneClient(&e)
	}
	if err == nil {
		h := transport.ClientHandler{Message: func(lane int, _ uint64, b []byte) { s.deliver(lane, b) }}
		p.wg.Go(func() { _ = p.client.Serve(h) }) // until it is closed
		select {
		case p.player = <-joined:
		case <-time.After(connectTime):
			err = errNoJoin
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func dialLaneClient(e *endpoint) (*transport.Client, error) {
	t, err := newTrust(e)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	return transport.Dial(ctx, e.Addr, transport.ClientConfig{
		RootCAs: t.roots, ServerName: serverName, Session: session.ClientConfig{Lanes: true},
		Token: func(context.Context) ([]byte, error) {
			identity, err := t.issuer.Mint(time.Now(), token.Grant{Subject: "player"})
			return []byte(identity), err
		},
	})
}

func (p *sallyportPair) send(lane int, b []byte) error {
	_, err := p.player.SendMessage(lane, b)
	if errors.Is(err, transport.ErrFull) {
		return errFull
	}
	return err
}

func (p *sallyportPair) close() {
	if p.client != nil {
		_ = p.client.Close()
	}
	_ = p.server.Close()
	p.wg.Wait()
}
