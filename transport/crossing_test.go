package transport

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
)

// nat carries a client's datagrams to a server and back, from a port that it can
// change.
type nat struct {
	*testing.T
	inside *net.UDPConn
	server *net.UDPAddr

	mu      sync.Mutex
	client  net.Addr
	outside *net.UDPConn
	wg      sync.WaitGroup
}

func newNAT(t *testing.T, server *net.UDPAddr) *nat {
	inside, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	n := &nat{T: t, inside: inside, server: server}
	n.change()
	n.wg.Go(func() {
		b := make([]byte, 2048)
		for {
			length, from, err := inside.ReadFrom(b)
			if err != nil {
				return
			}
			n.mu.Lock()
			n.client = from
			_, _ = n.outside.Write(b[:length])
			n.mu.Unlock()
		}
	})
	return n
}

func (n *nat) close() {
	n.inside.Close()
	n.mu.Lock()
	n.outside.Close()
	n.mu.Unlock()
	n.wg.Wait()
}

// change forgets the old port.
func (n *nat) change() {
	n.Helper()
	out, err := net.DialUDP("udp", nil, n.server)
	if err != nil {
		n.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.outside != nil {
		n.outside.Close()
	}
	n.outside = out
	n.wg.Go(func() {
		b := make([]byte, 2048)
		for {
			length, err := out.Read(b)
			if err != nil {
				return
			}
			n.mu.Lock()
			_, _ = n.inside.WriteTo(b[:length], n.client)
			n.mu.Unlock()
		}
	})
}

// roam has a player change its port eight times while four shards serve it. It
// says how many of them had the player, and whether any datagram crossed.
func (w *world) roam(joined func(s *Server)) (owners int, crossed bool) {
	w.Helper()
	s := w.listen(func(c *Config) { c.Shards = 4 })
	w.serving.Go(func() { w.served = s.Serve(w.match.handler()) })
	n := newNAT(w.T, net.UDPAddrFromAddrPort(s.Addr()))
	defer n.close()
	c, err := w.dialAt(n.inside.LocalAddr().String(), 1, quietClient) // one that resumes comes to any shard at first
	if err != nil {
		w.Fatalf("%v; server %+v", err, s.Stats())
	}
	w.clients = append(w.clients, c)
	joined(s)
	shards := map[*dtls.Shard]bool{}
	for range 8 {
		n.change()
		w.answered(c)
		for _, sh := range s.endpoint.All() {
			sh.Turns.Begin(nil)
			if sh.Holdings().Addresses > 0 {
				shards[sh] = true
			}
			sh.Turns.End()
		}
	}
	for sh := range s.shards {
		crossed = crossed || sh.Stats().Forwarded > 0
	}
	return len(shards), crossed
}

// "Where it cannot, what it gave to another shard crosses": of eight ports some
// are another shard's than the first one, and the player is served at each.
func TestCrossing(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		owners, crossed := w.roam(func(s *Server) {
			if steered, ok := s.first().Socket.(interface{ Unsteer() error }); ok {
				if err := steered.Unsteer(); err != nil {
					t.Error(err)
				}
			}
		})
		if owners != 1 {
			t.Errorf("%d shards had the player: it should stay with its own", owners)
		}
		if len(w.server.endpoint.All()) != 4 {
			t.Skip("sockets cannot share a port here, so nothing crosses")
		}
		if !crossed {
			t.Error("nothing has crossed")
		}
	})
}

// answered sends until something comes back.
func (w *world) answered(c *Client) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	b := make([]byte, 2048)
	for ctx.Err() == nil {
		if err := c.Send([]byte("a payload that earns a challenge")); err != nil {
			w.Fatal(err)
		}
		short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
		_, err := c.Receive(short, b)
		stop()
		if err == nil {
			return
		}
	}
	w.Fatal("nothing comes back")
}
