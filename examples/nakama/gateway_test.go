//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/rtapi"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/nakamabridge"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Op codes of testdata/gateway.
const (
	probeEcho    = 1
	probeKick    = 2
	probeLossy   = 3
	probeAll     = 4
	probeEnd     = 5
	probeLarge   = 6
	probeWelcome = 10
	probeLeft    = 11
)

// sessionKey is Nakama's session.encryption_key.
const sessionKey = "the-arena's-session-key, of 32 bytes or more"

// asGateway is the environment of a gateway that signs in for its players.
var asGateway = map[string]string{"SALLYPORT_NAKAMA_SERVER_KEY": serverKey}

// gateways is a real Nakama without a plugin, whose matches are in JavaScript and Lua, and the gateway in front of it.
type gateways struct {
	*nakama
	idp       *testkit.IDP
	authority *testkit.Authority
	address   string   // of the gateway that takes identity tokens
	cognito   []string // its flags about identity tokens
	websocket string   // where the former takes WebSockets
	sessions  string   // of the one that takes Nakama's session tokens
	cut       func()   // cuts what connects the former to Nakama
	program   string
	started   []*program
}

// TestGateway plays matches of both interpreters by sallyport-gateway, and by WebSockets.
func TestGateway(t *testing.T) {
	modules, err := filepath.Abs(filepath.Join("testdata", "gateway", "index.js"))
	if err != nil {
		t.Fatal(err)
	}
	g := &gateways{nakama: startNakama(t, modules, nil), idp: testkit.NewIDP(t), authority: testkit.NewAuthority(t)}
	g.build(t)
	direct := g.api
	g.api, g.cut = cable(t, direct)
	g.websocket = "127.0.0.1:" + testkit.FreePort(t)
	g.cognito = []string{"-cognito-pool", testkit.Pool, "-cognito-clients", testkit.Client, "-cognito-endpoint", g.idp.Serve(t)}
	g.address = g.start(t, g.program, asGateway, append(slices.Clone(g.cognito), "-websocket", g.websocket)...)
	g.api = direct
	g.sessions = g.start(t, g.program, map[string]string{"SALLYPORT_NAKAMA_SESSION_KEY": sessionKey})
	for _, match := range []string{"probe_js", "probe_lua"} {
		t.Run(match, func(t *testing.T) {
			t.Run("Same", func(t *testing.T) { g.same(t, match) })
			t.Run("Refused", func(t *testing.T) { g.refusedAlike(t, match) })
			t.Run("Kicked", func(t *testing.T) { g.kicked(t, match) })
			t.Run("KickedAlone", func(t *testing.T) { g.kickedAlone(t, match) })
			t.Run("Over", func(t *testing.T) { g.over(t, match) })
		})
	}
	t.Run("Presences", g.presences)
	t.Run("Sessions", g.bySession)
	t.Run("NoMatch", g.noMatch)
	t.Run("Banned", g.banned)
	t.Run("Blocked", g.blocked)
	t.Run("Resumed", g.resumed)
	t.Run("Cut", g.reconnected)
	t.Run("Away", g.away)
}

// build builds the gateway, in its own module.
func (g *gateways) build(t *testing.T) {
	t.Helper()
	module, err := filepath.Abs(filepath.Join("..", "..", "gateway"))
	if err != nil {
		t.Fatal(err)
	}
	g.program = filepath.Join(programs, "sallyport-gateway")
	run(t, nil, "go", "build", "-C", module, "-o", g.program, "./cmd/sallyport-gateway")
}

// start starts a gateway and returns where it listens.
func (g *gateways) start(t *testing.T, binary string, env map[string]string, args ...string) string {
	t.Helper()
	dir, cert := t.TempDir(), g.authority.Server(t)
	var chain []byte
	for _, der := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cert.pem": chain, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
		defer os.Unsetenv(name) //nolint:errcheck // the next gateway has others
	}
	address := "127.0.0.1:" + testkit.FreePort(t)
	p := start(t, nil, binary, append([]string{
		"-listen", address, "-status", "", "-nakama", g.api, "-check", "100ms", "-hold", "1s",
		"-cert", filepath.Join(dir, "cert.pem"), "-key", filepath.Join(dir, "key.pem"),
	}, args...)...)
	at := address
	if i := slices.Index(args, "-listen"); i >= 0 {
		at = args[i+1]
	}
	p.await(t, "players at "+at)
	g.started = append(g.started, p)
	return address
}

// create makes a match of one of the two runtimes.
func (g *gateways) create(t *testing.T, match string) string {
	t.Helper()
	return g.nativePlayer(t).rpc(t, "probe_create", match)
}

