//go:build linux

package main

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/session"
)

// "The player who has, or will within JoinWait have, joined the match by that very socket"; "a UDP session ends when
// its socket leaves the match". Package nakamabridge
func (a *arenaTest) socketLeaves(t *testing.T) {
	watcher := a.player(t)
	match := watcher.rpc(t, findName, "")
	w := watcher.invite(t, match).dial(t)
	for _, c := range []struct {
		name     string
		udpFirst bool
		leave    func(s *socket)
	}{
		{"the match", false, func(s *socket) { s.leave(t, match) }},
		{"the server", true, func(s *socket) { s.conn.Close() }},
	} {
		p := a.player(t)
		s := p.openSocket(t)
		if !c.udpFirst {
			s.join(t, match)
		}
		u := s.invite(t, match).dial(t)
		if c.udpFirst {
			s.join(t, match)
		}
		await(t, "a player", func() bool { return w.sees(t, p) }) // before that, its inputs count for nobody
		u.say(t, opMove, "\x05\x05")
		await(t, "a player who moves", func() bool { return w.world(t)[p.user] == player{p.user, 5, 5} })
		c.leave(s)
		u.ends(t, session.ReasonLeft)
		await(t, "one less when the socket leaves "+c.name, func() bool { return !w.sees(t, p) })
	}
}

// "Joins and leaves of UDP-only players are calls like those of others." Package nakamabridge
func (a *arenaTest) udpLeaves(t *testing.T) {
	c, other := a.player(t), a.player(t)
	match := c.rpc(t, findName, "")
	u, o := c.invite(t, match).dial(t), other.invite(t, match).dial(t)
	await(t, "both players", func() bool { return o.sees(t, c) && o.sees(t, other) })
	if err := u.Close(); err != nil {
		t.Error(err)
	}
	await(t, "one less in the world", func() bool { return !o.sees(t, c) && o.sees(t, other) })
}

// "MatchJoinAttempt admits players while there is room", those who have only UDP as all others.
func (a *arenaTest) full(t *testing.T) {
	c := a.player(t)
	match := c.rpc(t, findName, "")
	c.openSocket(t).join(t, match)
	for i := range maxPlayers - 1 {
		p := a.player(t)
		u := p.invite(t, match).dial(t)
		await(t, "one more player", func() bool { return u.sees(t, p) && len(u.world(t)) == i+2 })
	}
	a.player(t).invite(t, match).dial(t).ends(t, session.ReasonKicked)
	if other := c.rpc(t, findName, ""); other == match {
		t.Error("a full match is found")
	}
}

// "A UDP session ends at the latest BanInterval after the account was banned." Package nakamabridge
func (a *arenaTest) banned(t *testing.T) {
	c, bare := a.player(t), a.player(t)
	match := c.rpc(t, findName, "")
	s := c.openSocket(t)
	s.join(t, match)
	u, v := s.invite(t, match).dial(t), bare.invite(t, match).dial(t)
	await(t, "both players", func() bool { return v.sees(t, c) && v.sees(t, bare) })
	spare := bare.invite(t, match)

	a.ban(t, c.user)
	u.ends(t, session.ReasonLeft)
	a.ban(t, bare.user)
	v.ends(t, session.ReasonRevoked)
	_, err := spare.try(t)
	closedFor(t, err, session.ReasonRevoked) // an invitation of before the ban
	// Nakama refuses the session, or the bridge the account: to Nakama, a session of the very second of the ban is good.
	bare.refusesInvitation(t, match, http.StatusUnauthorized, http.StatusForbidden)
}

// "A UDP session ends when the player logs out." Package nakamabridge
func (a *arenaTest) loggedOut(t *testing.T) {
	c := a.player(t)
	u := c.invite(t, c.rpc(t, findName, "")).dial(t)
	await(t, "the player", func() bool { return u.sees(t, c) })
	answer := c.post(t, "/v2/session/logout", map[string]string{"token": c.token, "refresh_token": c.refresh})
	if answer.status != http.StatusOK {
		t.Errorf("logout: %d %s", answer.status, answer.body)
	}
	u.ends(t, session.ReasonRevoked)
}

// "A UDP session ends when the match stops": Nakama stops them all, then InitModule's context ends, then the process.
func (a *arenaTest) shutdown(t *testing.T) {
	c := a.player(t)
	u := c.invite(t, c.rpc(t, findName, "")).dial(t)
	await(t, "the world", func() bool { return u.sees(t, c) })
	a.quit(t)
	u.ends(t, session.ReasonShutdown)
}
