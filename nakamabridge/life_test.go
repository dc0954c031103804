package nakamabridge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// "When it leaves the match, UDP ends." And who has no seat yet waits for the socket's join, but not for ever.
func TestUDPFollowsTheSocket(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		anna := w.signIn("anna")
		p := &virtual{UserID: anna.userID, SessionID: newUUID(), Username: "anna"}
		early := w.dial(anna, p.SessionID)
		w.send(early, 1, "too early")
		w.settle()
		w.want("init")
		if n := w.bridge.Stats().Orphaned; n != 1 {
			t.Errorf("%d inputs without a seat were counted, want 1", n)
		}
		w.stage.enter(p)
		w.send(early, 1, "now")
		w.settle()
		w.want("join anna", `data anna 1 "now" false`)

		w.stage.leave(p)
		w.want("leave anna 4")
		w.ended(early, session.ReasonLeft)

		late := w.dial(anna, newUUID()) // a socket that never joins
		time.Sleep(JoinWait - time.Second)
		w.settle()
		if _, err := late.Receive(expired(), nil); err != context.Canceled {
			t.Errorf("the session ended before its time: %v", err)
		}
		time.Sleep(time.Second)
		w.settle()
		w.ended(late, session.ReasonScope)
		w.want()
	})
}

func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// "A call over HTTP makes a UDP-only player", also of a user with a socket in the match, which may have
// died without a sign: the player gets reliable broadcasts by UDP, and plays on when the socket is gone.
func TestCallOverHTTP(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		p := w.stage.join(w.signIn("anna"))
		c := w.seat("anna")
		w.want("init", "attempt anna true ", "join anna", "attempt anna true udp", "join anna")
		w.tick(func(d runtime.MatchDispatcher) { d.BroadcastMessage(2, []byte("event"), nil, nil, true) })
		time.Sleep(time.Second)
		if got := c.take(); !slices.Equal(got, []string{"lane 0 2 event"}) || !slices.Equal(w.stage.sent, []string{"anna 2 event"}) {
			t.Errorf("by UDP came %q, and by the socket %q", got, w.stage.sent)
		}
		w.stage.leave(p)
		w.send(c.Client, 1, "still here")
		w.settle()
		w.want("leave anna 4", `data anna 1 "still here" false`)
	})
}

// "Revoke ends every UDP session of a Nakama user at once … It says how many sessions there were."
func TestRevoke(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben, anna := w.signIn("ben"), w.signIn("anna")
		b, a := w.dial(ben, ""), w.dial(anna, "")
		w.settle()
		if n := w.bridge.Revoke(ben.userID); n != 1 {
			t.Errorf("%d sessions were revoked, want 1", n)
		}
		w.ended(b, session.ReasonRevoked)
		w.send(a, 1, "")
		w.settle()
		if n := w.bridge.Revoke(ben.userID); n != 0 || len(w.stage.arena.players) != 1 {
			t.Errorf("%d sessions were revoked again, %d players are left, want 0 and 1", n, len(w.stage.arena.players))
		}
	})
}

// A token names the socket of its player alone: somebody else's presence is never taken.
func TestForeignSocket(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		p := w.stage.join(w.signIn("anna"))
		thief := w.dial(w.signIn("eve"), p.GetSessionId())
		w.send(thief, 1, "as anna")
		w.settle()
		w.ended(thief, session.ReasonScope)
		w.want("init", "attempt anna true ", "join anna")
	})
}

// The player of a connection that broke comes back on a new one, and the game sees neither leave nor join.
func TestReplace(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.signIn("ben")
		old := w.dial(ben, "")
		w.settle()
		w.want("init", "attempt ben true udp", "join ben")
		fresh := w.dial(ben, "")
		w.send(fresh, 1, "again")
		w.settle()
		w.ended(old, session.ReasonReplaced)
		w.settle()
		w.want(`data ben 1 "again" false`)
		w.send(fresh, 1, "still")
		w.settle()
		w.want(`data ben 1 "still" false`)
	})
}

// "a UDP session ends … when its token ends (for a UDP-only player never later than the Nakama session)"
func TestExpiry(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.signIn("ben")
		r, err := w.connect(ben, "")
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(time.Unix(r.Expires, 0)); left > 2*time.Minute || left < 119*time.Second {
			t.Errorf("the token lives for %v, want the session's two minutes", left)
		}
		once := r
		c, err := w.try(r, func(context.Context) ([]byte, error) {
			if once == nil {
				return nil, errNone
			}
			once = nil
			return []byte(r.Token), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.want("init", "attempt ben true udp", "join ben")
		time.Sleep(2 * time.Minute)
		w.settle()
		w.want("leave ben 4")
		w.ended(c, session.ReasonExpired)
	})
}

// RENEW carries a token from another call of the RPC.
func TestRenewal(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.signIn("ben")
		c := w.dial(ben, "")
		for range 20 {
			time.Sleep(30 * time.Second)
			w.send(c, 1, "")
			w.settle()
		}
		if left := time.Until(c.Expires()); left < 30*time.Second {
			t.Errorf("after ten minutes the session has %v left, want a renewed one", left)
		}
		if n := len(w.stage.arena.log); n != 3+20 {
			t.Errorf("the match saw %d things, want init, attempt, join and 20 inputs", n)
		}
	})
}

