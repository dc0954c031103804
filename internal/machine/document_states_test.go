package machine

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// stateName returns the name that PROTOCOL.md 5.7 has for the state of a server's connection.
func stateName(c *Conn) string { return stateNames[c.state] }

// scenario brings a server's connection into a state, and returns the event that follows. The event
// returns what the server's machine sends: a close_notify is its caller's.
type scenario struct {
	state, event string
	play         func(t *testing.T) (*dialogue, func() heard)
}

var scenarios = []scenario{
	{"opening", "a complete HELLO", func(t *testing.T) (*dialogue, func() heard) {
		d := connectOnly(t, session.Config{}, session.ClientConfig{})
		return d, d.sendsTicket
	}},
	{"opening", "a HELLO of another version", func(t *testing.T) (*dialogue, func() heard) {
		d := connectOnly(t, session.Config{}, session.ClientConfig{})
		hello := slices.Clone(d.clientTick(wire.KindHello)[0])
		hello[0] += 1 << 4
		return d, func() heard { return d.toServer(hello) }
	}},
	{"opening", "close_notify", func(t *testing.T) (*dialogue, func() heard) {
		d := connectOnly(t, session.Config{}, session.ClientConfig{})
		return d, d.disconnects
	}},
	{"opening", "5 s are over", func(t *testing.T) (*dialogue, func() heard) {
		d := connectOnly(t, session.Config{}, session.ClientConfig{})
		return d, d.ticksAfter(5 * time.Second)
	}},
	{"verifying", "close_notify", func(t *testing.T) (*dialogue, func() heard) {
		d, _ := asking(t)
		return d, d.disconnects
	}},
	{"verifying", "the identity token is accepted", func(t *testing.T) (*dialogue, func() heard) {
		d, asked := asking(t)
		return d, func() heard { return d.verifiesToken(asked) }
	}},
	{"verifying", "the ticket is accepted", func(t *testing.T) (*dialogue, func() heard) {
		former := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d := former.reconnects(former.gate, home)
		asked := d.sendsTicket()
		return d, func() heard { return d.findsFormer(asked) }
	}},
	{"verifying", "token or ticket is refused", func(t *testing.T) (*dialogue, func() heard) {
		d, _ := asking(t)
		return d, func() heard { return d.verifiedAs(nil, token.ErrSignature) }
	}},
	{"verifying", "5 s are over", func(t *testing.T) (*dialogue, func() heard) {
		d, _ := asking(t)
		return d, d.ticksAfter(5 * time.Second)
	}},
	{"welcomed", "the same HELLO", func(t *testing.T) (*dialogue, func() heard) {
		former := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d := former.reconnects(former.gate, home)
		d.showsTicket()
		d.waits(time.Second)
		return d, d.sendsTicket
	}},
	{"welcomed", "a datagram is accepted", func(t *testing.T) (*dialogue, func() heard) {
		_, d := waiting(t)
		return d, func() heard { return d.toServer(d.clientSends(wire.KindData, "")) }
	}},
	{"welcomed", "close_notify, or 5 s are over", func(t *testing.T) (*dialogue, func() heard) {
		_, d := waiting(t)
		return d, d.disconnects
	}},
	{"welcomed", "close_notify, or 5 s are over", func(t *testing.T) (*dialogue, func() heard) {
		_, d := waiting(t)
		return d, d.ticksAfter(5 * time.Second)
	}},
	{"welcomed", "the session has ended, or lives elsewhere", func(t *testing.T) (*dialogue, func() heard) {
		former, d := waiting(t)
		former.server.Close(wire.ReasonKicked)
		return d, func() heard { return d.toServer(d.clientSends(wire.KindData, "")) }
	}},
	{"welcomed", "the session has ended, or lives elsewhere", func(t *testing.T) (*dialogue, func() heard) {
		former, d := waiting(t)
		third := former.reconnects(former.gate, home)
		third.takesWelcome(third.showsTicket())
		third.sendsFirstDatagram()
		return d, func() heard { return d.toServer(d.clientSends(wire.KindData, "")) }
	}},
	{"live", "the same HELLO, before any datagram", func(t *testing.T) (*dialogue, func() heard) {
		d, asked := asking(t)
		d.verifiesToken(asked)
		d.waits(time.Second)
		return d, d.sendsTicket
	}},
	{"live", "RENEW is accepted", func(t *testing.T) (*dialogue, func() heard) {
		d := play(t, session.Config{}, session.ClientConfig{})
		d.mints("fresh")
		parts := d.renew("fresh")
		return d, func() heard { return d.present(parts...) }
	}},
	{"live", "the first datagram of the next epoch", func(t *testing.T) (*dialogue, func() heard) {
		d := play(t, session.Config{}, session.ClientConfig{})
		d.mints("fresh")
		d.toClient(d.present(d.renew("fresh")...).envelope)
		return d, func() heard { return d.toServer(d.clientSends(wire.KindData, "")) }
	}},
	{"live", "the session is resumed on another connection", func(t *testing.T) (*dialogue, func() heard) {
		former, d := waiting(t)
		return former, func() heard { d.sendsFirstDatagram(); return heard{TB: t} }
	}},
	{"live", "CLOSE", func(t *testing.T) (*dialogue, func() heard) {
		d := play(t, session.Config{}, session.ClientConfig{})
		return d, d.leaves
	}},
	{"live", "close_notify", func(t *testing.T) (*dialogue, func() heard) {
		d := play(t, session.Config{}, session.ClientConfig{})
		return d, d.disconnects
	}},
	{"live", "expiry, idle, revocation, a lapse, the match", func(t *testing.T) (*dialogue, func() heard) {
		d := play(t, session.Config{}, session.ClientConfig{})
		return d, d.ticksAfter(session.DefaultIdle)
	}},
	{"live", "expiry, idle, revocation, a lapse, the match", func(t *testing.T) (*dialogue, func() heard) {
		d := play(t, session.Config{}, session.ClientConfig{})
		return d, func() heard {
			r, ev := d.server.Close(wire.ReasonKicked)
			return d.heard(r, ev, d.server.Append)
		}
	}},
	{"closed", "CLOSE, within 1 s", func(t *testing.T) (*dialogue, func() heard) {
		d := play(t, session.Config{}, session.ClientConfig{})
		d.server.Close(wire.ReasonKicked)
		return d, d.leaves
	}},
	{"closed", "the same HELLO, if it was refused", func(t *testing.T) (*dialogue, func() heard) {
		d, _ := asking(t)
		d.verifiedAs(nil, token.ErrSignature)
		d.waits(time.Second)
		return d, d.sendsTicket
	}},
}

