package machine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// joinsOnAnotherDevice connects the same player from another device.
func (d *dialogue) joinsOnAnotherDevice(identity string) *dialogue {
	d.Helper()
	d.mints(identity)
	o := d.connect(session.ClientConfig{}, identity, channel)
	o.getsConnectionID()
	return o
}

// asksToJoin delivers HELLO and returns the server's answer.
func (d *dialogue) asksToJoin() heard {
	d.Helper()
	return d.present(d.clientTick(wire.KindHello)...)
}

// play has all players send and the server tick, four times a second.
func play4(t time.Duration, all ...*dialogue) {
	for range t / (time.Second / 4) {
		for _, d := range all {
			d.waits(time.Second / 4)
			d.toServer(d.clientSends(wire.KindData, "on")).delivers("on")
			d.tickServer()
		}
	}
}

// "at most 2 sessions of one player (issuer and subject) are live at once" and "if no session is
// that silent, the server MUST refuse the newcomer with reason 11" PROTOCOL.md 5.6
func TestMaxPerSubject(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	second := d.joinsOnAnotherDevice("second")
	second.join()
	play4(3*time.Second, d, second)
	third := d.joinsOnAnotherDevice("third")
	third.asksToJoin().refuses(audit.DropFull, wire.ReasonFull)
	d.exchangesData()
	second.exchangesData()
	d.mints("of somebody else").Subject = "somebody else"
	o := d.connect(session.ClientConfig{}, "of somebody else", channel)
	o.join()
	d.mints("of another issuer").Issuer = "another issuer"
	o = d.connect(session.ClientConfig{}, "of another issuer", channel)
	o.join()
	if n := d.gate.Len(); n != 4 {
		t.Errorf("%d sessions", n)
	}
	again := d.reconnects(d.gate, home) // "A session that goes on by its ticket is no new one"
	again.takesWelcome(again.showsTicket().says(wire.KindWelcome))
	again.sendsFirstDatagram()
	second.exchangesData()
	again.toServer(again.clientSends(wire.KindClose, closeBody))
	third = d.joinsOnAnotherDevice("and another")
	third.now = again.now
	third.join()
}

// "the one MUST give way from which nothing has come for longest, if for 2 s or more" and "its
// tickets MUST be refused" PROTOCOL.md 5.6
func TestSilentSessionGivesWay(t *testing.T) {
	for name, c := range map[string]struct {
		silence time.Duration
		yields  bool
	}{"a moment short": {silentTime - 1, false}, "just": {silentTime, true}, "long": {20 * time.Second, true}} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			second := d.joinsOnAnotherDevice("second")
			second.join()
			play4(time.Second, d, second)
			for left := c.silence; left > 0; left -= time.Second {
				d.waits(min(left, time.Second))
				second.waits(min(left, time.Second))
				second.exchangesData()
				second.tickServer()
				d.tickServer()
			}
			third := d.joinsOnAnotherDevice("third")
			h := third.asksToJoin()
			if !c.yields {
				h.refuses(audit.DropFull, wire.ReasonFull)
				d.exchangesData()
				return
			}
			if h.joins(); h.Replaced != d.server.Session() || h.ConnectionID != d.server.connectionID {
				t.Errorf("%v gives way, by connection id %d", h.Replaced, h.ConnectionID)
			}
			if n := d.gate.Len(); n != 2 {
				t.Errorf("%d sessions", n)
			}
			d.toServer(d.clientSends(wire.KindData, "late")).ends(audit.DropRevoked, wire.ReasonReplaced)
			d.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
			second.exchangesData()
		})
	}
}

// A server that has hung does not know who was silent, and takes nobody's session for it.
func TestSilenceOfTheServer(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	second := d.joinsOnAnotherDevice("second")
	second.join()
	play4(time.Second, d, second)
	d.waits(time.Minute / 3) // nobody has ticked
	third := d.joinsOnAnotherDevice("third")
	third.asksToJoin().refuses(audit.DropFull, wire.ReasonFull)
}

