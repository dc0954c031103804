package admin_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/internal/admintest"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/transport"
)

var _ admin.Publisher = (*revocation.Publisher)(nil)

// "Publisher has revocations, bans and their lifting hold on every server of the fleet: one call counts
// everywhere", asked of a program without a match server.
func TestPublisher(t *testing.T) {
	t.Parallel()
	fleet, broker, key := admintest.New(t), revocationtest.NewBroker(1), revocation.GenerateSigningKey()
	publisher, err := revocation.OpenPublisher(revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: broker.Carrier(), Heartbeat: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	runs(t, func(ctx context.Context) {
		publisher.Run(ctx) //nolint:errcheck // the test has ended
		publisher.Close()  //nolint:errcheck // likewise
	})
	var matches []*admintest.Match
	for range 2 {
		feed, err := revocation.NewFeed(revocation.FeedConfig{
			Carrier: broker.Carrier(), Trusted: []revocation.Trusted{{Name: "central", Key: key.Public(), Kinds: revocation.AllKinds, LiftAny: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		m := fleet.Match(t, func(c *transport.Config, _ *admin.Config) { *c = feed.Transport(*c) })
		runs(t, func(ctx context.Context) { feed.Run(ctx, m.Server) }) //nolint:errcheck // the test has ended
		if err := feed.WaitWhole(t.Context()); err != nil {
			t.Fatal(err)
		}
		matches = append(matches, m)
	}
	source := fleet.Services.Source(t, identity.Auth.Path("login-1"))
	api, err := admin.Handler(admin.Config{Identity: source, Publisher: publisher})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := admin.NewServer(api)
	runs(t, func(context.Context) { server.Serve(source.Listen(l)) }) //nolint:errcheck // ended below
	t.Cleanup(func() { server.Close() })                              //nolint:errcheck // it is gone either way
	way := fleet.Services.Source(t, identity.Operator.Path()).Transport(identity.Auth)
	t.Cleanup(way.CloseIdleConnections)
	operator := &admin.Client{HTTP: &http.Client{Transport: way}, Address: l.Addr().String()}

	for name, q := range map[string]admin.RevokeRequest{"subject": {Subject: "alice", Issuer: testkit.IssuerName}, "session": {}} {
		for _, m := range matches {
			alice := m.Join(t, "alice")
			q := q
			if name == "session" {
				q.Session = nameOf(t, fleet, m)
			}
			if _, err := operator.Revoke(t.Context(), q); err != nil {
				t.Fatalf("by %s: %v", name, err)
			}
			ends(t, alice)
			if name == "subject" {
				time.Sleep(time.Second) // so that the next token is issued later
			}
		}
	}
	if _, err := operator.Ban(t.Context(), admin.BanRequest{Target: admin.Target{Subject: "bob", Issuer: testkit.IssuerName}}); err != nil {
		t.Fatal(err)
	}
	comes(t, matches, "bob", false)
	if l, err := operator.Lift(t.Context(), testkit.IssuerName, "bob"); err != nil || !l.Lifted {
		t.Fatal(l, err)
	}
	comes(t, matches, "bob", true)

	for what, err := range map[string]error{
		"absent":    second(operator.Ban(t.Context(), admin.BanRequest{Target: admin.Target{Session: "00112233445566778899aabbccddeeff"}})),
		"ban":       second(operator.Ban(t.Context(), admin.BanRequest{Target: admin.Target{Subject: "x", Issuer: "y"}, Reason: 2})),
		"forbidden": second(operator.Bans(t.Context(), admin.BanQuery{})),
	} {
		if label(err) != what {
			t.Errorf("%v, want %s", err, what)
		}
	}
	publisher.Close() //nolint:errcheck // what is published from now on fails
	if _, err := operator.Revoke(t.Context(), admin.RevokeRequest{Build: "1.0"}); label(err) != "failed" {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

// nameOf returns the name of the newest session of a match.
func nameOf(t *testing.T, f *admintest.Fleet, m *admintest.Match) string {
	t.Helper()
	s, err := f.Client(t, m, identity.Operator).Sessions(t.Context(), admin.SessionQuery{})
	if err != nil || len(s.Sessions) == 0 {
		t.Fatal(s, err)
	}
	return s.Sessions[len(s.Sessions)-1].Session
}

// comes waits until a player is let in everywhere, or nowhere.
func comes(t *testing.T, matches []*admintest.Match, subject string, want bool) {
	t.Helper()
	for _, m := range matches {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			c, err := m.Dial(t, subject)
			if err == nil {
				c.Close() //nolint:errcheck // it has left
			}
			if (err == nil) == want {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s comes in: %v", subject, err)
			}
		}
	}
}

// runs runs f until the test ends.
func runs(t *testing.T, f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}
