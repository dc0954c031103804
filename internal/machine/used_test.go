package machine

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// at returns the dialogue of a newcomer with an identity token at a server.
func (d *dialogue) at(g *Gate, identity string) *dialogue {
	d.Helper()
	there := *d
	there.gate = g
	o := there.connect(session.ClientConfig{}, identity, channel)
	o.getsConnectionID()
	return o
}

// kinds returns what has been said, as words.
func kinds(used []session.Used) (list []string) {
	for _, u := range used {
		list = append(list, u.Kind.String())
	}
	return list
}

// "Identity tokens, tickets and sessions count once in a fleet, if its servers tell each other what
// they have used up." docs/fleet.md 8.5. The server that has said it goes on answering its client.
func TestTokenUsedElsewhere(t *testing.T) {
	f, d := newServers(t, 2, session.Config{})
	hello := d.clientTick(wire.KindHello)
	h := d.present(hello...).joins()
	if said := f.takes(); said != nil {
		t.Errorf("%v before the match has let the player in", kinds(said))
	}
	d.server.Admitted()
	said := f.tells(d)
	if len(said) != 1 || said[0].Kind != session.UsedToken || !said[0].Until.Equal(d.claims["identity"].Expires.Add(token.MaxLeeway)) {
		t.Fatalf("%+v", said)
	}
	f.repeats(d)
	if again := d.present(hello...); string(again.body) != string(h.body) { // its WELCOME was lost
		t.Error("the same HELLO has another answer")
	}
	d.toClient(h.envelope).joins()
	d.exchangesData()
	if h := d.at(f.gates[1], "identity").asksToJoin().refuses(audit.DropUsed, wire.ReasonUsed); h.Cause != CauseUsed {
		t.Errorf("cause %v", h.Cause)
	}
	d.now = said[0].Until.Add(-1)
	d.claims["identity"].Expires = d.now.Add(tokenLife) // would a token be valid for longer
	d.at(f.gates[1], "identity").asksToJoin().refuses(audit.DropUsed, wire.ReasonUsed)
	d.now = said[0].Until
	d.at(f.gates[1], "identity").asksToJoin().joins()
}

// A token that renews a session is used up on other servers, too, and RENEWED is said again to the
// client that has not received it.
func TestRenewalUsedElsewhere(t *testing.T) {
	f, d := newServers(t, 2, session.Config{})
	d.opens()
	f.tells(d)
	d.mints("fresh")
	parts := d.renew("fresh")
	h := d.present(parts...).renews()
	if said := f.tells(d); !slices.Equal(kinds(said), []string{"token"}) {
		t.Fatalf("%+v", said)
	}
	d.waits(time.Second)
	d.toClient(d.present(d.clientTick(wire.KindRenew)...).says(wire.KindRenewed).envelope)
	d.at(f.gates[1], "fresh").asksToJoin().refuses(audit.DropUsed, wire.ReasonUsed)
	if len(h.body) == 0 {
		t.Error("no RENEWED")
	}
	d.exchangesData()
}

// "A session whose player the match does not let in has used nothing."
func TestRejectedUsesNothing(t *testing.T) {
	f, d := newServers(t, 2, session.Config{})
	d.asksToJoin().joins()
	d.server.Reject(wire.ReasonFull, "")
	f.tells(d)
	d.at(f.gates[1], "identity").join()
}

// "A server that is told of used tickets MUST refuse them with CLOSE reason 15", and what is left there
// of the session ends without a CLOSE: as on one server, where the former connection ends silently.
func TestTicketUsedElsewhere(t *testing.T) {
	f, d := newServers(t, 3, session.Config{})
	d.opens()
	f.tells(d)
	thief := d.reconnects(f.gates[2], home) // has copied ticket and secret
	there := d.resumesOn(f.gates[1])
	said := f.tells(d)
	if len(said) != 1 || said[0].Kind != session.UsedTicket || said[0].Epoch != 1 || said[0].ID != there.server.Session().Name() {
		t.Fatalf("%+v", said)
	}
	f.repeats(d)
	if h := thief.showsTicket().refuses(audit.DropTicket, wire.ReasonTicket); h.Cause != CauseTicketUsed {
		t.Errorf("cause %v", h.Cause)
	}
	d.toServer(d.clientSends(wire.KindData, "stale")).closesSilently(audit.DropNone)
	if f.gates[0].Len() != 0 || f.gates[1].Len() != 1 {
		t.Errorf("%d and %d sessions", f.gates[0].Len(), f.gates[1].Len())
	}
	there.exchangesData()
	back := there.resumesOn(f.gates[0])
	f.tells(d)
	f.repeats(d)
	back.exchangesData()
	if h := there.tickServer(); h.Event.Kind != EventClosed || h.Reason != wire.ReasonReplaced || h.Cause != CauseElsewhere || h.kind != 0 {
		t.Errorf("%+v", h.Event)
	}
	back.resumesHere().exchangesData()
}

