package transport

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// "it refuses the same token on another connection with CLOSE reason 10. Each attempt is audited."
// PROTOCOL.md 5.2. What the thief states of itself makes no difference, and the owner notices
// nothing.
func TestStolenToken(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		stop := w.crowd(3)
		raw := []byte(w.issuer.Token(w, token.Grant{Subject: "alice", Scope: "match"}))
		stolen := func(f session.Fingerprint) func(*ClientConfig) {
			return func(c *ClientConfig) {
				c.Token = func(context.Context) ([]byte, error) { return raw, nil }
				c.Session.Fingerprint = f
			}
		}
		mine := session.Fingerprint{Platform: "go", Build: "7"}
		owner := w.dial(1, stolen(mine))
		for i, f := range []session.Fingerprint{mine, {Platform: "go", Build: "8"}, {Platform: "console", Build: "7"}, {}} {
			_, err := w.try(2, stolen(f))
			w.closed(err, wire.ReasonUsed)
			w.dropped("used", uint64(i+1))
			w.echo(owner, "still mine")
		}
		if n := w.audited("reject"); n != 4 {
			w.Errorf("%d records of 4 attempts", n)
		}
		stop()
		w.quiet()
	})
}

// "The session id is this connection's; else drop session." PROTOCOL.md 4.4, and "The
// tag is the one that the epoch's datagram key gives." PROTOCOL.md 4.8: an envelope is
// worth nothing on another connection, and its owner can still send it.
func TestStolenEnvelope(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		owner, thief := w.dial(1), w.dial(2)
		stolen := w.envelope(owner, "stolen")
		w.smuggle(thief, stolen)
		w.dropped("session", 1)
		renamed := append([]byte(nil), stolen...)
		binary.BigEndian.PutUint32(renamed[2:], w.match.player(1).Session().ID())
		w.smuggle(thief, renamed)
		w.dropped("tag", 1)
		if n := w.match.count("stolen"); n != 0 {
			w.Errorf("delivered %d times", n)
		}
		w.smuggle(owner, stolen)
		if got := w.receive(owner); got != "stolen" {
			w.Errorf("the owner's own is answered by %q", got)
		}
		w.echo(thief, "nobody is hurt")
		w.quiet()
	})
}
