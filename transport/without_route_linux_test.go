package transport

import (
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// Players to whom there is no way any more, for whatever reason, cost the others nothing, and are there
// when there is a way again.
func TestPlayersWithoutRoute(t *testing.T) {
	t.Parallel()
	testkit.OwnNetwork(t, func(n *testkit.Network) {
		n.Cable()
		n.Address("10.99.0.1/24", "10.99.0.2/24")
		n.There(func() error { return testkit.IP("addr add 10.99.0.3/24 dev v1") })
		loopback(t, func(w *world) {
			w.address = "10.99.0.1:0"
			s := w.manifold()
			var here, gone *Client
			n.There(func() (err error) {
				if here, err = w.try(1); err != nil {
					return err
				}
				conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 99, 0, 3)})
				if err != nil {
					return err
				}
				gone, err = w.try(2, func(c *ClientConfig) { c.Conn = conn })
				return err
			})
			for _, kind := range []string{"unreachable", "prohibit", "blackhole", "throw"} { // EHOSTUNREACH, EACCES, EINVAL, ENETUNREACH
				n.IP("route add " + kind + " 10.99.0.3/32")
				for range 4 { // several as one to the other player, in the same flushes
					if err := gone.Send([]byte{4}); err != nil {
						t.Fatal(err)
					}
				}
				w.allArrive(s, here)
				n.IP("route del " + kind + " 10.99.0.3/32")
				w.ask(gone, 1, 1)
			}
			time.Sleep(100 * time.Millisecond)
			w.unhurt()
		})
	})
}
