package machine

import (
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// puttingOut is every way in which a match puts a session out, by whatever of it the match has in
// its hands. drop is what the tickets are refused for.
var puttingOut = map[string]struct {
	drop audit.Drop
	how  func(d *dialogue, s *Session) bool
}{
	"Session.Revoke":     {audit.DropRevoked, func(_ *dialogue, s *Session) bool { return s.Revoke() }},
	"Gate.RevokeSession": {audit.DropRevoked, func(d *dialogue, s *Session) bool { return d.gate.RevokeSession(s.ID()) }},
	"Gate.RevokeSubject": {audit.DropRevoked, func(d *dialogue, _ *Session) bool { return d.gate.RevokeSubject("issuer", "player") == 1 }},
	"Gate.Revoke": {audit.DropRevoked, func(d *dialogue, _ *Session) bool {
		n, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "player", Time: d.now})
		return n == 1 && err == nil
	}},
	"Gate.Ban": {audit.DropRevoked, func(d *dialogue, _ *Session) bool {
		n, err := d.gate.Ban(session.Ban{Issuer: "issuer", Subject: "player"})
		return n == 1 && err == nil
	}},
	"Close":   {audit.DropTicket, func(d *dialogue, _ *Session) bool { d.server.Close(wire.ReasonKicked); return true }},
	"Dismiss": {audit.DropTicket, func(d *dialogue, _ *Session) bool { d.server.Dismiss(wire.ReasonShutdown, ""); return true }},
}

// whereabouts is every state in which a session may be put out. Each returns the connection that
// the match knows of, by whose ticket the player comes back afterwards.
var whereabouts = map[string]func(d *dialogue) *dialogue{
	"on its first connection": func(d *dialogue) *dialogue { return d },
	"on another connection":   func(d *dialogue) *dialogue { return d.resumesHere() },
	"from another server":     func(d *dialogue) *dialogue { return d.resumesOn(d.anotherServer(session.Config{})) },
	"waiting for its first datagram": func(d *dialogue) *dialogue {
		r := d.reconnects(d.anotherServer(session.Config{}), home)
		r.takesWelcome(r.showsTicket().resumes())
		return r
	},
	"waiting a second time": func(d *dialogue) *dialogue {
		r := d.reconnects(d.anotherServer(session.Config{}), home)
		r.takesWelcome(r.showsTicket().resumes())
		again := d.reconnects(r.gate, home)
		again.takesWelcome(again.showsTicket().resumes())
		return again
	},
	"between connections": func(d *dialogue) *dialogue {
		d.waits(session.DefaultIdle - 1)
		d.tickServer().nothing()
		return d
	},
	"idle": func(d *dialogue) *dialogue {
		d.waits(session.DefaultIdle)
		d.tickServer().ends(audit.DropIdle, wire.ReasonIdle)
		return d
	},
	"idle after it has waited in vain": func(d *dialogue) *dialogue {
		r := d.reconnects(d.anotherServer(session.Config{}), home)
		r.takesWelcome(r.showsTicket().resumes())
		r.waits(helloTimeout)
		r.tickServer().is(EventClosed, audit.DropIdle, 0)
		return r
	},
	"replaced": func(d *dialogue) *dialogue {
		d.server.Close(wire.ReasonReplaced)
		return d
	},
	"about to move": func(d *dialogue) *dialogue {
		r := d.reconnects(d.gate, home)
		r.takesWelcome(r.showsTicket().says(wire.KindWelcome))
		return d
	},
	"about to move, by the new connection": func(d *dialogue) *dialogue {
		r := d.reconnects(d.gate, home)
		r.takesWelcome(r.showsTicket().says(wire.KindWelcome))
		return r
	},
}

// afterwards is what may happen before the player comes back.
var afterwards = map[string]func(d *dialogue){
	"at once": func(*dialogue) {},
	"replaced within the tick": func(d *dialogue) {
		d.server.Close(wire.ReasonReplaced)
	},
	"told": func(d *dialogue) { d.tickServer() },
	"idle": func(d *dialogue) {
		d.waits(session.DefaultIdle)
		d.tickServer()
	},
	"restarted": func(d *dialogue) {
		g, snap := d.savesAndRestores(d)
		for _, s := range snap.Sessions {
			if r, drop := d.restores(g, s); drop == audit.DropNone {
				r.toServer(r.clientSends(wire.KindData, "too late"))
				d.Error("it is handed on")
			}
		}
		d.gate, d.server = g, g.NewConn(d.now, channel, home)
	},
}

