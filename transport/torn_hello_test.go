package transport

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// longToken has a client show identity tokens for which HELLO needs two parts, and counts them.
// None can be had while signedOut.
func (w *world) longToken(n int, asked *atomic.Int32, signedOut *atomic.Bool) func(*ClientConfig) {
	grant := grantFor(n)
	grant.Custom = map[string]any{"groups": slices.Repeat([]string{strings.Repeat("g", 256)}, 4)}
	return func(c *ClientConfig) {
		mint := w.tokens(grant)
		c.Token = func(ctx context.Context) ([]byte, error) {
			if signedOut.Load() {
				return nil, errors.New("signed out")
			}
			asked.Add(1)
			return mint(ctx)
		}
	}
}

// tears brings a server the first part of the next HELLO of two, and nothing more from the client
// until the server has said CLOSE four times, which the client does not hear if it is deaf. It
// returns how many it has torn.
func (w *world) tears(client, server netip.AddrPort, deaf bool) (torn *atomic.Int32) {
	torn = new(atomic.Int32)
	var until time.Time
	w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
		switch {
		case from == server && to == client:
			return !deaf || b[0] != byte(record.ApplicationData) || time.Now().After(until)
		case from != client || to != server:
			return true
		case torn.Load() == 0 && b[0] == byte(record.ApplicationData) && len(b) > wire.MaxPart:
			torn.Add(1)
			until = time.Now().Add(5900 * time.Millisecond)
			return true
		}
		return time.Now().After(until)
	})
	return torn
}

// "Reason 17 in place of WELCOME ends this attempt alone: HELLO has not arrived whole, and the client
// SHOULD make another one." PROTOCOL.md 5.1. Dial does, with another token; where CLOSE is lost, after
// the close_notify that follows.
func TestTornHello(t *testing.T) {
	t.Parallel()
	for name, deaf := range map[string]bool{"CLOSE": false, "close_notify": true} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				w.serve()
				torn := w.tears(playerAddr(1), serverAddr, deaf)
				var asked atomic.Int32
				began := time.Now()
				c, err := w.tryFor(20*time.Second, 1, w.longToken(1, &asked, new(atomic.Bool)))
				if err != nil {
					t.Fatal(err)
				}
				if d := time.Since(began); torn.Load() != 1 || asked.Load() != 2 || d > helloPatience+time.Second {
					t.Errorf("%d torn, %d tokens, it took %v", torn.Load(), asked.Load(), d)
				}
				w.net.Tap(nil)
				w.echo(c, "hello")
				if n := w.server.Stats().Refusals["idle hello"]; n != 1 {
					t.Errorf("%d connections were given up for want of HELLO", n)
				}
				if len(c.progress.acknowledged) > 0 {
					t.Error("what ended the attempt is taken for the answer to a CLOSE of the client's")
				}
			})
		})
	}
}

// "Reason 17 in place of WELCOME ends this attempt alone" PROTOCOL.md 5.1: the session of a player who
// owes a token after a lapse goes on.
func TestTornHelloAfterLapse(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		var asked atomic.Int32
		var signedOut atomic.Bool
		s := w.stay(1, w.longToken(1, &asked, &signedOut))
		time.Sleep(time.Second)
		signedOut.Store(true)
		torn := w.tears(elsewhere, serverAddr, false)
		w.rebind(s.Client, elsewhere)
		time.Sleep(15 * time.Second) // the step up has lapsed, and the client knows
		signedOut.Store(false)
		time.Sleep(10 * time.Second)
		if torn.Load() != 1 || s.Stats().Resumed != 1 {
			t.Errorf("%d torn, %+v, %+v", torn.Load(), s.Stats(), s.events)
		}
		s.rest()
		w.keeps(s)
		w.net.Tap(nil)
		w.quit(r, s)
	})
}

// "Reason 17 in place of WELCOME ends this attempt alone" PROTOCOL.md 5.1, and "a CLOSE with reason 2
// does not end the session for 10 s" 8.6.
func TestTornHelloAtDestination(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		p := mutePair(w, secondPlace, "")
		defer p.end()
		defer p.playing()()
		var asked atomic.Int32
		s := p.stay(1, w.longToken(1, &asked, new(atomic.Bool)))
		identity, err := s.config.Token(w.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Client.mu.Lock()
		s.state.resumption.proves, s.state.resumption.identity = true, identity
		s.Client.mu.Unlock()
		torn := w.tears(playerAddr(1), secondPlace, false)
		_ = p.drains(p.there(), time.Second)
		if err := p.server.Shutdown(w.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		if torn.Load() != 1 || s.Stats().Resumed != 1 || s.since() > 3*frame || s.told(EventClosed) != 0 {
			t.Errorf("%d torn, %+v, %+v", torn.Load(), s.Stats(), s.events)
		}
		w.net.Tap(nil)
		s.quit()
	})
}
