package transport

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// stutter is a socket that says each record of application data twice in one datagram,
// and three times more: what a hostile client might do while its connection moves.
type stutter struct{ *net.UDPConn }

// WriteToUDPAddrPort implements addrPortConn.
func (s stutter) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	n, err := s.UDPConn.WriteToUDPAddrPort(b, to)
	if len(b) < udp.MaxLen/2 && b[0] == byte(record.ApplicationData) {
		for range 3 {
			_, _ = s.UDPConn.WriteToUDPAddrPort(append(append([]byte(nil), b...), b...), to)
		}
	}
	return n, err
}

// "a session stays on its shard": whichever socket the kernel gives a new connection
// of its player to. Real sockets, four to a port.
func TestResumeOnAnotherShard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	s := w.serve(func(c *Config) { c.Shards = 4 })
	c := w.dial(1)
	w.echo(c, "hello")
	if len(s.endpoint.All()) == 1 {
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
		socket := udp.NewConn(conn)
		if i%2 == 1 {
			socket = udp.NewConn(stutter{conn})
		}
		old := c.socket.conn.Swap(&socket)
		c.state.resumption.disconnected = true
		c.tick(time.Now())
		c.mu.Unlock()
		old.Close()
		for start := time.Now(); c.Stats().Resumed != uint64(i+1); time.Sleep(time.Millisecond) {
			if time.Since(start) > patience {
				t.Fatalf("not resumed: %+v, server %+v", c.Stats(), s.Stats())
			}
		}
		w.echo(c, "hello again")
		s := p.shard
		s.Out.Mu.Lock()
		if from, _ := p.conn.Traces(); from {
			moved++
		}
		s.Out.Mu.Unlock()
	}
	if moved == 0 {
		t.Error("the kernel gave every connection to the shard of the session")
	}
	if w.match.joined() != 1 || len(w.match.left()) != 0 || p.shard.Shard != p.conn.Shard {
		t.Errorf("%d joined, left: %v", w.match.joined(), w.match.left())
	}
	if n := w.audit.count(audit.Resume); n != times {
		t.Errorf("%d resumptions are on record", n)
	}
	w.migrates(c)
	c.Close()
	for _, sh := range s.endpoint.All() {
		w.await("the shards forget a player who has left", func() bool {
			sh.Turns.Begin(nil)
			defer sh.Turns.End()
			h := sh.Holdings()
			return h.Occupants+h.Conns+h.IDs == 0
		})
	}
}

// migrates has a player change its address once more.
func (w *world) migrates(c *Client) {
	w.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err == nil {
		err = c.Rebind(conn)
	}
	if err != nil {
		w.Fatal(err)
	}
	for start := time.Now(); c.Stats().Moved == 0; time.Sleep(10 * time.Millisecond) {
		_ = c.Send([]byte("a payload that is long enough to earn a challenge of the new address"))
		if time.Since(start) > patience {
			w.Fatalf("not moved: %+v", c.Stats())
		}
	}
}

// A connection that ends in the turn that its ticket came in does not move any more.
func TestGoneBeforeItMoves(t *testing.T) {
	t.Parallel()
	e := newEnds(t, playerAddr(1), Handler{})
	s := e.shard
	a := s.Table.At(e.addr)
	s.Table.Remove(a)
	s.Table.Move(a, s.Shard, posted(func(time.Time) {}))
	if s.Holdings().Occupants != 0 || s.Holdings().Messages != 0 {
		t.Errorf("it moved: %d strays, %d letters", s.Holdings().Occupants, s.Holdings().Messages)
	}
}

// Nor does one that has been closed in that turn: the shard that has said CLOSE repeats it.
func TestClosedBeforeItMoves(t *testing.T) {
	t.Parallel()
	e := newEnds(t, playerAddr(1), Handler{})
	s := e.shard
	a := connOf(s.Table.At(e.addr))
	a.end(e.now, wire.ReasonBusy)
	leaving{a, s, 0}.Deliver(e.now)
	if s.Holdings().Occupants != 0 || s.Holdings().Messages != 0 {
		t.Errorf("it moved: %d strays, %d letters", s.Holdings().Occupants, s.Holdings().Messages)
	}
}
