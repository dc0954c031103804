package dtls

import (
	"runtime"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// The kernel gives each address to a socket of its own choice among those that share
// the port, and to another one when there are more or fewer. So they are all opened
// before New returns: what has come by then, when nobody could know of the server,
// is forgotten, and nothing is from then on. A user of all shards finds the sockets there,
// and a user of one has everything come to the first.

// Share opens the sockets beside the first, as far as there are none yet, sockets can
// share a port, and nobody has been served; and it gives the carrier a shard of its own. With keep
// they stay.
func (e *Endpoint) Share(keep bool) error {
	first := e.First()
	first.Turns.Begin(nil)
	defer first.Turns.End()
	e.shared = e.shared || keep
	shards, want := e.All(), e.wanted()
	switch served := len(first.Table.order)+len(first.Handshakes.Open) > 0; {
	case served && first.carrier != nil:
		first.carrier.WakesToo(first.Socket) // whoever has come by it lives here
		return nil
	case served, len(shards) >= want:
		return nil
	}
	if err := e.siblings(want); err != nil {
		return err
	}
	for _, s := range e.All() {
		for len(s.Socket.Receive()) > 0 {
		}
	}
	return nil
}

// wanted is how many shards Serve has, the carrier's included.
func (e *Endpoint) wanted() (n int) {
	if n = e.config.Shards; n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	if e.sharing == nil {
		n = 1
	}
	if e.config.Carrier != nil {
		n++
	}
	return min(n, udp.ShardMask+1)
}

// siblings makes as many shards as are wanted. The carrier's is the last: the kernel, which is to give
// a datagram to the shard that its connection id names, knows of the others.
func (e *Endpoint) siblings(want int) error {
	shards, carrier := e.All(), e.config.Carrier
	sockets := want
	if carrier != nil {
		sockets--
	}
	for len(shards) < sockets {
		sock, err := e.sharing.Sibling()
		if err != nil {
			return err
		}
		if carrier != nil {
			sock = carrier.Beside(sock)
		}
		shards = e.add(e.NewShard(sock, len(shards)))
	}
	if sockets > 1 {
		e.sharing.Steer(sockets)
	}
	if carrier != nil {
		first := shards[0]
		apart := e.NewShard(carrier.Apart(first.Socket), len(shards))
		apart.Carries, first.carrier = true, nil
		e.add(apart)
	}
	return nil
}

// Gather leaves the endpoint with its first shard, which takes the carrier over, and returns what
// the other ones have got, to be posted to it; nil without. Nobody has been served by them: it does
// nothing after share(true). Owner: the first shard's turn.
func (e *Endpoint) Gather() Message {
	shards := e.All()
	if len(shards) == 1 || e.shared {
		return nil
	}
	first := shards[0]
	if e.sharing != nil {
		e.sharing.Unite()
	}
	var early []udp.Packet
	for _, s := range shards[1:] {
		s.Turns.Begin(nil)
		if s.Carries {
			first.carrier = e.config.Carrier
			s.Turns.End()
			continue
		}
		for packets := s.Socket.Receive(); len(packets) > 0; packets = s.Socket.Receive() {
			for _, p := range packets {
				p.Buf = slices.Clone(p.Buf)
				early = append(early, p)
			}
		}
		_ = s.Close() // nobody has seen it
		s.Turns.End()
	}
	alone := shards[:1:1]
	e.list.Store(&alone)
	return gathered{first, early}
}

// gathered is what the other shards' sockets have got.
type gathered struct {
	shard *Shard
	early []udp.Packet
}

func (m gathered) Deliver(time.Time) {
	s := m.shard
	now := s.waiting.look()
	for _, p := range m.early {
		s.waiting.stamp = p.Stamp
		s.Datagram(now, p.Addr, p.Buf)
	}
	s.waiting.stamp = 0
	s.counts.received.Add(uint64(len(m.early)))
}
