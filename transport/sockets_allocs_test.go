package transport

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/udp"
)

// "0 allocations per datagram in and out in steady state", system calls included:
// an echo through the server's own socket, by Serve and by Poll, at one address and at all.
func TestNoAllocsOnSockets(t *testing.T) {
	for name, run := range map[string]func(s *Server, h Handler, stop <-chan struct{}){
		"Serve": func(s *Server, h Handler, stop <-chan struct{}) {
			go func() {
				<-stop
				s.Close()
			}()
			_ = s.Serve(h)
		},
		"Poll": func(s *Server, h Handler, stop <-chan struct{}) {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					s.Close()
					return
				case <-tick.C:
					_, _ = s.Poll(h)
					s.Flush()
				}
			}
		},
	} {
		for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", ":0"} {
			t.Run(name+listen, func(t *testing.T) {
				client, e := realEnds(t, listen)
				h := Handler{Receive: func(p *Player, b []byte) { _ = p.Send(b) }}
				stop, done := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(done)
					run(e.shard.server, h, stop)
				}()
				payload, answer := make([]byte, 64), make([]byte, udp.BufferLen)
				echo := func() {
					if _, err := client.Write(e.data(payload)); err != nil {
						t.Fatal(err)
					}
					if _, err := client.Read(answer); err != nil {
						t.Fatal(err)
					}
				}
				echo()
				if n := testing.AllocsPerRun(runs, echo); n != 0 {
					t.Errorf("%v allocations", n)
				}
				close(stop)
				<-done
			})
		}
	}
}

// realEnds is a player on a socket, who has joined a server on another.
func realEnds(t *testing.T, listen string) (client *net.UDPConn, e *ends) {
	e = joinEnds(t, listen, nil, func(s *Server) *ends {
		c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(s.Addr().Port())})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		client = c
		sh := s.first()
		sh.handler = Handler{}.withDefaults()
		addr := udp.Flow{AddrPort: udp.Unmap(c.LocalAddr().(*net.UDPAddr).AddrPort())}
		if sh.Socket.Multihomed() {
			addr.Local = addrtable.LocalOf(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
		}
		return &ends{shard: sh, addr: addr}
	})
	return client, e
}
