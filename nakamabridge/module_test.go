package nakamabridge

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// "Module returns nk with the methods that put a player out reaching players without a socket, too."
func TestModule(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		call   func(nk runtime.NakamaModule, p runtime.Presence) error
		asked  string // of Nakama, before the id
		reason session.Reason
		leave  string // what the match sees
	}{
		"disconnect": {
			func(nk runtime.NakamaModule, p runtime.Presence) error {
				return nk.SessionDisconnect(t.Context(), p.GetSessionId())
			},
			"disconnect ", session.ReasonKicked, "leave ben 4",
		},
		"disconnect with a reason": {
			func(nk runtime.NakamaModule, p runtime.Presence) error {
				return nk.SessionDisconnect(t.Context(), p.GetSessionId(), runtime.PresenceReasonLeave)
			},
			"disconnect ", session.ReasonKicked, "leave ben 3",
		},
		"logout": {
			func(nk runtime.NakamaModule, p runtime.Presence) error {
				return nk.SessionLogout(p.GetUserId(), "", "")
			},
			"logout ", session.ReasonRevoked, "leave ben 4",
		},
		"ban": {
			func(nk runtime.NakamaModule, p runtime.Presence) error {
				return nk.UsersBanId(t.Context(), []string{p.GetUserId()})
			},
			"ban ", session.ReasonRevoked, "leave ben 4",
		},
		"delete": {
			func(nk runtime.NakamaModule, p runtime.Presence) error {
				return nk.AccountDeleteId(t.Context(), p.GetUserId(), false)
			},
			"delete ", session.ReasonRevoked, "leave ben 4",
		},
	} {
		for _, inside := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				virtually(t, func(w *world) {
					nakama := &calls{}
					w.stage.nk = nakama
					ben, anna := w.dial(w.signIn("ben"), ""), w.dial(w.signIn("anna"), "")
					w.settle()
					nk := w.bridge.Module(nakama)
					if inside { // a match handler, which is given it
						nk = w.stage.arena.nk
					}
					w.stage.arena.log = nil
					p := w.presence("ben")
					nakama.fail = errNone
					if err := c.call(nk, p); err != errNone {
						t.Errorf("Nakama's error becomes %v", err)
					}
					w.settle()
					w.want()
					nakama.fail = nil
					if err := c.call(nk, p); err != nil {
						t.Error(err)
					}
					if id := nakama.log[1]; id != c.asked+p.GetSessionId() && id != c.asked+p.GetUserId() {
						t.Errorf("Nakama was asked %q", nakama.log)
					}
					w.settle()
					w.want(c.leave)
					w.ended(ben, c.reason)
					w.send(anna, 1, "")
					w.settle()
					w.want(`data anna 1 "" false`)
				})
			})
		}
	}
}

// "Nakama takes an id in any form of a UUID, and so do these." So does Revoke.
func TestModuleTakesAnyForm(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]func(id string) string{
		"capitals":        strings.ToUpper,
		"no hyphens":      func(id string) string { return strings.ReplaceAll(id, "-", "") },
		"braces":          func(id string) string { return "{" + id + "}" },
		"URN":             func(id string) string { return "urn:uuid:" + id },
		"braces and such": func(id string) string { return strings.ToUpper("{" + strings.ReplaceAll(id, "-", "") + "}") },
	} {
		for what, call := range map[string]func(w *world, nk runtime.NakamaModule, p runtime.Presence) error{
			"logout": func(_ *world, nk runtime.NakamaModule, p runtime.Presence) error {
				return nk.SessionLogout(form(p.GetUserId()), "", "")
			},
			"ban": func(w *world, nk runtime.NakamaModule, p runtime.Presence) error {
				return nk.UsersBanId(w.ctx, []string{form(p.GetUserId())})
			},
			"delete": func(w *world, nk runtime.NakamaModule, p runtime.Presence) error {
				return nk.AccountDeleteId(w.ctx, form(p.GetUserId()), false)
			},
			"disconnect": func(w *world, nk runtime.NakamaModule, p runtime.Presence) error {
				return nk.SessionDisconnect(w.ctx, form(p.GetSessionId()))
			},
			"revoke": func(w *world, _ runtime.NakamaModule, p runtime.Presence) error {
				w.bridge.Revoke(form(p.GetUserId()))
				return nil
			},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				virtually(t, func(w *world) {
					ben := w.dial(w.signIn("ben"), "")
					w.settle()
					p := w.presence("ben")
					if err := call(w, w.bridge.Module(&calls{}), p); err != nil {
						t.Fatal(err)
					}
					w.settle()
					if what == "disconnect" {
						w.ended(ben, session.ReasonKicked)
					} else {
						w.ended(ben, session.ReasonRevoked)
					}
					for _, e := range w.audit.events {
						if strings.HasPrefix(e.Detail, "account") && e.Subject != p.GetUserId() {
							t.Errorf("audited %q", e.Subject)
						}
					}
				})
			})
		}
	}
}

