package transport

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// A ban reaches the player who is here within a second, and each fresh token of the player's, with the ban's reason, and
// is on record as a revocation. Once it is lifted the player comes in.
func TestBan(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
					w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
					fleet := w.fleet(t)
					r := w.run(fleet)
					s := w.stay(1)
					time.Sleep(2 * time.Second)
					w.net.SetImpairment(netsim.Impairment{Loss: 1})
					time.Sleep(5 * time.Second)
					if !put(w.match.player(0).Session(), w.server) {
						t.Error("not put out")
					}
					if restart {
						w.end(r, r.shutdown)
						r = w.run(fleet)
					}
					before := s.sent.Load()
					w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
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

// "whom the match bans or kicks there does not come back by the snapshot": "Leave is called for
// each" while it is written.
func TestPutOutByLeave(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put  func(w *world, p *Player)
		told wire.Reason
	}{
		"Ban": {func(w *world, p *Player) {
			b := session.Ban{Issuer: p.Session().Issuer(), Subject: p.Session().Subject()}
			if n, err := w.server.Ban(b); n != 1 || err != nil {
				w.Error(n, err)
			}
		}, wire.ReasonRevoked},
		"Kick": {func(_ *world, p *Player) { p.Kick(wire.ReasonKicked) }, wire.ReasonTicket},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				fleet, h := w.fleet(t), w.match.handler()
				s := w.listen(fleet)
				h.Leave = func(p *Player, reason session.Reason) {
					w.match.leave(p, reason)
					c.put(w, p)
				}
				w.serving.Go(func() { w.served = s.Serve(h) })
				client := w.dial(1)
				time.Sleep(time.Second)
				if err := s.Shutdown(w.Context()); err != nil {
					t.Error(err)
				}
				w.serve(fleet)
				w.closed(w.ending(client), c.told)
				if left := w.match.left(); w.match.joined() != 1 || !slices.Equal(left, []wire.Reason{wire.ReasonShutdown}) {
					t.Errorf("%d joined, left: %v", w.match.joined(), left)
				}
				for _, e := range w.audit.all() {
					if e.Decision == audit.Close && e.Detail != "put out before the next process" {
						t.Errorf("on record: %q", e.Detail)
					}
				}
			})
		})
	}
}

// "ErrServerClosed once Shutdown has written Config.Snapshot: the next process does not know of r unless it
// was given before, and r has no line then. What comes from a feed has no such error".
func TestBanTooLate(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		fleet := w.fleet(t)
		s := w.serve(fleet)
		w.dial(1)
		early := session.Ban{Issuer: testkit.IssuerName, Subject: "player 2"}
		if _, err := s.Ban(early); err != nil {
			t.Error(err)
		}
		if err := s.Shutdown(w.Context()); err != nil {
			t.Error(err)
		}
		said := len(w.audit.all())
		if _, err := s.Ban(early); err != ErrServerClosed {
			t.Errorf("Ban, given before: %v", err)
		}
		for _, feed := range []bool{false, true} {
			var want error
			if !feed {
				want = ErrServerClosed
			}
			for range 2 {
				if _, err := s.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: "player 1", Everywhere: feed}); err != want {
					t.Errorf("by a feed %v: Ban: %v", feed, err)
				}
				r := session.Revocation{Kind: session.RevokeSubject, Issuer: testkit.IssuerName, Value: "player 1", Everywhere: feed}
				if _, err := s.Revoke(r); err != want {
					t.Errorf("by a feed %v: Revoke: %v", feed, err)
				}
				if n := len(w.audit.all()); !feed && n != said {
					t.Errorf("%+v", w.audit.all()[said:])
				}
			}
		}
		if n := len(w.serve(fleet).Bans(9)); n != 1 {
			t.Errorf("the next process knows of %d bans", n)
		}
	})
}