// The player may come back before what is left of the session has ended, and while the server is being
// told: nothing of it puts the player out.
func TestReturnWhileTold(t *testing.T) {
	f, d := newServers(t, 2, session.Config{})
	d.opens()
	there := d.resumesOn(f.gates[1])
	back := there.reconnects(f.gates[0], home)
	h := back.showsTicket().says(wire.KindWelcome)
	f.tells(d) // of the ticket that has led there, while WELCOME is on its way
	back.takesWelcome(h)
	back.sendsFirstDatagram()
	back.exchangesData()
	f.tells(d)
	back.exchangesData()
	there.tickServer().closesSilently(audit.DropNone)

	there = back.resumesOn(f.gates[1])
	f.tells(d) // before the ticket is shown: what is left ends with the next Tick
	again := there.reconnects(f.gates[0], home)
	if h := again.showsTicket().refuses(audit.DropBusy, wire.ReasonBusy); h.Cause != CauseBusyMoved || h.RetryAfter == 0 {
		t.Errorf("%+v", h.Event)
	}
	back.tickServer().closesSilently(audit.DropNone)
	there.resumesOn(f.gates[0]).exchangesData()
}

// Two servers show WELCOME for one ticket; the first whose datagram is accepted has the session, as on
// one server, whatever the other one is told meanwhile.
func TestTicketShownTwice(t *testing.T) {
	f, d := newServers(t, 3, session.Config{})
	d.opens()
	one, two := d.reconnects(f.gates[1], home), d.reconnects(f.gates[2], home)
	one.takesWelcome(one.showsTicket().resumes())
	two.takesWelcome(two.showsTicket().resumes())
	one.sendsFirstDatagram()
	f.tells(d)
	two.toServer(two.clientTick(wire.KindPing)[0]).is(EventClosed, audit.DropTicket, 0)
	one.exchangesData()
}

// Whoever was put out on one server ends on the others, and does not come back to any: with the reason
// that the server itself gives.
func TestPutOutElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		put    func(d *dialogue)
		end    wire.Reason // of what lives elsewhere
		ticket wire.Reason // for the tickets
	}{
		"kick":           {func(d *dialogue) { d.server.Dismiss(wire.ReasonKicked, "") }, wire.ReasonKicked, wire.ReasonTicket},
		"game":           {func(d *dialogue) { d.server.Dismiss(wire.ReasonGame+7, "") }, wire.ReasonGame + 7, wire.ReasonTicket},
		"session revoke": {func(d *dialogue) { d.server.Session().Revoke() }, wire.ReasonRevoked, wire.ReasonRevoked},
		"by id":          {func(d *dialogue) { d.gate.RevokeSession(d.server.Session().ID()) }, wire.ReasonRevoked, wire.ReasonRevoked},
		"subject":        {func(d *dialogue) { d.gate.RevokeSubject("issuer", "player") }, wire.ReasonRevoked, wire.ReasonRevoked},
		"sign-in":        {func(d *dialogue) { d.revokes(session.RevokeSignIn, "sign-in", false) }, wire.ReasonRevoked, wire.ReasonRevoked},
		"ban": {func(d *dialogue) {
			_, _ = d.gate.Ban(session.Ban{Issuer: "issuer", Subject: "player", Reason: wire.ReasonGame, Until: d.now.Add(time.Second)})
		}, wire.ReasonGame, wire.ReasonTicket},
		"tags": {func(d *dialogue) {
			for range 8 {
				d.toServer(mistag(d.clientSends(wire.KindData, "x")))
			}
		}, wire.ReasonRevoked, wire.ReasonRevoked},
		"rate": {func(d *dialogue) {
			for d.gate.Len() > 0 {
				d.toServer(d.clientSends(wire.KindData, "x"))
			}
		}, wire.ReasonRate, wire.ReasonRevoked},
	} {
		for _, moved := range []bool{false, true} { // a copy of the session lives elsewhere
			f, d := newServers(t, 3, session.Config{Behaviour: policy.BehaviourConfig{Flag: 20, Limit: 20, Revoke: 30}})
			d.opens()
			f.tells(d)
			copied := d.reconnects(f.gates[2], home)
			var there *dialogue
			if moved {
				there = d.resumesOn(f.gates[1])
				copied = there.reconnects(f.gates[2], home)
			}
			f.takes() // of the move: it is late
			c.put(d)
			said := f.tells(d)
			if len(said) != 1 || said[0].Kind != session.UsedSession || said[0].Reason != c.end {
				t.Errorf("%s: %+v", name, said)
			}
			f.repeats(d)
			d.waits(2 * time.Second)
			copied.now = d.now
			copied.showsTicket().is(EventRefused, reasonDrop(c.ticket), wire.KindClose).because(c.ticket)
			if moved {
				there.now = d.now
				if h := there.toServer(there.clientSends(wire.KindData, "x")).ends(audit.DropRevoked, c.end); h.Cause != CauseRevokedElsewhere {
					t.Errorf("%s: cause %v", name, h.Cause)
				}
			}
			d.now = d.now.Add(tokenLife) // no ticket is valid any more; the player may come again
			d.mints("later").IssuedAt = d.now
			d.at(f.gates[1], "later").join()
		}
	}
}

