package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

const year = 365 * 24 * time.Hour

// wallSteps are what a clock may be wrong by.
var wallSteps = []time.Duration{time.Second, time.Minute, time.Hour, 26 * time.Hour, 10 * year, -time.Second, -time.Minute, -time.Hour, -26 * time.Hour, -10 * year}

// A session's life is "what was left of it when it was admitted or renewed", to the instant, whatever the
// wall clock does meanwhile, and whether the session resumes or not.
func TestStepEndsNoSession(t *testing.T) {
	for _, step := range wallSteps {
		for _, back := range []bool{false, true} {
			for _, resumes := range []bool{false, true} {
				t.Run(fmt.Sprint(step, " back ", back, " resumes ", resumes), func(t *testing.T) {
					d := playWithTicket(t, session.Config{}, session.ClientConfig{})
					d.waits(time.Minute)
					d.gate.StepClock(d.now, step)
					d.gate.Sweep(d.now)
					if resumes && (step < 0 || step > tokenLife) {
						d = d.resumesHere()
					}
					d.exchangesData()
					d.waits(time.Minute)
					if back {
						d.gate.StepClock(d.now, 0)
						d.gate.Sweep(d.now)
					}
					d.now = begin.Add(tokenLife - 1)
					if drop := d.server.session.checkLife(d.now, 0); drop != audit.DropNone {
						t.Errorf("a nanosecond before its end: %v", drop)
					}
					if drop := d.server.session.checkLife(begin.Add(tokenLife), 0); drop != audit.DropExpired {
						t.Errorf("at its end: %v", drop)
					}
				})
			}
		}
	}
}

// An identity token that is good by the wall clock gives a session what is left of it by that clock.
func TestSessionAfterStep(t *testing.T) {
	for _, step := range wallSteps {
		g := newGate(t, session.Config{})
		g.StepClock(begin, step)
		s, drop := enter(g, g.kept(begin), &token.Claims{Subject: "s", ID: "id", Expires: g.wall(begin).Add(tokenLife)})
		if drop != audit.DropNone || s.checkLife(begin.Add(tokenLife-1), 0) != 0 || s.checkLife(begin.Add(tokenLife), 0) != audit.DropExpired {
			t.Errorf("%v: %v, ends %v after", step, drop, time.Unix(0, s.ends.Load()).Sub(begin))
		}
	}
}

// "a clock that is set ahead ends no session, and one that is set ahead and back within holdStep has
// nobody forgotten who must not come again": who is banned or revoked, used tokens, sessions put out.
func TestStepForgetsNobody(t *testing.T) {
	for _, step := range wallSteps {
		t.Run(step.String(), func(t *testing.T) {
			g := newGate(t, session.Config{FleetKeys: fleet(t)})
			g.Sweep(begin)
			claims := func(name string, life time.Duration) *token.Claims {
				return &token.Claims{Issuer: "issuer", Subject: name, ID: "id of " + name, IssuedAt: begin.Add(-time.Minute), Expires: begin.Add(life)}
			}
			long := 25 * time.Hour // good by the true clock whenever it is asked below
			put, _ := enter(g, begin, claims("put out", long))
			if !g.RevokeSession(put.ID()) {
				t.Fatal("not put out")
			}
			if _, err := g.Ban(session.Ban{Issuer: "issuer", Subject: "banned", Until: begin.Add(30 * time.Hour)}); err != nil {
				t.Fatal(err)
			}
			if _, err := g.Revoke(begin, session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "revoked", Time: begin}); err != nil {
				t.Fatal(err)
			}
			enter(g, begin, claims("used", long))
			elsewhere := claims("elsewhere", long)
			g.Use(begin, session.Used{Kind: session.UsedToken, ID: tokenID(elsewhere.Issuer, elsewhere.ID), Until: elsewhere.Expires})
			refused := func(when string, now time.Time) {
				t.Helper()
				for _, name := range []string{"banned", "revoked", "used", "put out", "elsewhere"} {
					if _, drop := enter(g, g.kept(now), claims(name, long)); drop == audit.DropNone {
						t.Errorf("%s: %q is in again", when, name)
					}
				}
				g.mu.Lock()
				if cause := g.ticketsRefused(g.kept(now), put.name); cause == CauseNone {
					t.Errorf("%s: the tickets of a session that was put out are taken", when)
				}
				g.mu.Unlock()
				if n := len(g.Bans(now, 10)); n != 1 {
					t.Errorf("%s: %d bans", when, n)
				}
			}
			now := begin
			pass := func(d time.Duration, ahead time.Duration) {
				for end := now.Add(d); now.Before(end); now = now.Add(time.Minute) {
					g.StepClock(now, ahead)
					g.Sweep(now)
				}
			}
			pass(time.Hour, 0)
			pass(time.Hour, step)
			refused("after an hour with a wrong clock", now)
			pass(21*time.Hour, step)
			refused("almost a day later", now)
			pass(time.Minute, 0)
			refused("when it is right again", now)
		})
	}
}

