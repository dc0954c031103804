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
		if _, err := operator.Bans(t.Context(), admin.BanQuery{Subject: q.Subject, Issuer: q.Issuer}); label(err) != "names" {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if e, err := operator.Ban(t.Context(), admin.BanRequest{Target: admin.Target{Session: s.Session}}); err != nil || e.Ended != 1 {
		t.Fatal(e, err)
	}
	bans, err := operator.Bans(t.Context(), admin.BanQuery{Pseudonym: s.Pseudonym})
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
	bans, err := operator.Bans(t.Context(), admin.BanQuery{})
	if err != nil || len(bans.Bans) != 3 || bans.Next != "" {
		t.Fatalf("%+v, %v", bans, err)
	}
	carol, alices, bob := bans.Bans[0], bans.Bans[1], bans.Bans[2] // "those that end first before others"
	if carol.Subject != "carol" || !carol.Until.Equal(until) || alices.Subject != "alice" || alices.Reason != 140 || alices.Note != "spam" ||
		time.Until(alices.Until).Round(time.Hour) != time.Hour || bob.Subject != "bob" || !bob.Until.IsZero() || bob.Says != "revoked" {
		t.Errorf("%+v", bans)
	}
	if some, err := operator.Bans(t.Context(), admin.BanQuery{Limit: 2}); err != nil || len(some.Bans) != 2 || some.Next == "" {
		t.Errorf("%+v, %v", some, err)
	}
	if one, err := operator.Bans(t.Context(), admin.BanQuery{Subject: "bob"}); err != nil || len(one.Bans) != 1 || one.Bans[0].Subject != "bob" {
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

// Whatever is added and lifted between two pages, the pages have each ban that was there all the time
// once, those that end first before others, and the place of one tells nothing of its name.
func TestBanPages(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t, func(_ *transport.Config, c *admin.Config) { c.PeerPerSecond = 1000 })
	operator := fleet.Client(t, match, identity.Operator)
	now := time.Now().Truncate(time.Second)
	ban := func(subject string, i int) {
		b := session.Ban{Issuer: testkit.IssuerName, Subject: subject}
		if i%3 != 0 {
			b.Until = now.Add(time.Duration(1+i%7) * time.Hour) // many end together
		}
		if _, err := match.Server.Ban(b); err != nil {
			t.Fatal(err)
		}
	}
	const n = 500
	for i := range n {
		ban(fmt.Sprintf("stays %d", i), i)
		ban(fmt.Sprintf("goes %d", i), i)
	}
	for _, limit := range []int{1, 7, 333, 1000} {
		seen := map[string]int{}
		var last admin.Ban
		for q, page := (admin.BanQuery{Limit: limit}), 0; ; page++ {
			bans, err := operator.Bans(t.Context(), q)
			if err != nil || len(bans.Bans) > limit {
				t.Fatal(len(bans.Bans), err)
			}
			for _, b := range bans.Bans {
				seen[b.Subject]++
				if !last.Until.IsZero() && b.Until.Before(last.Until) && !b.Until.IsZero() || last.Subject != "" && last.Until.IsZero() && !b.Until.IsZero() {
					t.Errorf("%+v stands behind %+v", b, last)
				}
				last = b
			}
			if q.After = bans.Next; q.After == "" {
				break
			}
			for i := page * 3; i < page*3+3; i++ {
				match.Server.Lift(testkit.IssuerName, fmt.Sprintf("goes %d", i%n))
				ban(fmt.Sprintf("comes %d %d", limit, i), i)
			}
			if limit == 1 && page == 300 {
				break
			}
		}
		for subject, times := range seen {
			if times != 1 {
				t.Errorf("pages of %d: %q is there %d times", limit, subject, times)
			}
		}
		for i := range n {
			if limit > 1 && seen[fmt.Sprintf("stays %d", i)] != 1 {
				t.Errorf("pages of %d: stays %d is there %d times", limit, i, seen[fmt.Sprintf("stays %d", i)])
			}
		}
	}
	for _, after := range []string{"1", strings.Repeat("g", 40), strings.Repeat("A", 40), strings.Repeat("0", 42)} {
		if _, err := operator.Bans(t.Context(), admin.BanQuery{After: after}); label(err) != "query after" {
			t.Errorf("after %q: %v", after, err)
		}
	}
}

// A time that cannot be meant is refused, and nothing is done: a ban that is over would look like one
// that holds, and a withdrawal as of next year would be a ban that no list has.
func TestTimesThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	match := fleet.Match(t)
	match.Join(t, "alice")
	operator := fleet.Client(t, match, identity.Operator)
	target, now := admin.Target{Subject: "alice", Issuer: testkit.IssuerName}, time.Now()
	for _, until := range []time.Time{now.Add(-time.Second), now.AddDate(-1, 0, 0), time.Unix(0, 0)} {
		if _, err := operator.Ban(t.Context(), admin.BanRequest{Target: target, Until: until}); label(err) != "ban until" {
			t.Errorf("until %v: %v", until, err)
		}
	}
	for _, when := range []time.Time{now.Add(time.Hour), now.AddDate(1, 0, 0)} {
		q := admin.RevokeRequest{Subject: target.Subject, Issuer: target.Issuer, Time: when}
		if _, err := operator.Revoke(t.Context(), q); label(err) != "body time" {
			t.Errorf("as of %v: %v", when, err)
		}
	}
	match.Join(t, "alice")
	// A clock a minute ahead is the operator's good right.
	q := admin.RevokeRequest{Subject: target.Subject, Issuer: target.Issuer, Time: now.Add(time.Minute)}
	if e, err := operator.Revoke(t.Context(), q); err != nil || e.Ended != 2 {
		t.Errorf("%+v, %v", e, err)
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