// nativePlayer signs in to Nakama without the gateway.
func (g *gateways) nativePlayer(t *testing.T) *client {
	t.Helper()
	return g.custom(t, "native:"+newSub())
}

// custom signs in by a custom id, which nobody guards here.
func (g *gateways) custom(t *testing.T, id string) *client {
	t.Helper()
	a := post(t, g.api+"/v2/account/authenticate/custom?create=true", map[string]any{"id": id}, asGame)
	if a.status != http.StatusOK {
		t.Fatalf("sign-in: %d %s", a.status, a.body)
	}
	c := &client{server: g.nakama, token: a.text("token"), refresh: a.text("refresh_token")}
	c.user = claims(t, c.token)["uid"].(string)
	return c
}

// order is what a client says about itself in HELLO.
type order struct {
	Match    string            `json:"match_id"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Sender   bool              `json:"sender,omitempty"`
	Events   bool              `json:"presences,omitempty"`
}

// dial enters a match by a gateway. Each of change may alter how.
func (g *gateways) dial(t *testing.T, address, token string, o order, change ...func(*transport.ClientConfig)) (*udp, error) {
	t.Helper()
	return g.listen(t, address, token, o, nil, change...)
}

// listen is dial for a client that asks for presences.
func (g *gateways) listen(t *testing.T, address, token string, o order, events chan<- string, change ...func(*transport.ClientConfig)) (*udp, error) {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	config := transport.ClientConfig{
		Token:   func(context.Context) ([]byte, error) { return []byte(token), nil },
		RootCAs: g.authority.Pool(), ServerName: testkit.ServerName,
		Session: session.ClientConfig{Lanes: true, Metadata: b},
	}
	for _, f := range change {
		f(&config)
	}
	c, err := transport.Dial(ctx, address, config)
	if err != nil {
		return nil, err
	}
	u := &udp{Client: c, lanes: true, done: make(chan struct{}), events: events}
	go u.read()
	t.Cleanup(func() {
		u.Close() //nolint:errcheck // the server may have ended it
		<-u.done
	})
	return u, nil
}

// enter enters by an identity token, and waits until the match has said so.
func (g *gateways) enter(t *testing.T, match string) *udp {
	t.Helper()
	u, err := g.dial(t, g.address, g.idp.Token(t, newSub()), order{Match: match})
	if err != nil {
		t.Fatal(err)
	}
	u.welcome(t)
	return u
}

func (u *udp) welcome(t *testing.T) {
	t.Helper()
	await(t, "a welcome", func() bool { return len(u.list(probeWelcome)) > 0 })
}

// "the same game client works with both": what one player says, and what comes back, op code for op code.
func (g *gateways) same(t *testing.T, match string) {
	id := g.create(t, match)
	s := g.nativePlayer(t).openSocket(t)
	s.join(t, id)
	bySocket := script(t, viaSocket{s, id})
	byUDP := script(t, viaUDP{g.enter(t, id)})
	if !slices.Equal(bySocket, byUDP) {
		t.Errorf("a player gets by socket\n%s\nand by UDP\n%s", strings.Join(bySocket, "\n"), strings.Join(byUDP, "\n"))
	}
}

// script plays, and writes down what comes.
func script(t *testing.T, c connection) (seen []string) {
	t.Helper()
	note := func(op int64, n int) {
		data := last(t, c, op, n)
		if len(data) > 100 {
			data = fmt.Sprintf("%d times %c", len(data), data[0])
		}
		seen = append(seen, fmt.Sprintf("%d %s", op, hex.EncodeToString([]byte(data))))
	}
	note(probeWelcome, 0)
	for i, data := range []string{"hello", "", "\x00\xff\x80", strings.Repeat("a", 2000)} {
		c.ask(t, probeEcho, data)
		note(probeEcho, i)
	}
	for i := range 20 {
		c.ask(t, probeEcho, fmt.Sprint("in order ", i))
	}
	for i := range 20 {
		note(probeEcho, 4+i)
	}
	c.ask(t, probeLossy, "may be lost") // but not on loopback
	note(probeLossy, 0)
	c.ask(t, probeLarge, "")
	note(probeLarge, 0)
	c.ask(t, probeAll, "to all")
	note(probeAll, 0)
	return seen
}

// What the match says when it refuses a player is what the client gets.
func (g *gateways) refusedAlike(t *testing.T, match string) {
	const text = "no seat is free"
	id, refuse := g.create(t, match), map[string]string{"refuse": text}
	s := g.nativePlayer(t).openSocket(t)
	reply := s.ask(t, &rtapi.Envelope{Message: &rtapi.Envelope_MatchJoin{
		MatchJoin: &rtapi.MatchJoin{Id: &rtapi.MatchJoin_MatchId{MatchId: id}, Metadata: refuse},
	}})
	if reply.GetError().GetMessage() != text {
		t.Fatalf("a socket gets %v", reply)
	}
	u, err := g.dial(t, g.address, g.idp.Token(t, newSub()), order{Match: id, Metadata: refuse})
	if err == nil {
		u.ends(t, session.ReasonKicked)
		err = u.err
	}
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Detail != text {
		t.Errorf("by UDP: %v", err)
	}
}

// Nakama does not tell a socket that it was kicked. "The gateway learns of a kick by the other players' sockets"
func (g *gateways) kicked(t *testing.T, match string) {
	id := g.create(t, match)
	stays, goes := g.enter(t, id), g.enter(t, id)
	goes.say(t, probeKick, "")
	goes.ends(t, session.ReasonKicked)
	stays.say(t, probeEcho, "still here")
	await(t, "an echo for who stays", func() bool { _, ok := stays.has(probeEcho, "still here"); return ok })
}

// "one that has no presence at all has kicked everybody"
func (g *gateways) kickedAlone(t *testing.T, match string) {
	u := g.enter(t, g.create(t, match))
	u.say(t, probeKick, "")
	u.ends(t, session.ReasonKicked)
}

// What a match has said before it ended arrives.
func (g *gateways) over(t *testing.T, match string) {
	id := g.create(t, match)
	a, b := g.enter(t, id), g.enter(t, id)
	g.indexed(t, id)
	time.Sleep(time.Second) // ten checks of the gateway, which has to have seen the match in the list
	a.say(t, probeEnd, "")
	a.ends(t, session.ReasonLeft)
	b.ends(t, session.ReasonLeft)
	for _, u := range []*udp{a, b} {
		if _, ok := u.has(probeEnd, "bye"); !ok {
			t.Error("the last words have not come")
		}
	}
}

// indexed waits until a match is in Nakama's list, whose index is late.
func (g *gateways) indexed(t *testing.T, match string) {
	t.Helper()
	c := g.nativePlayer(t)
	query := url.Values{"limit": {"1"}, "authoritative": {"true"}, "query": {"+_id:" + match}}
	await(t, "the match in the list", func() bool {
		a := ask(t, http.MethodGet, c.server.api+"/v2/match?"+query.Encode(), nil, as(c.token))
		return strings.Contains(string(a.body), match)
	})
}

// A client that asks for them gets the presences, and the senders of broadcasts.
func (g *gateways) presences(t *testing.T) {
	id := g.create(t, "probe_js")
	events := make(chan string, 100)
	a, err := g.listen(t, g.address, g.idp.Token(t, newSub()), order{Match: id, Sender: true, Events: true}, events)
	if err != nil {
		t.Fatal(err)
	}
	joins := func(event map[string]any) {
		t.Helper()
		if joins, _ := event["joins"].([]any); len(joins) != 1 {
			t.Errorf("joins: %v", event)
		}
	}
	var self string
	for range 2 { // Nakama tells one of its own arrival, too, now and then before it says which match it is
		event := next(t, events, "match", "match_presence_event")
		if own, ok := event["self"].(map[string]any); ok {
			self = own["user_id"].(string)
		} else {
			joins(event)
		}
	}
	b := g.enter(t, id)
	joins(next(t, events, "match_presence_event"))
	b.Close() //nolint:errcheck // see next
	event := next(t, events, "match_presence_event")
	if leaves, _ := event["leaves"].([]any); len(leaves) != 1 {
		t.Errorf("leaves: %v", event)
	}
	a.say(t, probeAll, "mine")
	await(t, "a broadcast with its sender", func() bool {
		for _, m := range a.list(probeAll) {
			if len(m.data) > 16 && string(m.data[16:]) == "mine" {
				return hex.EncodeToString(m.data[:16]) == strings.ReplaceAll(self, "-", "")
			}
		}
		return false
	})
}

// next waits for an event of one of these kinds.
func next(t *testing.T, events <-chan string, kinds ...string) map[string]any {
	t.Helper()
	select {
	case text := <-events:
		var all map[string]any
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
		for _, kind := range kinds {
			if event, ok := all[kind].(map[string]any); ok {
				return event
			}
		}
		t.Fatalf("%s is none of %q", text, kinds)
	case <-time.After(patience):
		t.Fatalf("none of %q came", kinds)
	}
	return nil
}

// "their Nakama session token is what they bring"
func (g *gateways) bySession(t *testing.T) {
	c, id := g.nativePlayer(t), g.create(t, "probe_lua")
	u, err := g.dial(t, g.sessions, c.token, order{Match: id, Sender: true})
	if err != nil {
		t.Fatal(err)
	}
	u.welcome(t)
	u.say(t, probeAll, "it is me")
	await(t, "a broadcast from the player's own account", func() bool {
		for _, m := range u.list(probeAll) {
			return hex.EncodeToString(m.data[:16]) == strings.ReplaceAll(c.user, "-", "")
		}
		return false
	})
	if _, err := g.dial(t, g.sessions, c.refresh, order{Match: id}); err == nil {
		t.Error("a refresh token opens a session")
	}
	if _, err := g.dial(t, g.sessions, g.idp.Token(t, newSub()), order{Match: id}); err == nil {
		t.Error("an identity token opens a session that a Nakama session should open")
	}
}

func (g *gateways) noMatch(t *testing.T) {
	token := g.idp.Token(t, newSub())
	u, err := g.dial(t, g.address, token, order{Match: "00000000-0000-4000-8000-000000000000.arena1"})
	if err != nil {
		closedFor(t, err, session.ReasonLeft)
	} else {
		u.ends(t, session.ReasonLeft)
	}
	if _, err = g.dial(t, g.address, g.idp.Token(t, newSub()), order{}); err == nil {
		t.Error("who asks for no match is let in")
	} else {
		closedFor(t, err, session.ReasonMalformed)
	}
}

// A ban in Nakama ends the WebSocket; the gateway gets no other one.
func (g *gateways) banned(t *testing.T) {
	id, sub := g.create(t, "probe_js"), newSub()
	u, err := g.dial(t, g.address, g.idp.Token(t, sub), order{Match: id, Sender: true})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "a welcome", func() bool { return len(u.list(probeWelcome)) > 0 })
	u.say(t, probeAll, "who am I")
	var self string
	await(t, "the player's own account", func() bool {
		for _, m := range u.list(probeAll) {
			self = hex.EncodeToString(m.data[:16])
		}
		return self != ""
	})
	name, err := nakamabridge.CustomID(fmt.Sprint(g.idp.Claims(sub)["iss"]), sub) // "the custom id of package nakamabridge"
	if err != nil {
		t.Fatal(err)
	}
	c := g.custom(t, name)
	if strings.ReplaceAll(c.user, "-", "") != self {
		t.Errorf("%s is account %s, and the gateway plays on %s", name, c.user, self)
	}
	g.ban(t, c.user)
	u.ends(t, session.ReasonKicked)
	if again, err := g.dial(t, g.address, g.idp.Token(t, sub), order{Match: id}); err == nil {
		again.ends(t, session.ReasonKicked)
	}
}

// "A player whose WebSocket breaks stays for Config.Stay while it is made again. To the match it is a presence that leaves
// and another one, of the same user, that joins"
func (g *gateways) reconnected(t *testing.T) {
	for _, match := range []string{"probe_js", "probe_lua"} {
		id := g.create(t, match)
		a, b := g.enter(t, id), g.enter(t, id)
		g.cut()
		for i, u := range []*udp{a, b} {
			await(t, "another welcome", func() bool { return len(u.list(probeWelcome)) > 1 })
			text := fmt.Sprint("back ", i)
			u.say(t, probeEcho, text)
			await(t, "an echo after the cut", func() bool { _, ok := u.has(probeEcho, text); return ok })
		}
	}
}

// cable connects a port of this machine with a server, and cuts what runs through it at present.
func cable(t *testing.T, url string) (near string, cut func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var ends []net.Conn
	cut = func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range ends {
			c.Close() //nolint:errcheck // cut
		}
		ends = nil
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				a.Close() //nolint:errcheck // nobody is there
				continue
			}
			mu.Lock()
			ends = append(ends, a, b)
			mu.Unlock()
			for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
				wg.Go(func() {
					io.Copy(pair[0], pair[1]) //nolint:errcheck // until it is cut
					pair[0].Close()           //nolint:errcheck // likewise
				})
			}
		}
	})
	t.Cleanup(func() {
		l.Close() //nolint:errcheck // nothing listens any more
		cut()
		wg.Wait()
	})
	return "http://" + l.Addr().String(), cut
}

// "While Backend.Ready returns an error, newcomers are refused … Only when the backend has been away for Config.Hold
// without a break do the sessions end". Package gateway
func (g *gateways) away(t *testing.T) {
	u := g.enter(t, g.create(t, "probe_js"))
	gone := time.Now()
	g.stop(syscall.SIGKILL)
	u.ends(t, session.ReasonUnavailable)
	if stayed := time.Since(gone); stayed < time.Second {
		t.Errorf("a player was put out after %v", stayed)
	}
	_, err := g.dial(t, g.address, g.idp.Token(t, newSub()), order{Match: "00000000-0000-4000-8000-000000000000.arena1"})
	closedFor(t, err, session.ReasonUnavailable)
}
