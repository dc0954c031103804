package websocket

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

const site = "https://play.example.com"

// browsers lets them in.
func browsers(c *Config, s *transport.Config) {
	cert := s.Certificate
	c.Origins, c.Certificate = []string{site}, func() *tls.Certificate { return &cert }
}

// page is a browser's end, as a script would be.
type page struct {
	t       *testing.T
	ws      *websocket.Conn
	binding [32]byte
	machine *machine.Client
	begun   time.Time
}

// visit opens a WebSocket as a page does, and takes the binding.
func (m *match) visit(t *testing.T, more http.Header) *page {
	t.Helper()
	p, err := m.attempt(t, more)
	if err != nil {
		t.Fatal(err)
	}
	// "The server's first message MUST be the binding: the 32 bytes of section 6.1" PROTOCOL.md 9.9
	kind, b, err := p.ws.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage || copy(p.binding[:], b) != 32 || len(b) != 32 {
		t.Fatalf("the first message is %d, %x: %v", kind, b, err)
	}
	return p
}

// attempt opens a WebSocket.
func (m *match) attempt(t *testing.T, more http.Header) (*page, error) {
	t.Helper()
	header := http.Header{"Origin": {site}}
	maps.Copy(header, more)
	d := websocket.Dialer{Subprotocols: []string{SessionSubprotocol}, TLSClientConfig: m.tls}
	ws, _, err := d.Dial(m.url, header)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	return &page{t: t, ws: ws, begun: time.Now()}, nil
}

// send writes an envelope of the session's.
func (p *page) send(kind wire.Kind, body []byte) {
	p.write(p.seal(kind, body))
}

// seal is an envelope of the session's, which is not sent.
func (p *page) seal(kind wire.Kind, body []byte) []byte {
	p.t.Helper()
	b, err := p.machine.Append(nil, kind, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *page) write(b []byte) {
	if err := p.ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
		p.t.Error(err)
	}
}

// next handles the next envelope.
func (p *page) next() (machine.Event, error) {
	_, b, err := p.ws.ReadMessage()
	if err != nil {
		return machine.Event{}, err
	}
	reply, ev := p.machine.Handle(time.Now(), b)
	if reply.Kind != 0 {
		p.send(reply.Kind, reply.Body)
	}
	return ev, nil
}

// await handles what comes until an event of this kind.
func (p *page) await(kind machine.EventKind) machine.Event {
	p.t.Helper()
	for {
		ev, err := p.next()
		if err != nil {
			p.t.Fatalf("no %v: %v", kind, err)
		}
		if ev.Kind == kind {
			return ev
		}
		if ev.Kind == machine.EventClosed {
			p.t.Fatalf("closed for %v before %v", ev.Reason, kind)
		}
	}
}

// hello shows a fresh identity token.
func (p *page) hello(m *match, name string) {
	p.t.Helper()
	identity := m.issuer.Token(p.t, token.Grant{Subject: name, Scope: "match"})
	var err error
	if p.machine, err = machine.NewClient(time.Now(), session.ClientConfig{Lanes: true}, machine.Channel{Exporter: p.binding}, []byte(identity)); err != nil {
		p.t.Fatal(err)
	}
	p.machine.Tick(time.Now(), p.send)
}

// resume shows the ticket of another page's session.
func (p *page) resume(former *page) {
	p.t.Helper()
	var err error
	if p.machine, err = former.machine.Resume(time.Now(), machine.Channel{Exporter: p.binding}, nil); err != nil {
		p.t.Fatal(err)
	}
	p.machine.Tick(time.Now(), p.send)
}

// play is a page whose player has joined.
func (m *match) play(t *testing.T, name string, more http.Header) *page {
	t.Helper()
	p := m.visit(t, more)
	p.hello(m, name)
	p.await(machine.EventJoined)
	return p
}

// echo has a payload go to the match and back.
func (p *page) echo(b []byte) {
	p.t.Helper()
	p.send(wire.KindData, b)
	if got := p.await(machine.EventData).Payload; !bytes.Equal(got, b) {
		p.t.Fatalf("%x came back as %x", b, got)
	}
}

// player is the match's side of one.
func (m *match) player(name string) *transport.Player {
	p, _ := m.players.Load(name)
	return p.(*transport.Player)
}

