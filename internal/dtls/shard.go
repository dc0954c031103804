package dtls

import (
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/policy"
)

// link is one socket and the connections that live on it. All of it but the
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

// linkUser is what is above a shard. It is called in the shard's turn.
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
	l := &Shard{
		Endpoint: e, Socket: sock, Index: index, local: net.UDPAddrFromAddrPort(sock.LocalAddr()),
		Turns: make(Turns, 1), Table: newTable(),
		forwarding: forwarding{queue: make(chan forwarded, maxForwarded)},
	}
	l.Handshakes = newHandshakes(l)
	l.waiting.turned = e.config.Now()
	l.waiting.ran = l.waiting.turned
	l.Out.socket, l.Out.batch = sock, udp.NewBatch(udp.BatchLen)
	return l
}

// Turn handles everything that has arrived, once. It reads no clock but, if
// something has, the system's once.
func (l *Shard) Turn(now time.Time) (n int) {
	l.waiting.note(now)
	l.Delivered(now)
	packets, others := l.Socket.Receive(), len(l.forwarding.queue)
	if len(packets)+others > 0 {
		l.waiting.begin(now, l.Endpoint.config.Wall())
	}
	l.takeForwarded(now, others)
	for {
		for some := range slices.Chunk(packets, PrefetchLen) {
			l.datagrams(now, some)
		}
		n += len(packets)
		if len(packets) < udp.BatchLen {
			l.waiting.turned = now
			break
		}
		if n >= maxPerTurn {
			break
		}
		packets = l.Socket.Receive()
	}
	l.waiting.stamp = 0
	l.counts.received.Add(uint64(n))
	l.User.Turned(now)
	l.Sweep(now)
	return n
}

// datagrams handles a few packets, whose memory is fetched beforehand when there
// are so many connections that it will not be at hand.
func (l *Shard) datagrams(now time.Time, packets []udp.Packet) {
	crowded := len(l.Table.order) >= PrefetchFrom
	if crowded {
		l.Table.prefetch(packets, l.User)
	}
	for i := range packets {
		if crowded {
			l.Table.last = l.Table.ahead.found[i]
		}
		l.waiting.stamp = packets[i].Stamp
		l.Datagram(now, packets[i].Addr, packets[i].Buf)
	}
}

// Drain is a turn of a shard that is about to close: it hears the connections of which hears
// reports true, and nothing else.
func (l *Shard) Drain(now time.Time, hears func(c *Conn) bool) {
	handle := func(addr udp.Flow, b []byte) {
		if len(b) == 0 || len(b) > MaxDatagram {
			return
		}
		if c := l.Table.At(addr); c == nil {
			l.drainUnlisted(now, addr, b)
		} else if hears(c) {
			c.records(now, b)
		}
	}
	for range len(l.forwarding.queue) {
		f := <-l.forwarding.queue
		handle(f.addr, f.b[:f.n])
		l.Endpoint.buffers.Put(f.b)
	}
	for n := 0; n < maxPerTurn; {
		packets := l.Socket.Receive()
		for _, p := range packets {
			handle(p.Addr, p.Buf)
		}
		if n += len(packets); len(packets) < udp.BatchLen {
			break
		}
	}
}

// drainUnlisted is for an address that no connection has here.
func (l *Shard) drainUnlisted(now time.Time, addr udp.Flow, b []byte) {
	if l.forwardStray(addr, b) {
		return
	}
	home, c, roamer := l.named(b)
	switch {
	case home != nil:
		l.forward(home, addr, b)
	case roamer != nil:
		c.elsewhere(now, roamer, addr, b)
	}
}

// Post has a message delivered in the shard's next turn, which comes soon.
func (l *Shard) Post(m Message) {
	l.mail.put(m)
	l.Socket.Wake()
}

// Delivered acts on the messages that have come.
func (l *Shard) Delivered(now time.Time) {
	for _, m := range l.mail.take() {
		m.Deliver(now)
	}
}

// NewConn takes over from the engine.
func (l *Shard) NewConn(now time.Time, addr udp.Flow, r *handshake.Result) (*Conn, error) {
	c := l.User.Accept(now, addr, r)
	return c, c.takeOver(now, l, addr, r)
}

func (l *Shard) Drop(d audit.Drop) { l.counts.drops.Add(d) }

// sweeping is where a shard is in looking at time limits.
type sweeping struct {
	next     int       // place in table.order where it goes on
	at       time.Time // when it last did
	proofsAt time.Time // when half-open handshakes were last looked at
	notedAt  time.Time // when addresses were last noted
}

// Sweep looks at the time limits of as many connections as are due, so that
// each is seen once in a sweepInterval and no turn pays for all.
func (l *Shard) Sweep(now time.Time) {
	w := &l.sweeping
	if now.Before(l.waiting.patient) {
		w.at = now
		return
	}
	if now.Sub(w.proofsAt) >= SweepInterval {
		w.proofsAt = now
		l.Handshakes.sweep(now)
		if now.Sub(w.notedAt) >= policy.LiveInterval {
			w.notedAt = now
		}
		if l == l.Endpoint.First() {
			l.Endpoint.watch(now)
		}
	}
	order := &l.Table.order
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
func (l *Shard) Close() error {
	l.Out.Close()
	return l.Socket.Close()
}

// Stats is what a shard has done. It is safe for concurrent use.
type Stats struct {
	Received, Sent, Forwarded  uint64 // datagrams
	Drops                      map[string]uint64
	Started, Completed, Failed uint64 // handshakes
	Underway                   int    // handshakes at present
	Socket                     udp.Stats
}

func (l *Shard) Stats() Stats {
	h := &l.Handshakes
	l.Out.Mu.Lock()
	sent := l.Out.sent
	l.Out.Mu.Unlock()
	return Stats{
		Received: l.counts.received.Load(), Sent: sent, Forwarded: l.counts.forwarded.Load(), Drops: l.counts.drops.Snapshot(),
		Started: h.started.Load(), Completed: h.completed.Load(), Failed: h.failed.Load(),
		Underway: int(h.underway.Load()), Socket: l.Socket.Stats(),
	}
}

// Holdings is how much a shard remembers. It belongs to the shard's turn, and is for tests.
type Holdings struct {
	Conns, Addresses, IDs  int // connections, by what they are found
	Occupants              int // addresses that several connections have
	HalfOpen, Arrivals     int
	Messages, ForwardQueue int
}

func (l *Shard) Holdings() Holdings {
	t := &l.Table
	return Holdings{
		Conns: len(t.order), Addresses: t.byAddr.Len(), IDs: len(t.byID), Occupants: len(t.occupants),
		HalfOpen: len(l.Handshakes.Open), Arrivals: len(l.Handshakes.arrivals),
		Messages: l.mail.len(), ForwardQueue: len(l.forwarding.queue),
	}
}

// Dropped is how many datagrams have been dropped for a reason.
func (l *Shard) Dropped(d audit.Drop) uint64 { return l.counts.drops[d].Load() }
