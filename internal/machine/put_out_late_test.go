package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "A server that is told of a session which was put out, and has given a ticket of it that is good for
// longer than it is told to remember, MUST report the session until then: the others remember it for the
// longest time that they are told." docs/fleet.md 8.5. The server that puts the session out has seen it last
// when its token had a quarter of an hour left; another one, which is told later, has given it a ticket for
// an hour. Nobody takes that ticket, not even once the first server could have forgotten the session.
func TestPutOutOutlivesLaterTickets(t *testing.T) {
	for _, late := range []time.Duration{0, 10 * time.Minute} {
		f, d := newServers(t, 3, session.Config{Idle: time.Hour})
		d.opens()
		f.tells(d)
		there := d.resumesOn(f.gates[1])
		f.takes() // the feed between the two does not work for a while
		d.server.Dismiss(wire.ReasonKicked, "")
		there.waits(late)
		there.mints("an hour").Expires = there.now.Add(time.Hour)
		there.toClient(there.present(there.renew("an hour")...).renews().envelope).renews()
		there.exchangesData()
		d.now = there.now
		for range 3 { // what a server says when it is told is told, too
			f.tells(d)
		}
		f.repeats(d)
		for _, wait := range []time.Duration{0, tokenLife, 2 * tokenLife, time.Hour - 1} {
			d.now = there.now.Add(wait)
			for i, g := range f.gates {
				g.Sweep(d.now)
				again := there.reconnects(g, home)
				again.now = d.now
				if h := again.showsTicket(); h.kind == wire.KindWelcome {
					t.Errorf("told %v late, after %v: server %d takes the ticket", late, wait, i)
				}
			}
		}
		if said := f.takes(); len(said) > 0 {
			t.Errorf("servers go on saying %v", kinds(said))
		}
	}
}

// "For a session that was put out, they are remembered until every token has expired that may exist by
// then." PROTOCOL.md 8.3. Tokens of this issuer live an hour, as they say themselves, though none has been
// shown here of which more than a quarter was left.
func TestPutOutOutlivesEveryToken(t *testing.T) {
	f, d := newServers(t, 2, session.Config{Idle: time.Hour})
	d.claims["identity"].IssuedAt = d.now.Add(tokenLife - time.Hour)
	d.opens()
	there := d.resumesOn(f.gates[1]) // and nobody tells the first server
	d.server.Dismiss(wire.ReasonKicked, "")
	there.mints("an hour").Expires = there.now.Add(time.Hour)
	there.toClient(there.present(there.renew("an hour")...).renews().envelope).renews()
	there.exchangesData()
	for _, wait := range []time.Duration{tokenLife, time.Hour - 1} {
		d.now = there.now.Add(wait)
		d.gate.Sweep(d.now)
		again := there.reconnects(d.gate, home)
		again.now = d.now
		again.showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
	}
}
