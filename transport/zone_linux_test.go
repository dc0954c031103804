package transport

import (
	"fmt"
	"net"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// A server at a link-local address is reached by the name of the interface, by its number,
// and at what it says of itself; over both kinds of socket.
func TestLinkLocal(t *testing.T) {
	t.Parallel()
	testkit.OwnNetwork(t, func(n *testkit.Network) {
		n.Cable()
		n.Address("fe80::1/64", "fe80::2/64")
		v0, err := net.InterfaceByName("v0")
		if err != nil {
			t.Fatal(err)
		}
		for _, supplied := range []bool{false, true} {
			for _, zone := range []string{"v0", fmt.Sprint(v0.Index)} {
				loopback(t, func(w *world) {
					w.address = "[fe80::1%" + zone + "]:0"
					w.serve(func(c *Config) {
						if !supplied {
							return
						}
						if c.Conn, err = net.ListenPacket("udp", w.address); err != nil {
							t.Fatal(err)
						}
					})
					port := w.server.Addr().Port()
					for i, at := range []string{
						w.server.Addr().String(), fmt.Sprintf("[fe80::1%%v0]:%d", port), fmt.Sprintf("[fe80::1%%%d]:%d", v0.Index, port),
					} {
						c, err := w.dialAt(at, i)
						if err != nil {
							t.Fatalf("supplied: %v, zone %s, dialled %s: %v", supplied, zone, at, err)
						}
						w.echo(c, "hello")
						c.Close()
					}
				})
			}
		}
	})
}
