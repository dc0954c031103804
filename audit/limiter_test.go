package audit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// noise is what sessions and strangers may lead to, other than a share of its own.
var noise = []Decision{Accept, Reject, StepUp, Flag, Resume, Renew, Migrate, Replace, Close, Deny}

// begun is when the tests of limiters begin, and aSession an event of player n.
var begun = time.Unix(1_800_000_000, 0)

func aSession(d Decision, n int) *Event {
	return &Event{Decision: d, Issuer: "issuer", Subject: fmt.Sprint("player ", n), Session: uint32(n + 1)}
}

// Nobody can hide them behind a flood: whatever ten thousand sessions do, and however long, a revocation is written, and
// so is what the server has to say; and all of the sessions may be revoked at once.
func TestRevocationIsWritten(t *testing.T) {
	seeds, rounds := uint64(3), 50
	if testing.Short() {
		seeds, rounds = 1, 10
	}
	for _, perSecond := range []int{1, 10, defaultPerSecond, 10_000} {
		for seed := range seeds {
			rnd := rand.New(rand.NewPCG(seed, uint64(perSecond)))
			l := newLimiter(perSecond)
			now := begun
			for range rounds {
				now = now.Add(time.Duration(rnd.Int64N(int64(2 * time.Second))))
				for range rnd.IntN(3000) {
					e := aSession(noise[rnd.IntN(len(noise))], rnd.IntN(10_000))
					if rnd.IntN(3) == 0 {
						e.Session = 0
					}
					l.admit(e, now)
				}
				for _, d := range []Decision{Revoke, Ban, Lift, Withdraw, Operate, Alarm, Flood, KeyRotation} {
					if !l.admit(aSession(d, rnd.IntN(10_000)), now) {
						t.Fatalf("%d a second, seed %d: no line for %v", perSecond, seed, d)
					}
				}
			}
			for n := range 10_000 {
				if !l.admit(aSession(Revoke, n), now) {
					t.Fatalf("%d a second: no line for the revocation of session %d of 10,000", perSecond, n)
				}
			}
			for range 2 * revokeBurst {
				l.admit(aSession(Revoke, rnd.IntN(10_000)), now)
			}
			if !l.admit(&Event{Decision: Alarm}, now) {
				t.Errorf("%d a second: revocations hide an alarm", perSecond)
			}
		}
	}
}

// The shares are bounds, too: a disk is filled no faster.
func TestSharesAreBounds(t *testing.T) {
	for d, burst := range map[Decision]int{Revoke: revokeBurst, Alarm: serverBurst} {
		for _, perSecond := range []int{1, 10, 100} {
			l, now, lines := newLimiter(perSecond), begun, 0
			for range 3 * burst {
				if l.admit(&Event{Decision: d}, now) {
					lines++
				}
			}
			if lines != burst {
				t.Errorf("%v: %d lines at once, want %d", d, lines, burst)
			}
			for range 10 {
				now = now.Add(time.Second)
				for range 10 * perSecond {
					if l.admit(&Event{Decision: d}, now) {
						lines++
					}
				}
			}
			if lines != burst+10*perSecond {
				t.Errorf("%v: %d lines in 10 s, want %d", d, lines, burst+10*perSecond)
			}
		}
	}
}

// Of one player's sessions 20 are written at once, and then one each 2 s: tried just before, and when it is time.
func TestOnePlayersLines(t *testing.T) {
	l, now := newLimiter(1<<20), begun
	for i := range playerBurst {
		if !l.admit(aSession(noise[i%len(noise)], 1), now) {
			t.Fatalf("line %d is not written", i+1)
		}
	}
	for range 100 {
		if l.admit(aSession(Migrate, 1), now.Add(playerInterval-1)) {
			t.Fatal("too soon")
		}
		now = now.Add(playerInterval)
		another := aSession(Renew, 1)
		another.Session = 77 // the same player's
		if !l.admit(another, now) || l.admit(aSession(Migrate, 1), now) {
			t.Fatal("not one each 2 s")
		}
	}
	namesake := aSession(Migrate, 1)
	namesake.Issuer = "another issuer"
	if !l.admit(namesake, now) {
		t.Error("another issuer's player is refused")
	}
	if l.admit(aSession(Migrate, 1), now.Add(-time.Hour)) {
		t.Error("a clock that steps back buys a line")
	}
	if !l.admit(aSession(Migrate, 1), now.Add(-time.Hour+playerInterval)) {
		t.Error("a clock that steps back locks a player out")
	}
}

