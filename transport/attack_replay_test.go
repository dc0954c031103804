package transport

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// captured is a player whose first inputs, as datagrams and as envelopes, the
// attacker has.
func (w *world) captured(n, inputs int) (c *Client, datagrams tape, envelopes [][]byte) {
	w.Helper()
	c = w.dial(n, quietClient)
	synctest.Wait()
	toServer, _ := w.tap(n)
	for i := range inputs {
		envelopes = append(envelopes, w.envelope(c, fmt.Sprint("input ", i)))
		w.smuggle(c, envelopes[i])
	}
	for range inputs {
		w.receive(c)
	}
	w.net.Tap(nil)
	if len(*toServer) != inputs {
		w.Fatalf("%d datagrams captured, want %d", len(*toServer), inputs)
	}
	return c, *toServer, envelopes
}

// "a copy never counts twice" PROTOCOL.md 4.9. A captured datagram is worth
// nothing: from its own address the record window knows it, from another one
// its connection id leads to the same window, and on a new connection there are other keys.
func TestReplay(t *testing.T) {
	t.Parallel()
	const inputs = 32
	for _, test := range []struct {
		name, reason string
		replay       func(w *world, c *Client, datagrams tape, envelopes [][]byte)
	}{
		{"same address", "record", func(w *world, _ *Client, datagrams tape, _ [][]byte) {
			for _, b := range datagrams {
				w.net.Inject(playerAddr(1), serverAddr, b)
			}
		}},
		{"another address", "record", func(w *world, _ *Client, datagrams tape, _ [][]byte) {
			for _, b := range datagrams {
				w.net.Inject(thief, serverAddr, b)
			}
		}},
		{"another player's address", "record", func(w *world, _ *Client, datagrams tape, _ [][]byte) {
			w.dial(2)
			for _, b := range datagrams {
				w.net.Inject(playerAddr(2), serverAddr, b)
			}
		}},
		{"sealed again", "replay", func(w *world, c *Client, _ tape, envelopes [][]byte) { w.smuggle(c, envelopes...) }},
		{"new connection", "record", func(w *world, c *Client, datagrams tape, _ [][]byte) {
			c.Close()
			w.dial(1)
			for _, b := range datagrams {
				w.net.Inject(playerAddr(1), serverAddr, b)
			}
		}},
		{"sealed for the new connection", "session", func(w *world, c *Client, _ tape, envelopes [][]byte) {
			c.Close()
			w.smuggle(w.dial(1), envelopes...)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve()
				stop := w.crowd(2)
				c, datagrams, envelopes := w.captured(1, inputs)
				time.Sleep(time.Second)
				before := w.server.Stats().Drops[test.reason]
				test.replay(w, c, datagrams, envelopes)
				synctest.Wait()
				if n := w.server.Stats().Drops[test.reason] - before; n < inputs || n > inputs+2 {
					w.Errorf("%d of %d dropped as %s: %v", n, inputs, test.reason, w.server.Stats().Drops)
				}
				stop()
				w.deliveredOnce("input ", inputs)
				if n := len(w.revocations()); n > 0 {
					w.Errorf("%d sessions revoked", n)
				}
			})
		})
	}
}

// "nobody can have a player revoked by sending in their name" PROTOCOL.md 4.10:
// copies and forgeries at a bot's rate use up nothing of the player's own.
func TestReplayFlood(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c, datagrams, _ := w.captured(1, 32)
		for i := range 6000 { // three seconds
			b := datagrams[i%len(datagrams)]
			w.net.Inject(playerAddr(1), serverAddr, b)
			if i%20 == 0 {
				if err := c.Send(fmt.Append(nil, "own ", i/20)); err != nil {
					w.Fatalf("out after %d copies: %v", i, err)
				}
			}
			time.Sleep(time.Second / 2000)
		}
		synctest.Wait()
		w.dropped("record", 6000)
		w.dropped("rate", 0)
		w.deliveredOnce("own ", 300)
		w.quiet()
	})
}
