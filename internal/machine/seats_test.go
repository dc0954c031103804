package machine

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// "a ticket finds a sixteenth more seats than newcomers do, rounded up." PROTOCOL.md 8.3: however
// many newcomers ask, players come back whose session lives nowhere on the server, and only so
// many.
func TestSeatsForTickets(t *testing.T) {
	for seats, more := range map[int]int{-1: 0, 1: 1, 2: 1, 15: 1, 16: 1, 17: 2, 100: 7, 1600: 100} {
		g := newGate(t, session.Config{MaxSessions: seats})
		made := 0
		session := func() (*Session, *token.Claims) {
			made++
			claims := &token.Claims{Issuer: "issuer", Subject: fmt.Sprint(made), ID: fmt.Sprint(made), Expires: begin.Add(tokenLife)}
			s := new(Session)
			s.init(g, claims, identityOf(claims), session.Fingerprint{})
			return s, claims
		}
		newcomer := func() audit.Drop {
			s, claims := session()
			_, cause := g.admit(begin, claims, s)
			return cause.Drop()
		}
		returner := func() audit.Drop {
			s, claims := session()
			binary.BigEndian.PutUint64(s.name[:], uint64(made))
			_, cause := g.readmit(begin, &resume.Ticket{Name: s.name, Epoch: 1}, claims, s, nil, false)
			return cause.Drop()
		}
		count := func(what string, f func() audit.Drop, want int) {
			t.Helper()
			n, drop := 0, audit.DropNone
			for ; n <= want; n++ {
				if drop = f(); drop != audit.DropNone {
					break
				}
			}
			if n != want || drop != audit.DropFull {
				t.Errorf("MaxSessions %d: %d %s, want %d; then %v", seats, n, what, want, drop)
			}
		}
		count("newcomers", newcomer, max(seats, 0))
		count("who come back", returner, more)
		count("newcomers besides", newcomer, 0)
		if g.Len() > 0 {
			for _, s := range g.sessions {
				g.forget(s, audit.DropNone, false)
				break
			}
			count("newcomers in the place of one above the bound", newcomer, 0)
			count("who come back in its place", returner, 1)
		}
	}
}
