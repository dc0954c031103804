package machine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// minted is what an identity token claims that is good until ends.
func minted(subject, id any, ends time.Time) *token.Claims {
	return &token.Claims{Issuer: "issuer", Subject: fmt.Sprint(subject), ID: fmt.Sprint(id), Expires: ends}
}

// enter opens a session.
func enter(g *Gate, now time.Time, c *token.Claims) (*Session, audit.Drop) {
	s := new(Session)
	s.init(g, c, identityOf(c), phone)
	_, cause := g.admit(now, c, s)
	return s, cause.Drop()
}

func newGate(t testing.TB, config session.Config) *Gate {
	t.Helper()
	g, err := NewGate(config)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// "The server remembers (issuer, token id) until the token has expired" PROTOCOL.md 5.2
func TestUsedTokens(t *testing.T) {
	g := newGate(t, session.Config{MaxPerSubject: -1})
	ends := begin.Add(tokenLife)
	for _, name := range [][2]string{{"issuer", "first"}, {"issue", "rfirst"}, {"ISSUER", "first"}, {"", "issuerfirst"}} {
		c := &token.Claims{Issuer: name[0], ID: name[1], Expires: ends}
		if _, drop := enter(g, begin, c); drop != audit.DropNone {
			t.Errorf("%q: %v", name, drop)
		}
	}
	for now := begin; now.Before(ends.Add(token.MaxLeeway)); now = now.Add(10 * time.Second) {
		if _, drop := enter(g, now, minted("player", "first", ends)); drop != audit.DropUsed {
			t.Fatalf("after %v: %v", now.Sub(begin), drop)
		}
		if _, drop := enter(g, now, minted("player", now.Unix(), now.Add(time.Minute))); drop != audit.DropNone {
			t.Fatal(drop)
		}
	}
}

// An entry counts until the token and the leeway are over, to the second, and takes room for
// memorySlot more at most.
func TestMemoryEnds(t *testing.T) {
	for _, fraction := range []time.Duration{0, 1, time.Second - 1} {
		for at := time.Duration(-1); at <= 1; at++ {
			m := newMemory()
			m.advance(begin)
			expires := begin.Add(time.Hour + fraction)
			m.put(1, expires, remembered{why: audit.DropUsed})
			ends := expires.Add(token.MaxLeeway + time.Second - 1).Truncate(time.Second)
			m.advance(ends.Add(at * time.Second))
			if _, known := m.lookup(1); known != (at < 0) {
				t.Errorf("%v: %v s past its end: known %v", fraction, int(at), known)
			}
			m.advance(ends.Add(memorySlot * time.Second))
			if len(m.entries)+len(m.slots) != 0 || m.shares.count(0) != 0 {
				t.Errorf("%v: %d entries, %d slots, %d of one player are left", fraction, len(m.entries), len(m.slots), m.shares.count(0))
			}
		}
	}
}

// The slow twin knows of each entry exactly when it ends, and forgets nothing. Both say the same at
// any time, whatever the clock does, and what the fast one has beside that is of the last slot.
func TestMemoryTwin(t *testing.T) {
	type entry struct {
		why  audit.Drop
		ends int64
	}
	rng := rand.New(rand.NewPCG(9, 10))
	why := []audit.Drop{audit.DropUsed, audit.DropTicket, audit.DropRevoked}
	m, slow := newMemory(), map[uint64]entry{}
	now, latest := begin, begin
	for i := range 50_000 {
		switch step := rng.IntN(2000); {
		case step == 0:
			now = now.Add(time.Duration(rng.Int64N(int64(2 * time.Hour)))) // somebody sets the clock
		case step == 1:
			now = now.Add(-time.Duration(rng.Int64N(int64(time.Hour))))
		default:
			now = now.Add(time.Duration(rng.Int64N(int64(2 * time.Second))))
		}
		m.advance(now)
		if now.Before(latest) {
			continue // what was past is past; nobody is let in on it, since tokens are verified by the same clock
		}
		latest = now
		key := uint64(rng.IntN(i + 1))
		if rng.IntN(4) > 0 {
			key = uint64(i)
		}
		want, known := slow[key]
		known = known && now.Unix() < want.ends
		got, ok := m.lookup(key)
		if ok != known || known && (got.why != want.why || int64(got.ends) != want.ends) {
			t.Fatalf("step %d, %v: %+v, %v; want %+v, %v", i, now, got, ok, want, known)
		}
		if rng.IntN(2) == 0 {
			expires := now.Add(time.Duration(rng.Int64N(int64(tokenLife))))
			drop := why[rng.IntN(len(why))]
			m.put(key, expires, remembered{why: drop})
			ends := expires.Add(token.MaxLeeway + time.Second - 1).Unix()
			if known {
				ends = max(ends, want.ends)
			}
			slow[key] = entry{drop, ends}
		}
		if i%1000 == 0 {
			count := 0
			for _, e := range slow {
				if now.Unix() < e.ends+memorySlot {
					count++
				}
			}
			if len(m.entries) > count {
				t.Fatalf("step %d: %d entries, of which %d may count", i, len(m.entries), count)
			}
		}
	}
}

// A clock that was ahead and is right again: what is remembered from then on goes in its own time,
// and so does what was remembered before and after the moment at which it was ahead.
func TestMemoryAfterClockAhead(t *testing.T) {
	for _, ahead := range []time.Duration{time.Minute, time.Hour, 3650 * 24 * time.Hour} {
		m := newMemory()
		for i, at := range []time.Duration{0, time.Second, ahead, 2 * time.Second, 3 * time.Second} {
			now := begin.Add(at)
			m.advance(now)
			for k := range 100 {
				m.put(uint64(k), begin.Add(tokenLife), remembered{why: audit.DropUsed}) // over already, where the clock is ahead
				if at < ahead {
					m.put(uint64(1000*(i+1)+k), now.Add(tokenLife), remembered{why: audit.DropUsed})
				}
			}
		}
		last := begin.Add(3*time.Second + tokenLife + token.MaxLeeway)
		if m.advance(last.Add(-time.Second)); len(m.entries) < 100 {
			t.Errorf("%v ahead: %d entries are left while they count", ahead, len(m.entries))
		}
		if m.advance(last.Add(memorySlot * time.Second)); len(m.entries)+len(m.slots) != 0 {
			t.Errorf("%v ahead: %d entries and %d slots are left when all is over", ahead, len(m.entries), len(m.slots))
		}
	}
}

// "One entry stands for a session" and the token that opened it, however often the player resumes
// and whatever ends it.
func TestMemoryOfSession(t *testing.T) {
	for name, end := range map[string]func(d *dialogue){
		"lives":   func(d *dialogue) {},
		"moves":   func(d *dialogue) { d.resumesHere().resumesHere() },
		"left":    func(d *dialogue) { d.toServer(d.clientSends(wire.KindClose, closeBody)) },
		"put out": func(d *dialogue) { d.server.Close(wire.ReasonKicked) },
		"revoked": func(d *dialogue) { d.server.Session().Revoke(); d.tickServer() },
	} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		end(d)
		if n := len(d.gate.memory.entries); n != 1 {
			t.Errorf("%s: %d entries", name, n)
		}
		if _, drop := enter(d.gate, d.now, d.claims["identity"]); drop != audit.DropUsed {
			t.Errorf("%s: its token again: %v", name, drop)
		}
	}
}
