package machine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// banOf keeps the player of these tests out until a time, zero for good.
func banOf(until time.Time) session.Ban {
	return session.Ban{Issuer: "issuer", Subject: "player", Until: until}
}

// freshToken connects with a token that was issued a moment ago.
func (d *dialogue) freshToken(identity string) *dialogue {
	d.Helper()
	d.mints(identity).IssuedAt = d.now
	o := d.connect(session.ClientConfig{}, identity, channel)
	o.getsConnectionID()
	return o
}

// mustBan bans the player and expects this many sessions to end.
func (d *dialogue) mustBan(b session.Ban, ended int) {
	d.Helper()
	if n, err := d.gate.Ban(b); n != ended || err != nil {
		d.Fatalf("%d ended, %v; want %d", n, err, ended)
	}
}

// "It MUST end the player's sessions, and refuse every identity token and ticket of the player,
// whenever it was issued, with CLOSE reason 13 or another one that the ban names." PROTOCOL.md 5.2.
// And nobody else's.
func TestBan(t *testing.T) {
	for _, reason := range []wire.Reason{0, wire.ReasonRevoked, wire.ReasonKicked, wire.ReasonGame, 255} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.mints("namesake").Issuer = "other issuer"
		namesake := d.connect(session.ClientConfig{}, "namesake", channel)
		namesake.getsConnectionID()
		namesake.join()
		gone := d.freshToken("gone")
		gone.join()
		gone.exchangesData()
		gone.waits(session.DefaultIdle)
		gone.tickServer().ends(audit.DropIdle, wire.ReasonIdle)

		b := banOf(begin.Add(time.Hour))
		b.Reason = reason
		if reason == 0 {
			reason = wire.ReasonRevoked
		}
		d.mustBan(b, 2)
		d.mustBan(b, 0)
		d.waits(time.Minute)
		o := d.freshToken("fresh")
		o.present(o.clientTick(wire.KindHello)...).is(EventRefused, audit.DropRevoked, wire.KindClose).because(reason)
		for _, of := range []*dialogue{d, gone} {
			of.reconnects(d.gate, home).showsTicket().refuses(audit.DropRevoked, reason)
		}
		d.toClient(d.toServer(d.clientSends(wire.KindData, "in flight")).ends(audit.DropRevoked, reason).envelope).closes(reason)
		namesake.toServer(namesake.clientSends(wire.KindData, "on")).delivers("on")
	}
}

// "A revocation by subject, in contrast, does not concern a token that is issued later."
// PROTOCOL.md 5.2
func TestBanAndRevocation(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	if _, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "player", Time: d.now}); err != nil {
		t.Fatal(err)
	}
	d.waits(time.Second)
	d.freshToken("later").join()
	d.mustBan(banOf(time.Time{}), 1)
	d.waits(365 * 24 * time.Hour) // no ban without an end is over
	d.freshToken("a year later").isRefused(audit.DropRevoked)
}

// A ban holds until the very moment that it names. "When a ban is over, the sessions that it has
// ended stay ended." PROTOCOL.md 5.2. Their tickets are refused as such, so that the client opens a
// new session.
func TestBanIsOver(t *testing.T) {
	for lifted, end := range map[bool]func(d *dialogue){
		false: func(d *dialogue) { d.waits(time.Minute) },
		true: func(d *dialogue) {
			if !d.gate.Lift("issuer", "player", false) || d.gate.Lift("issuer", "player", false) {
				d.Error("a ban is lifted once")
			}
		},
	} {
		d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
		d.mustBan(banOf(begin.Add(time.Minute)), 1)
		if d.gate.Lift("issuer", "somebody", false) || d.gate.Lift("other", "player", false) {
			t.Error("lifts what is none")
		}
		d.tickServer().ends(audit.DropRevoked, wire.ReasonRevoked)
		d.waits(time.Minute - 1)
		d.freshToken("early").isRefused(audit.DropRevoked)
		d.waits(1 - time.Minute)
		end(d)
		d.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
		o := d.freshToken("in time")
		o.join()
		o.exchangesData()
		if o.resumesHere().exchangesData(); lifted {
			continue
		}
		if d.gate.Lift("issuer", "player", false) {
			t.Error("lifts a ban that is over")
		}
	}
}

// "Of several bans of a player the one that lasts longest holds. One that is over already does
// nothing": a list of bans that is fed again and again, in whatever order, puts nobody out whose
// ban is over.
func TestBansOfOnePlayer(t *testing.T) {
	day, hour := begin.Add(24*time.Hour), begin.Add(time.Hour)
	for i, list := range [][]time.Time{{hour, day}, {day, hour}, {hour, day, hour, begin}} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		for j, until := range list {
			b := banOf(until)
			b.Reason = map[time.Time]wire.Reason{day: 200, hour: 201, begin: 202}[until]
			if n, err := d.gate.Ban(b); err != nil || (n == 1) != (j == 0) {
				t.Fatal(n, err)
			}
		}
		d.tickServer().ends(audit.DropRevoked, d.server.session.reason())
		d.waits(24*time.Hour - 1)
		o := d.freshToken(fmt.Sprint(i))
		o.present(o.clientTick(wire.KindHello)...).is(EventRefused, audit.DropRevoked, wire.KindClose).because(200)
		d.waits(1)
		o = d.freshToken("free")
		o.join()
		o.exchangesData()
		for _, until := range list {
			d.mustBan(banOf(until), 0)
		}
		o.exchangesData()
	}
}