// A browser's player plays, is put out with a reason that the browser gets, and does not come back.
// "exactly one envelope, of 18 to 1,163 bytes, in either direction" and "The relay MUST NOT change an envelope, repeat
// one or make one up." PROTOCOL.md 9.9. Nor does it need the server's connection id: "A client MUST ignore the connection id
// of WELCOME." PROTOCOL.md 9.9
func TestBrowserPlays(t *testing.T) {
	t.Parallel()
	m := newMatch(t, browsers)
	p := m.play(t, "alice", nil)
	for n := range 60 {
		b := make([]byte, n*n%wire.MaxBody)
		rand.Read(b) //nolint:errcheck // never fails
		p.echo(b)
	}
	p.echo(nil)
	p.echo(make([]byte, wire.MaxBody))
	if n := m.got.Load(); n != 62 {
		t.Errorf("the match has got %d payloads, 62 were sent", n)
	}
	if a, b := m.player("alice").Addr(), p.ws.LocalAddr().String(); a.String() != b {
		t.Errorf("the player is at %v, the browser at %v", a, b)
	}
	m.carrier.mu.RLock()
	for _, s := range m.carrier.streams {
		if n := s.sent.Load(); n != 63 || s.heard.Load() != 63 { // WELCOME, HELLO
			t.Errorf("%d envelopes to the browser are counted, %d from it", n, s.heard.Load())
		}
	}
	m.carrier.mu.RUnlock()
	if st := m.carrier.Stats(); st.Browsers != 1 || st.OpenBrowsers != 1 || st.Open != 1 || st.Accepted != 1 {
		t.Errorf("%+v", st)
	}
	if _, err := m.Ban(session.Ban{Issuer: m.issuer.Profile().Issuer, Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	if ev := p.await(machine.EventClosed); ev.Reason != session.ReasonRevoked {
		t.Errorf("closed for %v", ev.Reason)
	}
	again := m.visit(t, nil)
	again.hello(m, "alice")
	if ev := again.await(machine.EventClosed); ev.Reason != session.ReasonRevoked {
		t.Errorf("a banned player: %v", ev.Reason)
	}
}

// A browser that has not signed in gives way to others, and one that plays does not.
func TestBrowserGivesWay(t *testing.T) {
	t.Parallel()
	m := newMatch(t, browsers, func(c *Config, _ *transport.Config) {
		c.MaxConnections, c.Proxies = 2, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	from := func(a string) http.Header { return http.Header{"X-Forwarded-For": {a}} }
	first, second := m.visit(t, from("203.0.113.1")), m.visit(t, from("203.0.113.1"))
	alice := m.play(t, "alice", from("203.0.113.2"))
	time.Sleep(signInTime) // the second stranger has had time enough
	bob := m.play(t, "bob", from("203.0.113.2"))
	for _, p := range []*page{first, second} {
		if _, _, err := p.ws.ReadMessage(); err == nil {
			t.Error("a stranger is still there")
		}
	}
	if _, err := m.attempt(t, from("203.0.113.3")); err == nil {
		t.Error("a newcomer takes the place of a player")
	}
	alice.echo([]byte("still here"))
	bob.echo([]byte("still here"))
}

// A stranger who is refused, and whose next handshake ends the connection before its alert, has no session either.
func TestRefusedGivesWay(t *testing.T) {
	t.Parallel()
	var pin [32]byte
	m := newMatch(t, func(c *Config, s *transport.Config) {
		c.MaxConnections, c.Proxies = 1, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		pin = sha256.Sum256(s.Certificate.Certificate[0])
	})
	open := func(from string) (*websocket.Conn, error) {
		d := websocket.Dialer{Subprotocols: []string{Subprotocol}, TLSClientConfig: m.tls}
		ws, _, err := d.Dial(m.url, http.Header{"X-Forwarded-For": {from}})
		return ws, err
	}
	ws, err := open("203.0.113.1")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	var relay atomic.Pointer[transport.Relay]
	refused := make(chan struct{})
	once := sync.OnceFunc(func() { close(refused) })
	connect := func() [32]byte {
		relay.Store(transport.NewRelay(transport.RelayConfig{
			Pin: pin, Receive: func([]byte) { once() },
			Write: func(b []byte) { _ = ws.WriteMessage(websocket.BinaryMessage, b) },
		}))
		binding, err := relay.Load().Handshake(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return binding
	}
	go func() {
		for {
			_, b, err := ws.ReadMessage()
			if err != nil {
				return
			}
			_ = relay.Load().Deliver(b)
		}
	}()
	player, err := machine.NewClient(time.Now(), session.ClientConfig{}, machine.Channel{Exporter: connect()}, []byte("no token"))
	if err != nil {
		t.Fatal(err)
	}
	player.Tick(time.Now(), func(kind wire.Kind, body []byte) {
		if b, err := player.Append(nil, kind, body); err != nil || relay.Load().Send(b) != nil {
			t.Error("HELLO is not sent", err)
		}
	})
	<-refused
	connect()
	if err := relay.Load().Send(make([]byte, transport.MinEnvelope)); err != nil { // now the former connection is gone
		t.Fatal(err)
	}
	time.Sleep(signInTime)
	newcomer, err := open("203.0.113.2")
	if err != nil {
		t.Fatalf("a stranger keeps a newcomer out: %v", err)
	}
	newcomer.Close()
}

// "MUST close the WebSocket with 1000 when close_notify comes" PROTOCOL.md 9.9. Before that every copy of CLOSE has come.
func TestBrowserIsClosed(t *testing.T) {
	t.Parallel()
	m := newMatch(t, browsers)
	p := m.play(t, "alice", nil)
	m.player("alice").Kick(session.ReasonKicked, "goodbye")
	if ev := p.await(machine.EventClosed); ev.Reason != session.ReasonKicked || string(ev.Payload) != "goodbye" {
		t.Errorf("closed for %v, %q", ev.Reason, ev.Payload)
	}
	for {
		if _, _, err := p.ws.ReadMessage(); websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	// "The relay MUST send close_notify when the WebSocket ends" PROTOCOL.md 9.9: with CLOSE before it the player has left.
	b := m.play(t, "bob", nil)
	left := m.left.Load()
	reply := b.machine.Close()
	b.send(reply.Kind, reply.Body)
	_ = b.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	for deadline := time.Now().Add(5 * time.Second); m.left.Load() == left || m.carrier.Stats().Open > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d left, %+v", m.left.Load(), m.carrier.Stats())
		}
	}
}

// "A client that loses its WebSocket resumes its session by ticket on another." PROTOCOL.md 9.9. One whose session has
// been put out does not, and a ticket is of no use to whoever lacks the session's secret.
func TestBrowserResumes(t *testing.T) {
	t.Parallel()
	m := newMatch(t, browsers)
	first := m.play(t, "alice", nil)
	first.echo([]byte("before"))
	name := m.player("alice").Session().Name()
	first.ws.Close()
	second := m.visit(t, nil)
	if second.binding == first.binding {
		t.Error("two WebSockets have one binding")
	}
	second.resume(first)
	second.await(machine.EventResumed)
	second.echo([]byte("after"))
	if got := m.player("alice").Session().Name(); got != name || m.left.Load() != 0 || m.Stats().Sessions != 1 {
		t.Errorf("session %v goes on as %v; %d left, %+v", name, got, m.left.Load(), m.Stats())
	}
	bare := m.visit(t, nil) // by the binding of another WebSocket
	bare.binding = second.binding
	bare.resume(second)
	if ev := bare.await(machine.EventClosed); ev.Reason != session.ReasonTicket {
		t.Errorf("with another binding: %v", ev.Reason)
	}
	second.echo([]byte("still here"))
	m.player("alice").Kick(session.ReasonKicked)
	third := m.visit(t, nil)
	third.resume(second)
	if ev := third.await(machine.EventClosed); ev.Reason != session.ReasonTicket && ev.Reason != session.ReasonRevoked {
		t.Errorf("who was put out: %v", ev.Reason)
	}
}

// Whoever holds an envelope holds nothing: a copy, one with another tag and one on another WebSocket have no effect.
func TestBrowserForges(t *testing.T) {
	t.Parallel()
	m := newMatch(t, browsers)
	alice, eve := m.play(t, "alice", nil), m.play(t, "eve", nil)
	for range 20 {
		b := alice.seal(wire.KindData, []byte("once"))
		eve.write(b)
		alice.write(b)
		alice.write(b)
		alice.await(machine.EventData)
	}
	eve.echo([]byte("after"))
	if n := m.got.Load(); n != 21 {
		t.Errorf("the match has got %d payloads, 21 were sent", n)
	}
	for range 5 { // 8 in a row are an attack, and end the session
		b := alice.seal(wire.KindData, []byte("forged"))
		b[10] ^= 1
		alice.write(b)
	}
	alice.echo([]byte("genuine"))
	drops := m.Stats().Drops
	if m.got.Load() != 22 || drops["tag"] != 5 || drops["session"] != 20 {
		t.Errorf("%d payloads, %v", m.got.Load(), drops)
	}
}

// "MUST be binary and hold exactly one envelope" and "An end that gets anything else MUST close the connection: a server with
// 1003, or with 1009 if it is too long" PROTOCOL.md 9.9
func TestBrowserMessages(t *testing.T) {
	t.Parallel()
	m := newMatch(t, browsers)
	other := m.play(t, "other", nil)
	for name, c := range map[string]struct {
		kind, length int
		code         int
	}{
		"text":  {websocket.TextMessage, 100, websocket.CloseUnsupportedData},
		"empty": {websocket.BinaryMessage, 0, websocket.CloseUnsupportedData},
		"short": {websocket.BinaryMessage, wire.HeaderLen - 1, websocket.CloseUnsupportedData},
		"long":  {websocket.BinaryMessage, wire.MaxEnvelope + 1, websocket.CloseMessageTooBig},
	} {
		p := m.visit(t, nil)
		if err := p.ws.WriteMessage(c.kind, make([]byte, c.length)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.ws.ReadMessage(); !websocket.IsCloseError(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other.echo([]byte("still here"))
	if st := m.carrier.Stats(); st.RelaysFailed != 0 {
		t.Errorf("%+v", st)
	}
}

// "A server MUST refuse the subprotocol unless its operator has named the origins whose pages may connect" and "MUST refuse
// a request without `Origin`, too" and "MUST refuse a request for it that has come neither by TLS, nor from its own host, nor
// from a proxy that the operator trusts to end TLS." PROTOCOL.md 9.9
func TestBrowserRefused(t *testing.T) {
	t.Parallel()
	cert := testkit.NewAuthority(t).Server(t)
	open := Config{Origins: []string{site}, Certificate: func() *tls.Certificate { return cert }, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	closed := open
	closed.Certificate = nil
	for name, c := range map[string]struct {
		config Config
		remote string
		tls    bool
		origin string
		offers string
		want   string // the subprotocol
		status int
	}{
		"a page":            {open, "198.51.100.7:4000", true, site, SessionSubprotocol, SessionSubprotocol, 0},
		"a program":         {open, "198.51.100.7:4000", true, "", SessionSubprotocol, "", 403},
		"another page":      {open, "198.51.100.7:4000", true, "https://evil.example", SessionSubprotocol, "", 403},
		"a sandboxed page":  {open, "198.51.100.7:4000", true, "null", SessionSubprotocol, "", 403},
		"not allowed":       {closed, "198.51.100.7:4000", true, site, SessionSubprotocol, "", 400},
		"without TLS":       {open, "198.51.100.7:4000", false, site, SessionSubprotocol, "", 403},
		"its own host":      {open, "127.0.0.1:4000", false, site, SessionSubprotocol, SessionSubprotocol, 0},
		"a proxy":           {open, "10.0.0.1:4000", false, site, SessionSubprotocol, SessionSubprotocol, 0},
		"either":            {open, "198.51.100.7:4000", true, site, SessionSubprotocol + ", " + Subprotocol, Subprotocol, 0},
		"datagrams, no TLS": {open, "198.51.100.7:4000", false, "", Subprotocol, Subprotocol, 0},
		"another version":   {open, "198.51.100.7:4000", true, site, "sallyport.session.v2", "", 400},
	} {
		l := &Listener{config: c.config}
		r := &http.Request{Method: http.MethodGet, RemoteAddr: c.remote, Header: http.Header{
			"Connection": {"upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {c.offers}, "X-Forwarded-For": {"203.0.113.9"},
		}}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		got, _, status := l.judge(r)
		if got != c.want || status != c.status {
			t.Errorf("%s: %q, %d; want %q, %d", name, got, status, c.want, c.status)
		}
	}
	if _, err := New(Config{Certificate: open.Certificate}); !errors.Is(err, ErrConfig) {
		t.Errorf("browsers without origins: %v", err)
	}
}

// "If the relay's connection fails, or its keys are used up (section 9.5), the WebSocket MUST be closed with 1011."
// PROTOCOL.md 9.9. Of what fails here nobody else notices.
func TestBrowserRelayFails(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(*Config, *transport.Config){
		"another certificate": func(c *Config, _ *transport.Config) {
			c.Certificate = func() *tls.Certificate { return testkit.NewAuthority(t).Server(t) }
		},
		"a client certificate": func(_ *Config, s *transport.Config) { s.ClientAuth = tls.RequireAnyClientCert },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMatch(t, browsers, configure)
			p, err := m.attempt(t, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, b, err := p.ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseInternalServerErr) {
				t.Errorf("%x, %v", b, err)
			}
			for deadline := time.Now().Add(5 * time.Second); m.carrier.Stats().Open > 0 && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			if st := m.carrier.Stats(); st.RelaysFailed != 1 || st.Open != 0 || st.OpenBrowsers != 0 || m.Stats().Sessions != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// "What the peer's address decides (sections 4.9 and 12) the server MUST decide by the address that the carrier's own
// transport has proven, or that a proxy has named which the operator trusts." PROTOCOL.md 9.7: the handshakes of relays are
// those of the browsers' own addresses. A source that has used up its share keeps nobody else out.
func TestBrowserSources(t *testing.T) {
	t.Parallel()
	for range 5 { // the machine may take longer than the greedy source has to wait
		if browserSources(t) {
			return
		}
	}
	t.Error("the eight players have waited for the greedy source, or it was not limited")
}

// browserSources reports whether eight players were in before a greedy source's third connection, and that was made to wait.
func browserSources(t *testing.T) bool {
	m := newMatch(t, browsers, func(c *Config, s *transport.Config) {
		c.Proxies, c.MaxPerSource = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, 3
		s.Sources.PerSecond, s.Sources.Burst = 1, 2
	})
	from := func(a string) http.Header { return http.Header{"X-Forwarded-For": {a}} }
	began, let := time.Now(), make(chan time.Time, 3)
	for range 3 {
		if p, err := m.attempt(t, from("203.0.113.9")); err != nil {
			t.Fatal(err)
		} else {
			go func() {
				at := time.Time{}
				if _, _, err := p.ws.ReadMessage(); err == nil {
					at = time.Now()
				}
				let <- at
			}()
		}
	}
	_, err := m.attempt(t, from("203.0.113.9"))
	if time.Since(began) >= signInTime { // one may have given way
		return false
	}
	if err == nil {
		t.Error("it has more connections than MaxPerSource")
	}
	for i := range 8 {
		at, name := fmt.Sprintf("198.51.%d.7", i), fmt.Sprint("player ", i)
		m.play(t, name, from(at)).echo([]byte("hello"))
		if a := m.player(name).Addr().Addr().String(); a != at {
			t.Errorf("%s at %v is at %v", name, at, a)
		}
	}
	played := time.Now()
	var third time.Time // it has waited for a second
	for range 3 {
		if third = <-let; third.IsZero() {
			t.Error("one of the greedy source has ended")
		}
	}
	dropped := m.Stats().Drops["budget"]
	t.Logf("the eight were in %v before the greedy source's third, %d drops", third.Sub(played), dropped)
	return played.Before(third) && dropped > 0
}

// "It MAY drop one for which there is no room." PROTOCOL.md 9.9. A flood is dropped before it costs a record, and nobody else
// notices. What a browser does not read is dropped, too: the match never waits.
func TestBrowserFloods(t *testing.T) {
	t.Parallel()
	m := newMatch(t, browsers, func(c *Config, _ *transport.Config) { c.Rate = 100 })
	flood, other := m.play(t, "flood", nil), m.play(t, "other", nil)
	noise := make([]byte, wire.MaxEnvelope)
	for range 20_000 {
		if flood.ws.WriteMessage(websocket.BinaryMessage, noise) != nil {
			break
		}
	}
	for i := range 5 {
		other.echo([]byte{byte(i)})
	}
	if st := m.carrier.Stats(); st.Dropped < 10_000 {
		t.Errorf("%+v", st)
	}
	start := time.Now()
	for range 20_000 {
		_ = m.player("other").Send(noise[:wire.MaxBody])
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a browser that does not read has the match wait %v", took)
	}
}

// Messages of lanes travel as by UDP.
func TestBrowserLanes(t *testing.T) {
	t.Parallel()
	m := newMatch(t, browsers, func(_ *Config, s *transport.Config) {
		s.Lanes = []transport.Lane{{Mode: transport.Ordered, MaxMessage: 50_000}}
	})
	p := m.play(t, "alice", nil)
	agreed := p.machine.Lanes()
	if agreed == nil {
		t.Fatal("no lanes were agreed on")
	}
	e := lanes.New(lanes.Config{
		Table: agreed.Table, Base: agreed.Base, Next: p.machine.Sequence() + 1, PeerDelay: agreed.PeerDelay, PeerCredit: agreed.PeerCredit,
		Random: mathrand.Uint64,
	})
	message := make([]byte, 40_000)
	rand.Read(message) //nolint:errcheck // never fails
	in := &inbox{}
	now := func() time.Duration { return time.Since(p.begun) }
	if _, err := e.Send(now(), 0, message, in); err != nil {
		t.Fatal(err)
	}
	envelopes := make(chan []byte, 1000)
	go func() {
		defer close(envelopes)
		for {
			_, b, err := p.ws.ReadMessage()
			if err != nil {
				return
			}
			envelopes <- b
		}
	}()
	for deadline := time.Now().Add(10 * time.Second); in.message == nil; {
		if time.Now().After(deadline) {
			t.Fatal("the message does not come back")
		}
		select {
		case b := <-envelopes:
			reply, ev := p.machine.Handle(time.Now(), b)
			if reply.Kind != 0 {
				p.send(reply.Kind, reply.Body)
				e.Sent(now(), p.machine.Sequence(), len(reply.Body))
			}
			switch seq := p.machine.Arrived(); {
			case ev.Kind == machine.EventFrames:
				e.Receive(now(), seq, p.machine.Sequence(), ev.Payload, in)
			case seq != 0:
				e.Note(now(), seq)
			}
		case <-time.After(time.Millisecond):
		}
		e.Tick(now(), in)
		for e.Deadline(now()) <= now() {
			for e.LeaveOut(p.machine.Sequence() + 1) {
				p.machine.LeaveOut()
			}
			body, ok := e.Append(nil, now(), p.machine.Sequence()+1)
			if !ok {
				break
			}
			p.send(wire.KindFrames, body)
		}
	}
	if !bytes.Equal(in.message, message) {
		t.Error("another message comes back")
	}
}

// inbox is what has come on lanes.
type inbox struct{ message []byte }

func (i *inbox) Message(_ int, _ uint64, b []byte) { i.message = bytes.Clone(b) }
func (*inbox) Latest(int, uint32, []byte)          {}
func (*inbox) Receipt(int, uint64, bool)           {}

// A server that ends tells browsers why, and ends their WebSockets.
func TestBrowserServerEnds(t *testing.T) {
	t.Parallel()
	m := newMatch(t, browsers)
	p := m.play(t, "alice", nil)
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		ended <- m.Shutdown(ctx)
	}()
	for closed := false; ; {
		ev, err := p.next()
		if err != nil {
			if !closed || !websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway) {
				t.Errorf("CLOSE has come: %v; %v", closed, err)
			}
			break
		}
		closed = closed || ev.Kind == machine.EventClosed && ev.Reason == session.ReasonShutdown
	}
	p.ws.Close()
	if err := <-ended; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// A browser that says nothing, or is told nothing, is closed: "one to which it has said nothing for 10 s after the upgrade"
// PROTOCOL.md 9.8. The handshake of its relay is no word to it.
func TestBrowserIdle(t *testing.T) {
	t.Parallel()
	config, _ := Config{}.WithDefaults()
	s := &stream{out: make(chan *datagram, outbound), relay: &browser{}}
	beats := 0
	for ; beats < 1000; beats++ {
		s.heard.Add(1)
		s.send([]byte("a flight of the handshake"))
		if s.beat(config) {
			break
		}
	}
	if beats != int(opening/beat) {
		t.Errorf("it is closed after %d beats", beats)
	}
	early := &browser{stream: &stream{}} // what comes before the binding is not written
	if early.receive(make([]byte, wire.MaxEnvelope)); early.stream.sent.Load() != 0 || early.failed != nil {
		t.Error("an envelope before the binding")
	}
}

// A WebSocket that ends while its relay makes its handshake leaves nothing behind; nor does a Listener that is closed then.
func TestBrowserLeavesEarly(t *testing.T) {
	t.Parallel()
	cert := testkit.NewAuthority(t).Server(t)
	l, err := New(Config{Origins: []string{site}, Certificate: func() *tls.Certificate { return cert }}) // nobody answers
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(nil)
	front.Config = NewServer(l)
	front.Start()
	defer front.Close()
	d := websocket.Dialer{Subprotocols: []string{SessionSubprotocol}}
	ws, _, err := d.Dial("ws"+front.URL[len("http"):]+DefaultPath, http.Header{"Origin": {site}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	for l.Stats().OpenBrowsers == 0 {
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	if err := l.Close(); err != nil || time.Since(start) > 2*time.Second {
		t.Errorf("Close: %v after %v", err, time.Since(start))
	}
	if st := l.Stats(); st.RelaysFailed != 0 || st.Open != 0 {
		t.Errorf("%+v", st)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
