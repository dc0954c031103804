package admin_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/internal/admintest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// label is the label of a Problem, or the error.
func label(err error) string {
	p := new(admin.Problem)
	if errors.As(err, &p) {
		return strings.Trim(p.Label()+" "+p.Field, " ")
	}
	return fmt.Sprint(err)
}

// ends waits until the session of a client is over, and returns why.
func ends(t *testing.T, c *transport.Client) *transport.CloseError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for b := make([]byte, 2000); ; {
		_, err := c.Receive(ctx, b)
		if err == nil {
			continue
		}
		closed := new(transport.CloseError)
		if !errors.As(err, &closed) {
			t.Fatalf("not told why: %v", err)
		}
		return closed
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	var subjects []string
	for i := range 7 {
		subjects = append(subjects, fmt.Sprintf("player-%d", i))
		match.Join(t, subjects[i])
	}
	operator := fleet.Client(t, match, identity.Operator)
	var found []admin.Session
	var q admin.SessionQuery
	for q.Limit = 3; ; {
		page, err := operator.Sessions(t.Context(), q)
		if err != nil || len(page.Sessions) > 3 {
			t.Fatal(len(page.Sessions), err)
		}
		found = append(found, page.Sessions...)
		if q.After = page.Next; page.Next == 0 {
			break
		}
	}
	var got []string
	for i, s := range found {
		got = append(got, s.Subject)
		if i > 0 && s.ID <= found[i-1].ID || s.Issuer != testkit.IssuerName || s.Scope != admintest.Scope || s.Network != "127.0.0.0/24" ||
			s.Pseudonym != match.Audit.Pseudonym(s.Subject) || time.Until(s.Expires) < time.Minute || s.Doubt != "none" || len(s.Session) != 32 {
			t.Errorf("%+v", s)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, subjects) {
		t.Errorf("%q, want %q", got, subjects)
	}
	one := found[4]
	for _, q := range []admin.SessionQuery{
		{Subject: one.Subject},
		{Pseudonym: one.Pseudonym},
		{Subject: one.Subject, Issuer: one.Issuer, Scope: admintest.Scope},
		{After: one.ID - 1, Limit: 1},
	} {
		if page, err := operator.Sessions(t.Context(), q); err != nil || len(page.Sessions) != 1 || page.Sessions[0].Session != one.Session {
			t.Errorf("%+v: %+v, %v", q, page, err)
		}
	}
	for _, q := range []admin.SessionQuery{{Subject: "player"}, {Issuer: "other"}, {Scope: "match"}, {Pseudonym: "00"}, {After: found[6].ID}} {
		if page, err := operator.Sessions(t.Context(), q); err != nil || page.Sessions == nil || len(page.Sessions) != 0 || page.Next != 0 {
			t.Errorf("%+v: %+v, %v", q, page, err)
		}
	}
	if s, err := operator.Session(t.Context(), one.Session); err != nil || s.ID != one.ID || s.Subject != one.Subject {
		t.Errorf("%+v, %v", s, err)
	}
	for name, want := range map[string]string{
		strings.Repeat("0", 32): "absent", "7": "query session", strings.ToUpper(one.Session): "query session", one.Session + "00": "query session",
	} {
		if _, err := operator.Session(t.Context(), name); label(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

// "Sessions and bans are shown ... by issuer and subject to a role with the permission "read names"
// alone. Without it nobody can look for a name either"
func TestNames(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t, func(_ *transport.Config, c *admin.Config) {
		policy := identity.Policy{Narrow: map[identity.Role]identity.Permissions{
			identity.Operator: identity.PermissionsOf(identity.ReadSessions, identity.Ban),
		}}
		if err := c.Identity.(*identity.Source).SetPolicy(policy); err != nil {
			t.Fatal(err)
		}
	})
	match.Join(t, "alice")
	operator := fleet.Client(t, match, identity.Operator)
	page, err := operator.Sessions(t.Context(), admin.SessionQuery{})
	if err != nil || len(page.Sessions) != 1 {
		t.Fatal(page, err)
	}
	s := page.Sessions[0]
	if s.Subject != "" || s.Issuer != "" || s.Pseudonym != match.Audit.Pseudonym("alice") {
		t.Errorf("%+v", s)
	}
	if s, err := operator.Session(t.Context(), s.Session); err != nil || s.Subject != "" || s.Issuer != "" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, q := range []admin.SessionQuery{{Subject: "alice"}, {Issuer: testkit.IssuerName}} {
		if _, err := operator.Sessions(t.Context(), q); label(err) != "names" {
			t.Errorf("%+v: %v", q, err)
		}
		if _, err := operator.Bans(t.Context(), q); label(err) != "names" {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if e, err := operator.Ban(t.Context(), admin.BanRequest{Target: admin.Target{Session: s.Session}}); err != nil || e.Ended != 1 {
		t.Fatal(e, err)
	}
	bans, err := operator.Bans(t.Context(), admin.SessionQuery{Pseudonym: s.Pseudonym})
	if err != nil || len(bans.Bans) != 1 || bans.Bans[0].Subject != "" || bans.Bans[0].Issuer != "" || bans.Bans[0].Pseudonym != s.Pseudonym {
		t.Errorf("%+v, %v", bans, err)
	}
}

func TestKick(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	alice, again, bob := match.Join(t, "alice"), match.Join(t, "alice"), match.Join(t, "bob")
	operator := fleet.Client(t, match, identity.Operator)
	page, err := operator.Sessions(t.Context(), admin.SessionQuery{Subject: "bob"})
	if err != nil || len(page.Sessions) != 1 {
		t.Fatal(page, err)
	}
	name := page.Sessions[0].Session
	e, err := operator.Kick(t.Context(), admin.KickRequest{Target: admin.Target{Session: name}, Reason: 130, Detail: "away too long"})
	if err != nil || e.Ended != 1 {
		t.Fatal(e, err)
	}
	if c := ends(t, bob); c.Reason != 130 || c.Detail != "away too long" {
		t.Errorf("%+v", c)
	}
	e, err = operator.Kick(t.Context(), admin.KickRequest{Target: admin.Target{Subject: "alice", Issuer: testkit.IssuerName}})
	if err != nil || e.Ended != 2 {
		t.Fatal(e, err)
	}
	for _, c := range []*transport.Client{alice, again} {
		if c := ends(t, c); c.Reason != session.ReasonKicked {
			t.Errorf("%+v", c)
		}
	}
	for range 2 { // "A session that is not live here is no error: none has ended."
		if e, err := operator.Kick(t.Context(), admin.KickRequest{Target: admin.Target{Session: name}}); err != nil || e.Ended != 0 {
			t.Error(e, err)
		}
	}
	match.Join(t, "alice") // a kick is no ban
}

func TestBanAndLift(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t, func(_ *transport.Config, c *admin.Config) { c.Issuer = testkit.IssuerName })
	alice := match.Join(t, "alice")
	operator := fleet.Client(t, match, identity.Operator)
	q := admin.BanRequest{Target: admin.Target{Subject: "alice"}, For: "1h", Reason: 140, Note: "spam"}
	if e, err := operator.Ban(t.Context(), q); err != nil || e.Ended != 1 {
		t.Fatal(e, err)
	}
	if c := ends(t, alice); c.Reason != 140 {
		t.Errorf("%+v", c)
	}
	if e, err := operator.Ban(t.Context(), q); err != nil || e.Ended != 0 {
		t.Errorf("again: %+v, %v", e, err)
	}
	if _, err := match.Dial(t, "alice"); err == nil {
		t.Error("a banned player has joined")
	}
	if _, err := operator.Ban(t.Context(), admin.BanRequest{Target: admin.Target{Subject: "bob"}}); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(time.Minute).UTC().Truncate(time.Second)
	if _, err := operator.Ban(t.Context(), admin.BanRequest{Target: admin.Target{Subject: "carol"}, Until: until}); err != nil {
		t.Fatal(err)
	}
	bans, err := operator.Bans(t.Context(), admin.SessionQuery{})
	if err != nil || len(bans.Bans) != 3 || bans.More {
		t.Fatalf("%+v, %v", bans, err)
	}
	carol, alices, bob := bans.Bans[0], bans.Bans[1], bans.Bans[2] // "those that end first before others"
	if carol.Subject != "carol" || !carol.Until.Equal(until) || alices.Subject != "alice" || alices.Reason != 140 || alices.Note != "spam" ||
		time.Until(alices.Until).Round(time.Hour) != time.Hour || bob.Subject != "bob" || !bob.Until.IsZero() || bob.Says != "revoked" {
		t.Errorf("%+v", bans)
	}
	if some, err := operator.Bans(t.Context(), admin.SessionQuery{Limit: 2}); err != nil || len(some.Bans) != 2 || !some.More {
		t.Errorf("%+v, %v", some, err)
	}
	if one, err := operator.Bans(t.Context(), admin.SessionQuery{Subject: "bob"}); err != nil || len(one.Bans) != 1 || one.Bans[0].Subject != "bob" {
		t.Errorf("%+v, %v", one, err)
	}
	for _, want := range []bool{true, false} {
		if l, err := operator.Lift(t.Context(), "", "alice"); err != nil || l.Lifted != want {
			t.Errorf("%+v, %v", l, err)
		}
	}
	match.Join(t, "alice")
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	auth := fleet.Client(t, match, identity.Auth)
	operator := fleet.Client(t, match, identity.Operator)
	for _, kind := range []string{"session", "subject", "build"} {
		subject := "player of " + kind
		client := match.Join(t, subject)
		page, err := operator.Sessions(t.Context(), admin.SessionQuery{Subject: subject})
		if err != nil || len(page.Sessions) != 1 {
			t.Fatal(page, err)
		}
		q := map[string]admin.RevokeRequest{
			"session": {Session: page.Sessions[0].Session},
			"subject": {Subject: subject, Issuer: testkit.IssuerName, Time: time.Now()},
			"build":   {Build: page.Sessions[0].Build + "other"},
		}[kind]
		e, err := auth.Revoke(t.Context(), q)
		if want := map[string]int{"session": 1, "subject": 1, "build": 0}[kind]; err != nil || e.Ended != want {
			t.Errorf("%s: %+v, %v", kind, e, err)
		}
		if e.Ended == 1 {
			if c := ends(t, client); c.Reason != session.ReasonRevoked {
				t.Errorf("%s: %+v", kind, c)
			}
		}
		if e, err := auth.Revoke(t.Context(), q); err != nil || e.Ended != 0 {
			t.Errorf("%s again: %+v, %v", kind, e, err)
		}
	}
	for _, q := range []admin.RevokeRequest{
		{TokenID: "4f", Issuer: testkit.IssuerName},
		{SignIn: "s", Issuer: testkit.IssuerName},
		{KeyID: "k", Issuer: testkit.IssuerName},
	} {
		if e, err := auth.Revoke(t.Context(), q); err != nil || e.Ended != 0 {
			t.Errorf("%+v: %+v, %v", q, e, err)
		}
	}
	if _, err := auth.Kick(t.Context(), admin.KickRequest{}); label(err) != "forbidden" {
		t.Errorf("the role auth may not kick: %v", err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	operator := fleet.Client(t, match, identity.Operator)
	want := admin.Key{ID: fmt.Sprintf("%08x", fleet.Keys.IDs()[0]), Seals: true}
	if k, err := operator.Keys(t.Context()); err != nil || len(k.Keys) != 1 || k.Keys[0] != want || k.Fleet != nil {
		t.Errorf("%+v, %v", k, err)
	}
	if _, err := operator.RotateKeys(t.Context()); label(err) != "no-keeper" {
		t.Error(err)
	}
	if _, err := operator.DropKeys(t.Context()); label(err) != "no-keeper" {
		t.Error(err)
	}
	if _, err := operator.ForgetInstance(t.Context(), strings.Repeat("0", 32)); label(err) != "no-keeper" {
		t.Error(err)
	}
}