// "Whether a session has been put out is a property of the session, not of a connection: one that
// is put out while it waits for its first datagram, or between two connections, MUST NOT come
// back." PROTOCOL.md 8.3. Whatever it has been doing, and whatever happens next, no datagram of it
// is accepted any more, and no ticket.
func TestTerminatedStaysTerminated(t *testing.T) {
	for name, end := range puttingOut {
		for state, begin := range whereabouts {
			for next, happens := range afterwards {
				t.Run(name+"/"+state+"/"+next, func(t *testing.T) {
					first := playWithTicket(t, session.Config{}, session.ClientConfig{})
					d := begin(first)
					if d.server.livesOnFormer() && name == "Close" {
						d.server = first.server // where it lives: the other one's end is nothing to the session
					}
					if !end.how(d, d.server.Session()) {
						t.Fatal("says that it was not")
					}
					in := d.clientSends(wire.KindData, "in flight")
					happens(d)
					for _, conn := range []*Conn{d.server, first.server} {
						if _, ev := conn.Handle(d.now, append([]byte(nil), in...)); conn.gate == d.gate && ev.Kind == EventData {
							t.Error("a datagram is accepted")
						}
					}
					for _, holder := range []*dialogue{d, first} {
						again := holder.reconnects(d.gate, home)
						again.now = d.now
						again.homes = d.homes
						again.showsTicket().refuses(end.drop, reasons[end.drop])
					}
				})
			}
		}
	}
}

// A revocation between the first check of a ticket and the admission of its session is in time.
func TestRevokedWhileLetIn(t *testing.T) {
	for name, revoke := range map[string]func(g *Gate, s session.Session){
		"session": func(_ *Gate, s session.Session) { s.Revoke() },
		"subject": func(g *Gate, s session.Session) {
			_, _ = g.Revoke(begin, session.Revocation{Kind: session.RevokeSubject, Issuer: s.Issuer(), Value: s.Subject(), Time: begin})
		},
		"ban": func(g *Gate, s session.Session) { _, _ = g.Ban(session.Ban{Issuer: s.Issuer(), Subject: s.Subject()}) },
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			var g *Gate
			g = d.anotherServer(session.Config{Authorize: func(a *session.Admission) error { revoke(g, a.Session); return nil }})
			d.reconnects(g, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
			if g.Len() != 0 {
				t.Errorf("%d sessions", g.Len())
			}
			d.exchangesData() // on the server that nobody has told
		})
	}
}

// A *Session that the match has kept from a connection before revokes the session where it lives
// now.
func TestRevokeByOldHandle(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	old := d.server.Session()
	d.waits(session.DefaultIdle)
	d.tickServer().ends(audit.DropIdle, wire.ReasonIdle)
	r := d.reconnects(d.gate, home)
	r.takesWelcome(r.showsTicket().resumes())
	r.sendsFirstDatagram()
	if r.server.Session() == old {
		t.Fatal("it is the same")
	}
	if !old.Revoke() || old.Revoke() || r.server.Session().Revoke() {
		t.Error("a session is revoked once")
	}
	r.toServer(r.clientSends(wire.KindData, "in flight")).ends(audit.DropRevoked, wire.ReasonRevoked)
	r.reconnects(d.gate, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
}

// A token that is revoked after RENEWED, and before the first datagram of its epoch, keeps no
// session alive: neither on the connection where it was shown nor on the next one.
func TestRevokedBetweenRenewedAndItsEpoch(t *testing.T) {
	for name, next := range map[string]func(d *dialogue){
		"same connection": func(d *dialogue) {
			d.toServer(d.clientSends(wire.KindData, "too late")).ends(audit.DropRevoked, wire.ReasonRevoked)
			d.reconnects(d.gate, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
		},
		"next connection": func(d *dialogue) {
			d.reconnects(d.gate, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			d.renewsWith("stolen")
			if n, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeToken, Issuer: "issuer", Value: "id of stolen", Time: d.now}); n != 0 || err != nil {
				t.Fatal(n, err)
			}
			next(d)
		})
	}
	t.Run("revoked when it is about to move", func(t *testing.T) {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.renewsWith("stolen")
		r := d.reconnects(d.gate, home)
		r.takesWelcome(r.showsTicket().says(wire.KindWelcome))
		if _, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeToken, Issuer: "issuer", Value: "id of stolen", Time: d.now}); err != nil {
			t.Fatal(err)
		}
		r.toServer(r.clientSends(wire.KindData, "too late")).closesSilently(audit.DropRevoked)
	})
}

