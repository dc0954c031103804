package link

import (
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

func TestRelay(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r, err := Listen(server.LocalAddr().(*net.UDPAddr).AddrPort(), netsim.Impairment{Latency: 5 * time.Millisecond}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := make([]byte, 10)
	for _, name := range []string{"one", "two"} { // each has an address of its own, and its answers
		c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(r.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		began := time.Now()
		if _, err := c.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
		n, from, err := server.ReadFromUDPAddrPort(b)
		if err != nil || string(b[:n]) != name {
			t.Fatalf("%q, %v", b[:n], err)
		}
		if _, err := server.WriteToUDPAddrPort(b[:n], from); err != nil {
			t.Fatal(err)
		}
		if n, err = c.Read(b); err != nil || string(b[:n]) != name {
			t.Fatalf("%q, %v", b[:n], err)
		}
		if took := time.Since(began); took < 10*time.Millisecond {
			t.Errorf("there and back in %v", took)
		}
	}
	if s := r.Stats(); s.Up.Delivered != 2 || s.Down.Delivered != 2 {
		t.Errorf("%+v", s)
	}
}
