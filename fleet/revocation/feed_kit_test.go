package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// world is real match servers with real players on a simulated network, and a central publisher.
type world struct {
	t       *testing.T
	broker  *revocationtest.Broker
	network *netsim.Network
	issuer  *testkit.Issuer
	login   *testkit.Authority
	ring    *fleetkey.Ring
	trusted []revocation.Trusted
	central *revocation.Publisher
	keys    []revocation.SigningKey
	hosts   byte
	sockets byte
	config  func(*revocation.FeedConfig)
}

// newWorld has keys for three servers.
func newWorld(t *testing.T, b *revocationtest.Broker) *world {
	t.Helper()
	w := &world{t: t, broker: b, network: netsim.New(1), issuer: testkit.NewIssuer(t), login: testkit.NewAuthority(t), config: func(*revocation.FeedConfig) {}}
	t.Cleanup(func() { w.network.Close() })
	w.ring = testkit.Ring(t)
	c := revocation.GenerateSigningKey()
	w.trusted = []revocation.Trusted{central(c)}
	for i := range 3 {
		w.keys = append(w.keys, revocation.GenerateSigningKey())
		w.trusted = append(w.trusted, match(fmt.Sprint("match-", i), w.keys[i]))
	}
	w.central, _ = publisher(t, revocation.PublisherConfig{Key: c, Dir: t.TempDir(), Carrier: b.Carrier()})
	return w
}

// host is one match server.
type host struct {
	*world
	carrier *revocationtest.Carrier
	feed    *revocation.Feed
	server  *transport.Server
	addr    netip.AddrPort
	stop    func() // ends the feed

	mu   sync.Mutex
	seen map[string]time.Time
	left map[string]session.Reason
}

// host starts a server that is joined to the fleet.
func (w *world) host(mode revocation.Mode) *host {
	w.t.Helper()
	key := w.keys[w.hosts]
	w.hosts++
	h := &host{
		world: w, carrier: w.broker.Carrier(), addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, w.hosts}), 7777),
		seen: map[string]time.Time{}, left: map[string]session.Reason{},
	}
	config := revocation.FeedConfig{Carrier: h.carrier, Trusted: w.trusted, Key: key, Dir: w.t.TempDir(), Mode: mode}
	w.config(&config)
	var err error
	if h.feed, err = revocation.NewFeed(config); err != nil {
		w.t.Fatal(err)
	}
	socket, err := w.network.Listen(h.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	h.server, err = transport.Listen("", h.feed.Transport(transport.Config{
		Conn: socket, Certificate: *w.login.Server(w.t), Verifier: w.issuer.Verifier(w.t), Session: session.Config{FleetKeys: w.ring},
	}))
	if err != nil {
		w.t.Fatal(err)
	}
	h.stop = run(w.t, func(ctx context.Context) { _ = h.feed.Run(ctx, h.server) })
	run(w.t, func(context.Context) {
		_ = h.server.Serve(transport.Handler{
			Receive: func(p *transport.Player, _ []byte) { h.note(func() { h.seen[p.Session().Subject()] = time.Now() }) },
			Leave:   func(p *transport.Player, r session.Reason) { h.note(func() { h.left[p.Session().Subject()] = r }) },
		})
	})
	w.t.Cleanup(func() { h.server.Close() }) // before the two above
	return h
}

func (h *host) note(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// plays reports whether a datagram of a player has come in the last second.
func (h *host) plays(subject string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.seen[subject]) < time.Second
}

// reason is why a player has left.
func (h *host) reason(subject string) session.Reason {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.left[subject]
}

// socket returns a player's, in a network of its own.
func (w *world) socket() *netsim.Conn {
	w.t.Helper()
	w.sockets++
	c, err := w.network.Listen(netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, w.sockets, 1}), 1000))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// token returns a token of two minutes.
func (w *world) token(subject string) []byte {
	w.t.Helper()
	return []byte(w.issuer.Token(w.t, token.Grant{Subject: subject, Life: 2 * time.Minute}))
}

// dial has a player join with a token, and with fresh ones later.
func (h *host) dial(subject string, raw []byte) (*transport.Client, error) {
	ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Second)
	defer cancel()
	return transport.Dial(ctx, h.addr.String(), transport.ClientConfig{
		Conn: h.socket(), RootCAs: h.login.Pool(), ServerName: testkit.ServerName,
		Token: func(context.Context) ([]byte, error) {
			first := raw
			if raw = nil; first == nil {
				first = h.token(subject)
			}
			return first, nil
		},
	})
}

// join has a player join, and send ten times a second until it is put out.
func (h *host) join(subject string) *transport.Client {
	h.t.Helper()
	c, err := h.dial(subject, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	run(h.t, func(ctx context.Context) {
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				c.Close()
				return
			case <-tick.C:
				c.Send([]byte("input"))
			}
		}
	})
	return c
}

// refuses wants a server to refuse a player for a reason.
func (h *host) refuses(subject string, raw []byte, want session.Reason) {
	h.t.Helper()
	c, err := h.dial(subject, raw)
	if err == nil {
		c.Close()
		h.t.Errorf("%s has come in, want %v", subject, want)
		return
	}
	var refused *transport.CloseError
	if !errors.As(err, &refused) || refused.Reason != want {
		h.t.Errorf("%v, want %v", err, want)
	}
}

// admits wants a server to admit a player.
func (h *host) admits(subject string, raw []byte) {
	h.t.Helper()
	c, err := h.dial(subject, raw)
	if err != nil {
		h.t.Errorf("%s was refused: %v", subject, err)
		return
	}
	c.Close()
}
