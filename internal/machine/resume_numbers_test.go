package machine

import (
	"fmt"
	"math"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "client next: the client's next sequence when the ticket was made" docs/fleet.md 8.1. It holds
// where nothing else is known.
func TestTicketNumbers(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	next := uint64(1) // of the ticket in the first WELCOME
	for i := range 3 {
		r := d.reconnects(d.anotherServer(session.Config{}), home)
		r.statesInHello(func(m *wire.Hello) { m.NextSend = 1 })
		if m, err := wire.ParseWelcome(r.showsTicket().body); err != nil || m.ClientNext != next {
			t.Errorf("ticket %d: the client's next is %d, want %d, %v", i, m.ClientNext, next, err)
		}
		d.exchangesData()
		if i == 0 {
			d.renewsWith("second")
			next = d.client.sequence + 1
			d.exchangesData()
		} else {
			next = d.client.sequence + 1
			d = d.resumesHere()
			d.exchangesData()
		}
	}
}

// "For each direction the server MUST take the larger of the client's stated next sequence and its
// own, and return it in WELCOME." PROTOCOL.md 8.3
// "Its own is that of the connection on which the session lives on this server, and for the
// client's direction also the one in the ticket." PROTOCOL.md 8.3
func TestResumeStatedNumbers(t *testing.T) {
	const up, down = 101, 201 // known here
	for _, c := range []struct {
		here                  bool
		send, receive, ticket uint64
		wantUp, wantDown      uint64
	}{
		{true, up, down, 1, up, down},
		{true, up - 1, down - 1, 1, up, down},
		{true, up + 1, down + 1, 1, up + 1, down + 1},
		{true, 1, 1, 1, up, down},
		{true, 1, 1, up - 1, up, down},
		{true, 1, 1, up, up, down},
		{true, 1, 1, up + 1, up + 1, down},
		{true, up + 2, 1, up + 1, up + 2, down},
		{false, 1, 1, 1, 1, 1},
		{false, 7, 9, 6, 7, 9},
		{false, 7, 9, 7, 7, 9},
		{false, 7, 9, 8, 8, 9},
	} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.client.sequence, d.server.sequence = up-2, down-2
		d.exchangesData()
		g := d.gate
		if !c.here {
			g = d.anotherServer(session.Config{})
		}
		r := d.reconnects(g, home)
		r.sealsInTicket(func(t *resume.Ticket) { t.ClientNext = c.ticket })
		r.statesInHello(func(m *wire.Hello) { m.NextSend, m.NextReceive = c.send, c.receive })
		m, err := wire.ParseWelcome(r.showsTicket().body)
		if err != nil || m.ClientNext != c.wantUp || m.ServerNext != c.wantDown {
			t.Errorf("%+v: WELCOME says %d and %d, %v", c, m.ClientNext, m.ServerNext, err)
		}
	}
}

// "and sequences above 2^62" PROTOCOL.md 8.3
func TestResumeHighNumbers(t *testing.T) {
	for _, here := range []bool{true, false} {
		for _, n := range []uint64{1<<62 - 1, 1 << 62, 1<<62 + 1, math.MaxUint64} {
			for name, change := range map[string]func(*wire.Hello){
				"send":    func(m *wire.Hello) { m.NextSend = n },
				"receive": func(m *wire.Hello) { m.NextReceive = n },
			} {
				t.Run(fmt.Sprint(name, " ", n, ", known here ", here), func(t *testing.T) {
					d := playWithTicket(t, session.Config{}, session.ClientConfig{})
					g := d.gate
					if !here {
						g = d.anotherServer(session.Config{})
					}
					r := d.reconnects(g, home)
					r.statesInHello(change)
					h := r.showsTicket()
					if n > 1<<62 {
						h.refuses(audit.DropTicket, wire.ReasonTicket)
						d.exchangesData()
						return
					}
					r.takesWelcome(h)
					r.sendsFirstDatagram()
					r.exchangesData()
				})
			}
		}
	}
}
