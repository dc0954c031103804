package transport

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// The kernel gives each address to a socket of its own choice among those that share
// the port, and to another one when there are more or fewer. So they are all opened
// before Listen returns: what has come by then, when nobody could know of the server,
// is forgotten, and nothing is from then on. Serve finds the sockets there. Poll, which
// works one shard, has everything come to the first.

// share opens the sockets beside the first, as far as there are none yet, sockets can
// share a port, and nobody has been served. With keep they stay.
func (s *Server) share(keep bool) error {
	first := s.first()
	native, ok := first.socket.(udp.Sharing)
	first.turns <- struct{}{}
	defer first.endTurn()
	s.shared = s.shared || keep
	shards := *s.shards.Load()
	most := min(cmp.Or(s.config.Shards, runtime.GOMAXPROCS(0)), udp.ShardMask+1)
	if !ok || len(shards) >= most || len(first.order)+len(first.openings) > 0 {
		return nil
	}
	for len(shards) < most {
		sock, err := native.Sibling()
		if err != nil {
			return err
		}
		more := append(slices.Clone(shards), newShard(s, sock, len(shards)))
		s.shards.Store(&more)
		shards = more
	}
	native.Steer(len(shards))
	for _, sh := range shards {
		for len(sh.socket.Receive()) > 0 {
		}
	}
	return nil
}

// gather leaves the server with its first shard, which handles in the turn that follows
// what the other ones have got. Nobody has been served by them: it does nothing after
// Serve. Owner: the first shard's turn.
func (s *Server) gather() {
	shards := *s.shards.Load()
	if len(shards) == 1 || s.shared || s.closed.Load() {
		return
	}
	first := shards[0]
	first.socket.(udp.Sharing).Unite()
	var early []udp.Packet
	for _, sh := range shards[1:] {
		sh.turns <- struct{}{}
		for packets := sh.socket.Receive(); len(packets) > 0; packets = sh.socket.Receive() {
			for _, p := range packets {
				p.Buf = slices.Clone(p.Buf)
				early = append(early, p)
			}
		}
		sh.out.close()
		_ = sh.socket.Close() // nobody has seen it
		sh.endTurn()
	}
	alone := shards[:1:1]
	s.shards.Store(&alone)
	first.post(func(now time.Time) {
		first.waiting.begin(now, s.clock.wall())
		for _, p := range early {
			first.waiting.stamp = p.Stamp
			first.datagram(now, p.Addr, p.Buf)
		}
		first.waiting.stamp = 0
		first.received.Add(uint64(len(early)))
	})
}
