package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// echo is a game that sends everything back, and is away when a test says so.
type echo struct {
	away    atomic.Bool
	started *Gateway
	closed  atomic.Bool

	mu sync.Mutex
	// +checklocks:mu
	events []string
	// +checklocks:mu
	players map[string]*Player // by subject
}

var errAway = errors.New("away")

func (e *echo) Start(g *Gateway) error {
	e.started, e.players = g, make(map[string]*Player)
	return nil
}

func (e *echo) Join(p *Player) {
	e.note("join", p)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.players[p.Session().Subject()] = p
}

func (e *echo) Data(p *Player, lane int, key uint32, b []byte) { p.Send(lane, key, b) } //nolint:errcheck // as a network

func (e *echo) Left(p *Player, reason session.Reason) { e.note(fmt.Sprintf("left %d", reason), p) }

func (e *echo) note(what string, p *Player) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, what+" "+p.Session().Subject())
}

func (e *echo) Ready() error {
	if e.away.Load() {
		return errAway
	}
	return nil
}

func (e *echo) Close() error {
	e.closed.Store(true)
	return nil
}

func (e *echo) player(t testing.TB, subject string) *Player {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.players[subject]
	if p == nil {
		t.Fatalf("%s has not joined: %v", subject, e.events)
	}
	return p
}

func (e *echo) seen() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.events...)
}

// scene is a gateway and its players in a bubble of virtual time.
type scene struct {
	*Gateway

	game    *echo
	audit   *audit.Recent
	network *netsim.Network
	issuer  *testkit.Issuer
	trust   *testkit.Authority
	phones  int
	end     context.CancelFunc
	served  chan error
}

var address = netip.MustParseAddrPort("192.0.2.1:7777")

// play runs f with a gateway in virtual time.
func play(t *testing.T, configure func(*Config), f func(*testing.T, *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{
			game: &echo{}, audit: audit.NewRecent(audit.MaxRecent), network: netsim.New(1),
			issuer: testkit.NewIssuer(t), trust: testkit.NewAuthority(t), served: make(chan error, 1),
		}
		defer s.network.Close() //nolint:errcheck // in memory
		conn, err := s.network.Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		config := Config{Backend: s.game, Transport: transport.Config{
			Conn: conn, Certificate: *s.trust.Server(t), Verifier: s.issuer.Verifier(t), Audit: s.audit,
			Lanes: []transport.Lane{{Mode: transport.Ordered}, {Mode: transport.Latest}, {Mode: transport.Unreliable}},
		}}
		if configure != nil {
			configure(&config)
		}
		if s.Gateway, err = New(config); err != nil {
			t.Fatal(err)
		}
		var ctx context.Context
		ctx, s.end = context.WithCancel(t.Context())
		go func() { s.served <- s.Serve(ctx) }()
		f(t, s)
		s.end()
		if err := <-s.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if !s.game.closed.Load() {
			t.Error("the backend has not been closed")
		}
	})
}

// dial has a player join. Each of change may alter how.
func (s *scene) dial(t *testing.T, subject string, change ...func(*transport.ClientConfig)) (*transport.Client, error) {
	t.Helper()
	s.phones++
	phone, err := s.network.Listen(netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(s.phones), 1}), 1000))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	config := transport.ClientConfig{
		Conn: phone, RootCAs: s.trust.Pool(), ServerName: testkit.ServerName,
		Token: func(context.Context) ([]byte, error) {
			return []byte(s.issuer.Token(t, token.Grant{Subject: subject})), nil
		},
		Session: session.ClientConfig{Lanes: true},
	}
	for _, c := range change {
		c(&config)
	}
	return transport.Dial(ctx, address.String(), config)
}

func (s *scene) join(t *testing.T, subject string, change ...func(*transport.ClientConfig)) *transport.Client {
	t.Helper()
	c, err := s.dial(t, subject, change...)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	t.Cleanup(func() { c.Close() }) //nolint:errcheck // it may be out
	return c
}

// reason returns the reason of a CloseError, 0 of another error.
func reason(err error) session.Reason {
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		return closed.Reason
	}
	return 0
}
