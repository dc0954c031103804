package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	neturl "net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// listener makes a Listener with an HTTP server in front.
func listener(t *testing.T, config Config) (*Listener, string) {
	t.Helper()
	l, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := httptest.NewUnstartedServer(nil)
	s.Config = NewServer(l)
	s.Start()
	t.Cleanup(s.Close)
	return l, "ws" + strings.TrimPrefix(s.URL, "http") + DefaultPath
}

// dial makes a WebSocket as a stranger would.
func dial(t *testing.T, url string, header http.Header) (*websocket.Conn, error) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{Subprotocol}}
	ws, answer, err := d.Dial(url, header)
	if err != nil {
		if answer != nil {
			err = fmt.Errorf("%s: %w", answer.Status, err)
		}
		return nil, err
	}
	t.Cleanup(func() { ws.Close() })
	return ws, nil
}

// take reads a datagram from l.
func take(t *testing.T, l *Listener) (string, netip.AddrPort) {
	t.Helper()
	b := make([]byte, 2*MaxDatagram)
	n, from, err := l.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), from
}

// match is a match server that sends everything back.
type match struct {
	*transport.Server

	trust  *testkit.Authority
	issuer *testkit.Issuer
	url    string // of its WebSockets
	tls    *tls.Config
	hole   *net.UDPConn // an address from which nothing comes
	left   atomic.Int64
	got    atomic.Int64 // payloads

	carrier *Listener
	players sync.Map // *transport.Player by subject

	patience time.Duration // of Dial
}

func newMatch(t *testing.T, configure ...func(*Config, *transport.Config)) *match {
	t.Helper()
	m := &match{trust: testkit.NewAuthority(t), issuer: testkit.NewIssuer(t), patience: 10 * time.Second}
	cert := *m.trust.Server(t)
	var config Config
	server := transport.Config{Certificate: cert, Verifier: m.issuer.Verifier(t), Shards: 2}
	for _, f := range configure {
		f(&config, &server)
	}
	carrier, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	m.carrier, server.Also = carrier, carrier
	if m.Server, err = transport.Listen("127.0.0.1:0", server); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- m.Serve(transport.Handler{
			Join:    func(p *transport.Player) { m.players.Store(p.Session().Subject(), p) },
			Receive: func(p *transport.Player, b []byte) { m.got.Add(1); _ = p.Send(b) },
			Message: func(p *transport.Player, lane int, _ uint64, b []byte) { _, _ = p.SendMessage(lane, b) },
			Leave:   func(*transport.Player, session.Reason) { m.left.Add(1) },
		})
	}()
	front := httptest.NewUnstartedServer(nil)
	front.Config = NewServer(carrier)
	front.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	front.StartTLS()
	if m.hole, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		<-served
		front.Close()
		m.hole.Close()
	})
	m.url = "wss" + strings.TrimPrefix(front.URL, "https") + DefaultPath
	m.tls = &tls.Config{RootCAs: m.trust.Pool(), ServerName: testkit.ServerName}
	return m
}

