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

// A session whose client has not answered WELCOME, or whose datagrams carry the token, is not
// handed on; one that is about to move is where it lives.
func TestRestartNotSaved(t *testing.T) {
	keyed := session.Config{FleetKeys: fleet(t), AllowBearer: true}
	waits := connectOnly(t, keyed, session.ClientConfig{})
	waits.toServer(waits.clientTick(wire.KindHello)[0]).verifies()
	closed := playWithTicket(t, keyed, session.ClientConfig{})
	closed.server.Close(wire.ReasonShutdown)
	bearer := play(t, keyed, session.ClientConfig{Bearer: true})
	bearer.toServer(bearer.clientSends(wire.KindData, "up")).delivers("up")
	for name, d := range map[string]*dialogue{
		"no HELLO": connectOnly(t, keyed, session.ClientConfig{}), "no verdict": waits, "no answer to WELCOME": play(t, keyed, session.ClientConfig{}),
		"bearer": bearer, "closed": closed,
	} {
		if d.server.Save(new(resume.Session)) {
			t.Errorf("%s: saved", name)
		}
		if _, snap := d.savesAndRestores(d); len(snap.Sessions) != 0 {
			t.Errorf("%s: handed on", name)
		}
	}

	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	r := d.reconnects(d.gate, home)
	r.takesWelcome(r.showsTicket())
	g, snap := d.savesAndRestores(d, r)
	if len(snap.Sessions) != 1 {
		t.Fatalf("%d sessions", len(snap.Sessions))
	}
	after, _ := d.restores(g, snap.Sessions[0])
	after.exchangesData()
	next := r.reconnects(g, home) // by the ticket of the WELCOME that the old process gave
	next.takesWelcome(next.showsTicket().says(wire.KindWelcome))
	next.sendsFirstDatagram()
	next.exchangesData()
	after.staysSilent()

	d = playWithTicket(t, session.Config{}, session.ClientConfig{})
	r = d.reconnects(d.anotherServer(session.Config{}), home)
	r.takesWelcome(r.showsTicket().resumes())
	if _, snap := r.savesAndRestores(r); len(snap.Sessions) != 0 {
		t.Error("handed on before its first datagram")
	}
}

// A saved session that has ended when the new process reads it, or has no place there, is not
// restored.
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
			if n, err := g.Revoke(begin, session.Revocation{Kind: session.RevokeSignIn, Issuer: "issuer", Value: "sign-in", Time: begin}); n != 0 || err != nil {
				t.Error(n, err)
			}
		}},
		"build revoked": {audit.DropRevoked, nil, func(_ *dialogue, g *Gate) {
			if n, err := g.Revoke(begin, session.Revocation{Kind: session.RevokeBuild, Value: phone.Build, Time: begin}); n != 0 || err != nil {
				t.Error(n, err)
			}
		}},
		"player revoked": {audit.DropRevoked, nil, func(_ *dialogue, g *Gate) {
			if n := g.RevokeSubject("issuer", "player"); n != 1 {
				t.Error(n)
			}
		}},
		"session revoked": {audit.DropRevoked, nil, func(d *dialogue, g *Gate) {
			if !g.RevokeSession(d.server.Session().ID()) {
				t.Error("not here")
			}
		}},
		"somebody else revoked": {audit.DropNone, func(d *dialogue) {
			if n, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeSignIn, Issuer: "issuer", Value: "other", Time: begin}); n != 0 || err != nil {
				t.Error(n, err)
			}
		}, nil},
		"id taken":     {audit.DropSession, nil, func(d *dialogue, g *Gate) { d.occupiesID(g) }},
		"full":         {audit.DropFull, nil, func(_ *dialogue, g *Gate) { g.config.MaxSessions = 0 }},
		"room for one": {audit.DropNone, nil, func(_ *dialogue, g *Gate) { g.config.MaxSessions = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{Idle: time.Hour, Leeway: leeway}, session.ClientConfig{Fingerprint: phone})
			if c.before != nil {
				c.before(d)
			}
			g, snap := d.savesAndRestores(d)
			g.Await(snap.Sessions)
			if c.after != nil {
				c.after(d, g)
			}
			known := g.Len()
			r, drop := d.restores(g, snap.Sessions[0])
			if drop != c.want {
				t.Fatalf("%v, want %v", drop, c.want)
			}
			if drop == audit.DropNone {
				r.exchangesData()
			} else if g.Len() != known {
				t.Errorf("%d sessions", g.Len())
			}
		})
	}
}

