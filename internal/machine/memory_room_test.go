package machine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// A full server, with tokens of an hour as Amazon Cognito gives them: for six hours players come,
// stay, renew when a third of the life is left, and leave. None is ever told that there is no room
// for what has to be remembered.
func TestMemoryNeverRefusesTheHonest(t *testing.T) {
	seats := 1000
	if testing.Short() {
		seats = 100
	}
	for _, stay := range []time.Duration{time.Minute, 3 * time.Minute, 10 * time.Minute, 20 * time.Minute, 3 * time.Hour} {
		t.Run(stay.String(), func(t *testing.T) {
			g := newGate(t, session.Config{MaxSessions: seats})
			type player struct {
				*Session
				leaves, renews time.Time
			}
			var players []player // in the order in which they came, and so in which they leave
			interval, next, most := stay/time.Duration(seats), begin, 0
			number, hours := 0, 6*time.Hour
			if stay < 10*time.Minute {
				hours = 2 * time.Hour // what is remembered longest has gone; the rest is the same again
			}
			for now := begin; now.Before(begin.Add(hours)); now = now.Add(time.Second) {
				g.Sweep(now)
				for len(players) > 0 && !now.Before(players[0].leaves) {
					g.forget(players[0].Session, audit.DropTicket, false)
					players = players[1:]
				}
				for i, p := range players {
					if now.Unix()%30 != 0 { // when they look
						break
					}
					if now.Before(p.renews) {
						continue
					}
					number++
					c := minted(p.subject, number, now.Add(token.DefaultCognitoLife))
					if cause := g.useToken(now, c, p.Session); cause != CauseNone {
						t.Fatalf("after %v: a renewal is refused: %v", now.Sub(begin), cause)
					}
					p.adopt(c, identityOf(c))
					players[i].renews = now.Add(token.DefaultCognitoLife * 2 / 3)
				}
				for ; !next.After(now); next = next.Add(interval) {
					if len(players) == seats {
						continue
					}
					number++
					s, drop := enter(g, now, minted(number, number, now.Add(token.DefaultCognitoLife)))
					if drop != audit.DropNone {
						t.Fatalf("after %v and %d players: %v, with %d entries", now.Sub(begin), number, drop, len(g.memory.entries))
					}
					players = append(players, player{s, now.Add(stay), now.Add(token.DefaultCognitoLife * 2 / 3)})
				}
				most = max(most, len(g.memory.entries))
			}
			if rate := int(int64(token.DefaultCognitoLife+token.MaxLeeway+memorySlot*time.Second) / int64(interval)); most > max(rate, 3*seats)*11/10 {
				t.Errorf("%d entries; %d players come while a token lives", most, rate)
			}
		})
	}
}

// "The server refuses newcomers with CLOSE reason 11 before the memory keeps anybody from renewing
// or from resuming, and tells the operator when three quarters are in use." PROTOCOL.md 5.2.
// "Nothing is forgotten before its time".
func TestMemoryFull(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine fills the memory")
	}
	const seats = 200
	g := newGate(t, session.Config{MaxSessions: 2 * seats})
	var here []*Session
	for i := range seats {
		s, _ := enter(g, begin, minted(-i, -i, begin.Add(tokenLife)))
		here = append(here, s)
	}
	var told []string
	listen := func() {
		if alarm := g.Sweep(begin); alarm != "" {
			told = append(told, alarm)
		}
	}
	n := 1
	for ; ; n++ {
		listen()
		s, drop := enter(g, begin, minted(n, n, begin.Add(tokenLife)))
		if drop == audit.DropFull {
			break
		}
		if drop != audit.DropNone {
			t.Fatal(drop)
		}
		g.forget(s, audit.DropTicket, false)
	}
	listen()
	if len(told) != 3 || !strings.Contains(told[0], "three quarters") || !strings.Contains(told[1], "nine tenths") || !strings.Contains(told[2], "refused until") {
		t.Errorf("alarms: %q", told)
	}
	if want := minRemembered - (seats+1)*tokensOfSession; len(g.memory.entries) < want || len(g.memory.entries) > want+1 {
		t.Errorf("refused with %d entries, want %d", len(g.memory.entries), want)
	}
	for i, s := range here {
		for k := range tokensOfSession - 1 { // as often as a session may while one token lives, and once more
			if cause := g.useToken(begin, minted(-i, fmt.Sprint(-i, " ", k), begin.Add(tokenLife)), s); cause != CauseNone {
				t.Fatalf("renewal %d of session %d: %v", k, i, cause)
			}
		}
		g.forget(s, audit.DropRevoked, true)
	}
	for i := 1 - seats; i < n; i++ {
		if _, drop := enter(g, begin.Add(tokenLife), minted(i, i, begin.Add(tokenLife))); drop != audit.DropUsed {
			t.Fatalf("token %d is forgotten: %v", i, drop)
		}
	}
	later := begin.Add(tokenLife + token.MaxLeeway + memorySlot*time.Second)
	if _, drop := enter(g, later, minted("later", "later", later.Add(tokenLife))); drop != audit.DropNone {
		t.Errorf("once they are past: %v", drop)
	}
	if alarm := g.Sweep(later); alarm != "" || len(g.memory.entries) > 1 {
		t.Errorf("%q, %d entries", alarm, len(g.memory.entries))
	}
}

