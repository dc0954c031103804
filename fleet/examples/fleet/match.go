package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/natscarrier"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// order is what a match server's process is told, in JSON on its standard input. The end of the input
// ends the process.
type order struct {
	Name    string
	NATS    string
	Dir     string // the store of its publisher
	Key     []byte // PEM, by which it publishes
	Trusted []trusted
	Issuer  string // of identity tokens
	Aud     string
	JWKS    []byte
	Suspect string // the player whose last datagram is of interest
}

// trusted is a revocation.Trusted.
type trusted struct {
	Name    string
	Key     []byte
	Central bool
}

// word is what a match server's process says, a line of JSON on its standard output: where it is, and
// then how it stands, five times a second.
type word struct {
	Addr string   `json:",omitempty"` // once it listens
	Pin  [32]byte // of its certificate

	Players   int
	Delivered int       // datagrams in all
	Left      int       // sessions that have ended
	Suspect   time.Time // when the suspect's last datagram was delivered
	Stale     bool      // the server admits nobody new
}

const wordTime = time.Second / 5

// match is one server's game: it counts.
type match struct {
	mu      sync.Mutex
	suspect string // constant
	// +checklocks:mu
	word word
}

// serveMatch is a match server.
func serveMatch(in io.Reader, out io.Writer) error {
	var o order
	decoder := json.NewDecoder(in)
	if err := decoder.Decode(&o); err != nil {
		return err
	}
	config, pin, err := o.transport()
	if err != nil {
		return err
	}
	carrier, err := natscarrier.Open(natscarrier.Config{Servers: []string{o.NATS}, Name: o.Name})
	if err != nil {
		return err
	}
	defer carrier.Close()
	feed, err := o.feed(carrier)
	if err != nil {
		return err
	}
	server, err := transport.Listen("127.0.0.1:0", feed.Transport(config))
	if err != nil {
		return errors.Join(err, feed.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	defer server.Close() //nolint:errcheck // the process ends
	m := &match{suspect: o.Suspect}
	wg.Go(func() { feed.Run(ctx, server) })     //nolint:errcheck // ends with ctx
	wg.Go(func() { server.Serve(m.handler()) }) //nolint:errcheck // ends with Close
	wg.Go(func() { m.tell(ctx, feed, out, server.Addr().String(), pin) })
	io.Copy(io.Discard, in) //nolint:errcheck // until whoever started the process is done
	return nil
}

// transport is the configuration of a match server without a fleet, and its certificate's pin.
func (o *order) transport() (c transport.Config, pin [32]byte, err error) {
	keys, err := token.ParseKeys(o.JWKS, token.ES256)
	if err != nil {
		return c, pin, err
	}
	verifier, err := token.NewVerifier(token.Profile{
		Issuer: o.Issuer, Audience: []string{o.Aud}, Algorithm: token.ES256, Keys: keys, Type: "at+jwt",
	})
	if err != nil {
		return c, pin, err
	}
	certificate, err := dev.NewCertificate()
	if err != nil {
		return c, pin, err
	}
	return transport.Config{Certificate: certificate, Verifier: verifier}, pinOf(certificate), nil
}

// feed joins the server to the fleet.
func (o *order) feed(carrier revocation.Carrier) (*revocation.Feed, error) {
	key, err := revocation.ParseSigningKey(o.Key)
	if err != nil {
		return nil, err
	}
	config := revocation.FeedConfig{Carrier: carrier, Key: key, Dir: o.Dir, Name: o.Name}
	for _, t := range o.Trusted {
		config.Trusted = append(config.Trusted, t.trust())
	}
	return revocation.NewFeed(config)
}

func (t *trusted) trust() revocation.Trusted {
	r := revocation.Trusted{Name: t.Name, Key: t.Key, Kinds: revocation.ServerKinds, Optional: true}
	if t.Central {
		r.Kinds, r.Optional, r.LiftAny = revocation.AllKinds, false, true
	}
	return r
}

func (m *match) handler() transport.Handler {
	return transport.Handler{
		Join: func(*transport.Player) { m.note(func(w *word) { w.Players++ }) },
		Receive: func(p *transport.Player, _ []byte) {
			suspect := p.Session().Subject() == m.suspect
			m.note(func(w *word) {
				w.Delivered++
				if suspect {
					w.Suspect = time.Now()
				}
			})
		},
		Leave: func(*transport.Player, session.Reason) {
			m.note(func(w *word) { w.Players--; w.Left++ })
		},
	}
}

func (m *match) note(f func(*word)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.word)
}

// tell says how the server stands until ctx is done.
func (m *match) tell(ctx context.Context, feed *revocation.Feed, out io.Writer, addr string, pin [32]byte) {
	e := json.NewEncoder(out)
	for {
		var w word
		m.note(func(own *word) { w = *own })
		w.Addr, w.Pin, w.Stale = addr, pin, feed.Status().Stale
		if e.Encode(w) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wordTime):
		}
	}
}
