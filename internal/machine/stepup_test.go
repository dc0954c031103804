package machine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// staysQuiet ticks the server while the client sends nothing; it returns the time that the last
// NOTICE states.
func (d *dialogue) staysQuiet(seconds int) (left time.Duration) {
	d.Helper()
	for range seconds {
		d.waits(time.Second)
		left = within(d.tickServer().says(wire.KindNotice))
	}
	return left
}

// lapses expects the end of a connection at which the step up lapses, to the nanosecond; the
// session is not revoked.
func (d *dialogue) lapses(left time.Duration) {
	d.Helper()
	d.playsFor(left - 1)
	d.waits(1)
	d.toServer(d.clientSends(wire.KindData, "late")).ends(audit.DropFingerprint, wire.ReasonFingerprint)
	if d.server.Session().Revoked() {
		d.Error("revoked")
	}
}

// "The server MUST pause the time during the client's first silence of at least 2 s" PROTOCOL.md
// 4.9
func TestStepUpFirstSilence(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	d.playsFor(time.Second / 2)
	if left := d.staysQuiet(20); left != defaultStepUpTime-time.Second/2 {
		t.Errorf("%v left in the silence", left)
	}
	d.toServer(d.clientSends(wire.KindData, "back")).delivers("back")
	d.lapses(defaultStepUpTime - time.Second/2)

	d = play(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	d.staysQuiet(5)
	d.toServer(d.clientSends(wire.KindData, "back")).delivers("back")
	if left := d.staysQuiet(9); left != time.Second {
		t.Errorf("%v left: another silence must count", left)
	}
	d.waits(time.Second)
	d.tickServer().ends(audit.DropFingerprint, wire.ReasonFingerprint)
}

// "while the server repeats no NOTICE because it hangs" PROTOCOL.md 4.9
func TestStepUpServerHangs(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	d.playsFor(2 * time.Second)
	d.waits(20 * time.Second) // all that the player has said meanwhile waits in the socket
	for range 100 {
		d.toServer(d.clientSends(wire.KindData, "on")).delivers("on")
	}
	if left := within(d.tickServer().says(wire.KindNotice)); left < defaultStepUpTime-2*time.Second-hangTime {
		t.Errorf("%v left after the server has hung", left)
	}
}

// "The pause ends when the idle time is over; then the step up has lapsed." PROTOCOL.md 4.9. "At
// home silence is no lapse": a player who has come home could not be asked, and may come back from
// anywhere to be asked then.
func TestStepUpSilent(t *testing.T) {
	for _, back := range []bool{false, true} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.changesNetwork()
		if back {
			d.server.SetPath(d.now, home)
		}
		if left := d.staysQuiet(int(session.DefaultIdle/time.Second) - 1); left != defaultStepUpTime {
			t.Errorf("%v left: the time does not stand still", left)
		}
		d.waits(time.Second)
		if back {
			d.tickServer().ends(audit.DropIdle, wire.ReasonIdle)
			r := d.reconnects(d.gate, far)
			r.takesWelcome(r.showsTicket().resumes())
			r.sendsFirstDatagram()
			if left := within(r.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice)); left != defaultStepUpTime {
				t.Errorf("%v left", left)
			}
			r = d.reconnects(d.gate, home)
			r.takesWelcome(r.showsTicket().says(wire.KindWelcome))
			r.sendsFirstDatagram()
			continue
		}
		d.tickServer().ends(audit.DropFingerprint, wire.ReasonFingerprint)
		d.reconnects(d.gate, far).showsTicket().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
		r := d.reconnects(d.gate, home)
		r.takesWelcome(r.showsTicket().resumes())
		r.sendsFirstDatagram()
	}
}

// "while a token that the client has shown in time waits for the server or for its issuer, for 30 s
// in all" PROTOCOL.md 4.9
func TestStepUpWhileATokenWaits(t *testing.T) {
	for name, verdict := range map[string]error{"pending": nil, "busy": session.ErrBusy, "unavailable": token.ErrUnavailable} {
		t.Run(name, func(t *testing.T) {
			d := play(t, session.Config{}, session.ClientConfig{})
			d.changesNetwork()
			d.playsFor(time.Second)
			d.mints("fresh")
			parts := d.renew("fresh")
			again := func() {
				for _, p := range parts {
					if h := d.toServer(edit(p, func(*wire.Envelope) {})); h.Event.Kind == EventVerify && verdict != nil {
						d.verifiedAs(nil, verdict)
					}
				}
				parts = d.clientTick(wire.KindRenew)
			}
			again()
			for end := d.now.Add(maxTokenWait); d.now.Before(end); {
				d.playsFor(time.Second)
				again()
			}
			if left := d.server.doubt.step.left; left != defaultStepUpTime-time.Second {
				t.Errorf("%v left after %v of our own time", left, maxTokenWait)
			}
			d.lapses(defaultStepUpTime - time.Second)
		})
	}
}