// join connects a player; with blocked, UDP goes to where nothing answers.
func (m *match) join(t *testing.T, name string, blocked bool, configure ...func(*transport.ClientConfig)) (*transport.Client, error) {
	t.Helper()
	config := transport.ClientConfig{
		RootCAs: m.trust.Pool(), ServerName: testkit.ServerName,
		Token: func(context.Context) ([]byte, error) {
			return []byte(m.issuer.Token(t, token.Grant{Subject: name, Scope: "match"})), nil
		},
		Fallback: (&Dialer{URL: m.url, TLS: m.tls}).Fallback,
	}
	for _, f := range configure {
		f(&config)
	}
	address := m.Addr().String()
	if blocked {
		address = m.hole.LocalAddr().String()
	}
	ctx, cancel := context.WithTimeout(t.Context(), m.patience)
	defer cancel()
	c, err := transport.Dial(ctx, address, config)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// echo has a payload go to the match and back; any may be lost.
func echo(t *testing.T, c *transport.Client, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for b := make([]byte, 1200); ctx.Err() == nil; {
		_ = c.Send([]byte(text))
		within, stop := context.WithTimeout(ctx, 500*time.Millisecond)
		n, err := c.Receive(within, b)
		stop()
		if err == nil && string(b[:n]) == text {
			return
		}
	}
	t.Fatalf("%q does not come back", text)
}

// remember keeps the last WebSocket that a player has.
func remember(last *atomic.Pointer[client]) func(*transport.ClientConfig) {
	return func(c *transport.ClientConfig) {
		inner := c.Fallback
		c.Fallback = func(ctx context.Context, server string) (net.PacketConn, net.Addr, error) {
			conn, addr, err := inner(ctx, server)
			if err == nil {
				last.Store(conn.(*client))
			}
			return conn, addr, err
		}
	}
}

// A player whose UDP is blocked plays by WebSocket; when that is cut, the player's ticket resumes the session on
// another; a ban ends it, and the player does not come back.
func TestPlay(t *testing.T) {
	t.Parallel()
	m := newMatch(t)
	var last atomic.Pointer[client]
	direct, err := m.join(t, "direct", false)
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.join(t, "blocked", true, remember(&last))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		echo(t, c, fmt.Sprint("by WebSocket ", i))
		echo(t, direct, fmt.Sprint("by UDP ", i))
	}
	echo(t, c, strings.Repeat("x", transport.MaxPayload))
	if !c.Stats().Fallback || direct.Stats().Fallback {
		t.Error("they are not on what they should be on")
	}
	last.Load().close()
	for deadline := time.Now().Add(10 * time.Second); c.Stats().Resumed == 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	echo(t, c, "resumed")
	if st := c.Stats(); st.Resumed != 1 || !st.Fallback || m.left.Load() != 0 || m.Stats().Sessions != 2 {
		t.Errorf("%+v; %d left, %+v", st, m.left.Load(), m.Stats())
	}
	if _, err := m.Ban(session.Ban{Issuer: m.issuer.Profile().Issuer, Subject: "blocked"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for b := make([]byte, 1200); err == nil; {
		_, err = c.Receive(ctx, b)
	}
	if closed, ok := errors.AsType[*transport.CloseError](err); !ok || closed.Reason != session.ReasonRevoked {
		t.Errorf("the ban: %v", err)
	}
	if _, err := m.join(t, "blocked", true); err == nil {
		t.Error("a banned player is back")
	}
	echo(t, direct, "still here")
}

// wall is a UDP socket through which nothing comes once it is up.
type wall struct {
	net.PacketConn

	up atomic.Bool
}

func (w *wall) WriteTo(b []byte, to net.Addr) (int, error) {
	if w.up.Load() {
		return len(b), nil
	}
	return w.PacketConn.WriteTo(b, to)
}

// A network that begins to block UDP in mid-session costs a pause, and not the session.
func TestBlockedMidway(t *testing.T) {
	t.Parallel()
	m := newMatch(t)
	real, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &wall{PacketConn: real}
	c, err := m.join(t, "player", false, func(c *transport.ClientConfig) { c.Conn = w })
	if err != nil {
		t.Fatal(err)
	}
	echo(t, c, "by UDP")
	w.up.Store(true)
	for deadline := time.Now().Add(20 * time.Second); c.Stats().Resumed == 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	echo(t, c, "by WebSocket")
	if st := c.Stats(); !st.Fallback || st.Resumed != 1 || m.left.Load() != 0 {
		t.Errorf("%+v, %d left", st, m.left.Load())
	}
}

// TLS of the carrier proves nothing: the certificate that counts is shown inside.
func TestCertificateInside(t *testing.T) {
	t.Parallel()
	m := newMatch(t)
	_, err := m.join(t, "player", true, func(c *transport.ClientConfig) { c.RootCAs = testkit.NewAuthority(t).Pool() })
	if !errors.Is(err, transport.ErrHandshake) || m.Stats().Sessions != 0 {
		t.Errorf("%v", err)
	}
}

// "a datagram of more than 1,500 bytes MUST NOT be carried" PROTOCOL.md 9.7.
// "An end that gets anything else MUST close the connection: with 1003, or with 1009 if it is too long."
// PROTOCOL.md 9.8. Others are not closed.
func TestNoDatagram(t *testing.T) {
	t.Parallel()
	l, url := listener(t, Config{})
	good, err := dial(t, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		kind, length int
		code         int
	}{
		"text":  {websocket.TextMessage, 100, websocket.CloseUnsupportedData},
		"empty": {websocket.BinaryMessage, 0, websocket.CloseUnsupportedData},
		"long":  {websocket.BinaryMessage, MaxDatagram + 1, websocket.CloseMessageTooBig},
		"huge":  {websocket.BinaryMessage, 1 << 20, websocket.CloseMessageTooBig},
	} {
		ws, err := dial(t, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = ws.WriteMessage(c.kind, make([]byte, c.length)) // it may be closed meanwhile
		_ = ws.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, _, err = ws.ReadMessage(); name != "huge" && !websocket.IsCloseError(err, c.code) || err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, length := range []int{1, MaxDatagram} {
		if err := good.WriteMessage(websocket.BinaryMessage, make([]byte, length)); err != nil {
			t.Fatal(err)
		}
		if text, _ := take(t, l); len(text) != length {
			t.Errorf("%d bytes came as %d", length, len(text))
		}
	}
	if _, err := l.WriteToUDPAddrPort(make([]byte, MaxDatagram+1), netip.AddrPort{}); err == nil {
		t.Error("a datagram that is too long was taken")
	}
}

// "A request with an `Origin` that the server does not expect MUST be refused." PROTOCOL.md 9.8. Nor does
// anybody else get anywhere who may not connect.
func TestRefused(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, c := range map[string]struct {
		config Config
		header http.Header
		status string // empty for none
	}{
		"a program":               {Config{}, nil, ""},
		"a page":                  {Config{}, http.Header{"Origin": {"https://play.example.com"}}, "403"},
		"a page that may":         {Config{Origins: []string{"https://play.example.com"}}, http.Header{"Origin": {"https://play.example.com"}}, ""},
		"another page":            {Config{Origins: []string{"https://play.example.com"}}, http.Header{"Origin": {"https://play.example.com.evil"}}, "403"},
		"no address of a proxy's": {Config{Proxies: proxies}, nil, "400"},
		"rubbish of a proxy's":    {Config{Proxies: proxies}, http.Header{"X-Forwarded-For": {"203.0.113.9, unknown"}}, "400"},
		"a proxy alone":           {Config{Proxies: proxies}, http.Header{"X-Forwarded-For": {"127.0.0.9"}}, "400"},
	} {
		l, url := listener(t, c.config)
		_, err := dial(t, url, c.header)
		if (err == nil) != (c.status == "") || err != nil && !strings.HasPrefix(err.Error(), c.status) {
			t.Errorf("%s: %v, want %q", name, err, c.status)
		}
		if st := l.Stats(); (st.Refused == 1) != (c.status != "") {
			t.Errorf("%s: %+v", name, st)
		}
	}
	_, url := listener(t, Config{}) // "which both ends MUST name" (PROTOCOL.md 9.8)
	for _, others := range [][]string{nil, {SessionSubprotocol}, {"sallyport.datagram.v2"}} {
		if ws, _, err := (&websocket.Dialer{Subprotocols: others}).Dial(url, nil); err == nil {
			ws.Close()
			t.Errorf("with the subprotocols %q it is taken", others)
		}
	}
	for _, c := range []Config{
		{MaxConnections: -1},
		{MaxPerSource: -1},
		{Rate: 1},
		{Idle: time.Millisecond},
		{Proxies: []netip.Prefix{{}}},
		{Origins: []string{"play.example.com"}},
		{Origins: []string{"https://play.example.com/"}},
		{Certificate: func() *tls.Certificate { return nil }},
	} {
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// "the server MUST decide by the address that the carrier's own transport has proven, or that a proxy has named which the
// operator trusts." PROTOCOL.md 9.7
func TestForwarded(t *testing.T) {
	t.Parallel()
	trusting := Config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	for _, c := range []struct {
		config Config
		remote string
		header []string
		want   string // empty for none
	}{
		{Config{}, "198.51.100.7:4000", nil, "198.51.100.7:4000"},
		{Config{}, "[::ffff:198.51.100.7]:4000", nil, "198.51.100.7:4000"},
		{Config{}, "198.51.100.7:4000", []string{"203.0.113.9"}, "198.51.100.7:4000"},
		{trusting, "198.51.100.7:4000", []string{"203.0.113.9"}, "198.51.100.7:4000"}, // it is no proxy
		{trusting, "10.0.0.1:4000", []string{"203.0.113.9"}, "203.0.113.9:4000"},
		{trusting, "10.0.0.1:4000", []string{"192.0.2.1, 203.0.113.9"}, "203.0.113.9:4000"}, // the player has sent the first
		{trusting, "10.0.0.1:4000", []string{"192.0.2.1", "203.0.113.9"}, "203.0.113.9:4000"},
		{trusting, "10.0.0.1:4000", []string{"203.0.113.9, 10.2.3.4"}, "203.0.113.9:4000"},
		{trusting, "10.0.0.1:4000", []string{"203.0.113.9:55"}, "203.0.113.9:4000"},
		{trusting, "[fd00::1]:4000", []string{"2001:db8::5"}, "[2001:db8::5]:4000"},
		{trusting, "[fd00::1]:4000", []string{"[2001:db8::5]:55"}, "[2001:db8::5]:4000"},
		{trusting, "10.0.0.1:4000", nil, ""},
		{trusting, "10.0.0.1:4000", []string{"10.0.0.2"}, ""},
		{trusting, "10.0.0.1:4000", []string{"203.0.113.9, -"}, ""},
	} {
		l := &Listener{config: c.config}
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.header}}
		got, ok := l.peerOf(r)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s with %q: %v, %v; want %q", c.remote, c.header, got, ok, c.want)
		}
	}
}

// Connections are bounded for each source and in all, and a place is free again when one ends.
func TestBounds(t *testing.T) {
	t.Parallel()
	config := Config{MaxConnections: 3, MaxPerSource: 2, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	l, url := listener(t, config)
	from := func(a string) http.Header { return http.Header{"X-Forwarded-For": {a}} }
	open := func(a string) (*websocket.Conn, error) { return dial(t, url, from(a)) }
	first, err := open("203.0.113.9")
	if err != nil {
		t.Fatal(err)
	}
	there := 1
	for i, c := range []struct {
		from string
		ok   bool
	}{{"203.0.113.9", true}, {"203.0.113.9", false}, {"203.0.113.10", true}, {"203.0.113.11", false}} {
		settled(t, l, uint64(there), there)
		answer(t, l, recordData) // else one would give way
		if _, err := open(c.from); (err == nil) != c.ok {
			t.Errorf("connection %d: %v", i, err)
		}
		if c.ok {
			there++
		}
	}
	first.Close()
	for deadline := time.Now().Add(5 * time.Second); l.Stats().Open == 3 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	again := func() error { _, err := open("203.0.113.9"); return err }
	for deadline := time.Now().Add(5 * time.Second); again() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the place is not free again")
		}
	}
}

// "A carrier MUST drop what it has no room for, as a network does: it MUST NOT hold up a shard, or datagrams of other
// peers." PROTOCOL.md 9.7
func TestNeverWaits(t *testing.T) {
	t.Parallel()
	l, url := listener(t, Config{Rate: 100})
	slow, err := dial(t, url, nil) // it reads nothing
	if err != nil {
		t.Fatal(err)
	}
	other, err := dial(t, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = slow.WriteMessage(websocket.BinaryMessage, []byte("slow"))
	_, to := take(t, l)
	const many = 50_000
	start := time.Now()
	for range many {
		if _, err := l.WriteToUDPAddrPort(make([]byte, 1200), to); err != nil {
			break // it has been given up
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%d datagrams to who does not read take %v", many, took)
	}
	if l.Stats().Dropped == 0 {
		t.Error("nothing was dropped")
	}
	// A flood of one connection, which nobody reads meanwhile, takes no more room than its rate.
	for range 3 * inbound {
		if err := slow.WriteMessage(websocket.BinaryMessage, []byte("flood")); err != nil {
			break
		}
	}
	if err := other.WriteMessage(websocket.BinaryMessage, []byte("other")); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		text, from := take(t, l)
		if text == "other" {
			if _, err := l.WriteTo([]byte("answer"), net.UDPAddrFromAddrPort(from)); err != nil {
				t.Error(err)
			}
			break
		}
		if n > inbound/2 {
			t.Fatal("the flood has filled the queue")
		}
	}
	if _, b, err := other.ReadMessage(); string(b) != "answer" {
		t.Errorf("%q, %v", b, err)
	}
}

// Who says nothing, or is told nothing, is closed.
func TestIdle(t *testing.T) {
	t.Parallel()
	l, url := listener(t, Config{Idle: time.Second})
	silent, err := dial(t, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	lively, err := dial(t, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			_ = lively.WriteMessage(websocket.BinaryMessage, []byte("here"))
			text, from := take(t, l)
			_, _ = l.WriteToUDPAddrPort([]byte(text), from)
			time.Sleep(100 * time.Millisecond)
		}
	}()
	_ = silent.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, _, err := silent.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("who says nothing: %v", err)
	}
	<-done
	if l.Stats().Open != 1 {
		t.Errorf("%+v", l.Stats())
	}
	s := &stream{} // a stranger who talks, and is not answered
	config, _ := Config{}.WithDefaults()
	beats := 0
	for ; beats < 1000; beats++ {
		s.heard.Add(1)
		if s.beat(config) {
			break
		}
	}
	if beats != int(opening/beat) {
		t.Errorf("it is closed after %d beats", beats)
	}
}

// Close ends everything, and what was sent before arrives.
func TestClose(t *testing.T) {
	t.Parallel()
	l, url := listener(t, Config{})
	conn, addr, err := (&Dialer{URL: url}).Fallback(t.Context(), "127.0.0.1:7777")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.WriteTo([]byte("hello"), addr); err != nil {
		t.Fatal(err)
	}
	_, from := take(t, l)
	for i := range 10 {
		if _, err := l.WriteToUDPAddrPort([]byte{byte(i)}, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for b := make([]byte, 10); ; {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			break
		}
		if from.String() != addr.String() || n != 1 {
			t.Errorf("%d bytes from %v", n, from)
		}
		got = append(got, b[0])
	}
	if !slices.Equal(got, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("%v has arrived", got)
	}
	if _, _, err := l.ReadFrom(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read after Close: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	if _, _, err := (&Dialer{URL: url}).Fallback(t.Context(), "127.0.0.1:7777"); err == nil {
		t.Error("a closed Listener takes connections")
	}
	if _, err := conn.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}); err == nil {
		t.Error("it sends to others")
	}
}

// A Dialer says what is wrong, and does not take another server for one of ours.
func TestDialerErrors(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil); err == nil {
			ws.Close()
		}
	}))
	defer other.Close()
	missing := httptest.NewServer(http.NotFoundHandler())
	defer missing.Close()
	for url, says := range map[string]string{
		"ws" + strings.TrimPrefix(other.URL, "http"):   Subprotocol,
		"ws" + strings.TrimPrefix(missing.URL, "http"): "404",
		"ws://127.0.0.1:1/":                            "refused",
	} {
		if _, _, err := (&Dialer{URL: url}).Fallback(t.Context(), "game.example:7777"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", url, err, says)
		}
	}
	if _, _, err := (&Dialer{}).Fallback(t.Context(), "no port"); err == nil {
		t.Error("a server without a port")
	}
	// Without a URL it is port 443 of the server.
	proxied := ""
	d := &Dialer{Proxy: func(r *http.Request) (*neturl.URL, error) {
		proxied = r.URL.String()
		return nil, errors.New("no")
	}}
	if _, _, err := d.Fallback(t.Context(), "game.example:7777"); err == nil || !strings.HasSuffix(proxied, "://game.example:443"+DefaultPath) {
		t.Errorf("it asks for %s: %v", proxied, err)
	}
}
