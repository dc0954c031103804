//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/heroiclabs/nakama-common/rtapi"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
)

// Op codes of testdata/probe.
const (
	opEcho       = 1
	opKick       = 2
	opDisconnect = 3
	opLater      = 4
	opEnd        = 5
	opHuge       = 6
	opLong       = 7
	opSeen       = 10
)

// TestProbe asks a real server whether players by UDP alone get what sockets get: each step is done by a socket and by UDP,
// and what the match and the players see is compared.
func TestProbe(t *testing.T) {
	idp := testkit.NewIDP(t)
	n := startNakama(t, build(t, "modules-probe/probe.so", "-buildmode=plugin", "./testdata/probe"), map[string]string{
		"COGNITO_ENDPOINT": idp.Serve(t), "COGNITO_USER_POOL_ID": testkit.Pool, "COGNITO_CLIENT_IDS": testkit.Client,
		"SALLYPORT_ADDRESS": "127.0.0.1:" + testkit.FreePort(t),
	})
	p := &arenaTest{nakama: n, idp: idp}
	t.Run("Same", p.same)
	t.Run("Reject", p.rejected)
	t.Run("End", p.ended)
	t.Run("Huge", p.huge)
	t.Run("Long", p.long)
	t.Run("Logout", p.loggedOutByModule)
	t.Run("NotBehind", p.notBehind)
	t.Run("Refresh", p.refreshedByIdentity)
	t.Run("LargeToken", p.largeToken)
}

// connection is a way into a match.
type connection interface {
	list(op int64) []message
	ask(t *testing.T, op int64, data string)
}

type viaSocket struct {
	*socket
	match string
}

func (s viaSocket) ask(t *testing.T, op int64, data string) { s.say(t, s.match, op, data) }

type viaUDP struct{ *udp }

func (u viaUDP) ask(t *testing.T, op int64, data string) { u.say(t, uint64(op), data) }

// last waits for the next message of an op code behind those before.
func last(t *testing.T, c connection, op int64, before int) string {
	t.Helper()
	var all []message
	await(t, fmt.Sprintf("message %d of op code %d", before+1, op), func() bool {
		all = c.list(op)
		return len(all) > before
	})
	return string(all[before].data)
}

