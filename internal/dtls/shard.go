package dtls

import (
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/udp"
)

// Shard is one socket and the connections that live on it. All of it but the
// outbox, the mailbox and the counters belongs to whoever runs its turns.
type Shard struct {
	Endpoint *Endpoint  // constant
	Socket   udp.Socket // constant
	Index    int        // in endpoint.shards, constant
	local    net.Addr   // constant
	User     User       // constant

	Turns Turns

	Table      Table
	Handshakes Handshakes
	forwarding forwarding
	from       udp.Flow // while a datagram is handled that comes from elsewhere than its connection's address
	waiting    waiting  // of the datagram that is handled
	sweeping   sweeping
	Out        Outbox
	mail       mailbox
	counts     counts
}

// counts are a shard's, for everybody to read.
type counts struct {
	drops     audit.Counters
	received  atomic.Uint64
	forwarded atomic.Uint64
}

// Turns is full while somebody runs the shard.
type Turns chan struct{}

// Begin waits for the turn. It reports false if done is closed before.
func (t Turns) Begin(done <-chan struct{}) bool {
	select {
	case t <- struct{}{}:
		return true
	case <-done:
		return false
	}
}

// Try reports whether nobody else has the turn.
func (t Turns) Try() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// End lets the next one run the shard.
func (t Turns) End() { <-t }

// User is what is above a shard. It is called in the shard's turn.
type User interface {
	// Accept makes the user of a connection whose keys are there. Nothing has been confirmed yet.
	Accept(now time.Time, addr udp.Flow, r *handshake.Result) *Conn

	// Failed is told why a handshake has failed whose address is proven.
	Failed(now time.Time, addr udp.Flow, err error)

	// Turned is called in each turn, when all that has arrived is handled.
	Turned(now time.Time)

	// Prefetch reads the memory that a connection's user needs for a record.
	Prefetch(c *Conn, stage int) byte
}

func newShard(e *Endpoint, sock udp.Socket, index int) *Shard {
	s := &Shard{
		Endpoint: e, Socket: sock, Index: index, local: net.UDPAddrFromAddrPort(sock.LocalAddr()),
		Turns: make(Turns, 1), Table: newTable(),
		forwarding: forwarding{queue: make(chan forwarded, maxForwarded)},
	}
	s.Handshakes = newHandshakes(s)
	s.waiting.turned = e.config.Now()
	s.waiting.ran = s.waiting.turned
	s.Out.socket, s.Out.batch = sock, udp.NewBatch(udp.BatchLen)
	return s
}

// Turn handles everything that has arrived, once. It reads no clock but, if
// something has, the system's once.
func (s *Shard) Turn(now time.Time) (n int) {
	s.waiting.note(now)
	s.Delivered(now)
	packets, others := s.Socket.Receive(), len(s.forwarding.queue)
	if len(packets)+others > 0 {
		s.waiting.begin(now, s.Endpoint.config.Wall())
	}
	s.takeForwarded(now, others)
	for {
		for some := range slices.Chunk(packets, PrefetchLen) {
			s.datagrams(now, some)
		}
		n += len(packets)
		if len(packets) < udp.BatchLen {
			s.waiting.turned = now
			break
		}
		if n >= maxPerTurn {
			break
		}
		packets = s.Socket.Receive()
	}
	s.waiting.stamp = 0
	s.counts.received.Add(uint64(n))
	s.User.Turned(now)
	s.Sweep(now)
	return n
}

// datagrams handles a few packets, whose memory is fetched beforehand when there
// are so many connections that it will not be at hand.
func (s *Shard) datagrams(now time.Time, packets []udp.Packet) {
	crowded := len(s.Table.order) >= PrefetchFrom
	if crowded {
		s.Table.prefetch(packets, s.User)
	}
	for i := range packets {
		if crowded {
			s.Table.last = s.Table.ahead.found[i]
		}
		s.waiting.stamp = packets[i].Stamp
		s.Datagram(now, packets[i].Addr, packets[i].Buf)
	}
}

// Drain is a turn of a shard that is about to close: it hears the connections of which hears
// reports true, and nothing else.
func (s *Shard) Drain(now time.Time, hears func(c *Conn) bool) {
	handle := func(addr udp.Flow, b []byte) {
		if len(b) == 0 || len(b) > MaxDatagram {
			return
		}
		if c := s.Table.At(addr); c == nil {
			s.drainUnlisted(now, addr, b)
		} else if hears(c) {
			c.records(now, b)
		}
	}
	for range len(s.forwarding.queue) {
		f := <-s.forwarding.queue
		handle(f.addr, f.b[:f.n])
		s.Endpoint.buffers.Put(f.b)
	}
	for n := 0; n < maxPerTurn; {
		packets := s.Socket.Receive()
		for _, p := range packets {
			handle(p.Addr, p.Buf)
		}
		if n += len(packets); len(packets) < udp.BatchLen {
			break
		}
	}
}

