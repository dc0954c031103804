//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/transport"
)

// carrier is a player's WebSocket to a gateway, by PROTOCOL.md 9.8 alone: what package websocket of module gateway has for
// clients, a client of another kind can have, too.
type carrier struct {
	*websocket.Conn

	server net.Addr
}

// ReadFrom is that of a net.PacketConn.
func (c *carrier) ReadFrom(b []byte) (int, net.Addr, error) {
	_, message, err := c.ReadMessage()
	return copy(b, message), c.server, err
}

// WriteTo is that of a net.PacketConn.
func (c *carrier) WriteTo(b []byte, _ net.Addr) (int, error) {
	return len(b), c.WriteMessage(websocket.BinaryMessage, b)
}

// SetDeadline is that of a net.PacketConn.
func (c *carrier) SetDeadline(t time.Time) error { return c.UnderlyingConn().SetDeadline(t) }

// fallback is a transport.ClientConfig.Fallback to the WebSocket port of the gateway.
func (g *gateways) fallback(ctx context.Context, _ string) (net.PacketConn, net.Addr, error) {
	d := websocket.Dialer{
		Subprotocols:    []string{"sallyport.datagram.v1"},
		TLSClientConfig: &tls.Config{RootCAs: g.authority.Pool(), ServerName: testkit.ServerName},
	}
	ws, _, err := d.DialContext(ctx, "wss://"+g.websocket+"/sallyport", nil)
	if err != nil {
		return nil, nil, err
	}
	server := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(g.websocket))
	return &carrier{ws, server}, server, nil
}

// A player whose network blocks UDP plays the same match by the gateway's WebSocket, beside one who plays by UDP.
func (g *gateways) blocked(t *testing.T) {
	hole, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // from which nothing comes
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	id := g.create(t, "probe_js")
	free := g.enter(t, id)
	u, err := g.dial(t, hole.LocalAddr().String(), g.idp.Token(t, newSub()), order{Match: id},
		func(c *transport.ClientConfig) { c.Fallback = g.fallback })
	if err != nil {
		t.Fatal(err)
	}
	u.welcome(t)
	if !u.Stats().Fallback || free.Stats().Fallback {
		t.Error("the players are not on the carriers that they should be on")
	}
	u.say(t, probeAll, "by WebSocket")
	for _, p := range []*udp{u, free} {
		await(t, "a broadcast", func() bool { _, ok := p.has(probeAll, "by WebSocket"); return ok })
	}
}

// "With -fleet-keys players resume on another gateway … if they state their scope": without another sign-in, and on another
// presence of the same account.
func (g *gateways) resumed(t *testing.T) {
	text, err := testkit.FleetKey(t).Text()
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "fleet.keys")
	if err := os.WriteFile(keys, text, 0o600); err != nil {
		t.Fatal(err)
	}
	flags := append(slices.Clone(g.cognito), "-fleet-keys", keys)
	address := g.start(t, g.program, asGateway, flags...)
	first := g.started[len(g.started)-1]
	id, token := g.create(t, "probe_js"), g.idp.Token(t, newSub())
	var signIns atomic.Int32
	u, err := g.dial(t, address, token, order{Match: id, Sender: true}, func(c *transport.ClientConfig) {
		c.Session.Scope = "match:" + id + " sender"
		c.Token = func(context.Context) ([]byte, error) {
			signIns.Add(1)
			return []byte(token), nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	u.welcome(t)
	account := func(text string) (id string) {
		u.say(t, probeAll, text)
		await(t, "a broadcast with its sender", func() bool {
			for _, m := range u.list(probeAll) {
				if len(m.data) > 16 && string(m.data[16:]) == text {
					id = string(m.data[:16])
				}
			}
			return id != ""
		})
		return id
	}
	before := account("before")
	first.stop(syscall.SIGKILL) // without a word to its players
	// A load balancer would send the player's datagrams to one that is left; here another takes the address.
	g.start(t, g.program, asGateway, append(flags, "-listen", address)...)
	await(t, "another welcome", func() bool { return len(u.list(probeWelcome)) > 1 })
	if after := account("after"); after != before {
		t.Error("the player is on another account")
	}
	if st := u.Stats(); st.Resumed != 1 || signIns.Load() != 1 {
		t.Errorf("resumed %d times, with %d sign-ins", st.Resumed, signIns.Load())
	}
	select {
	case <-u.done:
		t.Errorf("the session has ended: %v", u.err)
	default:
	}
}