// "Tokens of a subject that were issued later are valid", and so are the sessions that they have
// opened: a revocation that comes late, or twice, puts nobody out who has come back with such a
// token.
func TestRevokeSubjectSparesLaterTokens(t *testing.T) {
	at := begin.Add(time.Minute)
	for issued, good := range map[time.Time]bool{
		at.Add(-time.Millisecond): false, at: false, at.Add(time.Millisecond): true, {}: false,
	} {
		for _, absent := range []bool{false, true} {
			d := connectOnly(t, session.Config{FleetKeys: fleet(t)}, session.ClientConfig{}).connect(session.ClientConfig{}, "identity", channel)
			d.claims["identity"].IssuedAt = issued
			d.getsConnectionID()
			d.join()
			d.exchangesData()
			if absent {
				d.waits(session.DefaultIdle)
				d.tickServer().ends(audit.DropIdle, wire.ReasonIdle)
			}
			n, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "player", Time: at})
			if err != nil || (n == 0) != good {
				t.Errorf("issued at %v, absent %v: %d ended, %v", issued, absent, n, err)
			}
			r := d.reconnects(d.gate, home)
			if h := r.showsTicket(); good {
				r.takesWelcome(h)
				r.sendsFirstDatagram()
				r.exchangesData()
			} else {
				h.refuses(audit.DropRevoked, wire.ReasonRevoked)
			}
		}
	}
}

// Sessions that are not here are held in a bounded table, of which the oldest goes; what has come
// back is in it no more.
func TestAbsentIsBounded(t *testing.T) {
	const most = 3
	a := absent{most: most}
	name := func(i int) *Session { return &Session{name: [16]byte{byte(i)}, id: uint32(i)} }
	for i := range 10 {
		a.add(name(i))
		a.add(name(i)) // and again
		if len(a.sessions) > most || len(a.order) > 2*most {
			t.Fatalf("%d sessions, %d departures", len(a.sessions), len(a.order))
		}
		if _, ok := a.sessions[name(i).name]; !ok {
			t.Fatalf("the newest is not there")
		}
	}
	a.remove(name(9).name)
	a.remove(name(9).name)
	if _, ok := a.sessions[name(9).name]; ok {
		t.Error("what has come back is still there")
	}
	a.add(name(9))
	a.add(name(10)) // lets an older departure of 9 go, not its last
	if _, ok := a.sessions[name(9).name]; !ok {
		t.Error("a session goes with an earlier departure of its own")
	}
	none := absent{}
	none.add(name(1))
	if len(none.sessions) != 0 {
		t.Error("held beyond the bound of none")
	}
}

// The newest are held, as many as there are seats, however often one of them comes back and leaves
// once more.
func TestAbsentPlayerWhoLeavesAgain(t *testing.T) {
	const most = 8
	a := absent{most: most}
	for i := range most - 1 {
		a.add(&Session{name: [16]byte{byte(i)}})
	}
	restless := &Session{name: [16]byte{most}}
	for range 10 * most {
		a.add(restless)
		for i := range most - 1 {
			if _, ok := a.sessions[[16]byte{byte(i)}]; !ok {
				t.Fatalf("session %d was let go by another one's departures", i)
			}
		}
		if len(a.order) > 2*most {
			t.Fatalf("%d departures", len(a.order))
		}
		a.remove(restless.name)
	}
	a.add(restless)
	a.add(&Session{name: [16]byte{most + 1}})
	if _, ok := a.sessions[[16]byte{0}]; ok || len(a.sessions) != most {
		t.Errorf("the oldest is held: %v, of %d", ok, len(a.sessions))
	}
}

// While one goroutine revokes, others bring the same session to life. However they meet, nothing of
// it is accepted once all are done. Run with -race.
func TestRevokeMeetsResume(t *testing.T) {
	for i := range 100 {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		g := d.anotherServer(session.Config{})
		var comers []*dialogue
		for range 3 {
			comers = append(comers, d.reconnects(g, home))
		}
		var wg sync.WaitGroup
		for _, r := range comers {
			wg.Go(func() {
				if r.sendsTicket().Event.Kind != EventResume {
					t.Error("its ticket is not looked at")
				}
				reply, ev := r.server.Resume(r.now, nil, 0) // each on a shard of its own
				if ev.Kind == EventResumed {
					r.toClient(r.heard(reply, ev, r.server.Append).envelope)
					r.toServer(r.clientSends(wire.KindData, "perhaps in time"))
				}
			})
		}
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = g.Ban(session.Ban{Issuer: "issuer", Subject: "player"})
			} else {
				_, err = g.Revoke(begin, session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "player", Time: begin})
			}
			if err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for _, r := range comers {
			if s := r.server.Session(); s != nil && !s.Revoked() {
				t.Fatal("a session came to life while it was revoked")
			}
		}
		d.reconnects(g, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
	}
}
