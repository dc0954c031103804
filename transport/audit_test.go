package transport

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// "Audit receives a record of every trust decision": exactly one for each, with who, where and why.
// Refusals are in TestRefusals, alarms in TestServerClockStep.
func TestAudit(t *testing.T) {
	t.Parallel()
	for end, test := range map[string]struct {
		act  func(w *world, c *Client)
		want string
	}{
		"player leaves": {func(_ *world, c *Client) { c.Close() }, "close none"},
		"player silent": {func(_ *world, c *Client) { c.socket.conn.Load().Close() }, "close idle"},
		"kicked":        {func(w *world, _ *Client) { w.match.player(0).Kick(wire.ReasonKicked) }, "close none"},
		"revoked":       {func(w *world, _ *Client) { w.match.player(0).Session().Revoke() }, "revoke revoked"},
		"shut down":     {func(w *world, _ *Client) { _ = w.server.Shutdown(w.Context()) }, "close none"},
		"replaced": {func(w *world, c *Client) {
			c.socket.conn.Load().Close()
			w.dial(1)
		}, "replace none"},
	} {
		t.Run(end, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve()
				c := w.dial(1)
				time.Sleep(40 * time.Minute)
				test.act(w, c)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				var got []string
				tokens := make(map[string]bool)
				for _, e := range w.audit.all() {
					if e.Session != w.match.player(0).Session().ID() { // one that has come anew
						continue
					}
					got = append(got, fmt.Sprint(e.Decision, " ", e.Reason))
					tokens[e.TokenID] = true
					if e.Subject != "player 1" || e.Prefix != sources.NetworkPrefix(playerAddr(1).Addr()) || e.Scope != "match" ||
						e.Time.IsZero() || e.Issuer == "" {
						w.Errorf("%+v", e)
					}
				}
				if want := []string{"accept none", "renew none", "renew none", "renew none", test.want}; fmt.Sprint(got) != fmt.Sprint(want) {
					w.Errorf("audited %v, want %v", got, want)
				}
			})
		})
	}
}

// A refused renewal is one record however often RENEW is repeated, and so is that of
// the next token ten seconds later; the end names it: "the CLOSE at its end gives the reason of the refusal".
func TestAuditRefusedRenewal(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		g, first := token.Grant{Subject: "player 1", Scope: "match", Life: time.Minute}, true
		c := w.dial(1, func(c *ClientConfig) {
			c.Token = func(context.Context) ([]byte, error) {
				if !first {
					g.Subject = "mallory"
				}
				first = false
				return []byte(w.issuer.Token(w, g)), nil
			}
		})
		time.Sleep(50 * time.Second)
		w.closed(w.ending(c), wire.ReasonToken)
		var got []string
		for _, e := range w.audit.all() {
			got = append(got, fmt.Sprint(e.Decision, " ", e.Reason))
		}
		if want := fmt.Sprint([]string{"accept none", "reject token", "reject token", "close expired"}); fmt.Sprint(got) != want {
			w.Errorf("audited %v, want %v", got, want)
		}
	})
}

// A Sink sees each event before the match does: who is in Join has been audited.
func TestAuditComesFirst(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		n := 0
		w.match.onJoin = func() { n = len(w.audit.all()) }
		w.serve()
		w.dial(1)
		if n != 1 || w.audit.all()[0].Decision != audit.Accept {
			w.Errorf("%d records", n)
		}
	})
}
