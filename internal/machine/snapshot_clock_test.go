package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "If the wall clock has stepped before, what is left of a session and of what is remembered MUST NOT
// become less in the successor." docs/fleet.md 8.4: while the clock is wrong, and when it is right again.
func TestRestartAfterStep(t *testing.T) {
	for _, step := range wallSteps {
		t.Run(step.String(), func(t *testing.T) {
			d := playWithTicket(t, session.Config{Idle: time.Hour, MaxPerSubject: -1}, session.ClientConfig{})
			kicked := d.joinsOnAnotherDevice("kicked")
			kicked.join()
			kicked.exchangesData()
			kicked.server.Close(wire.ReasonKicked)
			if _, err := d.gate.Ban(session.Ban{Issuer: "issuer", Subject: "banned", Until: begin.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			d.mints("banned").Subject = "banned"
			d.waits(time.Minute)
			kicked.now = d.now
			d.gate.StepClock(d.now, step)
			d.gate.Sweep(d.now)

			r := d.restarts()
			ends := begin.Add(step + tokenLife)
			if got := time.Unix(0, r.server.session.ends.Load()); !got.Equal(ends) || r.server.session.Expires() != d.server.session.Expires() {
				t.Errorf("the session ends at %v, want %v; its token expires at %v", got, ends, r.server.session.Expires())
			}
			r.exchangesData()
			r = r.resumesHere()
			refused := func(when string) {
				t.Helper()
				kicked.now = r.now
				if h := kicked.reconnects(r.gate, home).showsTicket(); h.Cause != CauseTicketEnded {
					t.Errorf("%s: cause %v for who was kicked", when, h.Cause)
				}
				for name, want := range map[string]Cause{"identity": CauseUsed, "banned": CauseBanned} {
					if _, _, cause := r.gate.mayAdmitLocked(r.gate.kept(r.now), r.claims[name], new(Session)); cause != want {
						t.Errorf("%s: cause %v for %q, want %v", when, cause, name, want)
					}
				}
			}
			refused("with a wrong clock")
			r.gate.StepClock(r.now, -step)
			r.gate.Sweep(r.now)
			refused("when it is right again")
			r.exchangesData()
		})
	}
}

// A server of which the wall clock was behind is a day longer by memory's clock, its successors included,
// and a ban is then over when the wall clock says so.
func TestMemoryFollowsAfterRestart(t *testing.T) {
	const step, rest = time.Hour, holdStep / 2
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.gate.StepClock(d.now, step)
	d.now = d.now.Add(holdStep - rest)
	g, _ := d.savesAndRestores()
	now := d.gate.wall(d.now)
	for _, c := range []struct{ after, behind time.Duration }{{0, step}, {rest - 1, step}, {rest, 0}} {
		g.StepClock(now.Add(c.after), 0)
		if got := time.Duration(g.steps.behind()); got != c.behind {
			t.Errorf("%v after the restart memory's clock is %v behind, want %v", c.after, got, c.behind)
		}
	}
}

// "A successor whose wall clock is earlier than made takes the difference off both: the clock has been
// set back by as much or more." docs/fleet.md 8.4
func TestClockSetBackBeforeRestart(t *testing.T) {
	const step = time.Hour
	for back, behind := range map[time.Duration]time.Duration{0: step, time.Minute: step - time.Minute, step - time.Millisecond: time.Millisecond, step: 0, 2 * step: 0} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.gate.StepClock(d.now, step)
		if g, _ := d.readsAt(d.gate.wall(d.now).Add(-back), d.saves()); time.Duration(g.steps.behind()) != behind {
			t.Errorf("set back by %v: memory's clock is %v behind, want %v", back, time.Duration(g.steps.behind()), behind)
		}
	}
}

// "A ban is over by memory's clock, but earlier by what that was behind when the ban was given, as far as it still
// is: no step makes a ban longer." docs/fleet.md 8.4: nor shorter, by the wall clock.
func TestBanAfterStepAndRestart(t *testing.T) {
	const step = 2 * time.Hour
	for _, life := range []time.Duration{10 * time.Minute, 2 * holdStep} {
		for _, back := range []time.Duration{0, time.Hour, 2 * step} {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			d.gate.StepClock(d.now, step)
			until := d.gate.wall(d.now).Add(life)
			if _, err := d.gate.Ban(session.Ban{Issuer: "issuer", Subject: "banned", Until: until}); err != nil {
				t.Fatal(err)
			}
			now := d.gate.wall(d.now).Add(-back)
			g, _ := d.readsAt(now, d.saves())
			for _, at := range []time.Time{now, now.Add(holdStep), until.Add(-1), until} {
				if at.After(until) {
					continue
				}
				g.StepClock(at, 0)
				g.Sweep(at)
				if _, is := g.banReason("issuer", "banned"); is != at.Before(until) {
					t.Errorf("of %v, clock set back by %v: %v before its end it is in force: %v", life, back, until.Sub(at), is)
				}
			}
		}
	}
}

// A session that outlives its token, as the wall clock has stepped and memory's clock has followed, is not
// restored if it is put out before.
func TestPutOutBeforeRestoredAfterStep(t *testing.T) {
	d := connectOnly(t, session.Config{Idle: year, FleetKeys: fleet(t)}, session.ClientConfig{})
	d.claims["identity"].Expires = begin.Add(holdStep + time.Hour)
	d.join()
	d.exchangesData()
	d.gate.StepClock(d.now, 2*time.Hour)
	d.waits(holdStep)
	d.gate.StepClock(d.now, 2*time.Hour)
	d.exchangesData()
	g, snap := d.savesAndRestores(d)
	g.Await(snap.Sessions)
	if !g.RevokeSession(snap.Sessions[0].ID) {
		t.Fatal("it is not known")
	}
	if _, drop := d.restores(g, snap.Sessions[0]); drop != audit.DropRevoked {
		t.Errorf("drop %v, %d sessions", drop, g.Len())
	}
}
