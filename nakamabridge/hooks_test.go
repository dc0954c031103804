package nakamabridge

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/internal/aging"
	"github.com/sallyport/sallyport/internal/customid"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// verifier is a Verifier made of a function.
type verifier func(ctx context.Context, raw string) (*token.Claims, error)

func (v verifier) Verify(ctx context.Context, _ time.Time, raw []byte) (*token.Claims, error) {
	return v(ctx, string(raw))
}

// "16 unauthenticated, 14 unavailable when the key set cannot be reached", and texts that quote nothing.
func TestSignInRefused(t *testing.T) {
	t.Parallel()
	const raw = "eyJhbGciOiJub25lIn0.secret.secret"
	for _, c := range []struct {
		name  string
		err   error
		code  int
		audit string
	}{
		{"malformed", token.ErrMalformed, 16, "reject token identity token refused: form"},
		{"forged", fmt.Errorf("%w: %s", token.ErrSignature, raw), 16, "reject token identity token refused: signature"},
		{"lives too long", token.ErrLife, 16, "reject token identity token refused: life"},
		{"claim", &token.Error{Check: token.CheckClaim, Claim: "sub"}, 16, "reject token identity token refused: claim sub"},
		{"expired", token.ErrExpired, 16, "reject expired identity token refused: expired"},
		{"no keys", token.ErrUnavailable, 14, "reject unavailable identity token refused: key set"},
		{"too slow", context.DeadlineExceeded, 14, "reject unavailable identity token refused"},
		{"unknown", errors.New("bad token " + raw), 16, "reject token identity token refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, func(config *Config) {
				config.Verifier = verifier(func(context.Context, string) (*token.Claims, error) { return nil, c.err })
			})
			in := &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: raw}}
			out, err := w.bridge.BeforeAuthenticateCustom(w.ctx, nil, nil, nil, in)
			code(t, err, c.code)
			if out != nil || strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), "nakamabridge: ") {
				t.Errorf("answered %v, %q", out, err)
			}
			w.audited(c.audit, "secret")
		})
	}
}

// "Honest tokens are not refused": a player of Amazon Cognito with 20 groups of long names, whose token is longer than
// HELLO carries, signs in, and the log names the group that another one lacks.
func TestSignInWithManyGroups(t *testing.T) {
	t.Parallel()
	idp := testkit.NewIDP(t)
	config := idp.Cognito()
	config.Groups = []string{"players"}
	pool, err := token.NewCognito(config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close() //nolint:errcheck // always nil
	w := newWorld(t, nil, func(c *Config) {
		if c.Verifier, err = token.NewVerifier(pool.Profiles()...); err != nil {
			t.Fatal(err)
		}
	})
	claims := idp.Claims("ann")
	claims["cognito:groups"] = append(slices.Repeat([]string{strings.Repeat("g", 128)}, 20), "players")
	raw := idp.Sign(t, claims, nil)
	if len(raw) <= token.MaxLen {
		t.Fatalf("the token has only %d bytes", len(raw))
	}
	if _, err := w.nakama.authenticateCustom(w.ctx, &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: raw}}); err != nil {
		t.Error(err)
	}
	claims["cognito:groups"] = []string{"spectators"}
	in := &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: idp.Sign(t, claims, nil)}}
	_, err = w.nakama.authenticateCustom(w.ctx, in)
	code(t, err, 16)
	w.audited("reject token identity token refused: group", "spectators")
	if log := w.log.String(); !strings.Contains(log, "no group that the profile admits") || strings.Contains(log, "spectators") {
		t.Errorf("logged was %s", log)
	}
}

func TestSignInWithoutID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, in := range []*api.AuthenticateCustomRequest{{}, {Account: &api.AccountCustom{}}} {
		_, err := w.bridge.BeforeAuthenticateCustom(w.ctx, nil, nil, nil, in)
		code(t, err, 3)
	}
	_, err := w.bridge.BeforeLinkCustom(w.ctx, nil, nil, nil, &api.AccountCustom{})
	code(t, err, 3)
}

// "Hooks recover from panics, which would end Nakama." What the panic says stays unsaid.
func TestPanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(c *Config) {
		c.Verifier = verifier(func(_ context.Context, raw string) (*token.Claims, error) { panic(raw) })
		c.Accounts = broken{}
	})
	user := with(w.ctx, runtime.RUNTIME_CTX_USER_ID, "user")
	b := w.bridge
	for name, call := range map[string]func() error{
		"sign-in": func() error {
			_, err := b.BeforeAuthenticateCustom(w.ctx, nil, nil, nil, &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: "secret"}})
			return err
		},
		"link": func() error {
			_, err := b.BeforeLinkCustom(user, nil, nil, nil, &api.AccountCustom{Id: "secret"})
			return err
		},
		"refresh": func() error { _, err := b.BeforeSessionRefresh(w.ctx, nil, nil, nil, nil); return err },
		"rpc": func() error {
			_, err := b.Connect(user, nil, nil, nil, `{"match_id":"`+w.stage.id+`"}`)
			return err
		},
	} {
		code(t, call(), 13)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	if log := w.log.String(); strings.Contains(log, "secret") || !strings.Contains(log, "panic of type string in BeforeAuthenticateCustom") {
		t.Errorf("logged was %s", log)
	}
}

// broken panics.
type broken struct{ Accounts }

