package transport

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/simnet"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// A ban reaches the player who is here within a second, and each fresh token of the player's, with the ban's reason, and
// is on record as a revocation. Once it is lifted the player comes in.
func TestBan(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve()
		c, other := w.dial(1, quietClient), w.dial(2)
		synctest.Wait()
		const reason = wire.ReasonGame + 1
		b := session.Ban{Issuer: testkit.IssuerName, Subject: "player 1", Reason: reason}
		if n, err := w.server.Ban(b); n != 1 || err != nil {
			w.Fatal(n, err)
		}
		start := time.Now()
		w.closed(w.ending(c), reason)
		if d := time.Since(start); d > noticed {
			w.Errorf("after %v", d)
		}
		c.Close()
		synctest.Wait()
		before := len(w.audit.all())
		if w.audited("revoke") != 1 {
			w.Errorf("%+v", w.audit.all())
		}
		_, err := w.try(1)
		w.closed(err, reason)
		if e := w.audit.all()[before:]; len(e) != 1 || e[0].Decision != audit.Reject || e[0].Reason != audit.DropRevoked {
			w.Errorf("%+v", e)
		}
		if !w.server.Lift(b.Issuer, b.Subject) {
			w.Error("no ban to lift")
		}
		w.echo(w.dial(1), "again")
		w.echo(other, "here")
	})
}

// A player who is put out while the path is down does not come back with it: neither on the connection that there was
// nor on another, neither here nor after a restart that takes the sessions over.
func TestPutOutDuringBlackout(t *testing.T) {
	for name, put := range map[string]func(s session.Session, g *Server) bool{
		"Session.Revoke":       func(s session.Session, _ *Server) bool { return s.Revoke() },
		"Server.RevokeSession": func(s session.Session, g *Server) bool { return g.RevokeSession(s.ID()) },
		"Server.Ban": func(s session.Session, g *Server) bool {
			n, err := g.Ban(session.Ban{Issuer: s.Issuer(), Subject: s.Subject()})
			return n == 1 && err == nil
		},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				virtual(t, func(w *world) {
					w.net.SetImpairment(simnet.Impairment{Latency: 20 * time.Millisecond})
					fleet := w.fleet(t)
					r := w.run(fleet)
					s := w.stay(1)
					time.Sleep(2 * time.Second)
					w.net.SetImpairment(simnet.Impairment{Loss: 1})
					time.Sleep(5 * time.Second)
					if !put(w.match.player(0).Session(), w.server) {
						t.Error("not put out")
					}
					if restart {
						w.end(r, r.shutdown)
						r = w.run(fleet)
					}
					before := s.sent.Load()
					w.net.SetImpairment(simnet.Impairment{Latency: 20 * time.Millisecond})
					time.Sleep(20 * time.Second)
					for i := before; i < s.sent.Load(); i++ {
						if w.match.count(input(1, i)) != 0 {
							t.Fatalf("input %d came", i)
						}
					}
					if st := s.Stats(); st.Resumed != 0 {
						t.Errorf("%+v", st)
					}
					w.closed(s.Send(nil), wire.ReasonRevoked)
					w.quit(r, s)
				})
			})
		}
	}
}