// A table that is full says so, ends the player's sessions all the same, and forgets nothing early.
func TestBansFull(t *testing.T) {
	const most = 3
	d := playWithTicket(t, session.Config{MaxBans: most}, session.ClientConfig{})
	ban := func(i int, until time.Time) error {
		_, err := d.gate.Ban(session.Ban{Issuer: "issuer", Subject: fmt.Sprint("player ", i), Until: until})
		return err
	}
	for i := range most {
		d.must(nil, ban(i, begin.Add(time.Minute)))
	}
	d.must(nil, ban(0, begin.Add(time.Hour))) // one that is known
	if n, err := d.gate.Ban(banOf(begin.Add(time.Hour))); n != 1 || !errors.Is(err, session.ErrBansFull) {
		t.Errorf("%d ended, %v", n, err)
	}
	d.toServer(d.clientSends(wire.KindData, "in flight")).ends(audit.DropRevoked, wire.ReasonRevoked)
	d.waits(time.Minute - 1)
	for i := range most {
		d.mints("banned").Subject = fmt.Sprint("player ", i)
		d.connect(session.ClientConfig{}, "banned", channel).isRefused(audit.DropRevoked)
	}
	if err := ban(4, begin.Add(time.Hour)); !errors.Is(err, session.ErrBansFull) {
		t.Errorf("before any is over: %v", err)
	}
	d.waits(1)
	d.freshToken("shows what time it is").join()
	d.must(nil, ban(4, begin.Add(time.Hour)))
	d.mints("banned").Subject = "player 0"
	d.connect(session.ClientConfig{}, "banned", channel).isRefused(audit.DropRevoked)
	if n := len(d.gate.bans.entries); n != 2 {
		t.Errorf("%d are remembered", n)
	}
}

func TestBanRefused(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	for _, b := range []session.Ban{
		{},
		{Issuer: "issuer"},
		{Subject: "player"},
		{Issuer: "issuer", Subject: "player", Reason: wire.ReasonLeft},
		{Issuer: "issuer", Subject: "player", Reason: wire.ReasonShutdown},
		{Issuer: "issuer", Subject: "player", Reason: wire.ReasonFull},
		{Issuer: "issuer", Subject: "player", Reason: wire.ReasonTicket},
		{Issuer: "issuer", Subject: "player", Reason: wire.ReasonGame - 1},
		{Issuer: "issuer", Subject: "player", Note: strings.Repeat("n", maxNote+1)},
	} {
		if n, err := d.gate.Ban(b); n != 0 || !errors.Is(err, session.ErrBan) {
			t.Errorf("%+v: %d, %v", b, n, err)
		}
	}
	d.exchangesData()
	if _, err := NewGate(session.Config{MaxBans: -1}); err == nil {
		t.Error("MaxBans below 0")
	}
}

// Bans go with the sessions, with their ends and reasons, through any number of restarts. What the
// ban ended is not handed on.
func TestBanOutlivesRestarts(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	other := d.freshToken("another player")
	d.claims["another player"].Subject = "another"
	other.join()
	other.exchangesData()
	b := banOf(begin.Add(time.Hour))
	b.Reason = 200
	d.mustBan(b, 1)
	forGood := session.Ban{Issuer: "issuer", Subject: "for good"}
	d.mustBan(forGood, 0)
	for range 3 {
		g, snap := other.savesAndRestores(d, other)
		if len(snap.Sessions) != 1 {
			t.Fatalf("%d sessions are handed on", len(snap.Sessions))
		}
		other, _ = other.restores(g, snap.Sessions[0])
		other.exchangesData()
		d.gate = g
		d.reconnects(g, home).showsTicket().refuses(audit.DropRevoked, 200)
		o := d.freshToken("player")
		o.present(o.clientTick(wire.KindHello)...).is(EventRefused, audit.DropRevoked, wire.KindClose).because(200)
	}
	d.waits(time.Hour)
	d.freshToken("player").join()
	d.mints("for good").Subject = "for good"
	d.connect(session.ClientConfig{}, "for good", channel).isRefused(audit.DropRevoked)
}

// A player who is banned between the snapshot and its restoration does not come back by it.
func TestBannedBeforeRestored(t *testing.T) {
	for name, end := range map[string]func(g *Gate, s *Session){
		"Ban": func(g *Gate, _ *Session) { _, _ = g.Ban(banOf(time.Time{})) },
		"session ended": func(g *Gate, s *Session) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.refuseTickets(s.name, s.Expires(), audit.DropRevoked)
		},
	} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		g, snap := d.savesAndRestores(d)
		end(g, d.server.Session())
		if _, drop := d.restores(g, snap.Sessions[0]); drop != audit.DropRevoked || g.Len() != 0 {
			t.Errorf("%s: %v, %d sessions", name, drop, g.Len())
		}
	}
}

// The table's bounds, at the moment itself and on either side of it.
func TestBanBounds(t *testing.T) {
	bs, key := expiring[ban]{most: 1}, [32]byte{1}
	for _, forGood := range []bool{false, true} {
		until := begin.UnixNano()
		if forGood {
			until = never
		}
		bs.restore(key, ban{until: until, reason: wire.ReasonKicked})
		for _, at := range []int64{-1, 0, 1} {
			if b, banned := bs.lookup(key, begin.UnixNano()+at); banned != (forGood || at < 0) || banned && b.reason != wire.ReasonKicked {
				t.Errorf("for good %v, %+d ns: %v, %v", forGood, at, b.reason, banned)
			}
		}
	}
	if _, banned := bs.lookup(key, begin.Add(token.LongestLife*1000).UnixNano()); !banned {
		t.Error("a ban without an end is over")
	}
}
