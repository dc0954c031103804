package udp

import (
	"net"
	"net/netip"
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

func handleOf(ip string) localHandle { return addrtable.LocalOf(netip.MustParseAddr(ip)) }
