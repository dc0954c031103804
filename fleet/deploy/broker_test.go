package deploy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
	"github.com/sallyport/sallyport/fleet/keys/natskeys"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/natscarrier"
	"github.com/sallyport/sallyport/internal/testkit"
)

// brokers starts three NATS servers in this process from deploy/kubernetes/base/nats.conf, as Kubernetes
// would, with files of the role broker, or of another one; other addresses are all that is changed. With logs
// each has the log of its index.
func brokers(t *testing.T, a *identitytest.Authority, role identity.Role, logs ...server.Logger) (servers []*server.Server, urls []string) {
	t.Helper()
	read, err := os.ReadFile("../../deploy/kubernetes/base/nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	routes := []string{testkit.FreePort(t), testkit.FreePort(t), testkit.FreePort(t)}
	for i := range routes {
		dir := t.TempDir()
		f := identity.Files{Certificate: filepath.Join(dir, "svid.pem"), Key: filepath.Join(dir, "key.pem"), Bundle: filepath.Join(dir, "bundle.pem")}
		a.Write(t, f, a.Issue(role.Path(), func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }))
		text := string(read)
		for _, change := range [][2]string{
			{"$POD_NAME", fmt.Sprint("nats-", i)},
			{`"/svid/`, `"` + dir + "/"},
			{`"/data"`, `"` + filepath.Join(dir, "data") + `"`},
			{"0.0.0.0:4222", "127.0.0.1:-1"},
			{"0.0.0.0:8222", "127.0.0.1:-1"},
			{"0.0.0.0:6222", "127.0.0.1:" + routes[i]},
			{"nats-0.nats.sallyport.svc:6222", "localhost:" + routes[0]},
			{"nats-1.nats.sallyport.svc:6222", "localhost:" + routes[1]},
			{"nats-2.nats.sallyport.svc:6222", "localhost:" + routes[2]},
		} {
			if !strings.Contains(text, change[0]) {
				t.Fatalf("nats.conf has no %s", change[0])
			}
			text = strings.ReplaceAll(text, change[0], change[1])
		}
		file := filepath.Join(dir, "nats.conf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		options, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		options.NoSigs, options.NoLog = true, true
		s, err := server.NewServer(options)
		if err != nil {
			t.Fatal(err)
		}
		if i < len(logs) {
			s.SetLogger(logs[i], false, false)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(20 * time.Second) {
			t.Fatal("no NATS server")
		}
		servers, urls = append(servers, s), append(urls, s.ClientURL())
	}
	return servers, urls
}

// admitted is with how many servers a server has routes that have been let in. Who dials counts a route before
// the other end has judged it, but only an end that has let it in sends subscriptions.
func admitted(t *testing.T, s *server.Server) int {
	t.Helper()
	z, err := s.Routez(nil)
	if err != nil {
		t.Fatal(err)
	}
	others := map[string]bool{}
	for _, r := range z.Routes {
		if r.NumSubs > 0 {
			others[r.RemoteID] = true
		}
	}
	return len(others)
}

// refusals is a server's log, which counts the connections that the server has refused.
type refusals struct{ n atomic.Int32 }

func (r *refusals) Errorf(format string, args ...any) {
	if strings.HasPrefix(fmt.Sprintf(format, args...), "127.0.0.1:") && strings.Contains(fmt.Sprintf(format, args...), server.ErrAuthentication.Error()) {
		r.n.Add(1)
	}
}

func (*refusals) Noticef(string, ...any) {}
func (*refusals) Warnf(string, ...any)   {}
func (*refusals) Fatalf(string, ...any)  {}
func (*refusals) Debugf(string, ...any)  {}
func (*refusals) Tracef(string, ...any)  {}

// join connects a client of a service.
func join(t *testing.T, s *identity.Source, urls []string) (*nats.Conn, error) {
	t.Helper()
	d := s.Dialer(identity.Broker)
	c, err := nats.Connect(strings.Join(urls, ","), nats.SetCustomDialer(d), nats.Secure(d.TLS()), nats.Timeout(10*time.Second),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // LastError has it
	if err == nil {
		t.Cleanup(c.Close)
	}
	return c, err
}

// allowed reports whether the broker lets a client do something to a subject. Its refusal comes before its
// answer to Flush.
func allowed(t *testing.T, c *nats.Conn, subject string, do func() error) bool {
	t.Helper()
	if err := errors.Join(do(), c.Flush()); err != nil {
		t.Fatal(err)
	}
	err := c.LastError()
	return !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(`"`+subject+`"`))
}

// The broker that deploy/kubernetes sets up: three servers with certificates of the role broker find each
// other; revocations of the sign-in are stored on all three and reach a match server; each role may
// do what its program asks for, and no more.
func TestDeployedBroker(t *testing.T) {
	t.Parallel()
	a := identitytest.NewDomain(t, "game.example")
	servers, urls := brokers(t, a, identity.Broker)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if admitted(t, servers[0]) == 2 && admitted(t, servers[1]) == 2 && admitted(t, servers[2]) == 2 && servers[0].JetStreamIsCurrent() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the servers do not find each other")
		}
	}
	sources := map[identity.Role]*identity.Source{}
	carriers := map[identity.Role]*natscarrier.Carrier{}
	for _, r := range []identity.Role{identity.Auth, identity.GameState, identity.Matchmaking, identity.Leaderboard} {
		sources[r] = a.Source(t, r.Path())
		d := sources[r].Dialer(identity.Broker)
		config := natscarrier.Config{Servers: urls, Name: r.String(), TLS: d.TLS(), Options: []nats.Option{nats.SetCustomDialer(d)}}
		if r == identity.Auth {
			config.Replicas = 3
		}
		c, err := natscarrier.Open(config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		carriers[r] = c
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	heard := make(chan string, 100)
	for _, r := range []identity.Role{identity.GameState, identity.Matchmaking, identity.Leaderboard} {
		if _, err := carriers[r].Subscribe(revocation.TopicLive, func(b []byte) { heard <- r.String() + " " + string(b) }); err != nil {
			t.Fatal(err)
		}
	}
	key := revocation.StateKey{Publisher: revocation.PublisherID{1}, First: 1}
	for err := errors.New("not tried"); err != nil; { // the stream is made meanwhile
		if err = carriers[identity.Auth].Store(ctx, key, []byte("segment")); ctx.Err() != nil {
			t.Fatal("nothing is stored: ", err)
		}
	}
	for _, r := range []identity.Role{identity.GameState, identity.Matchmaking, identity.Leaderboard} {
		got := ""
		err := carriers[r].Load(ctx, key.Publisher, 0, func(_ revocation.StateKey, m []byte) error { got = string(m); return nil })
		if err != nil || got != "segment" {
			t.Errorf("%v loads %q: %v", r, got, err)
		}
	}
	waiting := map[string]bool{"game-state live": true, "matchmaking live": true, "leaderboard live": true}
	for len(waiting) > 0 {
		if err := carriers[identity.Auth].Publish(ctx, revocation.TopicLive, []byte("live")); err != nil {
			t.Fatal(err)
		}
		select {
		case h := <-heard:
			delete(waiting, h)
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("nobody has said %v", waiting)
		}
	}

	// Sealed keys, and what nobody may.
	members := map[identity.Role]*nats.Conn{}
	for _, r := range []identity.Role{identity.Auth, identity.GameState, identity.Matchmaking, identity.Leaderboard, identity.Operator} {
		m, err := join(t, a.Source(t, r.Path()), urls)
		if err != nil {
			t.Fatal(r, err)
		}
		members[r] = m
	}
	keeper, err := natskeys.New(members[identity.Operator], "")
	if err != nil {
		t.Fatal(err)
	}
	holder, err := natskeys.New(members[identity.GameState], "")
	if err != nil {
		t.Fatal(err)
	}
	announced, granted := make(chan string, 1), make(chan string, 1)
	if _, err := keeper.Subscribe("announce", func(b []byte) { announced <- string(b) }); err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Subscribe("grant.0123", func(b []byte) { granted <- string(b) }); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(members[identity.Operator].Flush(), members[identity.GameState].Flush()); err != nil {
		t.Fatal(err)
	}
	for announcedYet, grantedYet := false, false; !announcedYet || !grantedYet; { // interest travels between servers
		if err := errors.Join(holder.Publish(ctx, "announce", []byte("here")), keeper.Publish(ctx, "grant.0123", []byte("sealed"))); err != nil {
			t.Fatal(err)
		}
		select {
		case <-announced:
			announcedYet = true
		case <-granted:
			grantedYet = true
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("keys do not travel")
		}
	}
	for role, m := range members {
		for subject, who := range map[string][]identity.Role{
			"sallyport.live.eu-7":                 {identity.Auth, identity.GameState, identity.Matchmaking, identity.Leaderboard, identity.Operator},
			"sallyport.state.0123.1":              {identity.Auth, identity.GameState, identity.Operator},
			"sallyport.keys.grant.0123":           {identity.Operator},
			"sallyport.keys.announce":             {identity.GameState},
			"$JS.API.STREAM.CREATE.SALLYPORT":     {identity.Auth},
			"$JS.API.STREAM.DELETE.SALLYPORT":     nil,
			"$JS.API.STREAM.PURGE.SALLYPORT":      nil,
			"$JS.API.STREAM.MSG.DELETE.SALLYPORT": nil,
			"$SYS.REQ.SERVER.PING":                nil,
			"anything.else":                       nil,
		} {
			want := false
			for _, r := range who {
				want = want || r == role
			}
			if got := allowed(t, m, subject, func() error { return m.Publish(subject, []byte("{}")) }); got != want {
				t.Errorf("%v may publish to %s: %v", role, subject, got)
			}
		}
		for _, subject := range []string{">", "$JS.>", "sallyport.>", "sallyport.state.>"} {
			if allowed(t, m, subject, func() error { _, err := m.SubscribeSync(subject); return err }) {
				t.Errorf("%v may hear %s", role, subject)
			}
		}
	}
	for role, source := range map[string]*identity.Source{
		"analytics": a.Source(t, identity.Analytics.Path()), "a broker": a.Source(t, identity.Broker.Path()),
		"a stranger": identitytest.NewDomain(t, "game.example").Source(t, identity.GameState.Path()),
	} {
		if _, err := join(t, source, urls); err == nil {
			t.Errorf("%s was let in as a client", role)
		}
	}
}

// A service of another role is no server of the cluster, though it has the fleet's certificate.
func TestDeployedBrokerRoutes(t *testing.T) {
	t.Parallel()
	var logs [3]refusals
	servers, _ := brokers(t, identitytest.NewDomain(t, "game.example"), identity.Leaderboard, &logs[0], &logs[1], &logs[2])
	for deadline := time.Now().Add(20 * time.Second); logs[0].n.Load() == 0 || logs[1].n.Load() == 0 || logs[2].n.Load() == 0; {
		if time.Now().After(deadline) {
			t.Fatalf("the servers have refused %d, %d and %d routes", logs[0].n.Load(), logs[1].n.Load(), logs[2].n.Load())
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, s := range servers {
		if n := admitted(t, s); n > 0 {
			t.Errorf("%s has routes with %d servers of the role leaderboard", s.Name(), n)
		}
	}
}
