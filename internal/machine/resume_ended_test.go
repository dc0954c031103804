package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "A CLOSE ends the session and all of its tickets, on the server that sends or gets it; but with
// the reasons server shutting down, idle, replaced and token expired the tickets stay good."
// PROTOCOL.md 5.5
func TestTicketAfterClose(t *testing.T) {
	good := map[wire.Reason]bool{
		wire.ReasonShutdown: true, wire.ReasonIdle: true, wire.ReasonReplaced: true, wire.ReasonExpired: true,
	}
	for code := int(wire.ReasonLeft); code < 256; code++ { // those that nobody knows, and the game's, too
		reason := wire.Reason(code)
		t.Run(reason.String(), func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			s := d.server.Session()
			d.server.Close(reason)
			if d.server.Resumable() || d.gate.Len() != 0 {
				t.Error("the session goes on")
			}
			r := d.reconnects(d.gate, home)
			h := r.showsTicket()
			if !good[reason] {
				want := audit.DropTicket
				if reason == wire.ReasonRevoked || reason == wire.ReasonFingerprint || reason == wire.ReasonRate {
					want = audit.DropRevoked
				}
				h.refuses(want, reasons[want])
				return
			}
			r.takesWelcome(h.resumes())
			r.sendsFirstDatagram()
			r.exchangesData()
			if now := r.server.Session(); now.Name() != s.Name() || now.ID() != s.ID() {
				t.Error("it is another session")
			}
		})
	}
}

// "Used tickets and ended sessions are remembered per server." PROTOCOL.md 8.3
func TestTicketsOfElsewhere(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	used, ended := d.reconnects(d.anotherServer(session.Config{}), home), d.reconnects(d.anotherServer(session.Config{}), home)
	r := d.resumesHere()
	used.takesWelcome(used.showsTicket().resumes())
	used.sendsFirstDatagram()
	used.exchangesData()
	r.server.Close(wire.ReasonKicked)
	ended.takesWelcome(ended.showsTicket().resumes())
	ended.sendsFirstDatagram()
	ended.exchangesData()
}

// A used ticket and an ended session are remembered as long as there is a ticket that could be
// shown, whatever else a server has to remember meanwhile.
func TestTicketRefusedToTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(d *dialogue)
		over time.Duration // when the ticket ends
	}{
		"used": {func(d *dialogue) { d.resumesHere() }, tokenLife},
		"used elsewhere": {func(d *dialogue) {
			g := d.anotherServer(session.Config{})
			d.resumesOn(g)
			d.gate = g
		}, tokenLife},
		"used, and restarted": {func(d *dialogue) {
			r := d.resumesHere()
			d.gate, _ = r.savesAndRestores(r)
		}, tokenLife},
		"used, and restarted later": {func(d *dialogue) {
			r := d.resumesHere()
			r.waits(time.Minute)
			r.gate.Sweep(r.now)
			d.gate, _ = r.savesAndRestores(r)
			d.now = r.now
		}, tokenLife},
		"left":   {func(d *dialogue) { d.toServer(d.clientSends(wire.KindClose, closeBody)) }, tokenLife},
		"kicked": {func(d *dialogue) { d.server.Close(wire.ReasonKicked) }, tokenLife},
		"kicked with the ticket of RENEWED": {func(d *dialogue) {
			d.waits(tokenLife / 2)
			d.renewsWith("second")
			d.server.Close(wire.ReasonKicked)
		}, tokenLife + tokenLife/2},
		"kicked later with the ticket of RENEWED": {func(d *dialogue) {
			d.waits(tokenLife / 2)
			d.renewsWith("second")
			d.waits(5 * time.Minute)
			d.gate.Sweep(d.now)
			d.server.Close(wire.ReasonKicked)
		}, tokenLife + tokenLife/2},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
			c.end(d)
			last := begin.Add(c.over - time.Millisecond)
			for i := 0; d.now.Before(last); i++ {
				if _, drop := enter(d.gate, d.now, minted(i, i, d.now.Add(time.Second))); drop != audit.DropNone {
					t.Fatal(drop)
				}
				d.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
				d.waits(30 * time.Second)
			}
			d.now = last
			d.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
		})
	}
}

// "with reason 13 a session, token or player that has been revoked" PROTOCOL.md 8.3. On a server
// where the session does not live a revocation is all that is known of it.
func TestTicketRevoked(t *testing.T) {
	for _, v := range []session.Revocation{
		{Kind: session.RevokeSubject, Issuer: "issuer", Value: "player"},
		{Kind: session.RevokeToken, Issuer: "issuer", Value: "id of identity"},
		{Kind: session.RevokeSignIn, Issuer: "issuer", Value: "sign-in"},
		{Kind: session.RevokeKey, Issuer: "issuer", Value: "key"},
		{Kind: session.RevokeBuild, Value: phone.Build},
	} {
		t.Run(v.Kind.String(), func(t *testing.T) {
			v.Time = begin.Add(time.Second)
			stranger := v
			stranger.Value += "?"
			for _, here := range []bool{true, false} {
				d := playWithTicket(t, session.Config{}, session.ClientConfig{Fingerprint: phone})
				g := d.gate
				if !here {
					g = d.anotherServer(session.Config{})
				}
				if n, err := g.Revoke(begin, stranger); n != 0 || err != nil {
					t.Fatal(n, err)
				}
				d = d.resumesHere()
				if n, err := g.Revoke(begin, v); (n == 1) != here || err != nil {
					t.Fatal(n, err)
				}
				d.reconnects(g, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
				if here {
					d.toServer(d.clientSends(wire.KindData, "in flight")).ends(audit.DropRevoked, wire.ReasonRevoked)
					d.reconnects(g, home).showsTicket().refuses(audit.DropRevoked, wire.ReasonRevoked)
				} else {
					d.exchangesData()
				}
			}
		})
	}
}

// A revocation between WELCOME and the first datagram is in time.
func TestTicketRevokedBeforeFirstDatagram(t *testing.T) {
	for _, here := range []bool{true, false} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		g := d.gate
		if !here {
			g = d.anotherServer(session.Config{})
		}
		r := d.reconnects(g, home)
		r.takesWelcome(r.showsTicket())
		if n, err := g.Revoke(begin, session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "player", Time: begin}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		r.toServer(r.clientSends(wire.KindData, "too late")).closesSilently(audit.DropRevoked)
	}
}

// "Tokens of a subject that were issued later are valid", and so are the tickets that stand for
// them; "a token without a time of issue never is".
func TestTicketOfTokenIssuedLater(t *testing.T) {
	at := begin.Add(time.Minute)
	for issued, good := range map[time.Time]bool{
		at.Add(-time.Millisecond): false, at: false, at.Add(time.Millisecond): true, {}: false,
	} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.waits(time.Minute)
		d.mints("second").IssuedAt = issued
		d.toClient(d.present(d.renew("second")...).renews().envelope).renews()
		g := d.anotherServer(session.Config{})
		if _, err := g.Revoke(begin, session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: "player", Time: at}); err != nil {
			t.Fatal(err)
		}
		r := d.reconnects(g, home)
		if h := r.showsTicket(); good {
			h.resumes()
		} else {
			h.refuses(audit.DropRevoked, wire.ReasonRevoked)
		}
	}
}
