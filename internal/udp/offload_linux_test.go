package udp

import "testing"

// "sockets that are opened from now on move each datagram for itself"
func TestNoOffload(t *testing.T) {
	defer func(before bool) { offload = before }(offload)
	NoOffload()
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := s.(*native); n.in.gro || n.Segments() {
		t.Errorf("GRO %v, GSO %v", n.in.gro, n.Segments())
	}
}
