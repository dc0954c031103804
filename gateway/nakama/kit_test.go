package nakama

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// patience is how long anything may take that should take milliseconds.
const patience = 20 * time.Second

const matchOne = "0b5f3f0e-0000-4000-8000-000000000001.node1"

// stage is a gateway on loopback, between players and a peer.
type stage struct {
	*Backend

	gateway *gateway.Gateway
	peer    *peer
	audit   *audit.Recent
	log     *lines
	issuer  *testkit.Issuer
	trust   *testkit.Authority
	conn    net.PacketConn // of the next player; nil for one of its own
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func newStage(t *testing.T, p *peer, configure func(*Config, *gateway.Config)) *stage {
	t.Helper()
	s := &stage{peer: p, audit: audit.NewRecent(audit.MaxRecent), log: &lines{}, issuer: testkit.NewIssuer(t), trust: testkit.NewAuthority(t)}
	c := Config{URL: p.URL, ServerKey: "key", Audit: s.audit, Log: slog.New(slog.NewTextHandler(s.log, nil)), Check: -1}
	g := gateway.Config{Listen: "127.0.0.1:0", Transport: transport.Config{
		Certificate: *s.trust.Server(t), Verifier: s.issuer.Verifier(t), Audit: s.audit, Lanes: Lanes(), Shards: 1,
	}}
	if configure != nil {
		configure(&c, &g)
	}
	var err error
	if s.Backend, err = New(c); err != nil {
		t.Fatal(err)
	}
	g.Backend, g.Transport.Session.Authorize = s.Backend, s.Authorize
	if s.gateway, err = gateway.New(g); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.gateway.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// player is a client and what has come for it.
type player struct {
	*transport.Client

	mu    sync.Mutex
	heard []string
	done  chan struct{}
	err   error
}

func (s *stage) dial(t *testing.T, name, metadata string) (*player, error) {
	t.Helper()
	return s.dialFor(t, token.Grant{Subject: name}, metadata)
}

// dialFor is dial with identity tokens of a grant, whose scope the client asks for.
func (s *stage) dialFor(t *testing.T, grant token.Grant, metadata string) (*player, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := transport.Dial(ctx, s.gateway.Addr().String(), transport.ClientConfig{
		Token: func(context.Context) ([]byte, error) {
			return []byte(s.issuer.Token(t, grant)), nil
		},
		RootCAs: s.trust.Pool(), ServerName: testkit.ServerName, Conn: s.conn,
		Session: session.ClientConfig{Lanes: true, Scope: grant.Scope, Metadata: []byte(metadata)},
	})
	if err != nil {
		return nil, err
	}
	p := &player{Client: c, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		take := func(lane int, b []byte) {
			op, n := binary.Uvarint(b)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.heard = append(p.heard, fmt.Sprint(lane, " ", op, " ", string(b[n:])))
		}
		p.err = c.Serve(transport.ClientHandler{
			Receive: func(b []byte) { take(gateway.Datagram, b) },
			Message: func(lane int, _ uint64, b []byte) { take(lane, b) },
		})
	}()
	t.Cleanup(func() {
		c.Close() //nolint:errcheck // it may have ended
		<-p.done
	})
	return p, nil
}

// enter lets a player into the match.
func (s *stage) enter(t *testing.T, name string) *player {
	t.Helper()
	before := s.Stats().Joined
	p, err := s.dial(t, name, `{"match_id":"`+matchOne+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the join", func() bool { return s.Stats().Joined > before })
	return p
}

func (p *player) has(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.heard, what)
}

func (p *player) say(t *testing.T, op uint64, data string) {
	t.Helper()
	if _, err := p.SendMessage(0, append(binary.AppendUvarint(nil, op), data...)); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end of the session.
func (p *player) ends(t *testing.T, reason session.Reason, detail string) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("the session goes on")
	}
	closedFor(t, p.err, reason, detail)
}

func (p *player) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *player) plays(t *testing.T) {
	t.Helper()
	if p.ended() {
		t.Fatalf("the session has ended: %v", p.err)
	}
}

func closedFor(t *testing.T, err error, reason session.Reason, detail string) {
	t.Helper()
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Reason != reason || closed.Detail != detail {
		t.Errorf("ended by %v, not by %v %q", err, reason, detail)
	}
}

// await waits until what is true.
func await(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// only returns the link of the only player.
func (s *stage) only(t *testing.T) *link {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.members {
		return l
	}
	t.Fatal("nobody is in the match")
	return nil
}