// "If the server is configured so, the oldest session gives way instead, unless it is younger than
// 10 s" PROTOCOL.md 5.6
func TestReplace(t *testing.T) {
	d := playWithTicket(t, session.Config{MaxPerSubject: 1, Replace: true}, session.ClientConfig{})
	play4(minAge-time.Second, d)
	d.joinsOnAnotherDevice("too soon").asksToJoin().refuses(audit.DropFull, wire.ReasonFull)
	play4(time.Second, d)
	o := d.joinsOnAnotherDevice("in time")
	if h := o.asksToJoin().joins(); h.Replaced != d.server.Session() {
		t.Errorf("%v gives way", h.Replaced)
	}
	back := o.joinsOnAnotherDevice("back at once")
	back.asksToJoin().refuses(audit.DropFull, wire.ReasonFull)
	d.toServer(d.clientSends(wire.KindData, "late")).ends(audit.DropRevoked, wire.ReasonReplaced)
}

// "MUST NOT give way to one that none binds" PROTOCOL.md 5.6
func TestBoundSessionStays(t *testing.T) {
	certified := Channel{Exporter: channel.Exporter, HasCertificate: true, Thumbprint: [32]byte{7}}
	d := connectOnly(t, session.Config{MaxPerSubject: 1, Replace: true, FleetKeys: fleet(t)}, session.ClientConfig{})
	bind := func(identity string) *dialogue {
		c := d.mints(identity)
		c.HasThumbprint, c.Thumbprint = true, certified.Thumbprint
		o := d.connect(session.ClientConfig{}, identity, certified)
		o.getsConnectionID()
		return o
	}
	owner := bind("owner")
	owner.join()
	owner.exchangesData()
	for range 20 { // silent, and old enough
		owner.waits(time.Second)
		owner.tickServer()
	}
	d.now = owner.now
	d.joinsOnAnotherDevice("thief").asksToJoin().refuses(audit.DropFull, wire.ReasonFull)
	if h := bind("owner again").asksToJoin().joins(); h.Replaced != owner.server.Session() {
		t.Errorf("%v gives way", h.Replaced)
	}
}

// A session that comes from elsewhere by its ticket takes a seat of its player's like a new one:
// sessions that have been left alone do not add up.
func TestResumeFromElsewhereTakesASeat(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	g := d.anotherServer(session.Config{MaxPerSubject: 1})
	first := d.reconnects(g, home)
	first.takesWelcome(first.showsTicket().resumes())
	first.sendsFirstDatagram()
	o := d.joinsOnAnotherDevice("second")
	o.join()
	o.exchangesData()
	late := o.reconnects(g, home)
	late.showsTicket().refuses(audit.DropFull, wire.ReasonFull)
	first.exchangesData()
}

// "what they send together in a second beyond the rate that WELCOME states, times the number of
// sessions that it may have, MUST be dropped" and "comes to eleven seconds' worth" PROTOCOL.md 5.6
func TestAccountBehaviour(t *testing.T) {
	config := session.Config{Behaviour: policy.BehaviourConfig{Revoke: 1 << 24, DatagramBurst: 1e9}}
	d := playWithTicket(t, config, session.ClientConfig{})
	second := d.joinsOnAnotherDevice("second")
	second.join()
	revoked := time.Duration(0)
	for tick := time.Duration(0); tick < 30*time.Second && revoked == 0; tick += time.Second / 4 {
		passed := 0
		for _, o := range []*dialogue{d, second} {
			for range 96 { // 384 a second
				h := o.toServer(o.clientSends(wire.KindData, "fire"))
				switch {
				case h.Event.Kind == EventData:
					passed++
				case h.Event.Kind == EventClosed && h.Reason == wire.ReasonRate:
					revoked = tick
				}
				if revoked > 0 {
					break
				}
			}
			o.waits(time.Second / 4)
		}
		if passed > 512 {
			t.Fatalf("%d passed in a quarter of a second", passed)
		}
	}
	if due := 11 * 512 * time.Second / (2*384 - 512); revoked < due-time.Second || revoked > due+2*time.Second {
		t.Errorf("revoked after %v", revoked)
	}
	if a := second.server.session.shared.Load(); a != nil && d.gate.Len() == 1 {
		t.Error("the only session has an account")
	}
}

