package machine

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// arbiter is a Config.Authorize that writes down what it is asked, and refuses once told to.
type recordedAuthorizer struct {
	asked []session.Admission
	err   error
}

func (a *recordedAuthorizer) authorize(ask *session.Admission) error {
	a.asked = append(a.asked, *ask)
	return a.err
}

// last is the newest question, of n in all.
func (a *recordedAuthorizer) last(t *testing.T, n int, why session.Purpose) *session.Admission {
	t.Helper()
	if len(a.asked) != n || a.asked[n-1].Why != why {
		t.Fatalf("asked %d times, last for %v; want %d, %v", len(a.asked), a.asked[len(a.asked)-1].Why, n, why)
	}
	return &a.asked[n-1]
}

// "It is asked whenever a session is opened, renewed, or resumed by a ticket, and learns which of
// these."
func TestAuthorizeLearnsWhy(t *testing.T) {
	here, there := &recordedAuthorizer{}, &recordedAuthorizer{}
	d := playWithTicket(t, session.Config{Authorize: here.authorize}, session.ClientConfig{Scope: "match-7"})
	if a := here.last(t, 1, session.Opening); a.Session != nil || a.Scope != "match-7" || a.Claims != d.claims["identity"] {
		t.Errorf("opening: %+v", a)
	}
	s := d.server.Session()
	d.renewsWith("second")
	d.exchangesData()
	if a := here.last(t, 2, session.Renewing); a.Session != s || a.Scope != "" || a.Claims != d.claims["second"] {
		t.Errorf("renewing: %+v", a)
	}
	r := d.resumesHere()
	if a := here.last(t, 3, session.Resuming); a.Session != s || a.Scope != "match-7" || a.Claims.ID != "id of second" {
		t.Errorf("resuming: %+v", a)
	}
	r.exchangesData()
	g := d.anotherServer(session.Config{Authorize: there.authorize})
	away := r.reconnects(g, home)
	away.takesWelcome(away.showsTicket().resumes())
	if a := there.last(t, 1, session.ResumingElsewhere); a.Session != away.server.Session() || a.Session.Name() != s.Name() || a.Claims.ID != "id of second" {
		t.Errorf("resuming elsewhere: %+v", a)
	}
	again := r.reconnects(g, home) // while the first waits for its datagram
	again.takesWelcome(again.showsTicket().resumes())
	there.last(t, 2, session.ResumingElsewhere)
	again.sendsFirstDatagram()
	again.waits(session.DefaultIdle)
	again.tickServer().ends(audit.DropIdle, wire.ReasonIdle)
	back := again.reconnects(g, home)
	back.takesWelcome(back.showsTicket().resumes())
	there.last(t, 3, session.ResumingElsewhere)
}

// "A refusal by the match ends the session at once with its reason" PROTOCOL.md 5.3: whatever the
// purpose; tickets stay good where the reason is one with which they do.
func TestAuthorizeEndsTheSession(t *testing.T) {
	for err, want := range map[error]struct {
		reason wire.Reason
		after  audit.Drop // what the ticket is refused for, once the arbiter has changed its mind
	}{
		errors.New("whatever"):                                  {wire.ReasonScope, audit.DropTicket},
		session.Refusal(wire.ReasonKicked):                      {wire.ReasonKicked, audit.DropTicket},
		session.Refusal(wire.ReasonRevoked):                     {wire.ReasonRevoked, audit.DropRevoked},
		fmt.Errorf("no: %w", session.Refusal(wire.Reason(200))): {wire.Reason(200), audit.DropTicket},
		session.Refusal(wire.ReasonShutdown):                    {wire.ReasonShutdown, audit.DropNone},
	} {
		for name, ask := range map[string]func(d *dialogue){
			"renewing": func(d *dialogue) {
				d.mints("second")
				late := d.clientSends(wire.KindData, "late")
				d.toClient(d.present(d.renew("second")...).ends(audit.DropRevoked, want.reason).envelope).closes(want.reason)
				d.toServer(late).drops(audit.DropRevoked)
			},
			"resuming": func(d *dialogue) {
				r := d.reconnects(d.gate, home)
				if h := r.showsTicket(); h.Event.Kind != EventRefused || h.Reason != want.reason {
					t.Errorf("%+v", h.Event)
				}
				d.toServer(d.clientSends(wire.KindData, "in flight")).ends(audit.DropRevoked, want.reason)
			},
			"resuming, and told by the clock": func(d *dialogue) {
				d.reconnects(d.gate, home).showsTicket()
				d.tickServer().ends(audit.DropRevoked, want.reason)
			},
		} {
			t.Run(fmt.Sprint(err, " ", name), func(t *testing.T) {
				a := &recordedAuthorizer{}
				d := playWithTicket(t, session.Config{Authorize: a.authorize}, session.ClientConfig{})
				later := d.reconnects(d.gate, home)
				a.err = err
				ask(d)
				if a.err = nil; d.gate.Len() != 0 {
					t.Errorf("%d sessions", d.gate.Len())
				}
				if h := later.showsTicket(); want.after == audit.DropNone {
					later.takesWelcome(h.resumes())
					later.sendsFirstDatagram()
					later.exchangesData()
				} else {
					h.refuses(want.after, reasons[want.after])
				}
			})
		}
	}
}

