package nakamabridge

import (
	"strings"
	"testing"

	"github.com/heroiclabs/nakama-common/api"

	"github.com/sallyport/sallyport/token"
)

// VerifyRefresh "asks the identity provider's verdict again": without a valid identity token of the
// same player, no session is refreshed.
func TestVerifyRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.bridge.Register(w.nakama, VerifyRefresh); err != nil {
		t.Fatal(err)
	}
	anna := w.signIn("anna")
	anna.vars = map[string]string{"league": "gold"}
	w.signIn("eve")
	identity := func(subject string) string { return w.issuer.Token(t, token.Grant{Subject: subject}) }

	fresh, err := w.nakama.sessionRefresh(w.ctx, anna, map[string]string{IdentityVar: identity("anna"), "role": "admin"})
	if err != nil || fresh.vars["league"] != "gold" || len(fresh.vars) != 1 {
		t.Errorf("a good token: %+v, %v", fresh, err)
	}
	for name, vars := range map[string]map[string]string{
		"nothing":           nil,
		"no token":          {"role": "admin"},
		"garbage":           {IdentityVar: "garbage"},
		"another player's":  {IdentityVar: identity("eve")},
		"a stranger's":      {IdentityVar: identity("stranger")},
		"a Nakama session":  {IdentityVar: anna.refreshToken()},
		"forged":            {IdentityVar: identity("anna") + "x"},
		"in another letter": {"Identity_Token": identity("anna")},
	} {
		if _, err := w.nakama.sessionRefresh(w.ctx, anna, vars); err == nil {
			t.Errorf("%s: the session was refreshed", name)
		} else {
			code(t, err, 16)
		}
	}
	for _, bad := range []string{"", "a.b", "a.b.c.d", "a.!.c", "a.e30.c", "a.W10.c"} {
		in := &api.SessionRefreshRequest{Token: bad, Vars: map[string]string{IdentityVar: identity("anna")}}
		_, err := w.bridge.BeforeSessionRefreshVerified(w.ctx, nil, nil, nil, in)
		code(t, err, 16)
	}
	if text := w.log.String(); strings.Contains(text, "anna") || strings.Contains(text, "garbage") {
		t.Errorf("the log quotes what a client has sent: %s", text)
	}
}

// "14 (try again)": a database that cannot be read makes nobody's token that of another player.
func TestVerifyRefreshAmidOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.bridge.Register(w.nakama, VerifyRefresh); err != nil {
		t.Fatal(err)
	}
	anna := w.signIn("anna")
	w.forget()
	vars := map[string]string{IdentityVar: w.issuer.Token(t, token.Grant{Subject: "anna"})}
	w.nakama.down = true
	_, err := w.nakama.sessionRefresh(w.ctx, anna, vars)
	code(t, err, 14)
	for _, line := range w.audit.lines() {
		if strings.Contains(line, "another player") {
			t.Errorf("audited is %q", line)
		}
	}
	w.nakama.down = false
	if _, err := w.nakama.sessionRefresh(w.ctx, anna, vars); err != nil {
		t.Error(err)
	}
}
