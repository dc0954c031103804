package machine

import (
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "If a match puts a player out, the server MUST end the tickets, whatever reason the match gives."
// PROTOCOL.md 5.5
func TestDismiss(t *testing.T) {
	for code := range 256 {
		reason, told := wire.Reason(code), wire.Reason(code)
		if code == 0 || code > int(wire.ReasonRate) && code < 128 {
			told = wire.ReasonKicked
		}
		t.Run(reason.String(), func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			reply, ev := d.server.Dismiss(reason, "why")
			h := d.heard(reply, ev, d.server.Append)
			if ev.Kind != EventClosed || ev.Reason != told || d.gate.Len() != 0 {
				t.Errorf("%+v, %d sessions", ev, d.gate.Len())
			}
			r := d.reconnects(d.gate, home) // before CLOSE comes
			if ev := d.toClient(h.envelope).Event; ev.Kind != EventClosed || ev.Reason != told || string(ev.Payload) != "why" {
				t.Errorf("the client: %+v", ev)
			}
			if h := r.showsTicket(); h.Event.Kind != EventRefused || h.Drop != audit.DropTicket && h.Drop != audit.DropRevoked {
				t.Errorf("its ticket: %+v", h.Event)
			}
			if reply, ev := d.server.Dismiss(reason, ""); reply.Kind != 0 || ev.Kind != EventNone {
				t.Error("twice", reply, ev)
			}
		})
	}
}

// A player who is dismissed after the connection has ended, for a reason that leaves the tickets
// valid, does not return either.
func TestDismissLate(t *testing.T) {
	for _, reason := range []wire.Reason{wire.ReasonShutdown, wire.ReasonKicked, wire.ReasonLeft, wire.ReasonGame, 255} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.waits(session.DefaultIdle)
		d.tickServer().ends(audit.DropIdle, wire.ReasonIdle)
		d.server.Dismiss(reason, "")
		d.reconnects(d.gate, home).showsTicket().refuses(audit.DropTicket, wire.ReasonTicket)
	}
}

// A player who is put out after the session was saved, and before the memory is, is not there in
// the next process.
func TestPutOutAmidSnapshot(t *testing.T) {
	for _, reason := range []wire.Reason{0, wire.ReasonShutdown, wire.ReasonIdle, wire.ReasonLeft, wire.ReasonRevoked, wire.ReasonGame} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		_, snap := d.savesAndRestores(d)
		d.server.Session().PutOut(reason)
		g, _ := d.savesAndRestores()
		if _, drop := d.restores(g, snap.Sessions[0]); drop != audit.DropTicket && drop != audit.DropRevoked || g.Len() != 0 {
			t.Errorf("%v: %v, %d sessions", reason, drop, g.Len())
		}
		if h := d.reconnects(g, home).showsTicket(); h.Event.Kind != EventRefused {
			t.Errorf("%v: its ticket: %+v", reason, h.Event)
		}
	}
}

// Of a detail that is too long as many whole characters are sent as fit, and what is no text is
// none.
func TestDetail(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"bye":                         "bye",
		strings.Repeat("x", 63):       strings.Repeat("x", 63),
		strings.Repeat("x", 64):       strings.Repeat("x", 64),
		strings.Repeat("x", 65):       strings.Repeat("x", 64),
		strings.Repeat("é", 32) + "x": strings.Repeat("é", 32),
		"x" + strings.Repeat("é", 32): "x" + strings.Repeat("é", 31),
		strings.Repeat("x", 63) + "😀": strings.Repeat("x", 63),
		strings.Repeat("😀", 17):       strings.Repeat("😀", 16),
		"\xff\xfe":                    "?",
	} {
		if got := string(closeDetail(text)); got != want || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// "as soon as the session is ended by the server, before its next datagram: at once if it has been"
func TestOnEnd(t *testing.T) {
	for _, before := range []bool{false, true} {
		s := play(t, session.Config{}, session.ClientConfig{}).server.Session()
		var flag atomic.Bool
		if before {
			s.Revoke()
		}
		s.OnEnd(&flag)
		if flag.Load() != before {
			t.Errorf("ended before: %v, flag %v", before, flag.Load())
		}
		if s.Revoke(); !flag.Load() {
			t.Error("revoked, and the flag is not set")
		}
	}
}