// A verdict that comes late is a verdict all the same.
func TestStepUpVerdictComesLate(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	d.playsFor(9 * time.Second)
	d.mints("fresh")
	var h heard
	for _, p := range d.renew("fresh") {
		h = d.toServer(p)
	}
	d.playsFor(20 * time.Second)
	d.verifiesToken(h).renews()
	d.playsFor(time.Minute)
}

// "only a token whose form, issuer, subject, scope and times fit" stops the time: what is refused
// for itself does not, and no token stops it for longer than it waits. PROTOCOL.md 4.9
func TestStepUpTokenThatDoesNotFit(t *testing.T) {
	claims := func(change func(*token.Claims)) func(*dialogue) *token.Claims {
		return func(d *dialogue) *token.Claims {
			c := d.mints("fresh")
			change(c)
			return c
		}
	}
	for name, c := range map[string]struct {
		claims func(d *dialogue) *token.Claims // nil for a token of no form
		fits   bool
	}{
		"form":    {nil, false},
		"nothing": {func(*dialogue) *token.Claims { return nil }, false},
		"fits":    {claims(func(*token.Claims) {}), true},
		"issuer":  {claims(func(c *token.Claims) { c.Issuer = "another" }), false},
		"subject": {claims(func(c *token.Claims) { c.Subject = "another" }), false},
		"scope":   {claims(func(c *token.Claims) { c.Scope = "another" }), false},
		"token":   {claims(func(c *token.Claims) { c.ID = "id of identity" }), false},
	} {
		t.Run(name, func(t *testing.T) {
			var d *dialogue
			d = playWithTicket(t, session.Config{Unverified: func(time.Time, []byte) (*token.Claims, error) {
				if c.claims == nil {
					return nil, token.ErrMalformed
				}
				return c.claims(d), nil
			}}, session.ClientConfig{})
			d.changesNetwork()
			var h heard
			for _, p := range d.renew("shown") {
				h = d.toServer(p)
			}
			h.verifies()
			if d.playsFor(4 * time.Second); d.server.doubt.step.left == defaultStepUpTime != c.fits {
				t.Errorf("%v left", d.server.doubt.step.left)
			}
			d.verifiedAs(nil, token.ErrSignature)
			left := d.server.doubt.step.left
			if d.playsFor(time.Second); d.server.doubt.step.left != left-time.Second {
				t.Errorf("%v left a second after %v: the verdict was given", d.server.doubt.step.left, left)
			}
		})
	}
}

// "while the client is at home, in the network that the session is bound to, once it has answered a
// challenge from there. If the client leaves again, the server MUST continue the time where it
// stood." PROTOCOL.md 4.9
func TestStepUpAtHome(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	d.playsFor(8 * time.Second)
	for range 3 {
		d.server.SetPath(d.now, near)
		d.playsFor(homeTime - 1)
		if !d.server.owes() {
			t.Fatal("nothing is owed any more")
		}
		d.server.SetPath(d.now, far)
		d.playsFor(time.Second / 2)
	}
	d.lapses(time.Second / 2)
}

// "A fresh token, or 60 s at home without another absence, MUST settle the step up." PROTOCOL.md
// 4.9
func TestStepUpSettled(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	d.playsFor(9 * time.Second)
	d.server.SetPath(d.now, home)
	d.playsFor(homeTime - 1)
	if !d.server.owes() {
		t.Error("settled too early")
	}
	if d.playsFor(1); d.server.owes() || d.server.Stats().Doubt != EventNone {
		t.Error("not settled")
	}
	if left := within(d.changesNetwork().is(EventStepUp, audit.DropNone, wire.KindNotice)); left != defaultStepUpTime {
		t.Errorf("%v left for another step up", left)
	}
}

// "A step up that has lapsed MUST end the connection with reason 9 and MUST leave the session's
// tickets good from the network that they are bound to, and from no other" PROTOCOL.md 4.9
func TestStepUpLapsed(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	thief, other := d.reconnects(d.gate, far), d.reconnects(d.gate, far) // with all that the player has
	d.changesNetwork()
	d.lapses(defaultStepUpTime)
	thief.showsTicket().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
	for range 2 { // with the ticket of the first WELCOME, then with that of the second
		r := d.reconnects(d.gate, home)
		if m := r.takesWelcome(r.showsTicket()); m.Ticket == nil {
			t.Fatal("no ticket at home")
		}
		r.sendsFirstDatagram()
		r.playsFor(2 * homeTime)
		if r.server.Follows(far) || !r.server.Follows(near) {
			t.Error("the session may move away, or not at home")
		}
		r.reconnects(d.gate, far).showsTicket().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
		r.exchangesData()
		d = r
	}
	d.renewsWith("fresh") // its player has shown who it is
	d.exchangesData()
	if !d.server.Follows(far) {
		t.Error("the session may not move after a fresh token")
	}
	r := d.reconnects(d.gate, far)
	r.takesWelcome(r.showsTicket().says(wire.KindWelcome))
	r.sendsFirstDatagram()
	r.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice)
	other.now = d.now
	other.showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
}

