package nakamabridge

import (
	"slices"
	"strings"
	"testing"

	"github.com/heroiclabs/nakama-common/api"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// Each way around the issuer that Nakama 3.40.0 has is there in the model without its hook, and closed with it.

// hooked runs f against a server with the bridge's hooks and, to show what they are for, against one without open.
func hooked(t *testing.T, open func(n *nakama), f func(t *testing.T, w *world, closed bool)) {
	t.Parallel()
	for name, closed := range map[string]bool{"with the hook": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			if !closed {
				open(w.nakama)
			}
			f(t, w, closed)
		})
	}
}

// audited fails unless the sink has a line, and no line and no log quotes a secret.
func (w *world) audited(line string, secrets ...string) {
	w.Helper()
	lines := w.audit.lines()
	if !slices.Contains(lines, line) {
		w.Errorf("audited was %q, want %q", lines, line)
	}
	for _, secret := range secrets {
		if strings.Contains(strings.Join(lines, "\n")+w.log.String(), secret) {
			w.Errorf("%q is quoted", secret)
		}
	}
}

// 1. authenticate/custom: "client vars survive next to the hook's".
func TestBypassVarsAtSignIn(t *testing.T) {
	hooked(t, func(n *nakama) { n.authenticate = nil }, func(t *testing.T, w *world, closed bool) {
		raw := w.issuer.Token(t, token.Grant{Subject: "eve"})
		in := &api.AuthenticateCustomRequest{
			Account:  &api.AccountCustom{Id: raw, Vars: map[string]string{"role": "admin"}},
			Username: "admin",
		}
		l, err := w.nakama.authenticateCustom(w.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.vars["role"] == "" && l.username != "admin"; got != closed {
			t.Errorf("vars are %v and the name is %q", l.vars, l.username)
		}
		if closed {
			w.audited("reject state a client's session variables were dropped", raw, "admin")
			w.audited("accept none signed in")
		}
	})
}

// 2. session/refresh: a client replaces all variables of a token that the server signs.
func TestBypassVarsAtRefresh(t *testing.T) {
	hooked(t, func(n *nakama) { n.refresh = nil }, func(t *testing.T, w *world, closed bool) {
		l := w.signIn("eve")
		l.vars = map[string]string{"server": "said"}
		fresh, err := w.nakama.sessionRefresh(w.ctx, l, map[string]string{"cognito_sub": "victim"})
		if err != nil {
			t.Fatal(err)
		}
		if got := fresh.vars["cognito_sub"] == "" && fresh.vars["server"] == "said"; got != closed {
			t.Errorf("the refreshed session has vars %v", fresh.vars)
		}
		if closed {
			w.audited("reject state a client's session variables were dropped", "victim")
		}
	})
}

// 3. link/custom: an attacker claims a victim's custom id, and gets the account that the victim then signs in to.
func TestBypassPreclaim(t *testing.T) {
	hooked(t, func(n *nakama) { n.link = nil }, func(t *testing.T, w *world, closed bool) {
		w.nakama.others = nil // device accounts are allowed here
		eve, err := w.nakama.authenticateDevice(w.ctx, "device-of-eve", "eve")
		if err != nil {
			t.Fatal(err)
		}
		claim, err := CustomID(testkit.IssuerName, "victim")
		if err != nil {
			t.Fatal(err)
		}
		err = w.nakama.linkCustom(w.ctx, eve, claim)
		if closed {
			code(t, err, 16)
			w.audited("reject token identity token refused: form", claim, "victim")
		} else if err != nil {
			t.Fatal(err)
		}
		raw := w.issuer.Token(t, token.Grant{Subject: "victim"})
		victim, err := w.nakama.authenticateCustom(w.ctx, &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: raw}})
		if err != nil {
			t.Fatal(err)
		}
		if got := victim.userID != eve.userID; got != closed {
			t.Error("the victim signs in to the attacker's account:", !got)
		}
	})
}

// 3b. authenticate/custom with the victim's custom id itself in place of a token.
func TestBypassRawCustomID(t *testing.T) {
	hooked(t, func(n *nakama) { n.authenticate = nil }, func(t *testing.T, w *world, closed bool) {
		l := w.signIn
		if !closed {
			l = func(string) *login { return nil }
		}
		l("victim")
		id, _ := CustomID(testkit.IssuerName, "victim")
		_, err := w.nakama.authenticateCustom(w.ctx, &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: id}})
		if got := err != nil; got != closed {
			t.Error("who knows a custom id is refused:", got)
		}
		if closed {
			code(t, err, 16)
			w.audited("reject token identity token refused: form", id)
		}
	})
}

// 4. "All other authenticate methods are open by default."
func TestBypassOtherWaysIn(t *testing.T) {
	hooked(t, func(n *nakama) { n.others = nil }, func(t *testing.T, w *world, closed bool) {
		_, err := w.nakama.authenticateDevice(w.ctx, "device-of-eve", "eve")
		if got := err != nil; got != closed {
			t.Error("a device is refused:", got)
		}
		if closed {
			code(t, err, 7)
			w.audited("reject state another way in was denied", "device-of-eve")
		}
	})
}

// DenyOthers closes every authenticate method beside custom, and every link.
func TestDenyOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, way := range []string{"Apple", "Device", "Email", "Facebook", "FacebookInstantGame", "GameCenter", "Google", "Steam"} {
		for _, verb := range []string{"Authenticate", "Link"} {
			hook := w.nakama.others[verb+way]
			if hook == nil {
				t.Fatalf("%s%s has no hook", verb, way)
			}
			code(t, hook(w.ctx), 7)
		}
	}
	if n := len(w.nakama.others); n != 16 {
		t.Errorf("%d hooks, want 16", n)
	}
}
