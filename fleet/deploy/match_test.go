package deploy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/metrics"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/internal/testkit"
	base "github.com/sallyport/sallyport/metrics"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// players is how many play.
const players = 4

// match is a match server on loopback, its players, and its /metrics.
type match struct {
	t         *testing.T
	authority *testkit.Authority
	issuer    *testkit.Issuer
	lost      *token.Issuer // whose keys are out of reach
	config    transport.Config
	address   string // of the server, the same for each that takes over
	metrics   string // address of the page that Prometheus scrapes

	own     *metrics.Metrics
	base    *base.Collector
	current atomic.Pointer[transport.Server]
	feed    atomic.Pointer[revocation.Feed]
	broker  *revocationtest.Broker
	central revocation.SigningKey
	key     revocation.SigningKey // of the match server
	dir     string                // of its publisher
	unfeed  func()                // ends the feed
	ctx     context.Context
	wg      sync.WaitGroup
}

func newMatch(t *testing.T) *match {
	t.Helper()
	m := &match{
		t: t, authority: testkit.NewAuthority(t), issuer: testkit.NewIssuer(t), broker: revocationtest.NewBroker(1),
		central: revocation.GenerateSigningKey(), key: revocation.GenerateSigningKey(), dir: t.TempDir(),
	}
	var err error
	m.lost, err = token.NewIssuer(token.IssuerConfig{Issuer: "https://lost.test", Audience: testkit.Audience})
	if err != nil {
		t.Fatal(err)
	}
	lost := m.lost.Profile()
	lost.Keys = unreachable{}
	verifier, err := token.NewVerifier(m.issuer.Profile(), lost)
	if err != nil {
		t.Fatal(err)
	}
	m.own, err = metrics.New(metrics.Config{
		Every: time.Second, Exemplars: true,
		Revocations: func() revocation.Status { return m.feed.Load().Status() },
		Publisher:   func() revocation.PublisherStats { return m.feed.Load().PublisherStats() },
		Certificates: map[string]func() (time.Time, time.Time){
			"dtls": func() (time.Time, time.Time) { return time.Now(), time.Now().Add(90 * 24 * time.Hour) },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.base = base.NewCollector(func() transport.Stats { return m.current.Load().Stats() })
	m.config = transport.Config{
		Certificate: *m.authority.Server(t), Verifier: verifier, OnExchange: m.own.Exchange, Shards: 1,
		Session: session.Config{FleetKeys: testkit.Ring(t), Ping: time.Second},
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.ctx = ctx
	t.Cleanup(m.wg.Wait)
	t.Cleanup(cancel)
	m.address = "127.0.0.1:" + testkit.FreePort(t)
	m.publish()
	m.listen()
	m.serve()
	return m
}

// unreachable is a token.KeySet that cannot be reached.
type unreachable struct{}

func (unreachable) Key(context.Context, string) (token.Key, error) {
	return token.Key{}, token.ErrUnavailable
}

// listen makes the server, in place of the one before.
func (m *match) listen() {
	if old := m.current.Load(); old != nil {
		old.Close() //nolint:errcheck // a crash
		m.unfeed()
	}
	feed, err := revocation.NewFeed(revocation.FeedConfig{
		Carrier: m.broker.Carrier(), Key: m.key, Dir: m.dir, Name: "eu-1", OnApplied: m.own.RevocationApplied,
		Trusted: []revocation.Trusted{{Name: "central", Key: m.central.Public(), Kinds: revocation.AllKinds}},
	})
	if err != nil {
		m.t.Error(err)
		return
	}
	s, err := transport.Listen(m.address, feed.Transport(m.config))
	if err != nil {
		m.t.Error(err)
		return
	}
	m.feed.Store(feed)
	m.current.Store(s)
	ctx, cancel := context.WithCancel(m.ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = feed.Run(ctx, s) })
	m.unfeed = func() { cancel(); running.Wait() }
	m.wg.Go(func() { <-m.ctx.Done(); running.Wait() })
	m.wg.Go(func() {
		h := transport.Handler{Receive: func(p *transport.Player, b []byte) { _ = p.Send(b) }}
		for {
			began := time.Now()
			if _, err := s.Poll(h); err != nil {
				return
			}
			m.own.ObservePoll(time.Since(began))
			s.Flush()
			m.base.ObserveTick(time.Since(began))
			time.Sleep(time.Second / 60)
		}
	})
	m.wg.Go(func() { _ = m.own.Run(m.ctx, s) })
	if err := feed.WaitWhole(m.ctx); err != nil && m.ctx.Err() == nil {
		m.t.Error(err)
	}
}

// publish runs the central publisher, which revokes somebody who is not here now and then.
func (m *match) publish() {
	p, err := revocation.OpenPublisher(revocation.PublisherConfig{Key: m.central, Dir: m.t.TempDir(), Carrier: m.broker.Carrier(), Name: "central"})
	if err != nil {
		m.t.Fatal(err)
	}
	m.wg.Go(func() {
		_ = p.Run(m.ctx)
		p.Close() //nolint:errcheck // a test's
	})
	m.wg.Go(func() {
		for n := 0; m.ctx.Err() == nil; n++ {
			if _, err := p.Append(revocation.Record{Kind: revocation.KindSubject, Issuer: "issuer", Value: fmt.Sprint("stranger ", n)}); err != nil && m.ctx.Err() == nil {
				m.t.Error(err)
			}
			time.Sleep(300 * time.Millisecond)
		}
	})
}

// operator is an admin.Identity that takes every caller for an operator, and a Revoker that is broken.
type operator struct{}

func (operator) Peer(tls.ConnectionState, ...identity.Role) (identity.Peer, error) {
	all := identity.PermissionsOf(identity.ReadStats, identity.Revoke)
	return identity.Peer{ID: "spiffe://game.example/role/operator", Role: identity.Operator, Permissions: all}, nil
}
func (operator) Revoke(session.Revocation) (int, error) { return 0, errors.New("broken") }
func (operator) Ban(session.Ban) (int, error)           { return 0, errors.New("broken") }
func (operator) Lift(string, string) bool               { return false }

// operate calls the admin API: what it may, what nobody may, and what is broken.
func (m *match) operate() {
	h, err := admin.Handler(admin.Config{Server: m.current.Load(), Identity: operator{}, Revoker: operator{}, OnCall: m.own.AdminCall})
	if err != nil {
		m.t.Error(err)
		return
	}
	for _, call := range [][3]string{
		{http.MethodGet, "/v1/stats"}, {http.MethodGet, "/v1/sessions"}, {http.MethodPost, "/v1/revoke", `{"issuer":"issuer","subject":"nobody"}`},
	} {
		r := httptest.NewRequest(call[0], call[1], strings.NewReader(call[2]))
		if call[2] == "" {
			r = httptest.NewRequest(call[0], call[1], nil)
		}
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// serve serves /metrics.
func (m *match) serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	m.metrics = l.Addr().String()
	page := &http.Server{Handler: base.Handler(m.base, m.own)}
	m.wg.Go(func() { _ = page.Serve(l) })
	m.t.Cleanup(func() {
		page.Close() //nolint:errcheck // nobody waits
		m.current.Load().Close()
	})
}

// text is the page.
func (m *match) text(t *testing.T) string {
	t.Helper()
	r, err := http.Get("http://" + m.metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close() //nolint:errcheck // read
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// client is the configuration of one player, with tokens that live so long.
func (m *match) client(n int, life time.Duration) transport.ClientConfig {
	return transport.ClientConfig{
		RootCAs: m.authority.Pool(), ServerName: testkit.ServerName,
		Token: func(context.Context) ([]byte, error) {
			return []byte(m.issuer.Token(m.t, token.Grant{Subject: fmt.Sprint("player ", n), Scope: "match", Life: life})), nil
		},
	}
}

// play has players come, play and renew, strangers be refused, and the server replaced once, so that
// the players resume.
func (m *match) play() {
	for n := range players {
		c, err := transport.Dial(m.ctx, m.address, m.client(n, 15*time.Second))
		if err != nil {
			m.t.Fatal(err)
		}
		m.wg.Go(func() {
			for m.ctx.Err() == nil {
				_ = c.Send([]byte("input")) // lost while the server is replaced
				time.Sleep(time.Second / 30)
			}
			c.Close() //nolint:errcheck // the server may be gone
		})
	}
	m.wg.Go(func() { // who comes and goes, what is refused, what the operator does, what was revoked
		for tick := time.NewTicker(300 * time.Millisecond); m.ctx.Err() == nil; <-tick.C {
			ctx, cancel := context.WithTimeout(m.ctx, time.Second)
			bad, lost, foreign := m.client(99, time.Minute), m.client(99, time.Minute), m.client(99, time.Minute)
			bad.Token = func(context.Context) ([]byte, error) { return []byte("not a token"), nil }
			lost.Token = func(context.Context) ([]byte, error) {
				text, err := m.lost.Mint(time.Now(), token.Grant{Subject: "lost", Scope: "match"})
				return []byte(text), err
			}
			foreign.ServerName = "another.example"
			for _, config := range []transport.ClientConfig{bad, lost, foreign, m.client(98, time.Minute)} {
				if c, err := transport.Dial(ctx, m.address, config); err == nil {
					c.Close() //nolint:errcheck // the server may be gone
				}
			}
			cancel()
			m.operate()
		}
	})
	m.wg.Go(func() {
		select {
		case <-time.After(6 * time.Second):
			m.listen()
		case <-m.ctx.Done():
		}
	})
}
