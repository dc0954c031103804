package transport

import (
	"crypto/sha256"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
)

// shard is one socket and the connections that live on it. All of it but the
// outbox, the mailbox and the counters belongs to whoever runs its turns.
type shard struct {
	server *Server    // constant
	socket udp.Socket // constant
	index  int        // in Server.shards, constant
	local  net.Addr

	pause time.Duration // how long the loop may wait after its turn; the loop's own
	turns chan struct{} // full while somebody runs the shard: Serve, Poll, Shutdown or Close

	// Owned by the turn.
	handler      Handler
	scratch      []byte                  // copies of what may open under a second key
	second       []byte                  // and under a third
	occupants    map[udp.Flow][]occupant // to addresses that several have, or that have moved away: oldest first; nil without
	hashes       [prefetchLen]uint32     // of some packets' addresses
	found        [prefetchLen]*association
	read         byte // what prefetch has read: kept, so that it is read
	associations *addrtable.Table[association]
	hints        map[uint32]*association
	waiting      waiting        // of the datagram that is handled
	successor    netip.Prefix   // while a session ends that gives way: from where the one comes that takes its place
	from         udp.Flow       // while a datagram from elsewhere than its association's address is handled
	last         *association   // what association looks at first
	order        []*association // the same, for sweeps
	swept        int            // place in order where the next sweep goes on
	sweptAt      time.Time
	proofsAt     time.Time // when openings were last looked at
	openings     map[udp.Flow]*opening
	arrivals     []*opening           // in order of time, those gone since the last sweep included
	arrived      time.Time            // when the last of them came
	engines      bool                 // players come: engines and verifications run, or soon will
	sites        map[netip.Prefix]int // how many proven handshakes each has, while that is looked at
	askedAt      time.Time            // when another shard was last asked to make room
	notedAt      time.Time            // when players' addresses were last noted
	closing      bool                 // no newcomers any more
	endings      endings              // of associations that are to go

	out     outbox
	players players

	crossings chan crossing

	mail struct {
		sync.Mutex
		// +checklocks:Mutex
		queue []func(now time.Time) // handshakes, verifications, kicks: never per datagram
	}

	drops      audit.Counters
	received   atomic.Uint64
	underway   atomic.Int64 // openings, for other shards to see
	handshakes struct{ started, completed, failed atomic.Uint64 }
}

func newShard(server *Server, sock udp.Socket, index int) *shard {
	s := &shard{
		server: server, socket: sock, index: index, local: net.UDPAddrFromAddrPort(sock.LocalAddr()),
		associations: addrtable.NewFlows((*association).address),
		openings:     make(map[udp.Flow]*opening),
		sites:        make(map[netip.Prefix]int),
		turns:        make(chan struct{}, 1),
		hints:        make(map[uint32]*association),
		crossings:    make(chan crossing, maxCrossings),
	}
	s.waiting.turned = server.clock.now()
	s.waiting.ran = s.waiting.turned
	s.out.socket, s.out.batch = sock, udp.NewBatch(udp.BatchLen)
	return s
}

// turn handles everything that has arrived, once. It reads no clock but, if
// something has, the system's once.
func (s *shard) turn(now time.Time) (n int) {
	s.waiting.note(now)
	s.delivered(now)
	packets, crossed := s.socket.Receive(), len(s.crossings)
	if len(packets)+crossed > 0 {
		s.waiting.begin(now, s.server.clock.wall())
	}
	s.crossed(now, crossed)
	for {
		for some := range slices.Chunk(packets, prefetchLen) {
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
		packets = s.socket.Receive()
	}
	s.waiting.stamp = 0
	s.received.Add(uint64(n))
	s.repeatCloses(now)
	s.engines = len(s.openings) > 0 || now.Sub(s.arrived) < sweepInterval
	s.sweep(now)
	return n
}

// datagrams handles a few packets, whose memory is fetched beforehand when there
// are so many players that it will not be at hand.
func (s *shard) datagrams(now time.Time, packets []udp.Packet) {
	crowded := len(s.order) >= prefetchFrom
	if crowded {
		s.prefetch(packets)
	}
	for i := range packets {
		if crowded {
			s.last = s.found[i]
		}
		s.waiting.stamp = packets[i].Stamp
		s.datagram(now, packets[i].Addr, packets[i].Buf)
	}
}

// post has f run in the shard's next turn, which comes soon.
func (s *shard) post(f func(now time.Time)) {
	s.mail.Lock()
	s.mail.queue = append(s.mail.queue, f)
	s.mail.Unlock()
	s.socket.Wake()
}

func (s *shard) delivered(now time.Time) {
	s.mail.Lock()
	queue := s.mail.queue
	s.mail.queue = nil
	s.mail.Unlock()
	for _, f := range queue {
		f(now)
	}
}

// sweep looks at the time limits of as many associations as are due, so that
// each is seen once in a sweepInterval and no turn pays for all.
func (s *shard) sweep(now time.Time) {
	if now.Before(s.waiting.patient) {
		s.sweptAt = now
		return
	}
	if now.Sub(s.proofsAt) >= sweepInterval {
		s.proofsAt = now
		s.sweepOpenings(now)
		if now.Sub(s.notedAt) >= policy.LiveInterval {
			s.notedAt = now
		}
		if s == s.server.first() {
			s.server.flooded(now)
		}
	}
	elapsed := now.Sub(s.sweptAt)
	due := int(int64(len(s.order)) * int64(elapsed) / int64(sweepInterval))
	switch {
	case elapsed >= sweepInterval:
		due, s.sweptAt = len(s.order), now
	case due > 0:
		s.sweptAt = s.sweptAt.Add(sweepInterval * time.Duration(due) / time.Duration(len(s.order)))
	}
	for range due {
		if len(s.order) == 0 {
			return
		}
		if s.swept >= len(s.order) {
			s.swept = 0
		}
		s.tick(now, s.order[s.swept])
		s.swept++
	}
}

func (s *shard) tick(now time.Time, a *association) {
	if a.ending != nil {
		if now.Sub(a.ending.began) >= lingerTime || a.ending.gone {
			s.remove(a)
		}
		return
	}
	if a.flight != nil && now.Sub(a.flight.since) >= resendTime {
		a.flight = nil
	}
	if a.player != nil && now.Sub(s.notedAt) < noteTime {
		s.noteAddress(now, a)
	}
	a.rest()
	if a.path != nil && a.path.times == 0 && a.path.credit > 0 && a.ending == nil {
		s.challenge(now, a) // which may have had to wait
	}
	reply, ev := a.session.Tick(now)
	s.drop(ev.Drop)
	if reply.Kind == wire.KindNotice && a.left != nil {
		s.out.envelopeTo(a, *a.left, reply.Kind, reply.Body) //nolint:errcheck // a lost datagram
	}
	s.outcome(now, a, reply, ev)
}

// sweepOpenings ends what has waited too long for its proof. Engines end by
// their own time limit.
func (s *shard) sweepOpenings(now time.Time) {
	for _, o := range s.openings {
		if o.ready != nil && now.Sub(o.began) >= s.server.proof {
			s.handshakes.failed.Add(1)
			s.drop(audit.DropHandshake)
			s.forget(o)
		}
	}
	s.arrivals = slices.DeleteFunc(s.arrivals, func(o *opening) bool { return s.openings[o.addr] != o || o.conn.Proven() })
}

func (s *shard) drop(d audit.Drop) { s.drops.Add(d) }

func udpAddr(a netip.AddrPort) net.Addr { return net.UDPAddrFromAddrPort(a) }

func thumbprint(der []byte) [32]byte { return sha256.Sum256(der) }
