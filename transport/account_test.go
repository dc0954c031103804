package transport

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/token"
)

// mallory is one account with as many tokens as it likes.
func (w *world) mallory(c *ClientConfig) {
	c.Token = w.tokens(token.Grant{Subject: "mallory", Scope: "match"})
}

// "By default at most 2 sessions of one player (issuer and subject) are live at once." PROTOCOL.md 5.6. Others find their
// seats.
func TestOneAccountDoesNotTakeEverySeat(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 5 * time.Millisecond})
		const seats = 10
		r := w.run(func(c *Config) { c.Session.MaxSessions = seats })
		var got []*stayer
		for i := range 3 * seats {
			if i < 2 {
				got = append(got, w.stay(i, w.mallory))
				continue
			}
			_, err := w.try(i, w.mallory)
			w.closed(err, wire.ReasonFull)
		}
		for i := range seats - 2 {
			got = append(got, w.stay(100+i))
		}
		time.Sleep(time.Second)
		for _, s := range got {
			if s.progress.over() != nil || s.since() > 2*frame {
				w.Errorf("player %d: %v", s.number, s.progress.over())
			}
		}
		w.quit(r, got...)
	})
}

// "A session that gives way ends with CLOSE reason 18, and its tickets MUST be refused. The audit names the network
// prefixes of both." PROTOCOL.md 5.6. On whatever shard it lives.
func TestSilentSessionGivesWay(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 5 * time.Millisecond})
		r := w.run()
		silent, plays := w.dial(1, w.mallory, quietClient), w.stay(2, w.mallory)
		time.Sleep(3500 * time.Millisecond)
		newcomer := w.stay(3, w.mallory)
		time.Sleep(time.Second)
		var closed *CloseError
		if err := silent.progress.over(); !errors.As(err, &closed) || closed.Reason != wire.ReasonReplaced {
			w.Errorf("the silent session: %v", err)
		}
		if plays.progress.over() != nil || newcomer.progress.over() != nil {
			w.Errorf("%v, %v", plays.progress.over(), newcomer.progress.over())
		}
		for _, e := range w.audit.all() {
			if e.Decision == audit.Replace && (e.Prefix != prefixOf(udp.Flow{AddrPort: playerAddr(1)}) || e.Previous != prefixOf(udp.Flow{AddrPort: playerAddr(3)})) {
				w.Errorf("%v took the place of %v", e.Previous, e.Prefix)
			}
		}
		if w.audits(audit.Replace) != 1 || w.audits(audit.Revoke) != 0 {
			w.Errorf("%d replacements, %d revocations", w.audits(audit.Replace), w.audits(audit.Revoke))
		}
		w.quit(r, plays, newcomer)
	})
}
