package machine

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// clientState returns the name that PROTOCOL.md 5.7 has for the state of a client's connection. The
// machine begins when the handshake is complete.
func clientState(c *Client) string {
	switch c.state {
	case verifying:
		return "opening"
	case live:
		return "live"
	}
	return "closed"
}

// clientScenarios are the rows of the client's table that its machine decides: an event returns the
// kind of what the client sends. The other rows are of the connection, which package transport has.
var clientScenarios = []struct {
	state, event string
	play         func(t *testing.T) (*dialogue, func() wire.Kind)
}{
	{"opening", "200 ms are over, then twice as long each time", func(t *testing.T) (*dialogue, func() wire.Kind) {
		d := connectOnly(t, session.Config{}, session.ClientConfig{})
		d.clientTick(wire.KindHello)
		d.waits(firstRetransmit)
		return d, d.clientTicks
	}},
	{"opening", "WELCOME with the nonce of HELLO", func(t *testing.T) (*dialogue, func() wire.Kind) {
		d, asked := asking(t)
		welcome := d.verifiesToken(asked)
		return d, func() wire.Kind {
			d.toClient(welcome.envelope)
			d.client.Ask()
			return d.clientTicks()
		}
	}},
	{"opening", "CLOSE outside a session", func(t *testing.T) (*dialogue, func() wire.Kind) {
		d, _ := asking(t)
		refused := d.verifiedAs(nil, token.ErrSignature)
		return d, func() wire.Kind { return d.toClient(refused.envelope).kind }
	}},
	{"live", "RENEWED for the next epoch", func(t *testing.T) (*dialogue, func() wire.Kind) {
		d := play(t, session.Config{}, session.ClientConfig{})
		d.mints("fresh")
		renewed := d.present(d.renew("fresh")...)
		return d, func() wire.Kind {
			kind := d.toClient(renewed.envelope).kind
			if e, err := wire.Parse(d.clientSends(wire.KindData, "")); err != nil || e.Epoch != 2 {
				t.Errorf("sends in epoch %d, %v", e.Epoch, err)
			}
			return kind
		}
	}},
	{"live", "PING", func(t *testing.T) (*dialogue, func() wire.Kind) {
		d := play(t, session.Config{}, session.ClientConfig{})
		return d, func() wire.Kind { return d.toClient(d.serverSends(wire.KindPing, "12345678")).kind }
	}},
	{"live", "nothing to send, or no answer", func(t *testing.T) (*dialogue, func() wire.Kind) {
		d := play(t, session.Config{}, session.ClientConfig{})
		d.waits(clientDefaults.KeepAlive)
		return d, d.clientTicks
	}},
	{"live", "CLOSE, close_notify", func(t *testing.T) (*dialogue, func() wire.Kind) {
		d := play(t, session.Config{}, session.ClientConfig{})
		body := wire.CloseBody{Reason: wire.ReasonKicked}
		closing := d.serverSends(wire.KindClose, string(body.AppendTo(nil)))
		return d, func() wire.Kind { return d.toClient(closing).kind }
	}},
	{"live", "the player leaves", func(t *testing.T) (*dialogue, func() wire.Kind) {
		d := play(t, session.Config{}, session.ClientConfig{})
		return d, func() wire.Kind { return d.client.Close().Kind }
	}},
}

// clientTicks returns the kind of what the client sends by its clock.
func (d *dialogue) clientTicks() (sent wire.Kind) {
	d.client.Tick(d.now, func(kind wire.Kind, _ []byte) { sent = kind })
	return sent
}

// The client's machine does what its rows in PROTOCOL.md 5.7 say.
func TestDocumentClientStates(t *testing.T) {
	_, table, _ := strings.Cut(testkit.Section(t, "5.7"), "\nThe client:\n")
	for _, s := range clientScenarios {
		t.Run(s.state+", "+s.event, func(t *testing.T) {
			_, row, ok := strings.Cut(table, "| "+s.state+" | "+s.event+" | ")
			if !ok {
				t.Fatal("the table lacks the row")
			}
			row, _, _ = strings.Cut(row, " |\n")
			next, sends, _ := strings.Cut(row, " | ")
			d, event := s.play(t)
			if got := clientState(d.client); got != s.state {
				t.Fatalf("begins in %q, want %q", got, s.state)
			}
			sent := event()
			if got := clientState(d.client); got != next {
				t.Errorf("leads to %q, want %q", got, next)
			}
			named := false
			for kind := wire.KindHello; kind <= wire.KindFrames; kind++ {
				named = named || strings.Contains(sends, kind.String())
			}
			if named != (sent != 0) || named && !strings.Contains(sends, sent.String()) {
				t.Errorf("sends %v, want %q", sent, sends)
			}
		})
	}
}