// "The server MUST remember that until the last of these tickets has expired, and a snapshot
// carries it." PROTOCOL.md 4.9
func TestStepUpLapsedIsRemembered(t *testing.T) {
	for name, restart := range map[string]bool{"here": false, "in a snapshot": true} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			expires := d.server.Session().Expires()
			d.changesNetwork()
			d.lapses(defaultStepUpTime)
			g := d.gate
			if restart {
				g, _ = d.savesAndRestores()
			}
			d.waits(expires.Sub(d.now) - time.Second)
			d.reconnects(g, far).showsTicket().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
			r := d.reconnects(g, home)
			r.takesWelcome(r.showsTicket().resumes())
		})
	}
}

// A session that goes on at home after a lapse does so after a restart, too.
func TestConfinedAfterRestart(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.changesNetwork()
	d.lapses(defaultStepUpTime)
	r := d.reconnects(d.gate, home)
	r.takesWelcome(r.showsTicket().resumes())
	r.sendsFirstDatagram()
	r = r.restarts()
	r.exchangesData()
	if r.server.Follows(far) {
		t.Error("the session may move")
	}
}

// An attacker with the ticket and secret of a client, on another network, loses the session to its
// player, who comes from home: it is their ticket as well.
func TestPlayerWinsSessionBack(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	thief := d.reconnects(d.gate, far)
	thief.takesWelcome(thief.showsTicket())
	thief.sendsFirstDatagram()
	thief.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice)
	d.staysSilent()
	thief.playsFor(3 * time.Second)
	d.now = thief.now
	d = d.reconnects(d.gate, home)
	if m := d.takesWelcome(d.showsTicket().says(wire.KindWelcome)); m.Ticket == nil {
		t.Error("no ticket at home")
	}
	d.sendsFirstDatagram()
	thief.staysSilent()
	d.playsFor(2 * time.Minute)
	thief = thief.reconnects(d.gate, far)
	thief.showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
	d.exchangesData()
}

// "The token MUST NOT be the one that the session stands on, nor one issued before it" PROTOCOL.md
// 4.9. On another server of the fleet nobody knows which tokens have been used.
func TestStepUpTokenOfTheTicket(t *testing.T) {
	at := func(c *token.Claims, issued time.Time) { c.IssuedAt = issued }
	for name, c := range map[string]struct {
		issued time.Duration // after the token that opened the session
		same   bool
		drop   audit.Drop
	}{
		"the very token": {0, true, audit.DropUsed},
		"older":          {-time.Second, false, audit.DropUsed},
		"as old":         {0, false, audit.DropNone},
		"newer":          {time.Second, false, audit.DropNone},
	} {
		t.Run(name, func(t *testing.T) {
			d := connectOnly(t, session.Config{FleetKeys: fleet(t)}, session.ClientConfig{})
			at(d.claims["identity"], begin)
			d.getsConnectionID()
			d.join()
			d.exchangesData()
			r := d.reconnects(d.anotherServer(session.Config{}), far)
			r.takesWelcome(r.showsTicket())
			r.sendsFirstDatagram()
			r.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice)
			identity := "identity"
			if !c.same {
				identity = "other"
				at(d.mints(identity), begin.Add(c.issued))
			}
			if h := r.present(r.renew(identity)...); h.Drop != c.drop {
				t.Errorf("drop %v, want %v", h.Drop, c.drop)
			}
			if r.server.owes() != (c.drop != audit.DropNone) {
				t.Errorf("owes: %v", r.server.owes())
			}
		})
	}
}

// A slow twin of the clock of a step up: it looks at each millisecond, and asks whether the player
// could have answered.
func TestStepUpTwin(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		now := begin
		s := newStepUp(now, defaultStepUpTime)
		left, patience, atHome, waits := defaultStepUpTime, maxTokenWait, false, false
		for step := 0; left > 0 && step < 5000; step++ {
			switch r.IntN(40) {
			case 0:
				if atHome = !atHome; atHome {
					s.enterHome(now)
				} else {
					s.leaveHome(now)
				}
			case 1:
				waits = !waits
				s.wait(now, waits)
			}
			gap := time.Duration(1+r.IntN(50)) * time.Millisecond
			for range gap / time.Millisecond {
				switch {
				case atHome:
				case waits && patience > 0:
					patience -= time.Millisecond
				default:
					left -= time.Millisecond
				}
			}
			now = now.Add(gap)
			s.ticked = now
			if s.advance(now); s.left != left {
				t.Fatalf("seed %d, step %d: %v left, and the twin says %v", seed, step, s.left, left)
			}
		}
	}
}
