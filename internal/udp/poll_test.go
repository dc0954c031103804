package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// plain is a socket that hides what a *net.UDPConn can do.
type plain struct{ net.PacketConn }

// "TryRead is Read that returns os.ErrDeadlineExceeded when there is no datagram", with and without
// the help of the system.
func TestTryRead(t *testing.T) {
	for name, wrap := range map[string]func(*net.UDPConn) net.PacketConn{
		"UDPConn":    func(c *net.UDPConn) net.PacketConn { return c },
		"PacketConn": func(c *net.UDPConn) net.PacketConn { return plain{c} },
	} {
		t.Run(name, func(t *testing.T) {
			socket, err := net.ListenUDP("udp", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			conn, b := NewConn(wrap(socket)), make([]byte, BufferLen)
			if n, _, err := conn.TryRead(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("nothing has come: %d, %v", n, err)
			}
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(socket.LocalAddr().(*net.UDPAddr).Port))
			other, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if _, err := other.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			n, from, err := 0, netip.AddrPort{}, os.ErrDeadlineExceeded
			for start := time.Now(); errors.Is(err, os.ErrDeadlineExceeded) && time.Since(start) < 5*time.Second; {
				n, from, err = conn.TryRead(b)
			}
			if err != nil || string(b[:n]) != "hello" || from != other.LocalAddr().(*net.UDPAddr).AddrPort() {
				t.Errorf("%q from %v, %v", b[:n], from, err)
			}
			socket.Close()
			if _, _, err := conn.TryRead(b); !errors.Is(err, net.ErrClosed) {
				t.Errorf("of a closed socket: %v", err)
			}
		})
	}
}