// drainUnlisted is for an address that no connection has here.
func (s *Shard) drainUnlisted(now time.Time, addr udp.Flow, b []byte) {
	if s.forwardStray(addr, b) {
		return
	}
	home, c, roamer := s.named(b)
	switch {
	case home != nil:
		s.forward(home, addr, b)
	case roamer != nil:
		c.elsewhere(now, roamer, addr, b)
	}
}

// Post has a message delivered in the shard's next turn, which comes soon.
func (s *Shard) Post(m Message) {
	s.mail.put(m)
	s.Socket.Wake()
}

// Delivered acts on the messages that have come.
func (s *Shard) Delivered(now time.Time) {
	for _, m := range s.mail.take() {
		m.Deliver(now)
	}
}

// NewConn takes over from the engine.
func (s *Shard) NewConn(now time.Time, addr udp.Flow, r *handshake.Result) (*Conn, error) {
	c := s.User.Accept(now, addr, r)
	return c, c.takeOver(now, s, addr, r)
}

func (s *Shard) Drop(d audit.Drop) { s.counts.drops.Add(d) }

// sweeping is where a shard is in looking at time limits.
type sweeping struct {
	next     int       // place in table.order where it goes on
	at       time.Time // when it last did
	proofsAt time.Time // when half-open handshakes were last looked at
}

// Sweep looks at the time limits of as many connections as are due, so that
// each is seen once in a sweepInterval and no turn pays for all.
func (s *Shard) Sweep(now time.Time) {
	w := &s.sweeping
	if now.Before(s.waiting.patient) {
		w.at = now
		return
	}
	if now.Sub(w.proofsAt) >= SweepInterval {
		w.proofsAt = now
		s.Handshakes.sweep(now)
		if s == s.Endpoint.First() {
			s.Endpoint.watch(now)
		}
	}
	order := &s.Table.order
	elapsed := now.Sub(w.at)
	due := int(int64(len(*order)) * int64(elapsed) / int64(SweepInterval))
	switch {
	case elapsed >= SweepInterval:
		due, w.at = len(*order), now
	case due > 0:
		w.at = w.at.Add(SweepInterval * time.Duration(due) / time.Duration(len(*order)))
	}
	for range due {
		if len(*order) == 0 {
			return
		}
		if w.next >= len(*order) {
			w.next = 0
		}
		(*order)[w.next].User.Tick(now)
		w.next++
	}
}

// Close sends what has been collected, and closes the socket.
func (s *Shard) Close() error {
	s.Out.Close()
	return s.Socket.Close()
}

// Stats is what a shard has done. It is safe for concurrent use.
type Stats struct {
	Received, Sent, Forwarded  uint64 // datagrams
	Drops                      map[string]uint64
	Started, Completed, Failed uint64 // handshakes
	Underway                   int    // handshakes at present
	Socket                     udp.Stats
}

func (s *Shard) Stats() Stats {
	h := &s.Handshakes
	s.Out.Mu.Lock()
	sent := s.Out.sent
	s.Out.Mu.Unlock()
	return Stats{
		Received: s.counts.received.Load(), Sent: sent, Forwarded: s.counts.forwarded.Load(), Drops: s.counts.drops.Snapshot(),
		Started: h.started.Load(), Completed: h.completed.Load(), Failed: h.failed.Load(),
		Underway: int(h.underway.Load()), Socket: s.Socket.Stats(),
	}
}

// Holdings is how much a shard remembers. It belongs to the shard's turn, and is for tests.
type Holdings struct {
	Conns, Addresses, IDs  int // connections, by what they are found
	Occupants              int // addresses that several connections have
	HalfOpen, Arrivals     int
	Messages, ForwardQueue int
}

func (s *Shard) Holdings() Holdings {
	t := &s.Table
	return Holdings{
		Conns: len(t.order), Addresses: t.byAddr.Len(), IDs: len(t.byID), Occupants: len(t.occupants),
		HalfOpen: len(s.Handshakes.Open), Arrivals: len(s.Handshakes.arrivals),
		Messages: s.mail.len(), ForwardQueue: len(s.forwarding.queue),
	}
}

// Dropped is how many datagrams have been dropped for a reason.
func (s *Shard) Dropped(d audit.Drop) uint64 { return s.counts.drops[d].Load() }