// Two sessions that keep to their rate are never revoked for it, whatever the path does to them.
func TestAccountBlamesTheBusySession(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 5))
		g := newGate(t, session.Config{})
		a := g.newAccount()
		rate := 1 + r.IntN(2*g.config.Behaviour.Datagrams)
		now, held, until := begin, 0, time.Time{}
		slow := r.IntN(20) // up to 10: what is held back drains with so much room beside what comes, in tenths
		for range 90 * rate / 10 {
			now = now.Add(10 * time.Second / time.Duration(rate))
			held += 10
			if until.Before(now) && held <= 10 && r.IntN(200) == 0 { // what was held back before has come
				until = now.Add(time.Duration(r.Int64N(int64(10 * time.Second))))
			}
			burst := 10 + slow
			if slow > 10 {
				burst = r.IntN(400)
			}
			for now.After(until) && held > 0 && burst >= 0 {
				held--
				burst--
				if a.observe(now, 1) == policy.VerdictRevoke {
					t.Fatalf("seed %d: revoked at %d a second", seed, rate)
				}
			}
		}
	}
}

// Sessions come and go in any order: each player's are linked, and share an account only where
// there are several.
func TestAccountLinks(t *testing.T) {
	g := newGate(t, session.Config{MaxPerSubject: 5})
	r := rand.New(rand.NewPCG(1, 2))
	live, steps := map[*Session]bool{}, 20_000
	if testing.Short() {
		steps = 4000
	}
	for i := range steps {
		if r.IntN(2) == 0 || len(live) == 0 {
			c := minted(r.IntN(8), i, begin.Add(tokenLife))
			s := new(Session)
			s.init(g, c, identityOf(c), phone)
			if _, cause := g.admit(begin, c, s); cause == CauseNone {
				live[s] = true
			}
		} else {
			for s := range live {
				g.forget(s, audit.DropNone, false)
				delete(live, s)
				break
			}
		}
		players := map[string][]*Session{}
		for s := range live {
			players[s.subject] = append(players[s.subject], s)
		}
		for subject, list := range players {
			linked := 0
			g.mu.Lock()
			g.eachSibling(list[0], func(s *Session) {
				linked++
				if s.subject != subject || !live[s] || (s.shared.Load() != nil) != (len(list) > 1) || s.shared.Load() != list[0].shared.Load() {
					t.Fatalf("step %d: %v is linked to %v", i, s.subject, fmt.Sprint(subject))
				}
			})
			g.mu.Unlock()
			if linked != len(list) || linked > 5 {
				t.Fatalf("step %d: %d of %d sessions are linked", i, linked, len(list))
			}
		}
		if len(g.players) != len(players) {
			t.Fatalf("step %d: %d players are known, %d play", i, len(g.players), len(players))
		}
	}
}

