package machine

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// reconnectsWith is reconnects for a client that shows an identity token beside its ticket.
func (d *dialogue) reconnectsWith(g *Gate, from netip.Addr, identity string) *dialogue {
	d.Helper()
	r := d.reconnects(g, from)
	var err error
	if r.client, err = d.client.Resume(d.now, r.server.channel, []byte(identity)); err != nil {
		d.Fatal(err)
	}
	return r
}

// showsBoth returns the server's answer to a ticket with a token beside it.
func (d *dialogue) showsBoth() heard {
	d.Helper()
	h := d.sendsTicket()
	if h.Event.Kind == EventVerify {
		h = d.verifiesToken(h)
	}
	if h.Event.Kind == EventResume {
		return d.findsFormer(h)
	}
	return h
}

// "from anywhere the server MUST take a ticket with a fresh token beside it (section 8.3), of a session
// whose step up has lapsed, is owed, or is neither" PROTOCOL.md 4.9
//
// "The session then stands on the token: it is bound to the network from which the HELLO came, it
// expires with the token, and no step up is owed or lapsed any more." PROTOCOL.md 8.3. Wherever the
// session lives by then, and whatever has been forgotten and told meanwhile.
func TestTokenBesideTicket(t *testing.T) {
	for name, goesOn := range map[string]func(d *dialogue) *Gate{
		"it lives nowhere":      func(d *dialogue) *Gate { d.lapses(defaultStepUpTime); return d.gate },
		"neither":               func(d *dialogue) *Gate { d.renewsWith("first"); d.exchangesData(); return d.gate },
		"a step up is owed":     func(d *dialogue) *Gate { d.playsFor(time.Second); return d.gate },
		"after a restart":       func(d *dialogue) *Gate { d.lapses(defaultStepUpTime); g, _ := d.savesAndRestores(); return g },
		"lapsed after one":      func(d *dialogue) *Gate { *d = *d.restarts(); d.lapsesAfterRestart(); return d.gate },
		"on a server that asks": func(d *dialogue) *Gate { d.lapses(defaultStepUpTime); return d.anotherServer(session.Config{}) },
		"on one that is told": func(d *dialogue) *Gate {
			d.lapses(defaultStepUpTime)
			g := d.anotherServer(session.Config{})
			g.Use(d.now, session.Used{Kind: session.UsedNetwork, ID: d.server.session.name, Epoch: 1, Until: d.now.Add(time.Hour)})
			return g
		},
		"it lives at home": func(d *dialogue) *Gate {
			d.lapses(defaultStepUpTime)
			r := d.reconnects(d.gate, home)
			r.takesWelcome(r.showsTicket())
			r.sendsFirstDatagram()
			*d = *r
			return d.gate
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			d.changesNetwork()
			g := goesOn(d)
			thief := d.reconnects(g, far) // with all that the player has but a token
			fresh := d.mints("fresh")
			fresh.Expires = d.now.Add(tokenLife / 2) // earlier than the one before
			r := d.reconnectsWith(g, far, "fresh")
			if m := r.takesWelcome(r.showsBoth()); m.Ticket == nil || m.Expiry != fresh.Expires.UnixMilli() {
				t.Errorf("%d bytes of ticket, expires %d", len(m.Ticket), m.Expiry)
			}
			r.sendsFirstDatagram()
			r.tickServer().nothing()
			if s := r.server; s.owes() || s.Away() || !s.Follows(home) || !s.Session().Expires().Equal(fresh.Expires) {
				t.Errorf("owes %v, away %v, follows %v, expires %v", s.owes(), s.Away(), s.Follows(home), s.Session().Expires())
			}
			r.playsFor(2 * defaultStepUpTime)
			thief.now = r.now
			thief.showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
			next := r.reconnects(g, far) // where it is at home by now
			if m := next.takesWelcome(next.showsTicket()); m.Ticket == nil {
				t.Error("no ticket in the network that the token was shown from")
			}
			next.sendsFirstDatagram()
			next.reconnectsWith(g, far, "fresh").showsBoth().refuses(audit.DropUsed, wire.ReasonUsed)
			if !next.server.renewedLately(next.now) {
				t.Error("renewals are not paced after it")
			}
			next.exchangesData()
		})
	}
}

