package session

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// thing is the key of something to remember.
func thing(n int) (key [32]byte) {
	binary.BigEndian.PutUint64(key[:], uint64(n))
	key[31] = 0xff // no token's and no session's
	return key
}

// "The server remembers (issuer, token id) until the token has expired" PROTOCOL.md 5.2
func TestUsedTokens(t *testing.T) {
	var m memory
	claim := func(issuer, id string) *token.Claims { return &token.Claims{Issuer: issuer, ID: id} }
	first := claim("issuer", "first")
	ends := begin.Add(tokenLife)
	for _, c := range []*token.Claims{first, claim("issue", "rfirst"), claim("ISSUER", "first"), claim("", "issuerfirst")} {
		if drop := m.take(begin, tokenKey(c), ends, audit.DropUsed); drop != audit.DropNone {
			t.Errorf("%s %s: %v", c.Issuer, c.ID, drop)
		}
	}
	for now := begin; !now.After(ends.Add(token.MaxLeeway)); now = now.Add(10 * time.Second) {
		if drop := m.take(now, tokenKey(first), ends, audit.DropUsed); drop != audit.DropUsed {
			t.Fatalf("after %v: %v", now.Sub(begin), drop)
		}
		if drop := m.take(now, thing(int(now.Unix())), now.Add(time.Minute), audit.DropUsed); drop != audit.DropNone {
			t.Fatal(drop)
		}
	}
}

// Each thing has its own reason, the last one that was kept; taking what is known changes nothing.
func TestMemoryReasons(t *testing.T) {
	var m memory
	if why := m.look(thing(1)); why != audit.DropNone {
		t.Errorf("an empty memory knows %v", why)
	}
	m.keep(thing(1), begin, audit.DropRevoked) // the first word ever
	ends := begin.Add(time.Hour)
	for n, why := range []audit.Drop{audit.DropUsed, audit.DropTicket, audit.DropRevoked} {
		key := thing(10 + n)
		if drop := m.take(begin, key, ends, why); drop != audit.DropNone || m.look(key) != why {
			t.Errorf("%v: %v, then %v", why, drop, m.look(key))
		}
		if drop := m.take(begin, key, ends, audit.DropFull); drop != why || m.look(key) != why {
			t.Errorf("%v again: %v, then %v", why, drop, m.look(key))
		}
	}
	for _, old := range []bool{false, true} {
		if old {
			m.turn(begin.Add(minRemembered))
		}
		m.keep(thing(10), ends, audit.DropTicket)
		if why := m.look(thing(10)); why != audit.DropTicket {
			t.Errorf("kept again: %v", why)
		}
		m.keep(thing(10), ends, audit.DropUsed)
	}
	if why := m.look(thing(1)); why != audit.DropRevoked {
		t.Errorf("kept first: %v", why)
	}
}

// The bounds of a generation: it lasts minRemembered at least, and is dropped when all in it are past.
func TestMemoryTurns(t *testing.T) {
	const life = 10 * time.Minute
	for _, at := range []time.Duration{-1, 0, 1} {
		var m memory
		m.take(begin, thing(1), begin.Add(life), audit.DropUsed)
		m.turn(begin.Add(minRemembered + at))
		if grown := len(m.old) == 1; grown != (at >= 0) {
			t.Errorf("%v past the least time: old %d, young %d", at, len(m.old), len(m.young))
		}
		m.turn(begin.Add(minRemembered))
		m.turn(begin.Add(life + token.MaxLeeway + at))
		if known := m.look(thing(1)) != audit.DropNone; known != (at <= 0) {
			t.Errorf("%v past its life: known %v", at, known)
		}
	}
}

// "To forget one would let a stolen one in": when it is full it takes neither tokens nor tickets, and keeps what must
// be kept.
func TestMemoryFull(t *testing.T) {
	var m memory
	ends := begin.Add(tokenLife)
	for i := range maxRemembered + 1 {
		if drop := m.take(begin, thing(i), ends, audit.DropUsed); (drop == audit.DropFull) != (i == maxRemembered) {
			t.Fatalf("thing %d: %v", i, drop)
		}
	}
	for _, why := range []audit.Drop{audit.DropUsed, audit.DropTicket} {
		if drop := m.take(begin, thing(maxRemembered), ends, why); drop != audit.DropFull {
			t.Errorf("one too many: %v", drop)
		}
	}
	if drop := m.take(begin, thing(0), ends, audit.DropTicket); drop != audit.DropUsed {
		t.Errorf("a known one: %v", drop)
	}
	m.keep(thing(-1), ends, audit.DropRevoked)
	if why := m.look(thing(-1)); why != audit.DropRevoked {
		t.Errorf("a session that has ended: %v", why)
	}
	later := ends.Add(token.MaxLeeway + 1)
	for n := range 2 { // the young generation grows old, then goes
		m.take(later, thing(-2-n), later.Add(time.Minute), audit.DropUsed)
		later = later.Add(minRemembered)
	}
	if n := len(m.young) + len(m.old); n > 2 {
		t.Errorf("%d things remembered", n)
	}
}

// The slow twin forgets nothing. While a thing may be shown both say the same of it, and in the long run little more
// than that is kept.
func TestMemoryTwin(t *testing.T) {
	type kept struct {
		why  audit.Drop
		ends time.Time
	}
	rng := rand.New(rand.NewPCG(9, 10))
	why := []audit.Drop{audit.DropUsed, audit.DropTicket, audit.DropRevoked}
	var fast memory
	slow := map[int]kept{}
	now, most := begin, 0
	for i := range 50_000 {
		now = now.Add(time.Duration(rng.IntN(int(2 * time.Second))))
		n, drop := rng.IntN(i+1), why[rng.IntN(len(why))]
		life := time.Duration(rng.IntN(int(tokenLife)))
		if rng.IntN(4) > 0 {
			n = i
		}
		known, ok := slow[n]
		good := !ok || now.After(known.ends.Add(token.MaxLeeway)) // it cannot be shown any more
		if got := fast.look(thing(n)); !good && got != known.why {
			t.Fatalf("step %d: %v, want %v", i, got, known.why)
		}
		switch rng.IntN(3) {
		case 0:
			fast.keep(thing(n), now.Add(life), drop)
			slow[n] = kept{drop, now.Add(life)}
		case 1:
			got := fast.take(now, thing(n), now.Add(life), drop)
			if got != audit.DropNone && !ok || got != known.why && !good {
				t.Fatalf("step %d: %v, want %v", i, got, known.why)
			}
			if got == audit.DropNone {
				slow[n] = kept{drop, now.Add(life)}
			}
		default:
			fast.turn(now)
		}
		if i > 10_000 {
			most = max(most, len(fast.young)+len(fast.old))
		}
	}
	// One thing a second or so for 15 minutes is 900; two generations are less than three times that.
	if most > 2700 {
		t.Errorf("%d things remembered", most)
	}
}
