package main

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/internal/admintest"
	fleetkeys "github.com/sallyport/sallyport/fleet/keys"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/transport"
)

// carrier carries messages of keys in memory.
type carrier struct {
	mu        sync.Mutex
	receivers map[string][]chan []byte
}

func (c *carrier) Publish(_ context.Context, topic string, m []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.receivers[topic] {
		select {
		case r <- m:
		default:
		}
	}
	return nil
}

func (c *carrier) Subscribe(topic string, receive func([]byte)) (func(), error) {
	messages, done := make(chan []byte, 100), make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receivers[topic] = append(c.receivers[topic], messages)
	go func() {
		for {
			select {
			case m := <-messages:
				receive(m)
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }, nil
}

// running runs what Keeper and Holder have in common until the test ends.
func running(t *testing.T, x interface {
	Run(context.Context) error
	Close() error
},
) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		x.Close() //nolint:errcheck // the test is over
	})
}

// A rotation by the operator's program, over a real keeper and two match servers: "keys rotate"
// follows it until the new key seals everywhere, and each server then opens with the former one,
// too.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	o := &operator{Fleet: admintest.New(t)}
	carrier := &carrier{receivers: map[string][]chan []byte{}}
	source := o.Services.Source(t, identity.Operator.Path("keeper"))
	keeper, err := fleetkeys.NewKeeper(fleetkeys.KeeperConfig{Identity: source, Carrier: carrier, Fleet: "eu", Directory: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	running(t, keeper)
	handler, err := admin.Handler(admin.Config{Identity: source, Rotator: keeper})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	api := admin.NewServer(handler)
	go api.Serve(source.Listen(l)) //nolint:errcheck // ended below
	t.Cleanup(func() { api.Close() })

	var addresses []string
	for _, name := range []string{"eu-1", "eu-2"} {
		ring := new(fleetkey.Ring)
		holder, err := fleetkeys.NewHolder(fleetkeys.HolderConfig{
			Identity: o.Services.Source(t, identity.GameState.Path(name)), Carrier: carrier, Fleet: "eu", Ring: ring,
		})
		if err != nil {
			t.Fatal(err)
		}
		running(t, holder)
		m := o.Match(t, func(game *transport.Config, c *admin.Config) { game.Session.FleetKeys, c.Keys = ring, ring })
		addresses = append(addresses, m.Address)
		for end := time.Now().Add(20 * time.Second); !holder.Status().Joined; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the holder has not heard from the keeper")
			}
		}
	}
	files := o.Services.Files(t, identity.Operator.Path("zoe"))
	certificate := []string{"-cert", files.Certificate, "-key", files.Key, "-bundle", files.Bundle}
	atKeeper := append([]string{"-server", l.Addr().String(), "-server-role", "operator"}, certificate...)
	atMatches := append([]string{"-server", strings.Join(addresses, ",")}, certificate...)

	first := keeper.Status().Keys[0].ID
	status, out, text := sallyport(t, append([]string{"keys", "rotate"}, atKeeper...)...)
	if status != exitOK || !strings.Contains(out, "drain") || !strings.Contains(out, "former") {
		t.Fatalf("%d\n%s%s", status, out, text)
	}
	next := keeper.Status().Keys[0].ID
	status, out, text = sallyport(t, append([]string{"keys", "list"}, atMatches...)...)
	if status != exitOK || first == next || strings.Count(out, next+"  seals") != 2 || strings.Count(out, first+"  opens") != 2 {
		t.Errorf("%d\n%s%s", status, out, text)
	}
	status, out, text = sallyport(t, append([]string{"keys", "emergency", "-yes"}, atKeeper...)...)
	if status != exitOK || strings.Contains(out, first) || strings.Contains(out, next) {
		t.Errorf("%d\n%s%s", status, out, text)
	}
	status, _, text = sallyport(t, append([]string{"keys", "forget", "-instance", strings.Repeat("0", 32)}, atKeeper...)...)
	if status != exitFailed || !strings.Contains(text, "No such instance") {
		t.Errorf("%d %s", status, text)
	}
	// The program that the keeper runs in has no match, and so no other call.
	status, _, text = sallyport(t, append([]string{"stats"}, atKeeper...)...)
	if status != exitFailed || !strings.Contains(text, "Forbidden") {
		t.Errorf("%d %s", status, text)
	}
	// A match server keeps no keys.
	status, _, text = sallyport(t, append([]string{"keys", "rotate", "-server", addresses[0]}, certificate...)...)
	if status != exitFailed || !strings.Contains(text, "Keys are kept elsewhere") {
		t.Errorf("%d %s", status, text)
	}
}