// "for this session the network is required from then on, until a fresh token is accepted" PROTOCOL.md
// 4.9. Then a ticket resumes it from anywhere, although the step up has lapsed on a connection whose
// WELCOME had no ticket.
func TestTokenBesideTicketAfterLapseByTicket(t *testing.T) {
	for name, other := range map[string]func(d *dialogue) *Gate{
		"here": func(d *dialogue) *Gate { return d.gate },
		"on a server that is told": func(d *dialogue) *Gate {
			g := d.anotherServer(session.Config{})
			g.Use(d.now, session.Used{Kind: session.UsedNetwork, ID: d.server.session.name, Epoch: 2, Until: d.now.Add(time.Hour)})
			return g
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			d = d.reconnects(d.gate, far)
			if m := d.takesWelcome(d.showsTicket()); m.Ticket != nil || m.Epoch != 2 {
				t.Fatalf("%d bytes of ticket, epoch %d", len(m.Ticket), m.Epoch)
			}
			d.sendsFirstDatagram()
			d.tickServer()
			d.lapses(defaultStepUpTime)
			g := other(d)
			d.mints("fresh")
			d = d.reconnectsWith(g, far, "fresh")
			d.takesWelcome(d.showsBoth())
			d.sendsFirstDatagram()
			d = d.reconnects(g, netip.MustParseAddr("203.0.113.9"))
			d.takesWelcome(d.showsTicket())
			d.sendsFirstDatagram()
			d.exchangesData()
		})
	}
}

// lapsesAfterRestart expects that a step up which was handed on lapses in its time.
func (d *dialogue) lapsesAfterRestart() {
	d.Helper()
	d.exchangesData()
	d.tickServer().is(EventStepUp, audit.DropNone, wire.KindNotice)
	d.lapses(defaultStepUpTime)
}

// "The server MUST judge the token as that of a RENEW" PROTOCOL.md 8.3. Whatever is wrong with it,
// the ticket stays good at home.
func TestTokenBesideTicketRefused(t *testing.T) {
	change := func(f func(c *token.Claims)) func(d *dialogue) { return func(d *dialogue) { f(d.mints("fresh")) } }
	for name, c := range map[string]struct {
		claims func(d *dialogue)
		drop   audit.Drop
		reason wire.Reason
	}{
		"signature": {func(*dialogue) {}, audit.DropToken, wire.ReasonToken},
		"issuer":    {change(func(c *token.Claims) { c.Issuer = "another" }), audit.DropToken, wire.ReasonToken},
		"subject":   {change(func(c *token.Claims) { c.Subject = "another" }), audit.DropToken, wire.ReasonToken},
		"scope":     {change(func(c *token.Claims) { c.Scope = "another" }), audit.DropScope, wire.ReasonScope},
		"platform":  {change(func(c *token.Claims) { c.Platform = "another" }), audit.DropFingerprint, wire.ReasonFingerprint},
		"very same": {change(func(c *token.Claims) { c.ID = "id of identity" }), audit.DropUsed, wire.ReasonUsed},
		"older":     {change(func(c *token.Claims) { c.IssuedAt = begin.Add(-time.Second) }), audit.DropUsed, wire.ReasonUsed},
		"used": {func(d *dialogue) {
			d.mints("fresh").Subject = "another"
			other := d.connect(session.ClientConfig{}, "fresh", Channel{Exporter: [32]byte{9}})
			other.join()
			d.mints("fresh")
		}, audit.DropUsed, wire.ReasonUsed},
		"revoked": {func(d *dialogue) {
			d.mints("fresh")
			if _, err := d.gate.Revoke(d.now, session.Revocation{Kind: session.RevokeToken, Issuer: "issuer", Value: "id of fresh", Time: d.now.Add(time.Second)}); err != nil {
				d.Fatal(err)
			}
		}, audit.DropRevoked, wire.ReasonRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			d.changesNetwork()
			d.lapses(defaultStepUpTime)
			c.claims(d)
			d.reconnectsWith(d.gate, far, "fresh").showsBoth().refuses(c.drop, c.reason)
			d.reconnects(d.gate, far).showsTicket().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
			r := d.reconnects(d.gate, home)
			r.takesWelcome(r.showsTicket().resumes())
			r.sendsFirstDatagram()
		})
	}
}

// "nor one that was issued before it" PROTOCOL.md 8.3, of a session that has been renewed since its
// ticket was made.
func TestTokenBesideTicketOlderThanSession(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.waits(time.Minute)
	d.mints("between").IssuedAt = d.now
	r := d.reconnectsWith(d.gate, far, "between")
	d.waits(time.Minute)
	d.mints("newer").IssuedAt = d.now
	d.toClient(d.present(d.renew("newer")...).renews().envelope).renews()
	d.exchangesData()
	r.now = d.now
	r.showsBoth().refuses(audit.DropUsed, wire.ReasonUsed)
	d.exchangesData()
}