// A datagram of a player with several sessions costs no allocation either.
func TestNoAllocsAccount(t *testing.T) {
	a := newGate(t, session.Config{}).newAccount()
	if n := testing.AllocsPerRun(100, func() { a.observe(begin, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// An account's first second is that of its first datagram, whatever the day: seconds are counted modulo 2^24, of which each
// half lasts 97 days.
func TestAccountOfAnyDay(t *testing.T) {
	for _, first := range []int64{
		0, 1, 1<<23 - 1, 1 << 23, 1<<23 + 1, 1<<24 - 15, 1 << 24, // of the first turn
		107<<24 + 1<<23, 108<<24 - 15, 108 << 24,
	} {
		a := newGate(t, session.Config{}).newAccount()
		for second := first; second < first+30; second++ {
			for range a.limit {
				if v := a.observe(time.Unix(second, 0), 1); v != policy.VerdictAllow {
					t.Fatalf("from second %d, in second %d: %v, within the limit", first, second-first, v)
				}
			}
		}
		if v := a.observe(time.Unix(first+29, 0), 1); v != policy.VerdictLimit {
			t.Errorf("from second %d: %v above the limit, want %v", first, v, policy.VerdictLimit)
		}
	}
}

// A session that sends again is not silent, even before the server's next Tick.
func TestSilentSessionRecovers(t *testing.T) {
	d := playWithTicket(t, session.Config{MaxPerSubject: 1}, session.ClientConfig{})
	for range 4 {
		d.waits(time.Second)
		d.tickServer()
	}
	d.exchangesData()
	d.joinsOnAnotherDevice("too late").asksToJoin().refuses(audit.DropFull, wire.ReasonFull)
	d.exchangesData()
}

// A terminated session takes no seat, even before its client is told.
func TestTerminatedTakesNoSeat(t *testing.T) {
	d := playWithTicket(t, session.Config{MaxPerSubject: 1}, session.ClientConfig{})
	d.server.Session().Revoke()
	d.joinsOnAnotherDevice("another token").asksToJoin().joins()
	d.toServer(d.clientSends(wire.KindData, "late")).ends(audit.DropRevoked, wire.ReasonRevoked)
}

// "two clients of one player must not put each other out without end" PROTOCOL.md 5.6. Each begins
// anew, with a fresh token, as soon as it is put out, and then each second.
func TestNoEndlessReplacing(t *testing.T) {
	for name, test := range map[string]struct {
		most    int
		replace bool
		silent  bool // between PINGs, 5 s apart
	}{
		"of one place, both play":             {1, true, false},
		"of two places, three play":           {2, true, false},
		"of one place, both are mostly quiet": {1, false, true},
	} {
		d := connectOnly(t, session.Config{MaxPerSubject: test.most, Replace: test.replace, Idle: time.Hour}, session.ClientConfig{})
		clients := make([]*dialogue, test.most+1)
		replaced := 0
		for second := range 3600 {
			d.waits(time.Second)
			for i, o := range clients {
				if o != nil && !o.server.Session().Revoked() {
					if o.now = d.now; !test.silent || second%5 == 0 {
						o.exchangesData()
					}
					o.tickServer()
					continue
				}
				identity := fmt.Sprint(i, " at ", second)
				d.mints(identity).Expires = d.now.Add(2 * time.Hour)
				o = d.connect(session.ClientConfig{}, identity, channel)
				o.getsConnectionID()
				h := o.asksToJoin()
				if h.Event.Kind != EventJoined {
					h.refuses(audit.DropFull, wire.ReasonFull)
					continue
				}
				o.toClient(h.envelope).joins()
				o.exchangesData()
				if clients[i] = o; h.Replaced != nil {
					replaced++
				}
			}
		}
		// After 10, 20, ... 640 s, which are 21 min, and then every 640 s.
		if most := 12 * test.most; replaced < 5 || replaced > most {
			t.Errorf("%s: %d are put out in an hour, %d may be", name, replaced, most)
		}
	}
}

// "what somebody else does with an account does not stop its player" PROTOCOL.md 5.6
func TestAccountCalm(t *testing.T) {
	d := playWithTicket(t, session.Config{Behaviour: policy.BehaviourConfig{Datagrams: 500, DatagramBurst: 500, Limit: 600, Revoke: 5000}}, session.ClientConfig{})
	bot := d.joinsOnAnotherDevice("bot")
	bot.join()
	out := false
	for i := range 20 * 1500 {
		d.waits(time.Second / 1500)
		if bot.now = d.now; !out {
			h := bot.toServer(bot.clientSends(wire.KindData, "fire"))
			out = h.Event.Kind == EventClosed && h.Reason == wire.ReasonRate
		}
		if i%25 == 0 {
			d.toServer(d.clientSends(wire.KindData, "step")).delivers("step")
		}
	}
	if !out {
		t.Error("the bot plays on")
	}
}
