package natskeys_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
	"github.com/sallyport/sallyport/fleet/internal/natstest"
	"github.com/sallyport/sallyport/fleet/keys"
	"github.com/sallyport/sallyport/fleet/keys/natskeys"
	"github.com/sallyport/sallyport/fleetkey"
)

func connect(t *testing.T, url, user string) *natskeys.Carrier {
	t.Helper()
	conn, err := nats.Connect(url, nats.UserInfo(user, "secret"), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	c, err := natskeys.New(conn, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain: ", what)
		}
	}
}

// A rotation over a real NATS server, which has the permissions that are printed and goes away in the
// middle.
func TestRotationOverNATS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := connectNone(t)
	extra := "authorization { users: [\n {user: holder, password: secret, permissions: " + names.PermitHolder() +
		"}\n {user: keeper, password: secret, permissions: " + names.PermitKeeper() + "}\n] }\n"
	server, err := natstest.StartEmbedded(natstest.Config{Dir: dir, Extra: extra})
	if err != nil {
		t.Fatal(err)
	}
	url := server.URL()

	a := identitytest.New(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	k, err := keys.NewKeeper(keys.KeeperConfig{
		Identity: a.Source(t, identity.Operator.Path("keeper")), Carrier: connect(t, url, "keeper"), Fleet: "test", Directory: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 3)
	go func() { done <- k.Run(ctx) }()
	var rings []*fleetkey.Ring
	for range 2 {
		ring := new(fleetkey.Ring)
		h, err := keys.NewHolder(keys.HolderConfig{
			Identity: a.Source(t, identity.GameState.Path("eu-7")), Carrier: connect(t, url, "holder"), Fleet: "test", Ring: ring,
		})
		if err != nil {
			t.Fatal(err)
		}
		rings = append(rings, ring)
		go func() { done <- h.Run(ctx) }()
		await(t, "a server gets the keys", func() bool { return h.Status().Joined })
	}
	old, _ := rings[0].First()
	if next, _ := rings[1].First(); next.ID() != old.ID() {
		t.Error("two servers seal with different keys")
	}

	server.Close()
	if err := k.Rotate(ctx); err != nil {
		t.Fatal("a rotation begins without a broker: ", err)
	}
	server, err = natstest.StartEmbedded(natstest.Config{Dir: dir, Extra: extra, Port: port(t, url)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	await(t, "every server seals with the next key", func() bool {
		one, _ := rings[0].First()
		two, _ := rings[1].First()
		return one.ID() != old.ID() && one.ID() == two.ID() && k.Status().Phase == keys.PhaseDrain
	})
	stop()
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	conn := new(nats.Conn)
	for prefix, good := range map[string]bool{"": true, "a-1_B": true, "a.b": false, "*": false, strings.Repeat("a", 65): false} {
		if _, err := natskeys.New(conn, prefix); (err == nil) != good || err != nil && !errors.Is(err, natskeys.ErrConfig) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	if _, err := natskeys.New(nil, ""); !errors.Is(err, natskeys.ErrConfig) {
		t.Error(err)
	}
}

// connectNone returns a carrier that only knows its subjects.
func connectNone(t *testing.T) *natskeys.Carrier {
	c, err := natskeys.New(new(nats.Conn), "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func port(t *testing.T, url string) (p int) {
	t.Helper()
	for _, r := range url[strings.LastIndexByte(url, ':')+1:] {
		p = 10*p + int(r-'0')
	}
	return p
}
