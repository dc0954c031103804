package admin_test

import (
	"errors"
	"testing"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/internal/admintest"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

var _ admin.Feed = (*revocation.Feed)(nil)

// feed bans on two servers.
type feed struct {
	servers []*transport.Server
	err     error
}

func (f *feed) Ban(b session.Ban) (ended int, err error) {
	for _, s := range f.servers {
		n, _ := s.Ban(b)
		ended += n
	}
	return ended, f.err
}

func (f *feed) Lift(issuer, subject string) error {
	for _, s := range f.servers {
		s.Lift(issuer, subject)
	}
	return f.err
}

// "Feed, in place of Revoker, puts bans and lifts in force on every server of the fleet": asked of
// one server, another refuses the player, too. What the feed cannot do is a failure that the log
// explains.
func TestFeed(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	f := new(feed)
	one := fleet.Match(t, func(_ *transport.Config, c *admin.Config) { c.Feed = f })
	other := fleet.Match(t)
	f.servers = []*transport.Server{one.Server, other.Server}
	operator := fleet.Client(t, one, identity.Operator)
	q := admin.BanRequest{Target: admin.Target{Subject: "alice", Issuer: testkit.IssuerName}}
	alice := other.Join(t, "alice")
	if e, err := operator.Ban(t.Context(), q); err != nil || e.Ended != 1 {
		t.Fatal(e, err)
	}
	ends(t, alice)
	if _, err := other.Dial(t, "alice"); err == nil {
		t.Error("a banned player has joined")
	}
	for _, want := range []bool{true, false} {
		if l, err := operator.Lift(t.Context(), testkit.IssuerName, "alice"); err != nil || l.Lifted != want {
			t.Errorf("%+v, %v", l, err)
		}
	}
	other.Join(t, "alice")
	f.err = errors.New("the disk is full")
	if _, err := operator.Ban(t.Context(), q); label(err) != "failed" {
		t.Error(err)
	}
	if _, err := operator.Lift(t.Context(), testkit.IssuerName, "alice"); label(err) != "failed" {
		t.Error(err)
	}
}
