package identity_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
	"github.com/sallyport/sallyport/fleet/internal/natstest"
)

// byRole lets NATS clients in by their role, until their certificate expires.
type byRole struct{ source *identity.Source }

func (b byRole) Check(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	if state == nil {
		return false
	}
	p, err := b.source.Peer(*state)
	if err != nil || !p.Permissions.Has(identity.Subscribe) {
		return false
	}
	none := &server.SubjectPermission{Deny: []string{">"}}
	publish := none
	if p.Permissions.Has(identity.PublishRevocations) {
		publish = nil
	}
	c.RegisterUser(&server.User{Username: p.ID, Permissions: &server.Permissions{Publish: publish}, ConnectionDeadline: p.Expires})
	return true
}

// broker starts a NATS server in this process that has its identity, and its judgement, from s.
func broker(t *testing.T, s *identity.Source) string {
	t.Helper()
	n, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
		TLS: true, TLSVerify: true, TLSTimeout: 10, TLSConfig: s.ServerTLS(), CustomClientAuthentication: byRole{s},
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	t.Cleanup(func() { n.Shutdown(); n.WaitForShutdown() })
	if !n.ReadyForConnections(20 * time.Second) {
		t.Fatal("no NATS server")
	}
	return n.ClientURL()
}

// join connects a NATS client of s.
func join(t *testing.T, s *identity.Source, url string, more ...nats.Option) (*nats.Conn, error) {
	t.Helper()
	d := s.Dialer(identity.Broker)
	c, err := nats.Connect(url, append([]nats.Option{
		nats.SetCustomDialer(d), nats.Secure(d.TLS()), nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond),
		nats.ReconnectJitter(0, 0), nats.Timeout(10 * time.Second), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, more...)...)
	if err == nil {
		t.Cleanup(c.Close)
	}
	return c, err
}

// Both ends of a NATS connection know who the other one is.
func TestNATS(t *testing.T) {
	t.Parallel()
	var w witness
	a := identitytest.New(t)
	url := broker(t, a.Source(t, identity.Broker.Path("1")))
	subscriber, err := join(t, a.Source(t, identity.GameState.Path()), url)
	if err != nil {
		t.Fatal(err)
	}
	got, err := subscriber.SubscribeSync("revocations")
	if err != nil || subscriber.Flush() != nil {
		t.Fatal(err)
	}
	for _, r := range []identity.Role{identity.Leaderboard, identity.Auth} { // only the second one may
		c, err := join(t, a.Source(t, r.Path()), url)
		if err != nil {
			t.Fatal(r, err)
		}
		if c.Publish("revocations", []byte(r.String())) != nil || c.Flush() != nil {
			t.Error(r)
		}
	}
	if m, err := got.NextMsg(10 * time.Second); err != nil || string(m.Data) != "auth" {
		t.Errorf("%v %v", m, err)
	}
	if _, err := join(t, a.Source(t, identity.Analytics.Path()), url); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("analytics: %v", err)
	}
	if _, err := join(t, a.Source(t, identity.Broker.Path("2")), url); err == nil {
		t.Error("a broker that calls was let in")
	}
	if _, err := join(t, identitytest.New(t).Source(t, identity.GameState.Path()), url); err == nil {
		t.Error("a service of another authority was let in")
	}
	other := broker(t, a.Source(t, identity.Leaderboard.Path()))
	if _, err := join(t, a.Source(t, identity.GameState.Path(), w.watch), other); err == nil || len(w.lines("wrong role")) == 0 {
		t.Errorf("a leaderboard serves NATS: %v", err)
	}
}

// A client's connection ends with its certificate, and it comes back with the next one; while nobody's certificate
// expires it stays.
func TestNATSExpires(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	url := broker(t, a.Source(t, identity.Broker.Path()))
	a.SetLife(2 * time.Second)
	client := a.Source(t, identity.GameState.Path())
	a.SetLife(time.Hour)
	expires := client.Status().NotAfter
	left, back := make(chan time.Time, 10), make(chan time.Time, 10)
	c, err := join(t, client, url,
		nats.DisconnectErrHandler(func(*nats.Conn, error) { left <- time.Now() }),
		nats.ReconnectHandler(func(*nats.Conn) { back <- time.Now() }))
	if err != nil {
		t.Fatal(err)
	}
	a.Rotate()
	out, in := <-left, <-back
	if out.Before(expires) || out.After(expires.Add(2*time.Second)) {
		t.Errorf("left %v after the certificate expired", out.Sub(expires))
	}
	t.Logf("away for %v", in.Sub(out).Round(time.Millisecond))
	if err := c.Flush(); err != nil {
		t.Error(err)
	}
	if n := client.Status().Connections; n != 1 {
		t.Errorf("%d connections", n)
	}
	client.Close()
	<-left
}

// nats-server by itself, with the configuration of docs/fleet.md 17.5: it maps SPIFFE ids to users.
func TestNATSConfiguration(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	f := a.Files(t, identity.Broker.Path("1"))
	text := configuration(t)
	for from, to := range map[string]string{
		"/etc/sallyport/service.pem": f.Certificate, "/etc/sallyport/service.key": f.Key, "/etc/sallyport/bundle.pem": f.Bundle,
	} {
		if !strings.Contains(text, from) {
			t.Fatalf("the configuration has no %s", from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	n, err := natstest.StartEmbedded(natstest.Config{Dir: t.TempDir(), Name: "n1", Extra: text})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	c, err := join(t, a.Source(t, identity.GameState.Path("eu-7")), n.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Error(err)
	}
	refused := make(chan error, 10)
	c.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err })
	if err := c.Publish("anything.else", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Error(err)
	}
	if _, err := join(t, a.Source(t, identity.Leaderboard.Path("eu-7")), n.URL()); err == nil {
		t.Error("an id that is no user was let in")
	}
	if _, err := join(t, identitytest.New(t).Source(t, identity.GameState.Path("eu-7")), n.URL()); err == nil {
		t.Error("a stranger's certificate with a user's id was let in")
	}
	fmt.Fprintln(t.Output(), n.URL())
}
