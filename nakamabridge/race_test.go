package nakamabridge

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// What happens between two steps that belong together.

// Revoke comes after authorize has looked at the revocations, and before the session is in any table.
func TestRevokeWhileJoining(t *testing.T) {
	t.Parallel()
	var w *world
	var ben *login
	revoke := func(*session.Admission) error {
		w.bridge.Revoke(ben.userID)
		return nil
	}
	virtually(t, func(started *world) {
		w, ben = started, started.signIn("ben")
		c := w.dial(ben, "")
		w.settle()
		w.ended(c, session.ReasonRevoked)
		w.want("init")
		time.Sleep(revokeSettle)
		if playing := w.bridge.playing(); len(playing) > 0 {
			t.Errorf("%d players are still in the table", len(playing))
		}
	}, func(c *Config) { c.Session = session.Config{Authorize: revoke} })
}

// "The per-match ctx cancels when the match stops": who plays by UDP is told, and a token for it opens nothing.
func TestMatchStops(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		c := w.dial(w.signIn("ben"), "")
		late, err := w.connect(w.signIn("cleo"), "")
		if err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.stage.cancel()
		synctest.Wait()
		w.ended(c, session.ReasonLeft)
		_, err = w.try(late, func(context.Context) ([]byte, error) { return []byte(late.Token), nil })
		if e, ok := err.(*transport.CloseError); !ok || e.Reason != session.ReasonLeft {
			t.Errorf("a token for a match that is over gives %v", err)
		}
		_, err = w.connect(w.signIn("dora"), "")
		code(t, err, 5)
	})
}

// The match stops after authorize has looked, and before the player is in its table.
func TestMatchStopsWhileJoining(t *testing.T) {
	t.Parallel()
	var w *world
	stop := func(*session.Admission) error {
		w.stage.match.(*match).inbox.close()
		return nil
	}
	virtually(t, func(started *world) {
		w = started
		late, err := w.connect(w.signIn("ben"), "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.try(late, func(context.Context) ([]byte, error) { return []byte(late.Token), nil })
		if e, ok := err.(*transport.CloseError); !ok || e.Reason != session.ReasonLeft || e.Detail != matchOver {
			t.Errorf("a match that stops meanwhile gives %v", err)
		}
		w.settle()
		w.want("init")
		if playing := w.bridge.playing(); len(playing) > 0 {
			t.Errorf("%d players are still in the table", len(playing))
		}
	}, func(c *Config) { c.Session = session.Config{Authorize: stop} })
}

// "the scope asked for stays empty, or is match: and the match id"; Config.Session.Authorize may refuse as well.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	refuse := false
	w := newWorld(t, nil, func(c *Config) {
		c.Session.Authorize = func(*session.Admission) error {
			if refuse {
				return errNone
			}
			return nil
		}
	})
	claims := &token.Claims{Subject: "user", Scope: matchWord + w.stage.id + " " + sessionWord + "sid", IssuedAt: time.Now()}
	for asked, ok := range map[string]bool{
		"": true, matchWord + w.stage.id: true,
		w.stage.id: false, matchWord: false, matchWord + "other": false, claims.Scope: false,
	} {
		if err := w.bridge.authorize(&session.Admission{Claims: claims, Scope: asked}); (err == nil) != ok {
			t.Errorf("scope asked %q: %v", asked, err)
		}
	}
	bare := &session.Admission{Claims: claims}
	if refuse = true; w.bridge.authorize(bare) == nil {
		t.Error("Config.Session.Authorize has not been asked")
	}
	w.bridge.config.Session.Authorize = func(*session.Admission) error { panic("secret") }
	code(t, w.bridge.authorize(bare), 13) // it would end Nakama
	if err := w.bridge.admission(bare); err != session.Refusal(session.ReasonBusy) {
		t.Errorf("the player is told %v", err)
	}
	w.bridge.revoked.Put("user", time.Now())
	if err := w.bridge.admission(bare); err != session.Refusal(session.ReasonRevoked) {
		t.Errorf("the player who was revoked is told %v", err)
	}
}

// Of two UDP sessions that wait for one socket, the newer gets its seat.
func TestWaitingReplaced(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		anna := w.signIn("anna")
		p := &virtual{UserID: anna.userID, SessionID: newUUID(), Username: "anna"}
		first := w.dial(anna, p.SessionID)
		w.settle()
		second := w.dial(anna, p.SessionID)
		w.settle()
		w.ended(first, session.ReasonReplaced)
		w.stage.enter(p)
		w.send(second, 1, "mine")
		w.settle()
		w.want("init", "join anna", `data anna 1 "mine" false`)
	})
}

// A session that leaves is forgotten by all tables.
func TestNothingStays(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		anna, m := w.signIn("anna"), w.stage.match.(*match)
		p := w.stage.join(anna)
		a, b, waiting := w.dial(anna, p.GetSessionId()), w.dial(w.signIn("ben"), ""), w.dial(w.signIn("cleo"), newUUID())
		w.settle()
		if m.seats.udp != 2 || len(m.seats.waiting) != 1 || len(w.bridge.playing()) != 3 {
			t.Fatalf("%d seats with UDP, %d waiting, %d playing", m.seats.udp, len(m.seats.waiting), len(w.bridge.playing()))
		}
		for _, c := range []*transport.Client{a, b, waiting} {
			c.Close()
		}
		w.settle()
		s := &m.seats
		if s.udp != 0 || len(s.waiting) != 0 || len(s.virtuals) != 0 || len(s.bySession) != 1 || len(m.inbox.live) != 0 || len(w.bridge.playing()) != 0 {
			t.Errorf("left are %+v, %d live, %d playing", s, len(m.inbox.live), len(w.bridge.playing()))
		}
	})
}

// A match handler that takes its time, as for a database, keeps nobody from getting in.
func TestSlowLoop(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.signIn("ben")
		w.stage.arena.loop = func(runtime.MatchDispatcher, []runtime.MatchData) {
			began := time.Now()
			if w.dial(ben, ""); time.Since(began) > time.Second {
				t.Errorf("in after %v", time.Since(began))
			}
		}
		w.stage.loop()
	})
}