// "the oldest session gives way instead, unless it is younger than 10 s" and "A session that has
// taken another's place stays for 10 s" PROTOCOL.md 5.6: whatever the wall clock does.
func TestReplaceAfterStep(t *testing.T) {
	for _, step := range wallSteps {
		for at := range 3 {
			t.Run(fmt.Sprint(step, " at ", at), func(t *testing.T) {
				d := connectOnly(t, session.Config{MaxPerSubject: 1, Replace: true}, session.ClientConfig{})
				steps := func(n int) {
					if n == at {
						d.gate.StepClock(d.now, step)
					}
				}
				device := func(identity string) *dialogue {
					o := d.joinsOnAnotherDevice(identity)
					o.claims[identity].Expires = d.gate.wall(d.now).Add(tokenLife)
					return o
				}
				steps(0)
				first := device("first")
				first.join()
				steps(1)
				for n, former := 2, first; n <= 3; n++ {
					d.waits(minAge - time.Second)
					device(fmt.Sprint("too soon ", n)).asksToJoin().refuses(audit.DropFull, wire.ReasonFull)
					d.waits(time.Second)
					next := device(fmt.Sprint("in time ", n))
					if h := next.asksToJoin().joins(); h.Replaced != former.server.Session() {
						t.Errorf("%v gives way", h.Replaced)
					}
					former = next
					steps(n)
				}
			})
		}
	}
}

// Memory's clock follows a step forward after holdStep, a step back at once, and a step forward at once
// when the memory is three quarters full: no honest newcomer is refused for a wrong clock.
func TestMemoryFollowsTheClock(t *testing.T) {
	g := newGate(t, session.Config{MaxSessions: 1})
	ahead := func(now time.Time, wall, want time.Duration) {
		t.Helper()
		g.StepClock(now, wall)
		if got := g.kept(now).Sub(now); got != want {
			t.Errorf("memory's clock is %v ahead, want %v", got, want)
		}
	}
	ahead(begin, 0, 0)
	ahead(begin, time.Hour, 0)
	ahead(begin.Add(holdStep-1), time.Hour, 0)
	ahead(begin.Add(holdStep), time.Hour, time.Hour)
	ahead(begin.Add(holdStep), -time.Hour, -time.Hour)
	later := begin.Add(2 * holdStep)
	ahead(later, 0, -time.Hour)
	ahead(later.Add(holdStep/2), time.Minute, -time.Hour) // another step: a day from now on
	ahead(later.Add(holdStep), time.Minute, -time.Hour)
	room := g.memory.capacity(1)
	for n := range room {
		if g.memory.crowded(1, 0) != (g.memory.used(room, 0)*4 >= room*3) {
			t.Fatalf("%d of %d", n, room)
		}
		if g.memory.crowded(1, 0) {
			break
		}
		ahead(later.Add(holdStep), time.Minute, -time.Hour)
		g.memory.put(uint64(n), later.Add(tokenLife), remembered{why: audit.DropUsed})
	}
	ahead(later.Add(holdStep), time.Minute, time.Minute)
}

// A ban that is given after the wall clock was set ahead is over when the wall clock says so, though
// memory's clock does not follow for a day: nobody is kept out for longer than was decided. One that was
// given before the step is not over early for that, and neither is over before the wall clock says so.
func TestBanAfterStepIsOver(t *testing.T) {
	const step = 2 * time.Hour
	for name, back := range map[string]time.Duration{"stays ahead": 0, "goes back": -step, "goes further back": -2 * step, "goes ahead again": step} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, session.Config{})
			g.Sweep(begin)
			now, ahead := begin, time.Duration(0)
			bans := func(of string, life time.Duration) time.Time {
				t.Helper()
				until := g.wall(now).Add(life)
				if _, err := g.Ban(session.Ban{Issuer: "issuer", Subject: of, Until: until}); err != nil {
					t.Fatal(err)
				}
				return until
			}
			banned := func(of string) bool {
				g.StepClock(now, ahead)
				g.Sweep(now)
				_, is := g.banReason("issuer", of)
				return is
			}
			before := bans("before", time.Hour)
			ahead = step
			if !banned("before") {
				t.Error("over with the step")
			}
			now = now.Add(time.Minute)
			after := bans("after", 10*time.Minute)
			if n := len(g.Bans(now, 10)); n != 2 || !banned("after") || !g.Banned(session.Ban{Issuer: "issuer", Subject: "after", Until: after}) {
				t.Errorf("%d bans", n)
			}
			now = now.Add(10*time.Minute - 1)
			if !banned("after") {
				t.Error("over early")
			}
			ahead += back
			if back < 0 && !banned("after") {
				t.Error("over when the clock is set back")
			}
			now = now.Add(1 - min(0, back))
			if banned("after") {
				t.Errorf("not over at %v, until %v", g.wall(now), after)
			}
			if over := !g.kept(now).Before(before); banned("before") == over {
				t.Error("the one before the step: banned", !over)
			}
		})
	}
}
