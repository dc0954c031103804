package transport

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/testkit"
)

// segmenting is a socket that may send several datagrams as one.
type segmenting interface{ Segments() bool }

// manifold is a match that answers an input with as many payloads of 1,100 bytes as the
// input's first byte says, in one flush. A payload begins with that number, and its own.
func (w *world) manifold(configure ...func(*Config)) segmenting {
	s := w.listen(configure...)
	h := Handler{Receive: func(p *Player, b []byte) {
		for i := range b[0] {
			_ = p.Send(append([]byte{b[0], i}, make([]byte, 1098)...))
		}
	}}
	w.serving.Go(func() {
		for ; w.served == nil; time.Sleep(time.Second / 60) {
			_, w.served = s.Poll(h)
			s.Flush()
		}
	})
	return s.first().Socket.(segmenting)
}

// ask asks for n payloads some times, and fails unless these come, and nothing else.
func (w *world) ask(c *Client, n byte, times int) {
	w.Helper()
	for range times {
		if err := c.Send([]byte{n}); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second / 50)
	}
	for k := range times * int(n) {
		if got := w.receive(c); len(got) != 1100 || got[0] != n || got[1] != byte(k)%n {
			w.Fatalf("of %d payloads in each flush number %d is of %d bytes and begins with %x", n, k, len(got), got[:2])
		}
	}
}

// allArrive asks for payloads, several in a flush too, and wants that they still go out as one message.
func (w *world) allArrive(s segmenting, c *Client) {
	w.Helper()
	for _, n := range []byte{1, 2, 3, 4} {
		w.ask(c, n, 20)
	}
	o := &w.server.first().Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	if !s.Segments() {
		w.Error("one player's path has ended segmentation for all")
	}
}

// Where the way to a player takes a full datagram only in fragments, several in one flush
// arrive as one does, and other players' still go out as one message.
func TestSmallPath(t *testing.T) {
	t.Parallel()
	testkit.OwnNetwork(t, func(n *testkit.Network) {
		n.IP("link set lo mtu 1150")
		loopback(t, func(w *world) {
			s := w.manifold()
			w.allArrive(s, w.dial(1))
		})
	})
}

// A forged ICMP message changes nothing for anybody: its sender knows the server's port
// and the player's address, and is not on the path.
func TestForgedPathMTU(t *testing.T) {
	t.Parallel()
	testkit.OwnNetwork(t, func(n *testkit.Network) {
		n.Cable()
		n.Address("10.99.0.1/24", "10.99.0.2/24")
		n.Address("10.99.0.9/24", "10.99.0.3/24")
		loopback(t, func(w *world) {
			w.address = "10.99.0.1:0"
			s := w.manifold()
			var c *Client
			n.There(func() (err error) {
				c, err = w.try(1)
				return err
			})
			n.There(func() error { return forgePathMTU(w.server.Addr(), netip.MustParseAddr("10.99.0.2"), 600) })
			w.allArrive(s, c)
		})
	})
}

// forgePathMTU tells the server that what it sends to player must be smaller.
func forgePathMTU(server netip.AddrPort, player netip.Addr, mtu uint16) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	b := []byte{3, 4, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)} // fragmentation needed
	from, to := server.Addr().As4(), player.As4()
	udp := binary.BigEndian.AppendUint16(nil, server.Port())
	udp = append(udp, 0, 9, 4, 188, 0, 0)
	b = append(b, 0x45, 0, 4, 208, 0, 1, 0x40, 0, 64, unix.IPPROTO_UDP, 0, 0)
	b = slices.Concat(b, from[:], to[:], udp)
	binary.BigEndian.PutUint16(b[18:], internetSum(b[8:28]))
	binary.BigEndian.PutUint16(b[2:], internetSum(b))
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 99, 0, 3}}); err != nil {
		return err
	}
	return unix.Sendto(fd, b, 0, &unix.SockaddrInet4{Addr: from})
}

func internetSum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
