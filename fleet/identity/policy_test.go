package identity_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
)

// roles and permissions are all there are.
func roles() (all []identity.Role) {
	for r := identity.Role(1); r.String() != "none"; r++ {
		all = append(all, r)
	}
	return all
}

func permissions() (all []identity.Permission) {
	for p := identity.Permission(1); p.String() != "none"; p++ {
		all = append(all, p)
	}
	return all
}

// matrix is the table of who may do what, as text.
func matrix() string {
	var b strings.Builder
	b.WriteString("|")
	for _, r := range roles() {
		b.WriteString(" | " + r.String())
	}
	b.WriteString(" |\n|---" + strings.Repeat("|---", len(roles())) + "|\n")
	for _, p := range permissions() {
		b.WriteString("| " + p.String())
		for _, r := range roles() {
			b.WriteString(" |")
			if identity.DefaultPermissions(r).Has(p) {
				b.WriteString(" x")
			}
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// The package comment's table of permissions and its list of refusals.
func TestPackageComment(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	var head strings.Builder
	head.WriteString("                        ")
	for _, r := range roles() {
		head.WriteString(r.String() + " ")
	}
	i := strings.Index(doc, strings.TrimRight("//	"+head.String()[1:], " "))
	if i < 0 {
		t.Fatalf("no head of the table: %q", head.String())
	}
	rows := strings.Split(doc[i:], "\n")
	for n, p := range permissions() {
		row := "//	" + p.String()
		row += strings.Repeat(" ", 26-len(row))
		for _, r := range roles() {
			mark := " "
			if identity.DefaultPermissions(r).Has(p) {
				mark = "x"
			}
			row += mark + strings.Repeat(" ", len(r.String()))
		}
		if row = strings.TrimRight(row, " "); rows[n+1] != row {
			t.Errorf("row of %v:\n%s, want\n%s", p, rows[n+1], row)
		}
	}
}

// "It is closed: what it does not name may do nothing."
func TestClosed(t *testing.T) {
	t.Parallel()
	for _, r := range []identity.Role{identity.NoRole, identity.Broker, 200} {
		if identity.DefaultPermissions(r) != 0 {
			t.Errorf("%v may %v", r, identity.DefaultPermissions(r))
		}
	}
	for _, p := range []identity.Permission{0, permissions()[len(permissions())-1] + 1, 31, 32, 255} {
		for _, r := range roles() {
			if identity.DefaultPermissions(r).Has(p) {
				t.Errorf("%v has permission %d", r, p)
			}
		}
		if identity.PermissionsOf(p) != 0 {
			t.Errorf("permission %d is one", p)
		}
	}
	// Who may change what happens to players, servers and keys: by name, so that a change of the table is seen here.
	for _, p := range []identity.Permission{identity.Kick, identity.Ban, identity.Drain, identity.RotateKeys, identity.ReadSessions, identity.ReadKeys} {
		for _, r := range roles() {
			if identity.DefaultPermissions(r).Has(p) != (r == identity.Operator) {
				t.Errorf("%v, %v", r, p)
			}
		}
	}
	if got := identity.PermissionsOf(identity.Kick, identity.Revoke).String(); got != "revoke, kick" || identity.Permissions(0).String() != "none" {
		t.Error(got)
	}
}

// peer returns who a service of this path is to s.
func peer(t *testing.T, a *identitytest.Authority, s *identity.Source, path string) error {
	t.Helper()
	return meet(s, shown(a.Issue(path))[0])
}

// "Narrow gives a role fewer permissions ... An empty set takes all"; "Widen gives a role more permissions than it has
// otherwise. A warning in the log says so"; "an id that is not in it has no role, whatever its path says".
func TestPolicy(t *testing.T) {
	t.Parallel()
	var w witness
	a := identitytest.New(t)
	s := a.Source(t, identity.GameState.Path(), w.watch, func(c *identity.Config) {
		c.Policy.Narrow = map[identity.Role]identity.Permissions{identity.Analytics: 0, identity.Operator: identity.PermissionsOf(identity.ReadStats)}
		c.Policy.Widen = map[identity.Role]identity.Permissions{identity.Leaderboard: identity.PermissionsOf(identity.ReadStats)}
	})
	url := map[identity.Permission]string{}
	for _, p := range []identity.Permission{identity.ReadStats, identity.Kick, identity.Subscribe} {
		url[p] = serve(t, s, s.Require(p, handler))
	}
	for _, tc := range []struct {
		role   identity.Role
		p      identity.Permission
		status int
	}{
		{identity.Operator, identity.ReadStats, 200},
		{identity.Operator, identity.Kick, 403},
		{identity.Analytics, identity.ReadStats, 0}, // may do nothing: refused in the handshake
		{identity.Leaderboard, identity.ReadStats, 200},
		{identity.Leaderboard, identity.Subscribe, 200},
		{identity.Leaderboard, identity.Kick, 403},
		{identity.Broker, identity.ReadStats, 0},
	} {
		if status, body := get(a.Source(t, tc.role.Path()), url[tc.p], identity.GameState); status != tc.status {
			t.Errorf("%v, %v: %d %s, want %d", tc.role, tc.p, status, body, tc.status)
		}
	}
	if len(w.lines("more than its share")) != 1 {
		t.Error("no warning about a role with more than its share")
	}

	table := identity.Policy{Table: map[string]identity.Role{a.ID("/ns/game/sa/console"): identity.Operator}}
	if err := s.SetPolicy(table); err != nil {
		t.Fatal(err)
	}
	if err := peer(t, a, s, "/ns/game/sa/console"); err != nil {
		t.Errorf("an id of the table: %v", err)
	}
	if err := peer(t, a, s, identity.Operator.Path()); err != identity.UnknownRole {
		t.Errorf("an id that is not in the table: %v", err)
	}
	if err := s.SetPolicy(identity.Policy{Table: map[string]identity.Role{}}); err != nil {
		t.Fatal(err)
	}
	if err := peer(t, a, s, identity.Operator.Path()); err != identity.UnknownRole {
		t.Errorf("an empty table: %v", err)
	}
}

// "Errors about c match ErrConfig", and name the field.
func TestConfig(t *testing.T) {
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "")
	a := identitytest.New(t)
	good := a.Files(t, identity.GameState.Path())
	role := func(p identity.Policy) identity.Config { return identity.Config{Files: good, Policy: p} }
	for field, c := range map[string]identity.Config{
		"Files":            {},
		"Files ":           {Files: identity.Files{Certificate: good.Certificate, Key: good.Key}},
		"Files: open":      {Files: identity.Files{Certificate: good.Certificate, Key: good.Key, Bundle: "/nowhere"}},
		"Files: x509":      {Files: identity.Files{Certificate: good.Certificate, Key: good.Bundle, Bundle: good.Bundle}},
		"Files: the":       {Files: good, ID: a.ID(identity.Operator.Path())},
		"Socket":           {Socket: "/run/agent.sock"},
		"ID":               {Files: good, ID: "game.example"},
		"Poll":             {Files: good, Poll: -1},
		"Policy.Table":     role(identity.Policy{Table: map[string]identity.Role{"console": identity.Operator}}),
		"Policy.Table ":    role(identity.Policy{Table: map[string]identity.Role{a.ID("/x"): 0}}),
		"Policy.Denied":    role(identity.Policy{Denied: []string{"console"}}),
		"Policy.Narrow":    role(identity.Policy{Narrow: map[identity.Role]identity.Permissions{identity.Analytics: identity.PermissionsOf(identity.Kick)}}),
		"Policy.Narrow: a": role(identity.Policy{Narrow: map[identity.Role]identity.Permissions{0: 0}}),
		"Policy.Widen":     role(identity.Policy{Widen: map[identity.Role]identity.Permissions{200: 0}}),
		"Policy.Widen: a":  role(identity.Policy{Widen: map[identity.Role]identity.Permissions{identity.Analytics: 1}}),
	} {
		s, err := identity.New(context.Background(), c)
		if !errors.Is(err, identity.ErrConfig) || !strings.Contains(err.Error(), strings.TrimRight(field, " ")) {
			t.Errorf("%s: %v", field, err)
		}
		if err == nil {
			s.Close()
		}
	}
}

// Labels and sentences are there for each, and those of values that do not exist do no harm.
func TestTexts(t *testing.T) {
	t.Parallel()
	labels := map[string]bool{}
	for r := identity.NoCertificate; r <= identity.NotPermitted; r++ {
		if labels[r.String()] || r.String() == "none" || !strings.HasPrefix(r.Error(), "identity: ") {
			t.Errorf("%d: %v, %s", r, r, r.Error())
		}
		labels[r.String()] = true
	}
	for _, r := range []identity.Refusal{0, identity.NotPermitted + 1, 255} {
		if r.String() != "none" || r.Error() != "identity: refused" {
			t.Errorf("%d: %v, %s", r, r, r.Error())
		}
	}
	if identity.Role(200).String() != "none" || identity.Permission(200).String() != "none" || identity.Auth.Path("a", "b") != "/role/auth/a/b" {
		t.Error("values that do not exist")
	}
}