func reasonDrop(reason wire.Reason) audit.Drop {
	if reason == wire.ReasonTicket {
		return audit.DropTicket
	}
	return audit.DropRevoked
}

// revokes revokes by an id of the token "identity".
func (d *dialogue) revokes(kind session.RevocationKind, value string, everywhere bool) {
	d.Helper()
	if _, err := d.gate.Revoke(d.now, session.Revocation{Kind: kind, Issuer: "issuer", Value: value, Time: d.now, Everywhere: everywhere}); err != nil {
		d.Fatal(err)
	}
}

// "A session that ends by its network, its silence, its expiry, a shutdown, or for another session of
// its player, MUST NOT be reported as put out: its player may be on another server by now. Neither is
// one that a match ends for the reasons 1, 2, 11, 12, 16, 17 and 18, or whose player it refuses when
// that comes from another server." docs/fleet.md 8.5
func TestNothingLateReachesWhoHasMoved(t *testing.T) {
	for name, end := range map[string]func(d *dialogue){
		"idle":         func(d *dialogue) { d.waits(session.DefaultIdle); d.tickServer() },
		"shutdown":     func(d *dialogue) { d.server.Close(wire.ReasonShutdown) },
		"close_notify": func(d *dialogue) { d.server.Disconnected() },
		"expiry":       func(d *dialogue) { d.waits(tokenLife); d.tickServer() },
		"replaced":     func(d *dialogue) { d.server.Close(wire.ReasonReplaced) },
		"match over":   func(d *dialogue) { d.server.Dismiss(wire.ReasonLeft, "") },
		"kick, 2":      func(d *dialogue) { d.server.Dismiss(wire.ReasonShutdown, "") },
		"kick, 11":     func(d *dialogue) { d.server.Dismiss(wire.ReasonFull, "") },
		"kick, 12":     func(d *dialogue) { d.server.Dismiss(wire.ReasonBusy, "") },
		"kick, 16":     func(d *dialogue) { d.server.Dismiss(wire.ReasonUnavailable, "") },
		"kick, 17":     func(d *dialogue) { d.server.Dismiss(wire.ReasonIdle, "away from keyboard") },
		"kick, 18":     func(d *dialogue) { d.server.Dismiss(wire.ReasonReplaced, "") },
		"left":         func(d *dialogue) { d.toServer(d.clientSends(wire.KindClose, "\x01\x00")) },
		"refused": func(d *dialogue) { // by the match, when it joins
			r := d.reconnects(d.gate, home)
			r.takesWelcome(r.showsTicket())
			r.sendsFirstDatagram()
			r.server.Reject(wire.ReasonScope, "")
		},
		"another device": func(d *dialogue) {
			d.waits(3 * time.Second)
			d.tickServer()
			d.mints("second")
			d.mints("third")
			d.at(d.gate, "second").join()
			d.at(d.gate, "third").join()
		},
	} {
		f, d := newServers(t, 2, session.Config{})
		d.opens()
		there := d.resumesOn(f.gates[1])
		f.takes() // lost, or late
		end(d)
		f.repeats(d)
		there.now = begin.Add(time.Second)
		there.exchangesData()
		there.resumesHere().exchangesData()
		for _, u := range f.takes() {
			if u.Kind == session.UsedSession {
				t.Errorf("%s: %+v", name, u)
			}
		}
	}
}

