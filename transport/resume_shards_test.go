package transport

import (
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// "a session stays on its shard": whichever socket the kernel gives a new connection
// of its player to. Real sockets, four to a port.
func TestResumeOnAnotherShard(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	s := w.serve(func(c *Config) { c.Shards = 4 })
	c := w.dial(1)
	w.echo(c, "hello")
	if len(*s.shards.Load()) == 1 {
		t.Skip("sockets cannot share a port here")
	}
	const times = 16
	p, moved := w.match.player(0), 0
	for i := range times {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		c.mu.Lock() // at once: the new address says ClientHello first
		socket := newPacketConn(conn)
		old := c.socket.Swap(&socket)
		c.disconnected = true
		c.tick(time.Now())
		c.mu.Unlock()
		old.Close()
		for start := time.Now(); c.Stats().Resumed != uint64(i+1); time.Sleep(time.Millisecond) {
			if time.Since(start) > 5*time.Second {
				t.Fatalf("not resumed: %+v, server %+v", c.Stats(), s.Stats())
			}
		}
		w.echo(c, "hello again")
		s := p.shard
		s.out.mu.Lock()
		if p.association.stray != nil {
			moved++
		}
		s.out.mu.Unlock()
	}
	if moved == 0 {
		t.Error("the kernel gave every connection to the shard of the session")
	}
	if len(w.match.players) != 1 || len(w.match.left()) != 0 || p.shard != p.association.shard {
		t.Errorf("%d joined, left: %v", len(w.match.players), w.match.left())
	}
	if n := w.audit.count(audit.Resume); n != times {
		t.Errorf("%d resumptions are on record", n)
	}
	c.Close()
	s.Close()
	w.serving.Wait()
	strays := 0
	for _, sh := range *s.shards.Load() {
		strays += len(sh.strays)
	}
	if strays > 1 { // but for the last one's, which was there until the end
		t.Errorf("%d strays are remembered", strays)
	}
}