// Each decision of an operator is one line, whether or not the player is here, with reason and note; what
// changes nothing has none.
func TestOperatorDecisionsAreAudited(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.Session.MaxBans, c.Session.MaxRevocations = 1, 5 })
		s, issuer := w.server, testkit.IssuerName
		revoke := func(kind session.RevocationKind, issuer, value string) func() {
			return func() { _, _ = s.Revoke(session.Revocation{Kind: kind, Issuer: issuer, Value: value}) }
		}
		ban := func(b session.Ban) func() { return func() { b.Issuer = issuer; _, _ = s.Ban(b) } }
		until := time.Now().Add(time.Hour)
		w.dial(1)
		here := w.dial(2)
		id := w.match.player(1).Session().ID()
		synctest.Wait()
		said := len(w.audit.all())
		for _, c := range []struct {
			name string
			act  func()
			want string // decision, reason, detail; nothing for no line
		}{
			{"ban of nobody", ban(session.Ban{}), ""},
			{"ban that is over", ban(session.Ban{Subject: "ann", Until: time.Now().Add(-time.Hour)}), ""},
			{
				"ban", ban(session.Ban{Subject: "ann", Until: until, Reason: session.ReasonGame + 1, Note: "spam"}),
				"ban none game's reason 129, until 2000-01-01T01:00:00Z, ended 0: spam",
			},
			{"ban again", ban(session.Ban{Subject: "ann", Until: until}), ""},
			{"longer ban", ban(session.Ban{Subject: "ann"}), "ban none revoked, ended 0"},
			{"ban without room", ban(session.Ban{Subject: "player 1"}), "ban full revoked, ended 1"},
			{"lift", func() { s.Lift(issuer, "ann") }, "lift none "},
			{"lift again", func() { s.Lift(issuer, "ann") }, ""},
			{"revocation of nothing", revoke(session.RevokeToken, "", ""), ""},
			{"subject", revoke(session.RevokeSubject, issuer, "ben"), "withdraw none subject, ended 0"},
			{"subject again", revoke(session.RevokeSubject, issuer, "ben"), ""},
			{"token", revoke(session.RevokeToken, issuer, "t"), "withdraw none token, ended 0"},
			{"token again", revoke(session.RevokeToken, issuer, "t"), ""},
			{"sign-in", revoke(session.RevokeSignIn, issuer, "s"), "withdraw none sign-in, ended 0"},
			{"key", revoke(session.RevokeKey, issuer, "k1"), "withdraw none key k1, ended 0"},
			{"build", revoke(session.RevokeBuild, "", "1.2"), "withdraw none build, ended 0"},
			{"without room", revoke(session.RevokeBuild, "", "1.3"), "withdraw full build, ended 0"},
			{"session", func() { s.RevokeSession(id) }, "withdraw none session, ended 1"},
			{"session again", func() { s.RevokeSession(id) }, ""},
			{"sessions of nobody", func() { s.RevokeSubject(issuer, "nobody") }, ""},
		} {
			c.act()
			var got strings.Builder
			for _, e := range w.audit.all()[said:] {
				if e.Decision == audit.Revoke {
					continue // the end of the session itself
				}
				got.WriteString(fmt.Sprint(e.Decision, " ", e.Reason, " ", e.Detail))
				if e.Version == "" || !e.Time.Equal(time.Now()) || e.Subject == "" && e.TokenID == "" && e.Build == "" && e.Issuer != issuer {
					w.Errorf("%s: %+v", c.name, e)
				}
			}
			said = len(w.audit.all())
			if got.String() != c.want {
				w.Errorf("%s: %q, want %q", c.name, got.String(), c.want)
			}
		}
		w.closed(w.ending(here), wire.ReasonRevoked)
		w.dial(3)
		said = len(w.audit.all())
		if n := s.RevokeSubject(issuer, "player 3"); n != 1 {
			w.Errorf("%d sessions", n)
		}
		if e := w.audit.all()[said]; e.Decision != audit.Withdraw || e.Subject != "player 3" || e.Detail != "sessions, ended 1" {
			w.Errorf("%+v", e)
		}
	})
}

// "Bans returns at most so many of the bans in force […]. Issuer, Subject and Note are empty in a ban that
// another process has left."
func TestBans(t *testing.T) {
	virtual(t, func(w *world) {
		fleet := w.fleet(t)
		r := w.run(fleet)
		until := time.Now().Add(time.Hour)
		forever := session.Ban{Issuer: testkit.IssuerName, Subject: "ann", Reason: session.ReasonKicked, Note: "spam"}
		hour := session.Ban{Issuer: testkit.IssuerName, Subject: "ben", Until: until, Reason: session.ReasonRevoked}
		for _, b := range []session.Ban{forever, hour} {
			if _, err := w.server.Ban(b); err != nil {
				w.Fatal(err)
			}
		}
		if got := w.server.Bans(3); len(got) != 2 || !slices.Contains(got, forever) || !slices.ContainsFunc(got, func(b session.Ban) bool {
			return b.Subject == "ben" && b.Until.Equal(until) && b.Reason == session.ReasonRevoked
		}) {
			w.Errorf("%+v", got)
		}
		if got := w.server.Bans(1); len(got) != 1 {
			w.Errorf("%+v", got)
		}
		w.end(r, r.shutdown)
		r = w.run(fleet)
		time.Sleep(2 * time.Hour)
		want := session.Ban{Reason: session.ReasonKicked}
		if got := w.server.Bans(3); len(got) != 1 || got[0] != want {
			w.Errorf("after a restart: %+v", got)
		}
		w.quit(r)
	})
}