// "OnUsed, if set, is called once for each thing that was used up here": however often and by whomever a
// session is put out, and not by what the fleet hears of otherwise, or need not hear of.
func TestPutOutIsReportedOnce(t *testing.T) {
	f, d := newServers(t, 1, session.Config{})
	d.opens()
	f.takes()
	s := d.server.Session()
	ban := session.Ban{Issuer: "issuer", Subject: s.Subject(), Everywhere: true}
	for i, end := range []func(){
		func() { s.PutOut(wire.ReasonBusy) },
		func() { d.gate.Ban(ban) }, //nolint:errcheck // whom it ends counts
		func() { s.PutOut(wire.ReasonGame) },
		func() { s.PutOut(wire.ReasonGame) },
		func() { d.server.Dismiss(wire.ReasonKicked, "") },
		func() { d.gate.RevokeSubject("issuer", s.Subject()) },
	} {
		end()
		said := f.takes()
		if want := i == 2; len(said) > 1 || want != (len(said) == 1) || want && said[0].Reason != wire.ReasonGame {
			t.Errorf("end %d: %+v", i, said)
		}
	}
}

// A player who leaves uses up the tickets that there are.
func TestLeftElsewhere(t *testing.T) {
	f, d := newServers(t, 2, session.Config{})
	d.opens()
	thief := d.reconnects(f.gates[1], home)
	f.tells(d)
	r := d.client.Close()
	d.toServer(d.must(d.client.Append(nil, r.Kind, r.Body))).is(EventClosed, audit.DropNone, 0)
	if said := f.tells(d); !slices.Equal(kinds(said), []string{"ticket"}) || said[0].Epoch != 1 {
		t.Errorf("%+v", said)
	}
	thief.showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
}

// A step up that has lapsed on one server confines the tickets on all of them.
func TestLapsedElsewhere(t *testing.T) {
	f, d := newServers(t, 2, session.Config{})
	d.opens()
	f.tells(d)
	d.server.SetPath(d.now, far)
	thief := d.reconnects(f.gates[1], far)
	owner := d.reconnects(f.gates[1], home)
	d.waits(session.DefaultIdle)
	d.toServer(d.clientSends(wire.KindPing, "12345678"))
	for range 60 {
		d.waits(time.Second)
		if d.toServer(d.clientSends(wire.KindData, "x")); d.tickServer().Event.Kind == EventClosed {
			break
		}
	}
	if said := f.tells(d); !slices.Equal(kinds(said), []string{"network"}) {
		t.Fatalf("%+v", said)
	}
	f.repeats(d)
	thief.now, owner.now = d.now, d.now
	thief.showsTicket().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
	owner.takesWelcome(owner.showsTicket().resumes())
	owner.sendsFirstDatagram()
	owner.exchangesData()
}

// What every server of the fleet is told is not said again by each.
func TestFeedIsNotRepeated(t *testing.T) {
	f, d := newServers(t, 1, session.Config{})
	d.opens()
	f.tells(d)
	d.revokes(session.RevokeSignIn, "sign-in", true)
	if d.gate.Len() != 1 || !d.server.Session().Revoked() {
		t.Error("the session is not revoked")
	}
	if _, err := d.gate.Ban(session.Ban{Issuer: "issuer", Subject: "player", Everywhere: true}); err != nil {
		t.Error(err)
	}
	if said := f.takes(); said != nil {
		t.Errorf("%+v", said)
	}
}

// Entries that mean nothing have no effect.
func TestUseNonsense(t *testing.T) {
	f, d := newServers(t, 1, session.Config{})
	d.opens()
	f.takes()
	name := d.server.Session().Name()
	later := d.now.Add(time.Hour)
	n := d.gate.Use(d.now,
		session.Used{}, session.Used{Kind: 99, ID: name, Until: later}, session.Used{Kind: session.UsedTicket, ID: name, Until: later},
		session.Used{Kind: session.UsedSession, ID: name, Until: d.now}, session.Used{Kind: session.UsedTicket, ID: name, Epoch: 9, Until: d.now.Add(-time.Hour)},
	)
	if n != 0 {
		t.Errorf("%d sessions have ended", n)
	}
	d.exchangesData()
	d.resumesHere().exchangesData()
	life := d.gate.memory.longestLife
	d.gate.Use(d.now, session.Used{Kind: session.UsedSession, ID: [16]byte{1}, Until: d.now.Add(1 << 60)})
	for _, e := range d.gate.elsewhere.putOut.entries {
		if e.ends > ceilUnix(d.now.Add(longestUse)) {
			t.Errorf("remembered until %d", e.ends)
		}
	}
	if d.gate.memory.longestLife != life {
		t.Error("what another server says changes how long this one remembers")
	}
}