// "wire.ReasonFull, ReasonBusy and ReasonUnavailable mean "not now": the client may ask again, and
// a session that lives goes on."
func TestAuthorizeNotNow(t *testing.T) {
	for reason, drop := range map[wire.Reason]audit.Drop{
		wire.ReasonFull: audit.DropFull, wire.ReasonBusy: audit.DropBusy, wire.ReasonUnavailable: audit.DropUnavailable,
	} {
		a := &recordedAuthorizer{}
		d := playWithTicket(t, session.Config{Authorize: a.authorize}, session.ClientConfig{})
		a.err = session.Refusal(reason)
		d.mints("second")
		d.present(d.renew("second")...).is(EventRefused, drop, 0)
		d.exchangesData()
		if h := d.reconnects(d.gate, home).showsTicket().refuses(drop, reason); h.RetryAfter != retryAfter {
			t.Errorf("retry after %v", h.RetryAfter)
		}
		d.exchangesData()
		d.mints("other")
		d.connect(session.ClientConfig{}, "other", channel).isRefused(drop)
		a.err = nil
		d.waits(retryAfter)
		d.toClient(d.present(d.clientTick(wire.KindRenew)...).renews().envelope).renews() // the same RENEW
		d.resumesHere().exchangesData()
	}
}

// A session that waits for its first datagram is not let in by the ticket that was shown before:
// what Authorize said last counts. Elsewhere its tickets stay good.
func TestAuthorizeChangesItsMindElsewhere(t *testing.T) {
	a := &recordedAuthorizer{}
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	g := d.anotherServer(session.Config{Authorize: a.authorize})
	r, again, back := d.reconnects(g, home), d.reconnects(g, home), d.reconnects(d.gate, home)
	r.takesWelcome(r.showsTicket().resumes())
	again.homes = r.homes
	a.err = errors.New("no")
	again.showsTicket().refuses(audit.DropMatch, wire.ReasonScope)
	r.toServer(r.clientSends(wire.KindData, "too late")).closesSilently(audit.DropRevoked)
	if g.Len() != 0 {
		t.Errorf("%d sessions", g.Len())
	}
	back.takesWelcome(back.showsTicket().says(wire.KindWelcome))
	back.sendsFirstDatagram()
	back.exchangesData()
}

// "A match that is asked about a session that goes on MUST NOT count that session's own seat."
// PROTOCOL.md 5.3. On a full server a session is renewed and resumed, and takes the place of itself
// where it waits.
func TestOwnSeatIsNotCounted(t *testing.T) {
	one := session.Config{MaxSessions: 1}
	d := playWithTicket(t, one, session.ClientConfig{})
	d.renewsWith("second")
	d.exchangesData()
	d.resumesHere().exchangesData()
	g := d.anotherServer(one)
	r, again := d.reconnects(g, home), d.reconnects(g, home)
	r.takesWelcome(r.showsTicket().resumes())
	again.homes = r.homes
	again.takesWelcome(again.showsTicket().resumes()) // takes the place of the one that waits
	again.sendsFirstDatagram()
	again.exchangesData()
	if g.Len() != 1 {
		t.Errorf("%d sessions", g.Len())
	}
}

// "The server MUST ask a match that decides about a player at HELLO again at each RENEW, and
// whenever a session is resumed." PROTOCOL.md 5.3. So a ban that only the game knows of ends a stay
// that could be renewed for ever.
func TestAuthorizeIsAskedAtEachRenewal(t *testing.T) {
	a := &recordedAuthorizer{}
	d := playWithTicket(t, session.Config{Authorize: a.authorize, Idle: time.Hour}, session.ClientConfig{})
	for i := range 5 {
		d.waits(10 * time.Minute)
		d.renewsWith(fmt.Sprint("token ", i))
		d.exchangesData()
	}
	a.last(t, 6, session.Renewing)
	a.err = session.Refusal(wire.ReasonKicked)
	d.waits(10 * time.Minute)
	d.mints("last")
	d.present(d.renew("last")...).ends(audit.DropRevoked, wire.ReasonKicked)
	d.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
}

// In bearer mode a newer token is a renewal as well, by RENEW or in a datagram.
func TestAuthorizeBearer(t *testing.T) {
	for _, renew := range []bool{false, true} {
		a := &recordedAuthorizer{}
		d := play(t, session.Config{AllowBearer: true, Authorize: a.authorize}, session.ClientConfig{Bearer: true})
		d.toServer(d.clientSends(wire.KindData, "up")).delivers("up")
		d.mints("second")
		parts := [][]byte{d.bearer("second", "up")}
		if renew {
			parts = d.renew("second")
		}
		a.err = session.Refusal(wire.ReasonKicked)
		h := heard{TB: t}
		for _, p := range parts {
			h = d.toServer(p)
		}
		d.verifiesToken(h).ends(audit.DropRevoked, wire.ReasonKicked)
		a.last(t, 2, session.Renewing)
	}
}

// Purposes and refusals have words for logs.
func TestPurposeNames(t *testing.T) {
	seen := map[string]bool{}
	for p := session.Opening; p <= session.ResumingElsewhere; p++ {
		seen[p.String()] = true
	}
	if len(seen) != 4 || session.Purpose(0).String() != "no purpose" || (session.ResumingElsewhere+1).String() != "no purpose" {
		t.Error(seen)
	}
	if err := error(session.Refusal(wire.ReasonKicked)); err.Error() != "session: refused: kicked" {
		t.Error(err)
	}
}