// varying is what differs between two runs: ids, names and times; and whether an input is reliable, which one by UDP
// is on a lane alone.
var varying = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|player-[a-z0-9]+|"ReceiveTime":[0-9]+|"Reliable":(true|false)`)

// A match handler cannot tell a player by UDP alone from one by socket: by the JSON of presences and messages, by the
// reason of a leave, by what the player gets around a kick, or by when a dispatcher may be used.
func (a *arenaTest) same(t *testing.T) {
	var seen [3][]string
	for i := range seen {
		seen[i] = a.session(t, i > 0, i > 1)
	}
	for i, line := range seen[0] {
		for way, got := range map[string]string{"UDP": seen[1][i], "UDP with lanes": seen[2][i]} {
			if got != line {
				t.Errorf("by %s\n\t%s\nby socket\n\t%s", way, got, line)
			}
		}
	}
	if text := strings.Join(seen[0], "\n"); !strings.Contains(text, `"Reason":3`) || !strings.Contains(text, `"Reason":4`) {
		t.Errorf("no kick and no disconnection in\n%s", text)
	}
}

// session is the life of two players, of whom the second is by UDP alone, perhaps with lanes, or by socket.
func (a *arenaTest) session(t *testing.T, udp, lanes bool) (lines []string) {
	watcher := a.player(t)
	match := watcher.rpc(t, "probe", "probe")
	w := viaSocket{watcher.openSocket(t), match}
	w.join(t, match)
	note := func(text string) { lines = append(lines, varying.ReplaceAllString(text, "…")) }
	enter := func(before int) (c connection) {
		player := a.player(t)
		if udp {
			c = viaUDP{player.invite(t, match).enter(t, lanes)}
		} else {
			s := player.openSocket(t)
			s.join(t, match)
			c = viaSocket{s, match}
		}
		note(last(t, w, opSeen, before))
		return c
	}
	last(t, w, opSeen, 0) // the watcher's own
	one := enter(1)
	one.ask(t, opEcho, "echo")
	note(last(t, one, opEcho, 0))
	one.ask(t, opLater, "")
	note(last(t, one, opLater, 0))
	one.ask(t, opKick, "")
	note(last(t, one, opKick, 0))
	note(last(t, one, opKick, 1))
	note(last(t, w, opSeen, 2))
	two := enter(3)
	two.ask(t, opDisconnect, "")
	note(last(t, w, opSeen, 4))
	if udp {
		one.(viaUDP).ends(t, session.ReasonKicked)
		two.(viaUDP).ends(t, session.ReasonKicked)
	}
	return lines
}

// "metadata: what match_join has on a socket"; "the reason that a handler gives when it refuses a player reaches the
// client". Package nakamabridge
func (a *arenaTest) rejected(t *testing.T) {
	c := a.player(t)
	match, metadata := c.rpc(t, "probe", "probe"), map[string]string{"deck": "bad"}
	reply := c.openSocket(t).ask(t, &rtapi.Envelope{Message: &rtapi.Envelope_MatchJoin{
		MatchJoin: &rtapi.MatchJoin{Id: &rtapi.MatchJoin_MatchId{MatchId: match}, Metadata: metadata},
	}})
	if text := reply.GetError().GetMessage(); text != "Invalid deck" {
		t.Errorf("the socket is told %q", text)
	}
	payload, err := json.Marshal(map[string]any{"match_id": match, "metadata": metadata})
	if err != nil {
		t.Fatal(err)
	}
	u := read(t, c.rpc(t, connectName, string(payload))).dial(t)
	u.ends(t, session.ReasonKicked)
	if !strings.Contains(u.err.Error(), "Invalid deck") {
		t.Errorf("the player by UDP is told %v", u.err)
	}
}

// "The CLOSE of a match that has ended says so", behind the last messages.
func (a *arenaTest) ended(t *testing.T) {
	c := a.player(t)
	u := c.invite(t, c.rpc(t, "probe", "probe")).dial(t)
	last(t, viaUDP{u}, opSeen, 0)
	u.say(t, opEnd, "")
	u.ends(t, session.ReasonLeft)
	if all := u.list(opEnd); len(all) != 1 || !strings.Contains(u.err.Error(), "the match is over") {
		t.Errorf("%d last messages, then %v", len(all), u.err)
	}
}

// "A broadcast that is too large for a player's UDP … goes by socket, and players without one do not get it", and the log
// says so once.
func (a *arenaTest) huge(t *testing.T) {
	c := a.player(t)
	u := viaUDP{c.invite(t, c.rpc(t, "probe", "probe")).dial(t)}
	last(t, u, opSeen, 0)
	for i := range 2 {
		u.ask(t, opHuge, "")
		if text := last(t, u, opHuge, i); text != "after it" {
			t.Errorf("came %d bytes", len(text))
		}
	}
	if n := strings.Count(a.String(), "too large for UDP"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// "A reliable broadcast on lane 0 arrives exactly once, in the order of the broadcasts": a player by UDP alone gets 20 of
// 6 KB, and short ones between them, as the one by socket beside it does.
func (a *arenaTest) long(t *testing.T) {
	watcher := a.player(t)
	match := watcher.rpc(t, "probe", "probe")
	s := viaSocket{watcher.openSocket(t), match}
	s.join(t, match)
	u := viaUDP{a.player(t).invite(t, match).enter(t, true)}
	last(t, s, opSeen, 1)
	u.ask(t, opLong, "")
	for way, c := range map[string]connection{"socket": s, "UDP": u} {
		last(t, c, opLong, 39)
		for i, m := range c.list(opLong) {
			want := 6144 - i%2*6142
			if len(m.data) != want || string(m.data[:2]) != fmt.Sprintf("%02d", i/2) {
				t.Errorf("message %d by %s has %d bytes and is %.2s", i, way, len(m.data), m.data)
			}
		}
	}
}

// Module's SessionLogout ends the UDP of a player without a socket.
func (a *arenaTest) loggedOutByModule(t *testing.T) {
	c := a.player(t)
	u := c.invite(t, c.rpc(t, "probe", "probe")).dial(t)
	last(t, viaUDP{u}, opSeen, 0)
	c.rpc(t, "probe", "logout")
	u.ends(t, session.ReasonRevoked)
}

// "9 (the match exists, and is not behind a Bridge)"
func (a *arenaTest) notBehind(t *testing.T) {
	c := a.player(t)
	answer := c.post(t, "/v2/rpc/"+connectName, request(t, c.rpc(t, "probe", "bare")))
	if answer.status != http.StatusBadRequest || answer.text("message") != "nakamabridge: this match is not behind a bridge" {
		t.Errorf("%d %s", answer.status, answer.body)
	}
}

// "With the option VerifyRefresh a refresh needs a valid identity token of the same player."
func (a *arenaTest) refreshedByIdentity(t *testing.T) {
	sub := newSub()
	c := a.signIn(t, a.idp.Token(t, sub))
	for identity, want := range map[string]int{
		a.idp.Token(t, sub): http.StatusOK, a.idp.Token(t, newSub()): http.StatusUnauthorized, "": http.StatusUnauthorized,
	} {
		vars := map[string]string{"identity_token": identity, "role": "admin"}
		answer := post(t, a.api+"/v2/account/session/refresh", map[string]any{"token": c.refresh, "vars": vars}, asGame)
		if answer.status != want {
			t.Errorf("refresh: %d %s, want %d", answer.status, answer.body, want)
		}
		if want == http.StatusOK && claims(t, answer.text("token"))["vrs"] != nil {
			t.Error("the identity token, or another variable, is in the session")
		}
	}
}

// An honest player in many groups has a token that is too long for HELLO; at sign-in there is no HELLO.
func (a *arenaTest) largeToken(t *testing.T) {
	c := a.idp.Claims(newSub())
	groups := make([]string, 40)
	for i := range groups {
		groups[i] = fmt.Sprintf("a-group-with-a-name-of-some-length-%02d-%s", i, strings.Repeat("x", 60))
	}
	c["cognito:groups"] = groups
	identity := a.idp.Sign(t, c, nil)
	if len(identity) <= 4096 {
		t.Fatalf("the token has %d bytes", len(identity))
	}
	player := a.signIn(t, identity)
	u := player.invite(t, player.rpc(t, "probe", "probe")).dial(t)
	last(t, viaUDP{u}, opSeen, 0)
}