// No player takes the share of another: while a few do what they can, ten thousand a second, all that a hundred others
// do, as much as people do, is written.
func TestPlayersDoNotTakeEachOthersLines(t *testing.T) {
	const cheats, people = 5, 100
	seeds := uint64(2)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 0))
		l := newLimiter(defaultPerSecond)
		missed, lines := 0, 0
		for ms := range 60_000 {
			now := begun.Add(time.Duration(ms) * time.Millisecond)
			if ms > 2000 && ms%20 == 0 { // 50 a second of all of them
				if !l.admit(aSession(noise[rnd.IntN(len(noise))], 1000+rnd.IntN(people)), now) {
					missed++
				}
			}
			for range 10 {
				if l.admit(aSession(Migrate, rnd.IntN(cheats)), now) {
					lines++
				}
			}
		}
		if most := cheats * (playerBurst + 30 + 1); lines > most {
			t.Errorf("seed %d: %d lines of %d cheats, want %d at most", seed, lines, cheats, most)
		}
		if missed > 3000/1000 { // who shares both cells with cheats: one in a million; more would be no accident
			t.Errorf("seed %d: %d of 2900 lines of others are missed", seed, missed)
		}
	}
}

// Somebody else cannot use up a player's lines: what was refused in a player's name is no session's.
func TestRefusalsAreNobodysLines(t *testing.T) {
	l := newLimiter(10_000)
	for range 1000 {
		refused := aSession(Reject, 1)
		refused.Session = 0
		l.admit(refused, begun)
	}
	if !l.admit(aSession(Accept, 1), begun) {
		t.Error("a stranger has used up the player's lines")
	}
}

// A writer that hangs holds what is reserved, too: of a revocation there is a line in the end, and of an alarm behind
// all revocations; and lines, suppressed and lost add up.
func TestHungWriterKeepsRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &gate{open: make(chan struct{})}
		j := start(t, w, JSONConfig{Queue: 4, PerSecond: 1000})
		const others, revoked, alarms = 100, revokeBurst, 3
		for range others {
			j.Record(Event{Decision: Accept})
		}
		for range revoked {
			j.Record(Event{Decision: Revoke})
		}
		for range alarms {
			j.Record(Event{Decision: Alarm})
		}
		close(w.open)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		out := w.String()
		for word, want := range map[string]int{"revoke": revoked, "alarm": alarms} {
			if n := strings.Count(out, fmt.Sprintf(`"decision":"%s"`, word)); n != want {
				t.Errorf("%d lines of %s, want %d", n, word, want)
			}
		}
		if lines, suppressed, lost := sum(t, out); lines+suppressed+lost != others+revoked+alarms {
			t.Errorf("%d lines, %d suppressed, %d lost", lines, suppressed, lost)
		}
	})
}

// What a player may not have written is told by the next line that is.
func TestSuppressedOfPlayerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		j := start(t, &b, JSONConfig{})
		for range 50 {
			j.Record(*aSession(Migrate, 1))
		}
		j.Record(*aSession(Accept, 2))
		j.Close()
		lines, suppressed, lost := sum(t, b.String())
		if lines != playerBurst+1 || suppressed != 50-playerBurst || lost != 0 {
			t.Errorf("%d lines, %d suppressed, %d lost", lines, suppressed, lost)
		}
	})
}

func BenchmarkLimiter(b *testing.B) {
	l, e := newLimiter(defaultPerSecond), aSession(Migrate, 1)
	for b.Loop() {
		l.admit(e, begun)
	}
}
