package machine

import (
	"bytes"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// A session whose client has not answered WELCOME, or whose datagrams carry the token, is not handed on; one that is
// about to move is where it lives.
func TestRestartNotSaved(t *testing.T) {
	keyed := session.Config{FleetKeys: fleet(t), AllowBearer: true}
	waits := meet(t, keyed, session.ClientConfig{})
	waits.toServer(waits.ticks(wire.KindHello)[0]).verifies()
	closed := stay(t, keyed, session.ClientConfig{})
	closed.server.Close(wire.ReasonShutdown)
	bearer := play(t, keyed, session.ClientConfig{Bearer: true})
	bearer.toServer(bearer.say(wire.KindData, "up")).gives("up")
	for name, d := range map[string]*dialogue{
		"no HELLO": meet(t, keyed, session.ClientConfig{}), "no verdict": waits, "no answer to WELCOME": play(t, keyed, session.ClientConfig{}),
		"bearer": bearer, "closed": closed,
	} {
		if d.server.Save(new(resume.Session)) {
			t.Errorf("%s: saved", name)
		}
		if _, snap := d.handOn(d); len(snap.Sessions) != 0 {
			t.Errorf("%s: handed on", name)
		}
	}

	d := stay(t, session.Config{}, session.ClientConfig{})
	r := d.again(d.gate, home)
	r.welcomed(r.shows())
	g, snap := d.handOn(d, r)
	if len(snap.Sessions) != 1 {
		t.Fatalf("%d sessions", len(snap.Sessions))
	}
	after, _ := d.restored(g, snap.Sessions[0])
	after.talks()
	next := r.again(g, home) // by the ticket of the WELCOME that the old process gave
	next.welcomed(next.shows().says(wire.KindWelcome))
	next.settles()
	next.talks()
	after.dumb()

	d = stay(t, session.Config{}, session.ClientConfig{})
	r = d.again(d.sister(session.Config{}), home)
	r.welcomed(r.shows().resumes())
	if _, snap := r.handOn(r); len(snap.Sessions) != 0 {
		t.Error("handed on before its first datagram")
	}
}

// What is over when the new process reads it, or has no place there, does not go on.
func TestRestartRefused(t *testing.T) {
	const leeway = 5 * time.Second
	for name, c := range map[string]struct {
		want   audit.Drop
		before func(d *dialogue)
		after  func(d *dialogue, g *Gate)
	}{
		"expired, -1 ns": {audit.DropNone, nil, func(d *dialogue, _ *Gate) { d.now = begin.Add(tokenLife + leeway - 1) }},
		"expired":        {audit.DropExpired, nil, func(d *dialogue, _ *Gate) { d.now = begin.Add(tokenLife + leeway) }},
		"expired, +1 ns": {audit.DropExpired, nil, func(d *dialogue, _ *Gate) { d.now = begin.Add(tokenLife + leeway + 1) }},
		"revoked meanwhile": {audit.DropRevoked, nil, func(_ *dialogue, g *Gate) {
			if n, err := g.Revoke(session.Revocation{Kind: session.RevokeSignIn, Issuer: "issuer", Value: "sign-in", Time: begin}); n != 0 || err != nil {
				t.Error(n, err)
			}
		}},
		"build revoked": {audit.DropRevoked, nil, func(_ *dialogue, g *Gate) {
			if n, err := g.Revoke(session.Revocation{Kind: session.RevokeBuild, Value: phone.Build, Time: begin}); n != 0 || err != nil {
				t.Error(n, err)
			}
		}},
		"somebody else revoked": {audit.DropNone, func(d *dialogue) {
			if n, err := d.gate.Revoke(session.Revocation{Kind: session.RevokeSignIn, Issuer: "issuer", Value: "other", Time: begin}); n != 0 || err != nil {
				t.Error(n, err)
			}
		}, nil},
		"id taken":     {audit.DropSession, nil, func(d *dialogue, g *Gate) { d.taken(g) }},
		"full":         {audit.DropFull, nil, func(_ *dialogue, g *Gate) { g.config.MaxSessions = 0 }},
		"room for one": {audit.DropNone, nil, func(_ *dialogue, g *Gate) { g.config.MaxSessions = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			d := stay(t, session.Config{Idle: time.Hour, Leeway: leeway}, session.ClientConfig{Fingerprint: phone})
			if c.before != nil {
				c.before(d)
			}
			g, snap := d.handOn(d)
			if c.after != nil {
				c.after(d, g)
			}
			known := g.Len()
			r, drop := d.restored(g, snap.Sessions[0])
			if drop != c.want {
				t.Fatalf("%v, want %v", drop, c.want)
			}
			if drop == audit.DropNone {
				r.talks()
			} else if g.Len() != known {
				t.Errorf("%d sessions", g.Len())
			}
		})
	}
}

// "memory without which a restart would let in what was refused" docs/fleet.md 8.4. It outlives any
// number of restarts.
func TestRestartRemembers(t *testing.T) {
	d := stay(t, session.Config{Idle: time.Hour, MaxPerSubject: -1}, session.ClientConfig{Fingerprint: phone})
	used := *d
	d = d.moves()
	another := func(identity string) *dialogue {
		d.mint(identity)
		o := d.connect(session.ClientConfig{Fingerprint: phone}, identity, channel)
		o.arrive()
		o.join()
		o.talks()
		return o
	}
	left, kicked, cheat := another("left"), another("kicked"), another("cheat")
	left.toServer(left.say(wire.KindClose, closeBody))
	kicked.server.Close(wire.ReasonKicked)
	cheat.server.Session().Revoke()
	cheat.tickServer().ends(audit.DropRevoked, wire.ReasonRevoked)
	d.mint("stolen")
	for _, v := range []session.Revocation{
		{Kind: session.RevokeToken, Issuer: "issuer", Value: "id of stolen", Time: begin},
		{Kind: session.RevokeBuild, Value: "0.9", Time: begin},
		{Kind: session.RevokeSubject, Issuer: "issuer", Value: "banned", Time: begin},
	} {
		if n, err := d.gate.Revoke(v); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	for i, at := range []time.Duration{0, time.Minute, 10 * time.Minute, tokenLife - time.Second} {
		for _, o := range []*dialogue{d, &used, left, kicked, cheat} {
			o.now = begin.Add(at)
		}
		d = d.restart()
		if len(d.gate.revoked.entries) != 3 {
			t.Errorf("restart %d: %d revocations", i, len(d.gate.revoked.entries))
		}
		d.connect(session.ClientConfig{Fingerprint: phone}, "identity", channel).enters(audit.DropUsed)
		d.connect(session.ClientConfig{Fingerprint: phone}, "stolen", channel).enters(audit.DropRevoked)
		d.mint("old build")
		d.connect(session.ClientConfig{Fingerprint: session.Fingerprint{Build: "0.9"}}, "old build", channel).enters(audit.DropRevoked)
		d.mint("banned").Subject = "banned"
		d.connect(session.ClientConfig{Fingerprint: phone}, "banned", channel).enters(audit.DropRevoked)
		used.again(d.gate, home).shows().refuses(audit.DropTicket, wire.ReasonTicket)
		left.again(d.gate, home).shows().refuses(audit.DropTicket, wire.ReasonTicket)
		kicked.again(d.gate, home).shows().refuses(audit.DropTicket, wire.ReasonTicket)
		cheat.again(d.gate, home).shows().refuses(audit.DropRevoked, wire.ReasonRevoked)
		d.talks()
	}
}

// enters is a newcomer who is refused.
func (d *dialogue) enters(drop audit.Drop) {
	d.Helper()
	d.present(d.ticks(wire.KindHello)...).refuses(drop, reasons[drop])
}

// A session that has been revoked ends with its next datagram, in whichever process that comes, and its ticket with it.
func TestRestartOfRevoked(t *testing.T) {
	for name, revoke := range map[string]func(d *dialogue){
		"session":       func(d *dialogue) { d.gate.RevokeSession(d.server.Session().ID()) },
		"live sessions": func(d *dialogue) { d.gate.RevokeSubject("issuer", "player") },
		"of a directive": func(d *dialogue) {
			_, _ = d.gate.Revoke(session.Revocation{Kind: session.RevokeKey, Issuer: "issuer", Value: "key", Time: begin})
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := stay(t, session.Config{}, session.ClientConfig{})
			revoke(d)
			g, snap := d.handOn(d)
			for _, s := range snap.Sessions {
				if r, drop := d.restored(g, s); drop == audit.DropNone {
					r.toServer(r.say(wire.KindData, "input")).ends(audit.DropRevoked, wire.ReasonRevoked)
				}
			}
			d.again(g, home).shows().refuses(audit.DropRevoked, wire.ReasonRevoked)
		})
	}
}

// What cannot be written is no snapshot.
func TestSaveFails(t *testing.T) {
	d := stay(t, session.Config{}, session.ClientConfig{})
	for i := range 3000 {
		d.gate.memory.put(uint64(i), begin, remembered{why: audit.DropUsed})
	}
	full := &limited{left: 100}
	w, err := resume.NewWriter(full, d.gate.config.FleetKeys, begin, bytes.NewReader(make([]byte, 16)))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.gate.Save(w); err != errDiskFull {
		t.Errorf("memory: %v", err)
	}
	d.gate.memory = newMemory()
	if _, err := d.gate.Revoke(session.Revocation{Kind: session.RevokeBuild, Value: "0.9"}); err != nil {
		t.Fatal(err)
	}
	if err := d.gate.Save(w); err != errDiskFull {
		t.Errorf("revocations: %v", err)
	}
}