// "memory without which a restart would let in what was refused" docs/fleet.md 8.4. It outlives any
// number of restarts.
func TestRestartRemembers(t *testing.T) {
	d := playWithTicket(t, session.Config{Idle: time.Hour, MaxPerSubject: -1}, session.ClientConfig{Fingerprint: phone})
	used := *d
	d = d.resumesHere()
	another := func(identity string) *dialogue {
		d.mints(identity)
		o := d.connect(session.ClientConfig{Fingerprint: phone}, identity, channel)
		o.getsConnectionID()
		o.join()
		o.exchangesData()
		return o
	}
	left, kicked, cheat := another("left"), another("kicked"), another("cheat")
	left.toServer(left.clientSends(wire.KindClose, closeBody))
	kicked.server.Close(wire.ReasonKicked)
	cheat.server.Session().Revoke()
	cheat.tickServer().ends(audit.DropRevoked, wire.ReasonRevoked)
	d.mints("stolen")
	for _, v := range []session.Revocation{
		{Kind: session.RevokeToken, Issuer: "issuer", Value: "id of stolen", Time: begin},
		{Kind: session.RevokeBuild, Value: "0.9", Time: begin},
		{Kind: session.RevokeSubject, Issuer: "issuer", Value: "banned", Time: begin},
	} {
		if n, err := d.gate.Revoke(d.now, v); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	for i, at := range []time.Duration{0, time.Minute, 10 * time.Minute, tokenLife - time.Second} {
		for _, o := range []*dialogue{d, &used, left, kicked, cheat} {
			o.now = begin.Add(at)
		}
		d = d.restarts()
		if len(d.gate.revoked.entries) != 3 {
			t.Errorf("restart %d: %d revocations", i, len(d.gate.revoked.entries))
		}
		d.connect(session.ClientConfig{Fingerprint: phone}, "identity", channel).isRefused(audit.DropUsed)
		d.connect(session.ClientConfig{Fingerprint: phone}, "stolen", channel).isRefused(audit.DropRevoked)
		d.mints("old build")
		d.connect(session.ClientConfig{Fingerprint: session.Fingerprint{Build: "0.9"}}, "old build", channel).isRefused(audit.DropRevoked)
		d.mints("banned").Subject = "banned"
		d.connect(session.ClientConfig{Fingerprint: phone}, "banned", channel).isRefused(audit.DropRevoked)
		used.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
		left.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
		kicked.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
		cheat.reconnects(d.gate, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
		d.exchangesData()
	}
}

// isRefused expects that a new client is refused.
func (d *dialogue) isRefused(drop audit.Drop) {
	d.Helper()
	d.present(d.clientTick(wire.KindHello)...).refuses(drop, reasons[drop])
}

// A session that has been revoked ends with its next datagram, in whichever process that comes, and
// its ticket with it.
func TestRestartOfRevoked(t *testing.T) {
	for name, revoke := range map[string]func(d *dialogue){
		"session":       func(d *dialogue) { d.gate.RevokeSession(d.server.Session().ID()) },
		"live sessions": func(d *dialogue) { d.gate.RevokeSubject("issuer", "player") },
		"of a directive": func(d *dialogue) {
			_, _ = d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeKey, Issuer: "issuer", Value: "key", Time: begin})
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			revoke(d)
			g, snap := d.savesAndRestores(d)
			for _, s := range snap.Sessions {
				if r, drop := d.restores(g, s); drop == audit.DropNone {
					r.toServer(r.clientSends(wire.KindData, "input")).ends(audit.DropRevoked, wire.ReasonRevoked)
				}
			}
			d.reconnects(g, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
		})
	}
}

// Save returns the error of the writer.
func TestSaveFails(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	for i := range 3000 {
		d.gate.memory.put(uint64(i), begin, remembered{why: audit.DropUsed})
	}
	full := &limited{left: 100}
	w, err := resume.NewWriter(full, d.gate.config.FleetKeys, begin, bytes.NewReader(make([]byte, 16)))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.gate.Save(w, func() {}); err != errDiskFull {
		t.Errorf("memory: %v", err)
	}
	d.gate.memory = newMemory()
	if _, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeBuild, Value: "0.9"}); err != nil {
		t.Fatal(err)
	}
	if err := d.gate.Save(w, func() {}); err != errDiskFull {
		t.Errorf("revocations: %v", err)
	}
}
