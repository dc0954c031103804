// Package admintest is a match server with its admin API, for tests of what operates it:
//
//	fleet := admintest.New(t)                     authorities of services, of players and of the server
//	match := fleet.Match(t)                       a transport.Server, and package admin over real TLS
//	client := match.Join(t, "alice")              a player on it
//	operator := fleet.Client(t, match, identity.Operator)
package admintest

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// Scope is the match that every server hosts.
const Scope = "match-1"

// Fleet is what the servers of a test have in common.
type Fleet struct {
	Services *identitytest.Authority // of the services' certificates
	Keys     *fleetkey.Ring          // one fleet key

	servers *testkit.Authority
	players *testkit.Issuer
}

// New returns a fleet without servers.
func New(t testing.TB) *Fleet {
	t.Helper()
	ring := testkit.Ring(t)
	return &Fleet{identitytest.New(t), ring, testkit.NewAuthority(t), testkit.NewIssuer(t)}
}

// Match is a match server and its API, which run until the test ends.
type Match struct {
	Server  *transport.Server
	API     http.Handler
	Address string        // of the API
	Audit   *audit.Recent // lines of all of it
	Ended   chan error    // what Serve has returned

	fleet *Fleet
}

// Match starts a match server. Each of change may alter its configuration.
func (f *Fleet) Match(t testing.TB, change ...func(*transport.Config, *admin.Config)) *Match {
	t.Helper()
	recent := audit.NewRecent(audit.MaxRecent)
	game := transport.Config{
		Certificate: *f.servers.Server(t), Verifier: f.players.Verifier(t), Audit: recent, Shards: 1,
		Session: session.Config{FleetKeys: f.Keys, MaxPerSubject: -1},
	}
	config := admin.Config{
		Drain: new(admin.Drain), Keys: f.Keys, Pseudonym: recent.Pseudonym, Audit: recent,
	}
	game.Session.Authorize = config.Drain.Authorize(nil)
	source := f.Services.Source(t, identity.GameState.Path("eu-1"), func(c *identity.Config) { c.Audit = recent })
	config.Identity = source
	for _, c := range change {
		c(&game, &config)
	}
	server, err := transport.Listen("127.0.0.1:0", game)
	if err != nil {
		t.Fatal(err)
	}
	if config.Server == nil {
		config.Server = server
	}
	m := &Match{Server: server, Audit: recent, Ended: make(chan error, 1), fleet: f}
	if m.API, err = admin.Handler(config); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.Address = l.Addr().String()
	api := admin.NewServer(m.API)
	served := make(chan struct{})
	go func() {
		defer close(served)
		api.Serve(source.Listen(l)) //nolint:errcheck // ended below
	}()
	go func() { m.Ended <- server.Serve(transport.Handler{}) }()
	t.Cleanup(func() {
		api.Close()    //nolint:errcheck // it is gone either way
		server.Close() //nolint:errcheck // a test may have closed it
		<-served
	})
	return m
}

// Join has a player join, who leaves when the test ends.
func (m *Match) Join(t testing.TB, subject string) *transport.Client {
	t.Helper()
	client, err := m.Dial(t, subject)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() }) //nolint:errcheck // it may be out
	return client
}

// Dial tries to join.
func (m *Match) Dial(t testing.TB, subject string) (*transport.Client, error) {
	return transport.Dial(t.Context(), m.Server.Addr().String(), transport.ClientConfig{
		RootCAs: m.fleet.servers.Pool(), Session: session.ClientConfig{Scope: Scope},
		Token: func(context.Context) ([]byte, error) {
			return []byte(m.fleet.players.Token(t, token.Grant{Subject: subject, Scope: Scope})), nil
		},
	})
}

// Client returns a client of a match's API for a service of a role.
func (f *Fleet) Client(t testing.TB, m *Match, r identity.Role, name ...string) *admin.Client {
	t.Helper()
	source := f.Services.Source(t, r.Path(name...))
	transport := source.Transport(identity.GameState)
	t.Cleanup(transport.CloseIdleConnections)
	return &admin.Client{HTTP: &http.Client{Transport: transport}, Address: m.Address}
}