// "If policy requires the network, the token does not change that." PROTOCOL.md 8.3
func TestTokenBesideTicketNetworkRequired(t *testing.T) {
	d := playWithTicket(t, session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionRequire}}, session.ClientConfig{})
	d.mints("fresh")
	d.reconnectsWith(d.gate, far, "fresh").showsBoth().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
	d.exchangesData()
	r := d.reconnectsWith(d.gate, home, "fresh") // it has not been used
	r.takesWelcome(r.showsBoth())
	r.sendsFirstDatagram()
}

// The longest fields of a client fit one HELLO, with both.
func TestTokenBesideTicketLongest(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{Lanes: true})
	text := strings.Repeat("x", wire.MaxText)
	d.client.ticket, d.client.config.Scope = make([]byte, wire.MaxTicket), text
	d.client.config.Fingerprint = session.Fingerprint{Platform: text, Build: text}
	c, err := d.client.Resume(d.now, channel, make([]byte, wire.MaxToken))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wire.ParseHello(c.hello); err != nil || len(c.hello) < 5000 {
		t.Errorf("%d bytes: %v", len(c.hello), err)
	}
}

// A thief at another network who has a player's keys and ticket, and no fresh token, is out for good
// once the time of one step up, one idle time of silence and one wait for the issuer are over: whatever
// it says, however it is silent, and on however many connections. Its player comes back from home by the ticket, and
// from anywhere with a fresh token.
func TestThiefCannotStay(t *testing.T) {
	const most = 10*time.Second + session.DefaultIdle + maxTokenWait + 2*time.Second
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.mints("stranger's").Subject = "another"
		d.mints("older").IssuedAt = begin.Add(-time.Second)
		networks := []netip.Addr{far, netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("203.0.113.9")}
		player := *d
		thief := d
		thief.changesNetwork()
		start, last := thief.now, thief.now
		for thief.now.Sub(start) < 4*time.Minute {
			from := networks[r.IntN(len(networks))]
			switch r.IntN(7) {
			case 0, 1:
				for range 1 + r.IntN(10) {
					thief.waits(time.Duration(r.IntN(1500)) * time.Millisecond)
					thief.tickServer()
					if h := thief.toServer(thief.clientSends(wire.KindData, "on")); h.Event.Kind == EventData {
						last = thief.now
					}
				}
			case 2:
				thief.isQuiet(r.IntN(4), &last)
			case 3:
				thief.isQuiet(r.IntN(32), &last)
			case 4:
				if thief.server.state == live && thief.server.Follows(from) {
					thief.server.SetPath(thief.now, from)
				}
			case 5:
				next := thief.reconnects(thief.gate, from)
				if r.IntN(3) == 0 {
					next = thief.reconnectsWith(thief.gate, from, []string{"stranger's", "older", "forged", "identity"}[r.IntN(4)])
				}
				if h := next.showsBoth(); h.kind == wire.KindWelcome {
					if m := next.takesWelcome(h); m.Ticket != nil {
						t.Fatalf("seed %d: a ticket after %v", seed, thief.now.Sub(start))
					}
					if h := next.toServer(next.clientSends(wire.KindData, "on")); h.Event.Kind == EventData {
						last = thief.now
					}
					thief = next
				}
			case 6:
				if !thief.server.Begun() || thief.client.Renewing() {
					break
				}
				for _, p := range thief.renew([]string{"stranger's", "older", "forged"}[r.IntN(3)]) {
					if h := thief.toServer(p); h.Event.Kind == EventVerify {
						switch r.IntN(3) {
						case 0:
							thief.verifiedAs(nil, token.ErrUnavailable)
						case 1:
							thief.verifiesToken(h)
						}
					}
				}
			}
		}
		if d := last.Sub(start); d > most {
			t.Errorf("seed %d: the thief was in for %v, want at most %v", seed, d, most)
		}
		thief.reconnects(thief.gate, far).showsTicket().refuses(audit.DropFingerprint, wire.ReasonFingerprint)
		player.now = thief.now
		if seed%2 == 0 {
			r := player.reconnects(player.gate, home)
			r.takesWelcome(r.showsTicket().resumes())
			r.sendsFirstDatagram()
			continue
		}
		player.mints("fresh")
		back := player.reconnectsWith(player.gate, networks[r.IntN(3)], "fresh")
		back.takesWelcome(back.showsBoth().resumes())
		back.sendsFirstDatagram()
		thief.now = back.now
		thief.reconnects(thief.gate, far).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
	}
}

// isQuiet ticks the server while its client says nothing. As long as the server would send to it, it
// counts as in.
func (d *dialogue) isQuiet(seconds int, in *time.Time) {
	d.Helper()
	for range seconds {
		d.waits(time.Second)
		if d.tickServer(); d.server.Begun() {
			*in = d.now
		}
	}
}