// "The audit has a ban of UsersBanId, and its end by UsersUnbanId, whether or not the user is here."
func TestModuleAuditsBans(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		nakama := &calls{fail: errNone}
		nk := w.bridge.Module(nakama)
		absent := []string{"ann", "ben"}
		for range 2 { // the first time Nakama fails
			if err := nk.UsersBanId(t.Context(), absent); err != nakama.fail {
				t.Error(err)
			}
			if err := nk.UsersUnbanId(t.Context(), absent[1:]); err != nakama.fail {
				t.Error(err)
			}
			nakama.fail = nil
		}
		want := []string{"ban none account banned by the game", "ban none account banned by the game", "lift none account unbanned by the game"}
		if got := w.audit.lines(); !slices.Equal(got, want) {
			t.Fatalf("audited %q, want %q", got, want)
		}
		for i, user := range []string{"ann", "ben", "ben"} {
			if e := w.audit.events[i]; e.Subject != user || e.Issuer != issuerName {
				t.Errorf("%+v", e)
			}
		}
	})
}

// SessionDisconnect of a player who has a socket is Nakama's: UDP ends with the socket.
func TestModuleLeavesSockets(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		anna := w.signIn("anna")
		p := w.stage.join(anna)
		c := w.dial(anna, p.GetSessionId())
		w.settle()
		if err := w.bridge.Module(&calls{}).SessionDisconnect(w.ctx, p.GetSessionId()); err != nil {
			t.Fatal(err)
		}
		w.send(c, 1, "still")
		w.settle()
		if !slices.Contains(w.stage.arena.log, `data anna 1 "still" false`) {
			t.Errorf("the match saw %q", w.stage.arena.log)
		}
	})
}

// presence returns the match's, by name.
func (w *world) presence(name string) runtime.Presence {
	w.Helper()
	for _, p := range w.stage.arena.players {
		if p.GetUsername() == name {
			return p
		}
	}
	w.Fatalf("%s is not in the match", name)
	return nil
}

// Who is put out between two ticks and is back before the next one has left for the game, which is
// asked again: the seat is not handed on.
func TestPutOutBetweenTicks(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]func(w *world, p runtime.Presence){
		"disconnect": func(w *world, p runtime.Presence) {
			if err := w.bridge.Module(&calls{}).SessionDisconnect(w.ctx, p.GetSessionId()); err != nil {
				w.Fatal(err)
			}
		},
		"revoke": func(w *world, p runtime.Presence) {
			w.bridge.Revoke(p.GetUserId())
			time.Sleep(2 * time.Second) // a token of the second of the revocation is refused
		},
	} {
		for _, refuse := range []string{"", "ben"} {
			t.Run(name+refuse, func(t *testing.T) {
				t.Parallel()
				virtually(t, func(w *world) {
					ben := w.signIn("ben")
					first := w.dial(ben, "")
					w.settle()
					w.stage.arena.log = nil
					w.stage.arena.refuse = refuse
					out(w, w.presence("ben"))
					second := w.dial(ben, "")
					w.settle()
					w.ended(first, map[string]session.Reason{"disconnect": session.ReasonKicked, "revoke": session.ReasonRevoked}[name])
					if refuse != "" {
						w.want("leave ben 4", "attempt ben true udp")
						w.ended(second, session.ReasonKicked)
						return
					}
					w.want("leave ben 4", "attempt ben true udp", "join ben")
					w.send(second, 1, "")
					w.settle()
					w.want(`data ben 1 "" false`)
				})
			})
		}
	}
}
