package transport

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// forgeTags sends n envelopes that are right in everything but one bit of the tag.
func (w *world) forgeTags(c *Client, n int) {
	w.Helper()
	for i := range n {
		e := w.envelope(c, "forged")
		e[10+i%8] ^= 1 << (i % 8)
		w.smuggle(c, e)
	}
}

// "8 in a row revoke the session." PROTOCOL.md 4.8: 7 do not, as often as a
// right one stands between them.
func TestForgedTags(t *testing.T) {
	t.Parallel()
	const limit = 8 // wrong tags in a row: session.Config.BadTags
	virtual(t, func(w *world) {
		w.serve()
		stop := w.crowd(2)
		c := w.dial(1, quietClient)
		for round := range uint64(5) {
			w.forgeTags(c, limit-1)
			w.dropped("tag", (round+1)*(limit-1))
			w.echo(c, "still here")
		}
		w.quiet()
		w.forgeTags(c, limit)
		w.closed(w.ending(c), wire.ReasonRevoked)
		w.dropped("tag", 5*(limit-1)+limit)
		if got := w.revocations(); len(got) != 1 || got[0] != "tag" {
			w.Errorf("revocations audited: %v", got)
		}
		if n := w.match.count("forged"); n != 0 {
			w.Errorf("%d delivered", n)
		}
		stop()
	})
}

// "Only the peer itself can send a wrong tag, since the record has authenticated."
// PROTOCOL.md 4.8: thousands of forged datagrams with a player's address change
// nothing, in its session and in that of others.
func TestForgedFromOutside(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		stop := w.crowd(2)
		c, genuine, _ := w.captured(1, 8)
		for i := range 4000 {
			b := make([]byte, 1+i%wire.MaxDatagram)
			rand.Read(b)
			if i%2 == 0 { // a genuine one with a flipped bit
				b = append(b[:0], genuine[i%8]...)
				b[i/16%len(b)] ^= 1 << (i / 2 % 8)
			}
			w.net.Inject(playerAddr(1), serverAddr, b)
			if i%100 == 0 {
				w.echo(c, "still here")
				time.Sleep(10 * time.Millisecond)
			}
		}
		w.echo(c, "still here")
		w.dropped("tag", 0)
		w.dropped("rate", 0)
		if n := w.server.Stats().Drops["record"]; n < 4000 {
			w.Errorf("%d of 4000 dropped as record", n)
		}
		stop()
		w.quiet()
	})
}
