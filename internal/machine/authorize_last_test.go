package machine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// "It is asked last: bans, used tokens and seats have been checked": a match is not asked about a player who
// cannot come in.
func TestAuthorizeIsAskedLast(t *testing.T) {
	for name, test := range map[string]struct {
		config session.Config
		before func(d *dialogue)
		token  string
		want   Cause
	}{
		"banned": {session.Config{}, func(d *dialogue) {
			_, _ = d.gate.Ban(session.Ban{Issuer: d.claims["next"].Issuer, Subject: d.claims["next"].Subject})
		}, "next", CauseBanned},
		"used":            {session.Config{}, func(*dialogue) {}, "identity", CauseUsed},
		"full":            {session.Config{MaxSessions: 1}, func(*dialogue) {}, "next", CauseFull},
		"full for player": {session.Config{MaxPerSubject: 1}, func(d *dialogue) { d.claims["next"].Subject = d.claims["identity"].Subject }, "next", CauseFullPlayer},
	} {
		a := &recordedAuthorizer{}
		test.config.Authorize = a.authorize
		d := play(t, test.config, session.ClientConfig{})
		d.mints("next").Subject = "another"
		test.before(d)
		next := d.connect(session.ClientConfig{}, test.token, channel)
		h := next.present(next.clientTick(wire.KindHello)...)
		if h.Event.Kind != EventRefused || h.Cause != test.want || len(a.asked) != 1 {
			t.Errorf("%s: %v for %q, asked %d times", name, h.Event.Kind, h.Cause, len(a.asked))
		}
	}
}

// "and are checked once more afterwards, because they may change meanwhile": while the match is asked, the
// player is banned, or another one takes the last seat, or the same token opens a session elsewhere.
func TestChangesWhileAuthorizeIsAsked(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(d *dialogue, g *Gate, a *session.Admission)
		want      Cause
	}{
		"ban": {func(_ *dialogue, g *Gate, a *session.Admission) {
			_, _ = g.Ban(session.Ban{Issuer: a.Claims.Issuer, Subject: a.Claims.Subject})
		}, CauseBanned},
		"seat": {func(_ *dialogue, g *Gate, _ *session.Admission) {
			enter(g, begin, minted("other", "other", begin.Add(tokenLife)))
		}, CauseFull},
		"token": {func(_ *dialogue, g *Gate, a *session.Admission) { enter(g, begin, a.Claims) }, CauseUsed},
	} {
		var d *dialogue
		config := session.Config{MaxSessions: 1}
		config.Authorize = func(a *session.Admission) error {
			test.meanwhile(d, d.gate, a)
			return nil
		}
		d = connectOnly(t, config, session.ClientConfig{})
		h := d.present(d.clientTick(wire.KindHello)...)
		if h.Event.Kind != EventRefused || h.Cause != test.want {
			t.Errorf("%s: %v for %q", name, h.Event.Kind, h.Cause)
		}
	}
}

// A refusal by the match leaves nothing behind: the same token and the last seat are free for the next attempt.
func TestAuthorizeRefusesWithoutTrace(t *testing.T) {
	a := &recordedAuthorizer{err: errors.New("no")}
	d := connectOnly(t, session.Config{MaxSessions: 1, Authorize: a.authorize}, session.ClientConfig{})
	h := d.present(d.clientTick(wire.KindHello)...).refuses(audit.DropMatch, wire.ReasonScope)
	if h.Cause != CauseMatch || string(h.Payload) != "no" {
		t.Errorf("%q, %q", h.Cause, h.Payload)
	}
	a.err = nil
	again := d.connect(session.ClientConfig{}, "identity", channel)
	again.present(again.clientTick(wire.KindHello)...).joins()
}

// "reports whether the scopes agree as a server without Authorize requires": it admits whom that server admits.
func TestScopeAgrees(t *testing.T) {
	for _, hosted := range []string{"", "match-7", "match-8"} {
		for _, asked := range []string{"", "match-7", "match-8"} {
			for _, claimed := range []string{"", "match-7", "match-8"} {
				var joined [2]bool
				for i := range joined {
					config := session.Config{Scope: hosted}
					if i == 1 {
						config.Authorize = func(a *session.Admission) error {
							if !a.ScopeAgrees() {
								return session.Refusal(session.ReasonScope)
							}
							return nil
						}
					}
					d := connectOnly(t, config, session.ClientConfig{Scope: asked})
					d.claims["identity"].Scope = claimed
					h := d.present(d.clientTick(wire.KindHello)...)
					if joined[i] = h.Event.Kind == EventJoined; !joined[i] && h.Reason != wire.ReasonScope {
						t.Errorf("refused for %v", h.Reason)
					}
				}
				want := (hosted == "" || claimed == hosted) && (asked == "" || asked == claimed)
				if joined != [2]bool{want, want} {
					t.Errorf("hosted %q, asked %q, claimed %q: joined %v", hosted, asked, claimed, joined)
				}
			}
		}
	}
	for _, why := range []session.Purpose{session.Renewing, session.Resuming} {
		a := session.Admission{Why: why, Hosted: "match-8", Claims: &token.Claims{Scope: "match-7"}}
		if !a.ScopeAgrees() {
			t.Errorf("%v: a live session does not keep its scope", why)
		}
	}
}