// Every method with the shape of a hook recovers: none was forgotten.
func TestHooksRecover(t *testing.T) {
	t.Parallel()
	hook := reflect.TypeFor[func(context.Context, runtime.Logger)]()
	b := reflect.ValueOf(&Bridge{config: Config{Logger: silent{}}})
	for i := range b.NumMethod() {
		f := b.Method(i).Type()
		if f.NumIn() < 5 || f.In(0) != hook.In(0) || f.In(1) != hook.In(1) {
			continue
		}
		in := make([]reflect.Value, f.NumIn())
		for j := range in {
			in[j] = reflect.Zero(f.In(j)) // no context at all: whoever looks at it panics
		}
		out := b.Method(i).Call(in)
		if name := b.Type().Method(i).Name; name != "BeforeAuthenticateCustom" && name != "BeforeLinkCustom" {
			code(t, out[len(out)-1].Interface().(error), 13)
		}
	}
}

// A link needs the token of the identity, and an account without one; an identity is never unlinked.
func TestLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.nakama.others = nil
	device, err := w.nakama.authenticateDevice(w.ctx, "device", "dora")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.nakama.linkCustom(w.ctx, device, w.issuer.Token(t, token.Grant{Subject: "dora"})); err != nil {
		t.Fatal(err)
	}
	if again := w.signInAs("dora"); again.userID != device.userID {
		t.Error("the linked identity signs in to another account")
	}
	code(t, w.nakama.linkCustom(w.ctx, device, w.issuer.Token(t, token.Grant{Subject: "other"})), 7)
	w.nakama.down = true
	code(t, w.nakama.linkCustom(w.ctx, device, w.issuer.Token(t, token.Grant{Subject: "other"})), 14)
	_, err = w.nakama.unlink(w.ctx, nil, nil, nil, &api.AccountCustom{})
	code(t, err, 7)
}

// "Not to be guessed, since who takes a name first keeps others from an account of that name": who knows a token, and so
// the sub, cannot work out the name by which Nakama would make the account.
func TestUsernameCannotBeTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	raw := w.issuer.Token(t, token.Grant{Subject: "victim"})
	seen := &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: raw}}
	if _, err := w.bridge.BeforeAuthenticateCustom(w.ctx, nil, nil, nil, seen); err != nil {
		t.Fatal(err)
	}
	w.nakama.others = nil
	if _, err := w.nakama.authenticateDevice(w.ctx, "device-of-eve", seen.Username); err != nil {
		t.Fatal(err)
	}
	in := &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: raw}}
	if _, err := w.nakama.authenticateCustom(w.ctx, in); err != nil {
		t.Errorf("the victim gets no account: %v", err)
	}
}

// An audit record of a signed-in user's call says whose it was.
func TestAuditSaysWho(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(c *Config) { c.VirtualPlayers = 0 })
	l := w.signIn("anna")
	if _, err := w.nakama.unlink(l.context(w.ctx), nil, nil, nil, &api.AccountCustom{}); err == nil {
		t.Error("an identity was unlinked")
	}
	w.audited("reject state unlinking was denied")
	if _, err := w.connect(l, ""); err == nil {
		t.Error("a UDP-only player was let in")
	}
	w.audited("reject state a player without a socket was denied")
	if _, err := w.connect(l, newUUID()); err != nil {
		t.Error(err)
	}
	w.audited("accept none a token for UDP was given")
	for _, e := range w.audit.events[1:] { // the first is the sign-in, which has a token
		if e.Issuer != issuerName || e.Subject != l.userID {
			t.Errorf("%q names %q of %q, want the user", e.Detail, e.Subject, e.Issuer)
		}
	}
}

// signInAs is sign-in without the new name.
func (w *world) signInAs(subject string) *login {
	w.Helper()
	raw := w.issuer.Token(w, token.Grant{Subject: subject})
	l, err := w.nakama.authenticateCustom(w.ctx, &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: raw}})
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// "the custom id is the map between the two": from memory after a sign-in, from the database after a restart.
func TestUserIDAndSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	l := w.signInAs("anna")
	if strings.Contains(l.username, "anna") {
		t.Errorf("the username %q shows the sub", l.username)
	}
	for round, queries := range []int{0, 1, 1, 2} {
		if round%2 == 1 {
			w.forget()
		}
		if round < 2 {
			if id, err := w.bridge.UserID(w.ctx, testkit.IssuerName, "anna"); err != nil || id != l.userID {
				t.Errorf("UserID = %q, %v", id, err)
			}
		} else if p, sub, err := w.bridge.Subject(w.ctx, l.userID); err != nil || sub != "anna" || p != customid.Provider(testkit.IssuerName) {
			t.Errorf("Subject = %q, %q, %v", p, sub, err)
		}
		if w.nakama.queries != queries {
			t.Errorf("round %d: %d queries, want %d", round, w.nakama.queries, queries)
		}
	}
	w.signInAs("eve")
	w.nakama.ban(w.nakama.customs[w.customID("eve")])
	w.forget()
	for _, c := range []struct {
		down     bool // the database
		subjects []string
		want     error
	}{
		{false, []string{"nobody", "eve"}, ErrUnknown},
		{true, []string{"nobody", "eve", "anna"}, ErrUnavailable},
	} {
		w.nakama.down = c.down
		for _, subject := range c.subjects {
			if _, err := w.bridge.UserID(w.ctx, testkit.IssuerName, subject); !errors.Is(err, c.want) {
				t.Errorf("UserID of %s, down %v: %v", subject, c.down, err)
			}
		}
		if _, _, err := w.bridge.Subject(w.ctx, newUUID()); !errors.Is(err, c.want) {
			t.Errorf("Subject of nobody, down %v: %v", c.down, err)
		}
	}
}

// forget has the bridge know no identity, as after a restart.
func (w *world) forget() {
	w.bridge.users, w.bridge.customIDs = aging.New[string](maxKnown/2), aging.New[string](maxKnown/2)
}

// customID is that of a subject of the world's issuer.
func (w *world) customID(subject string) string {
	w.Helper()
	id, err := CustomID(testkit.IssuerName, subject)
	if err != nil {
		w.Fatal(err)
	}
	return id
}
