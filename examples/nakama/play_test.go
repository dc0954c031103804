//go:build linux

package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
)

// TestNakama plays in a real server: Nakama 3.40.0 with the plugin in it, on PostgreSQL.
func TestNakama(t *testing.T) {
	idp := testkit.NewIDP(t)
	n := startNakama(t, buildPlugin(t, ""), map[string]string{
		"COGNITO_ENDPOINT": idp.Serve(t), "COGNITO_USER_POOL_ID": testkit.Pool, "COGNITO_CLIENT_IDS": testkit.Client,
		"SALLYPORT_ADDRESS": "127.0.0.1:" + testkit.FreePort(t),
	})
	arena := &arenaTest{nakama: n, idp: idp}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Play", arena.play},
		{"Invitation", arena.invitation},
		{"SocketLeaves", arena.socketLeaves},
		{"UDPLeaves", arena.udpLeaves},
		{"Full", arena.full},
		{"Ban", arena.banned},
		{"Logout", arena.loggedOut},
		{"SignIn", arena.signInRules},
		{"Variables", arena.variables},
		{"Refresh", arena.refreshed},
		{"Preclaim", arena.preclaim},
		{"Others", arena.others},
		{"Shutdown", arena.shutdown},
	} {
		t.Run(step.name, step.run) // each has players of its own
	}
}

// arenaTest is a server, and the user pool whose players it takes.
type arenaTest struct {
	*nakama
	idp *testkit.IDP
}

// player signs somebody in who was never here before.
func (a *arenaTest) player(t *testing.T) *client {
	t.Helper()
	return a.signIn(t, a.idp.Token(t, newSub()))
}

// "A call over the socket gives a token for the player who has joined the match by that very socket"; "a call over HTTP
// makes a UDP-only player". Package nakamabridge
func (a *arenaTest) play(t *testing.T) {
	alice, bob := a.player(t), a.player(t)
	match := alice.rpc(t, findName, "")
	socket := alice.openSocket(t)
	socket.join(t, match)
	first, second := socket.invite(t, match).dial(t), bob.invite(t, match).dial(t)
	await(t, "both players", func() bool { return second.sees(t, alice) && second.sees(t, bob) })

	for range 3 {
		first.say(t, opMove, "\x01\x02")
	}
	second.say(t, opMove, "\xff\x00")
	for _, u := range []*udp{first, second} {
		await(t, "both players' steps, by UDP", func() bool {
			w := u.world(t)
			return w[alice.user] == player{alice.user, 3, 6} && w[bob.user] == player{bob.user, -1, 0}
		})
	}
	a.broadcasts(t, match, bob, socket, first, second)
}

// "reliable: socket, socket, UDP. not reliable: socket, UDP, UDP" Package nakamabridge, the table of broadcasts
func (a *arenaTest) broadcasts(t *testing.T, match string, bob *client, socket *socket, first, second *udp) {
	t.Helper()
	second.say(t, opSay, "from bob")
	socket.say(t, match, opSay, "from alice")
	await(t, "what bob said, by alice's socket, in his name", func() bool {
		from, ok := socket.has(opSay, "from bob")
		return ok && from == bob.user
	})
	await(t, "what both said, by UDP, to who has nothing else", func() bool {
		_, b := second.has(opSay, "from bob")
		_, a := second.has(opSay, "from alice")
		return a && b
	})
	if len(first.list(opSay)) != 0 {
		t.Error("who has a socket got a reliable broadcast by UDP")
	}
	before, seen := len(socket.list(opWorld)), len(first.list(opWorld))
	await(t, "ten more worlds by UDP", func() bool { return len(first.list(opWorld)) > seen+10 })
	if after := len(socket.list(opWorld)); after != before {
		t.Errorf("%d unreliable broadcasts by the socket of a player with UDP", after-before)
	}
}

// "token: the identity token for HELLO; good for one use"; "refusals have the codes 3, 5, 7, 14 and 16". Package
// nakamabridge
func (a *arenaTest) invitation(t *testing.T) {
	c := a.player(t)
	match := c.rpc(t, findName, "")
	i := c.invite(t, match)
	i.dial(t)
	_, err := i.try(t)
	closedFor(t, err, session.ReasonUsed)

	i.Token = a.idp.Token(t, newSub()) // of the user pool, not of the RPC
	_, err = i.try(t)
	closedFor(t, err, session.ReasonToken)

	c.refusesInvitation(t, strings.Replace(match, match[:8], "00000000", 1), http.StatusNotFound)
	c.refusesInvitation(t, match+".", http.StatusNotFound)
	c.refusesInvitation(t, "", http.StatusBadRequest)
	c.refusesInvitation(t, strings.Repeat("x", 4096), http.StatusBadRequest)
}

// world is the newest one, by user.
func (i *inbox) world(t *testing.T) map[string]player {
	t.Helper()
	worlds := i.list(opWorld)
	if len(worlds) == 0 {
		return nil
	}
	var all []player
	if err := json.Unmarshal(worlds[len(worlds)-1].data, &all); err != nil {
		t.Fatal(err)
	}
	w := make(map[string]player)
	for _, p := range all {
		w[p.User] = p
	}
	return w
}

// sees reports whether c is in the newest world.
func (i *inbox) sees(t *testing.T, c *client) bool {
	t.Helper()
	_, ok := i.world(t)[c.user]
	return ok
}

// newSub is a sub as Cognito makes them: a UUID.
func newSub() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