// asking is a dialogue whose HELLO waits for the verdict on its token.
func asking(t *testing.T) (*dialogue, heard) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	return d, d.sendsTicket()
}

// waiting is a session and a connection on which it has been resumed, before its first datagram.
func waiting(t *testing.T) (former, d *dialogue) {
	former = playWithTicket(t, session.Config{}, session.ClientConfig{})
	d = former.reconnects(former.gate, home)
	d.takesWelcome(d.showsTicket())
	return former, d
}

// disconnects ends the connection by the client's close_notify. The caller answers it, and sends no
// CLOSE.
func (d *dialogue) disconnects() heard {
	d.server.Disconnected()
	return heard{TB: d.TB}
}

// leaves delivers the client's CLOSE.
func (d *dialogue) leaves() heard {
	body := wire.CloseBody{Reason: wire.ReasonLeft}
	return d.toServer(d.clientSends(wire.KindClose, string(body.AppendTo(nil))))
}

// ticksAfter returns the server's Tick a while later.
func (d *dialogue) ticksAfter(wait time.Duration) func() heard {
	return func() heard { d.waits(wait); return d.tickServer() }
}

// "An event that is not in a table changes no state." PROTOCOL.md 5.7. Those of the server's table
// do what it says.
func TestDocumentServerStates(t *testing.T) {
	_, table, _ := strings.Cut(testkit.Section(t, "5.7"), "\nThe server:\n")
	table, _, _ = strings.Cut(table, "\nThe client:\n")
	played := 0
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(row, "|\n "), " | ")
		if len(cells) != 4 || cells[0] == "state" || cells[0] == "–" {
			continue
		}
		for state := range strings.SplitSeq(cells[0], ", ") {
			before := played
			for _, s := range scenarios {
				if s.state == state && s.event == cells[1] {
					played++
					t.Run(state+", "+s.event, func(t *testing.T) { s.leadsTo(t, cells[2], cells[3]) })
				}
			}
			if played == before {
				t.Errorf("no scenario for %q", row)
			}
		}
	}
	if played != len(scenarios) {
		t.Errorf("%d scenarios are in the table, want %d", played, len(scenarios))
	}
}

// leadsTo plays a scenario, and compares the next state and what is sent with the table's.
func (s *scenario) leadsTo(t *testing.T, next, sends string) {
	d, event := s.play(t)
	if got := stateName(d.server); got != s.state {
		t.Fatalf("begins in %q, want %q", got, s.state)
	}
	h := event()
	if got := stateName(d.server); got != next {
		t.Errorf("leads to %q, want %q", got, next)
	}
	want := wire.Kind(0)
	for _, kind := range []wire.Kind{wire.KindWelcome, wire.KindRenewed, wire.KindClose} {
		if strings.Contains(sends, kind.String()) {
			want = kind
		}
	}
	if h.kind != want {
		t.Errorf("sends %v, want %q", h.kind, sends)
	}
	if code, err := strconv.Atoi(strings.TrimPrefix(sends, "CLOSE ")); err == nil {
		if m, err := wire.ParseCloseBody(h.body); err != nil || int(m.Reason) != code {
			t.Errorf("CLOSE with reason %d, %v, want %d", m.Reason, err, code)
		}
	}
}