// A session that is about to end is refreshed before it gets a token; a revoked token opens nothing.
func TestConnectRefuses(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.signIn("ben")
		revoked := session.ReasonRevoked
		session := with(w.ctx, runtime.RUNTIME_CTX_USER_SESSION_EXP, time.Now().Add(minTokenLife-time.Second).Unix())
		good := `{"match_id":"` + w.stage.id + `"}`
		_, err := w.nakama.rpc(session, ben, "", good)
		code(t, err, 16)
		_, err = w.bridge.Connect(w.ctx, nil, nil, nil, good)
		code(t, err, 16) // no user: a call with the server's http_key
		for _, bad := range []string{"", "{}", "[]", "null", `{"match_id":1}`, `{"match_id":"a b"}`, `{"match_id":"` + string(make([]byte, maxPayload)) + `"}`} {
			_, err := w.nakama.rpc(w.ctx, ben, "sid", bad)
			code(t, err, 3)
		}
		_, err = w.nakama.rpc(w.ctx, ben, "sid", `{"match_id":"`+newUUID()+`.node2"}`)
		code(t, err, 5)

		r, err := w.connect(ben, "")
		if err != nil {
			t.Fatal(err)
		}
		w.bridge.Revoke(ben.userID)
		for _, over := range []bool{false, true} { // the player is told of the ban, also when the match is over
			if over {
				w.stage.match.(*match).end()
			}
			_, err := w.try(r, once(r.Token))
			if e, ok := errors.AsType[*transport.CloseError](err); !ok || e.Reason != revoked {
				t.Errorf("a token from before Revoke gives %v", err)
			}
		}
		w.bridge.open(w.stage.ctx, w.stage.match.(*match))
		w.nakama.ban(ben.userID)
		_, err = w.connect(ben, "")
		code(t, err, 7)
		w.nakama.down = true
		_, err = w.connect(ben, "")
		code(t, err, 14)
	})
}

// "token is good for one use" and for one match.
func TestTokenOnce(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		r, err := w.connect(w.signIn("ben"), "")
		if err != nil {
			t.Fatal(err)
		}
		same := func(context.Context) ([]byte, error) { return []byte(r.Token), nil }
		if _, err := w.try(r, same); err != nil {
			t.Fatal(err)
		}
		if _, err := w.try(r, same); err == nil {
			t.Error("a token opened two sessions")
		}
	})
}

// "at the latest BanInterval after the account was banned or deleted"
func TestBan(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben, dora, cleo := w.signIn("ben"), w.signIn("dora"), w.signIn("cleo")
		b, d, c := w.dial(ben, ""), w.dial(dora, ""), w.dial(cleo, "")
		w.settle()
		w.stage.arena.log = nil
		w.nakama.mu.Lock()
		w.nakama.down = true
		w.nakama.mu.Unlock()
		time.Sleep(defaultBanInterval)
		w.settle()
		w.want() // a database that cannot be reached bans nobody
		w.nakama.mu.Lock()
		w.nakama.down = false
		delete(w.nakama.accounts, dora.userID)
		w.nakama.mu.Unlock()
		w.nakama.ban(ben.userID)
		time.Sleep(defaultBanInterval)
		synctest.Wait()
		w.ended(b, session.ReasonRevoked)
		w.ended(d, session.ReasonRevoked)
		w.send(c, 1, "")
		w.settle()
		if n := len(w.stage.arena.log); n != 3 || len(w.stage.arena.players) != 1 {
			t.Errorf("the match saw %q, want two leaves and cleo's input", w.stage.arena.log)
		}
	})
}

// "an account is looked at when its UDP session begins, too": a ban between the RPC and the handshake.
func TestBanBeforeDial(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.signIn("ben")
		r, err := w.connect(ben, "")
		if err != nil {
			t.Fatal(err)
		}
		w.nakama.ban(ben.userID)
		c, err := w.try(r, func(context.Context) ([]byte, error) { return []byte(r.Token), nil })
		if err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.ended(c, session.ReasonRevoked)
		w.want("init")
	})
}

// A Bridge that closes while accounts are read leaves no line of an error that there is not.
func TestCloseAmidQuery(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		w.nakama.latency = time.Second
		w.dial(w.signIn("ben"), "")
		time.Sleep(w.nakama.latency / 2)
		before := w.log.String()
		w.bridge.Close()
		if text := strings.TrimPrefix(w.log.String(), before); strings.Contains(text, "accounts") {
			t.Errorf("%s", text)
		}
	})
}

// "when the player logs out"
func TestLogout(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.signIn("ben")
		c := w.dial(ben, "")
		w.settle()
		w.send(c, 1, "on its way")
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if err := w.nakama.loggedOut(ben.context(w.ctx), nil, nil, nil, &api.SessionLogoutRequest{}); err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.want("init", "attempt ben true udp", "join ben", "leave ben 4")
		w.ended(c, session.ReasonRevoked)
	})
}
