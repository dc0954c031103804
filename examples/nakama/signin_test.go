//go:build linux

package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// "A client signs in by authenticate/custom with its identity token as id." Package nakamabridge
func (a *arenaTest) signInRules(t *testing.T) {
	sub := newSub()
	first, again := a.signIn(t, a.idp.Token(t, sub)), a.signIn(t, a.idp.Token(t, sub))
	if first.user != again.user {
		t.Error("one player has two accounts")
	}
	if name := claims(t, first.token)["usn"]; name == "admin" || strings.Contains(fmt.Sprint(name), sub) {
		t.Errorf("the username is %v", name)
	}
	for name, identity := range a.badTokens(t, sub) {
		answer := a.authenticate(t, "custom", map[string]any{"id": identity})
		if answer.status != http.StatusUnauthorized && identity != "" || answer.status < 400 {
			t.Errorf("%s: %d %s", name, answer.status, answer.body)
		}
		if identity != "" && bytes.Contains(answer.body, []byte(identity)) || bytes.Contains(answer.body, []byte(sub)) {
			t.Errorf("%s: the answer quotes the request: %s", name, answer.body)
		}
	}
}

// badTokens are none that a player should get in with.
func (a *arenaTest) badTokens(t *testing.T, sub string) map[string]string {
	t.Helper()
	changed := func(name string, value any) string {
		c := a.idp.Claims(sub)
		c[name] = value
		return a.idp.Sign(t, c, nil)
	}
	good := a.idp.Token(t, sub)
	parts := strings.Split(good, ".")
	return map[string]string{
		"empty":            "",
		"a sub":            sub,
		"a custom id":      "cognito:" + testkit.Pool + ":" + sub,
		"no signature":     parts[0] + "." + parts[1] + ".",
		"another key":      testkit.NewIDP(t).Token(t, sub),
		"cut":              good[:len(good)-4],
		"another pool":     changed("iss", fmt.Sprint(a.idp.Claims(sub)["iss"])+"x"),
		"another client":   changed("client_id", "client.other"),
		"an ID token":      changed("token_use", "id"),
		"expired":          changed("exp", time.Now().Add(-time.Hour).Unix()),
		"made tomorrow":    changed("iat", time.Now().Add(24*time.Hour).Unix()),
		"alg none":         a.idp.Sign(t, a.idp.Claims(sub), map[string]any{"alg": "none"}),
		"HS256":            a.idp.Sign(t, a.idp.Claims(sub), map[string]any{"alg": "HS256"}),
		"a key of its own": a.idp.Sign(t, a.idp.Claims(sub), map[string]any{"jku": "http://127.0.0.1/", "kid": "mine"}),
	}
}

// Bypass 1: Nakama puts the variables that a client sends at sign-in into the token that it signs.
func (a *arenaTest) variables(t *testing.T) {
	identity, vars := a.idp.Token(t, newSub()), map[string]string{"role": "admin", "cognito_sub": "victim"}
	answer := a.authenticate(t, "custom", map[string]any{"id": identity, "vars": vars})
	if answer.status != http.StatusOK {
		t.Fatalf("sign-in: %d %s", answer.status, answer.body)
	}
	if have := claims(t, answer.text("token"))["vrs"]; have != nil {
		t.Errorf("a client's variables are in the session: %v", have)
	}
}

// Bypass 2: Nakama lets a client replace them when it refreshes its session.
func (a *arenaTest) refreshed(t *testing.T) {
	c := a.player(t)
	vars := map[string]string{"role": "admin", "cognito_sub": "victim"}
	answer := post(t, a.api+"/v2/account/session/refresh", map[string]any{"token": c.refresh, "vars": vars}, asGame)
	if answer.status != http.StatusOK {
		t.Fatalf("refresh: %d %s", answer.status, answer.body)
	}
	if have := claims(t, answer.text("token"))["vrs"]; have != nil {
		t.Errorf("a client's variables are in the session: %v", have)
	}
}

// Bypass 3: Nakama lets who is signed in take any free custom id, and with it the account of who will come by it.
func (a *arenaTest) preclaim(t *testing.T) {
	attacker, sub := a.player(t), newSub()
	for _, id := range []string{sub, "cognito:" + testkit.Pool + ":" + sub, a.idp.Token(t, sub)} {
		for _, way := range []string{"link", "unlink"} {
			answer := attacker.post(t, "/v2/account/"+way+"/custom", map[string]string{"id": id})
			answer.denied(t, way)
		}
	}
	if victim := a.signIn(t, a.idp.Token(t, sub)); victim.user == attacker.user {
		t.Error("the victim plays on the attacker's account")
	}
}

// Bypass 4: Nakama's other ways to sign in are open, and so are links that lead to them. An RPC by the server's key has
// no user at all.
func (a *arenaTest) others(t *testing.T) {
	c := a.player(t)
	device := rand.Text()
	email := map[string]any{"email": "player@example.com", "password": device}
	for way, account := range map[string]map[string]any{
		"device": {"id": device}, "email": email, "apple": {"token": device}, "google": {"token": device},
		"facebook": {"token": device}, "facebookinstantgame": {"signed_player_info": device}, "steam": {"token": device},
		"gamecenter": {"player_id": device, "bundle_id": "b", "public_key_url": "https://static.gc.apple.com/k"},
	} {
		a.authenticate(t, way, account).denied(t, "authenticate/"+way)
		if way == "facebook" || way == "steam" {
			account = map[string]any{"account": account}
		}
		c.post(t, "/v2/account/link/"+way, account).denied(t, "link/"+way)
	}
	match := c.rpc(t, findName, "")
	url := a.api + "/v2/rpc/" + connectName + "?http_key=defaulthttpkey"
	if answer := post(t, url, request(t, match), func(*http.Request) {}); answer.status != http.StatusUnauthorized {
		t.Errorf("an invitation for nobody: %d %s", answer.status, answer.body)
	}
}

// denied expects the bridge's own refusal: Nakama has others, with the same status, for what it happens not to like.
func (a answer) denied(t *testing.T, what string) {
	t.Helper()
	if a.status != http.StatusForbidden || a.text("message") != "nakamabridge: not allowed" {
		t.Errorf("%s: %d %s", what, a.status, a.body)
	}
}