// An alarm that has been told is told again once the memory has been well below.
func TestMemoryAlarmAgain(t *testing.T) {
	m := newMemory()
	fill := func(hundredths int) int {
		clear(m.entries)
		for i := range minRemembered*hundredths/100 + 1 {
			m.entries[uint64(i)] = remembered{}
		}
		return m.alarmLevel(0, -1)
	}
	for i, step := range [][2]int{{74, 0}, {75, 75}, {76, 0}, {74, 0}, {75, 0}, {91, 90}, {85, 0}, {91, 0}, {79, 0}, {90, 90}, {60, 0}, {75, 75}, {100, 100}} {
		if got := fill(step[0]); got != step[1] {
			t.Errorf("step %d, %d: %d, want %d", i, step[0], got, step[1])
		}
	}
}

// Room follows the longest life of the tokens that are seen, between its bounds.
func TestMemoryRoom(t *testing.T) {
	for _, c := range []struct {
		seats int
		life  time.Duration
		want  int
	}{
		{-1, tokenLife, minRemembered},
		{0, tokenLife, minRemembered},
		{64, token.LongestLife, (1441 + tokensOfSession) * 64},
		{10_000, tokenLife, (16 + tokensOfSession) * 10_000},
		{10_000, time.Hour, (61 + tokensOfSession) * 10_000},
		{10_000, token.LongestLife, maxRemembered},
		{1 << 30, time.Hour, maxRemembered},
	} {
		m := newMemory()
		m.advance(begin)
		m.noteRest(begin.Add(c.life))
		if got := m.capacity(c.seats); got != c.want {
			t.Errorf("%d seats, %v: %d, want %d", c.seats, c.life, got, c.want)
		}
	}
	m := newMemory()
	m.advance(begin)
	m.noteRest(begin.Add(365 * token.LongestLife)) // a verifier of somebody else's
	if m.longestLife != token.LongestLife {
		t.Error(m.longestLife)
	}
}

// "No player has more of the memory than four sessions a minute need" PROTOCOL.md 5.2. Others do
// not notice, and the player's own sessions go on.
func TestMemoryShare(t *testing.T) {
	g := newGate(t, session.Config{MaxSessions: 1 << 20})
	ends := begin.Add(tokenLife)
	flood := func(subject string) (s *Session, n int) {
		for ; ; n++ {
			next, drop := enter(g, begin, minted(subject, subject+string(rune(n)), ends))
			if drop == audit.DropFull {
				return s, n
			}
			if drop != audit.DropNone {
				t.Fatal(drop)
			}
			if s != nil {
				g.forget(s, audit.DropTicket, false)
			}
			s = next
		}
	}
	s, n := flood("flood")
	if n < minShare || n > minShare+minShare/10 {
		t.Errorf("one player had %d entries, want about %d", n, minShare)
	}
	if cause := g.useToken(begin, minted("flood", "fresh", ends), s); cause != CauseNone {
		t.Errorf("its session cannot be renewed: %v", cause)
	}
	for i := range 5000 {
		if _, drop := enter(g, begin, minted(i, i, ends)); drop != audit.DropNone {
			t.Fatalf("player %d: %v", i, drop)
		}
	}
	later := ends.Add(token.MaxLeeway + memorySlot*time.Second)
	if _, drop := enter(g, later, minted("flood", "later", later.Add(tokenLife))); drop != audit.DropNone {
		t.Errorf("once all that is past: %v", drop)
	}
}
