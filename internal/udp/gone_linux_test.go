package udp

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/addrtable"
)

// What leaves from an address that is not this host's any more is lost; what is behind it
// in the batch is not to blame.
func TestAddressIsGone(t *testing.T) {
	s, err := Listen("0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	to := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	gone := Flow{AddrPort: Unmap(to), Local: handleOf("192.0.2.77")}
	here := Flow{AddrPort: Unmap(to), Local: handleOf("127.0.0.8")}
	s.Send([]Packet{{Addr: gone, Buf: []byte("a")}, {Addr: gone, Buf: []byte("a")}, {Addr: here, Buf: []byte("b")}, {Addr: here, Buf: []byte("c")}})
	s.SendOne(Packet{Addr: gone, Buf: []byte("d")})
	s.SendOne(Packet{Addr: here, Buf: []byte("e")})
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 10)
	for _, want := range []string{"b", "c", "e"} {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil || string(b[:n]) != want || from.Addr().Unmap().String() != "127.0.0.8" {
			t.Fatalf("got %q from %v: %v; want %q from 127.0.0.8", b[:n], from, err, want)
		}
	}
}

// What a socket of IPv4 is to send to an address of IPv6 is lost; what is behind it in the batch is not to blame.
func TestOutOfReach(t *testing.T) {
	far := Flow{AddrPort: netip.MustParseAddrPort("[::1]:9")}
	for _, segments := range []bool{false, true} {
		t.Run(fmt.Sprint("segments ", segments), func(t *testing.T) {
			s, ps := listen(t, segments), newPeers(t, 1)
			batch := ps.packets("aaaa")
			batch[0].Addr, batch[1].Addr = far, far
			s.Send(batch)
			s.SendOne(batch[0])
			s.SendOne(batch[2])
			want := []string{string(batch[2].Buf), string(batch[3].Buf), string(batch[2].Buf)}
			if got := ps.got(t); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func handleOf(ip string) localHandle { return addrtable.LocalOf(netip.MustParseAddr(ip)) }