// So it is at a renewal and at a resumption.
func TestAuthorizeIsAskedLastAgain(t *testing.T) {
	a := &recordedAuthorizer{}
	d := playWithTicket(t, session.Config{Authorize: a.authorize}, session.ClientConfig{})
	d.mints("second")
	other := d.connect(session.ClientConfig{}, "second", channel)
	other.present(other.clientTick(wire.KindHello)...).joins()
	a.asked = nil
	if h := d.present(d.renew("second")...).is(EventRefused, audit.DropUsed, 0); h.Cause != CauseUsed || len(a.asked) != 0 {
		t.Errorf("renewing: %q, asked %d times", h.Cause, len(a.asked))
	}
	d.exchangesData()
	g := d.anotherServer(session.Config{MaxSessions: -1, Authorize: a.authorize})
	if h := d.reconnects(g, home).showsTicket().refuses(audit.DropFull, wire.ReasonFull); h.Cause != CauseFull || len(a.asked) != 0 {
		t.Errorf("resuming: %q, asked %d times", h.Cause, len(a.asked))
	}
}

// A token beside a ticket is not used where there is no room any more once the match has answered:
// its player shows it again.
func TestTokenBesideTicketAfterAuthorize(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.mints("fresh")
	var g *Gate
	g = d.anotherServer(session.Config{MaxSessions: 2, Authorize: func(*session.Admission) error {
		for i := range g.config.MaxSessions {
			enter(g, begin, minted(fmt.Sprint("other ", i), fmt.Sprint("other ", i), begin.Add(tokenLife)))
		}
		g.config.MaxSessions = 1 // and one for players who resume
		return nil
	}})
	d.reconnectsWith(g, home, "fresh").showsBoth().refuses(audit.DropFull, wire.ReasonFull)
	g.config.MaxSessions, g.config.Authorize = 3, nil
	d.reconnectsWith(g, home, "fresh").showsBoth().resumes()
}

// A ban that comes while the match is asked holds wherever the session goes on, and so does the reason that it gives.
func TestBanWhileAuthorizeIsAsked(t *testing.T) {
	for _, answer := range []error{nil, session.Refusal(wire.ReasonFull), session.Refusal(wire.ReasonGame)} {
		for name, elsewhere := range map[string]bool{"here": false, "elsewhere": true, "waiting": true} {
			var bans *Gate
			config := session.Config{FleetKeys: fleet(t)}
			config.Authorize = func(a *session.Admission) error {
				if bans == nil {
					return nil
				}
				if _, err := bans.Ban(session.Ban{Issuer: a.Claims.Issuer, Subject: a.Claims.Subject, Reason: wire.ReasonGame + 7}); err != nil {
					t.Error(err)
				}
				return answer
			}
			d := playWithTicket(t, config, session.ClientConfig{})
			g := d.gate
			if elsewhere {
				g = d.anotherServer(config)
			}
			if name == "waiting" { // WELCOME is lost
				d.reconnects(g, home).showsTicket().resumes()
			}
			bans = g
			h := d.reconnects(g, home).showsTicket()
			if h.Event.Kind != EventRefused || answer == nil && (h.Reason != wire.ReasonGame+7 || h.Cause != CauseBanned) {
				t.Errorf("%s, %v: %v for %q, %v", name, answer, h.Event.Kind, h.Cause, h.Reason)
			}
			bans = nil
			if h := d.reconnects(g, home).showsTicket(); h.Event.Kind != EventRefused {
				t.Errorf("%s, %v: back by ticket: %v", name, answer, h.Event.Kind)
			}
			d.mints("fresh")
			again := d.connect(session.ClientConfig{}, "fresh", channel)
			again.gate, again.server = g, g.NewConn(d.now, channel, home)
			if h := again.present(again.clientTick(wire.KindHello)...); h.Event.Kind != EventRefused || h.Reason != wire.ReasonGame+7 {
				t.Errorf("%s, %v: back by token: %v, %v", name, answer, h.Event.Kind, h.Reason)
			}
		}
	}
}
