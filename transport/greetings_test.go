package transport

import (
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// helloWith is a datagram with a first ClientHello that has these extensions.
func helloWith(extensions ...[]byte) []byte {
	var g greeter
	return g.fragments(0, g.hello(nil, []uint16{0xc02b}, extensions...), udp.MaxLen)[0]
}

// "A server SHOULD handle what has come for connections before ClientHellos that have come with it."
// PROTOCOL.md 9.10: behind hundreds of them a player's datagram is served first, and they are answered a
// few at a time. What is more than a shard keeps of them is dropped, but not what proves an address.
func TestPeersBeforeStrangers(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		f := newFloor(w, 1, mathrand.New(mathrand.NewPCG(1, 1)))
		s, p := f.shards[0], f.players[0]
		f.comes(p, f.addrs[0])
		const hellos, kept, atOnce = 1600, 1536, 8
		socket, now := s.Socket.(*radio), f.server.clock.now()
		hello := helloWith(usual[:2]...)
		for i := range hellos {
			socket.in = append(socket.in, udp.Packet{Addr: udp.Flow{AddrPort: stranger(i * 200)}, Buf: hello})
		}
		proof := w.server.endpoint.Returned(now, stranger(hellos*200), hello)
		socket.in = append(socket.in, udp.Packet{Addr: udp.Flow{AddrPort: stranger(hellos * 200)}, Buf: proof})
		f.got = nil
		f.say(p.visit, f.addrs[0], wire.KindData, []byte("here"))
		before := s.Stats()
		s.Out.Hold(true)
		s.PeersFirst = true
		s.Turn(now)
		s.Out.Hold(false)
		after := s.Stats()
		if len(f.got) != 1 || after.Started != before.Started || after.Retries.Sent != before.Retries.Sent {
			t.Errorf("first came %q; %d handshakes had begun, %d RETRYs were sent", f.got, after.Started-before.Started, after.Retries.Sent-before.Retries.Sent)
		}
		if n := after.Drops["budget"] - before.Drops["budget"]; n != hellos-kept {
			t.Errorf("%d were dropped, want %d", n, hellos-kept)
		}
		busy := 64 * atOnce // what the turn before has handled
		for handled, more := uint64(0), true; more; busy = 0 {
			more = s.Greet(now, busy)
			stats := s.Stats()
			n := stats.Started - before.Started + stats.Retries.Sent - before.Retries.Sent
			want := handled + max(atOnce, uint64(busy)/32)
			if n != min(want, kept+1) || more != (n <= kept) {
				t.Fatalf("%d of %d were answered, after %d; more wait: %v", n, kept+1, handled, more)
			}
			handled = n
		}
		if n := s.Stats().Retries.Returned - before.Retries.Returned; n != 1 {
			t.Errorf("%d have proven their addresses, want 1", n)
		}
		s.PeersFirst = false
		f.leaveAll()
	})
}

// "Whoever can prove an address comes in, whatever is sent from the rest of its prefix, or in its name."
// PROTOCOL.md 13: also if what is sent are long ClientHellos, or RETURNs with tokens that are no good.
func TestProofsFindRoom(t *testing.T) {
	t.Parallel()
	hello := helloWith(usual[:2]...)
	forged := append(retry.AppendReturn(nil, new(retry.Token), nil, nil), hello...)
	for name, filling := range map[string][]byte{"short": hello, "long": helloWith(usual...), "forged RETURNs": forged} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				f := newFloor(w, 1, mathrand.New(mathrand.NewPCG(1, 1)))
				s, now := f.shards[0], f.server.clock.now()
				s.PeersFirst = true
				for i := range 5000 {
					s.Datagram(now, udp.Flow{AddrPort: stranger(i * 200)}, slices.Clone(filling))
				}
				const newcomers = 50
				for i := range newcomers {
					from := stranger(i)
					s.Datagram(now, udp.Flow{AddrPort: from}, w.server.endpoint.Returned(now, from, hello))
				}
				for s.Greet(now, 0) {
				}
				if n := s.Stats().Retries.Returned; n != newcomers {
					t.Errorf("%d of %d have proven their addresses: %+v", n, newcomers, s.Stats())
				}
				s.PeersFirst = false
				f.leaveAll()
			})
		})
	}
}

// Only what begins a handshake waits, and not what follows with a RETURN in front of it.
func TestRestOfAHandshakeDoesNotWait(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		f := newFloor(w, 1, mathrand.New(mathrand.NewPCG(1, 1)))
		s, now := f.shards[0], f.server.clock.now()
		s.PeersFirst = true
		follows := append(retry.AppendReturn(nil, new(retry.Token), nil, nil), byte(record.Handshake), 0xfe, 0xfd)
		s.Datagram(now, udp.Flow{AddrPort: stranger(1)}, follows)
		if n := s.Stats().Drops["source"]; n != 1 {
			t.Error("it waits, though nothing that waits is in front of it")
		}
		s.PeersFirst = false
		f.leaveAll()
	})
}

// While engines negotiate a shard leaves the processor to them: so it does from the first ClientHello on.
func TestEnginesOfTheFirstGreeting(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		f := newFloor(w, 1, mathrand.New(mathrand.NewPCG(1, 1)))
		s := f.shards[0]
		hello := helloWith(usual[:2]...)
		s.Socket.(*radio).in = []udp.Packet{{Addr: udp.Flow{AddrPort: stranger(1)}, Buf: hello}}
		s.Turns.Begin(nil)
		if _, err := s.run(s.handler, false); err != nil {
			t.Fatal(err)
		}
		if s.Holdings().HalfOpen != 1 || !s.engines {
			t.Errorf("%d handshakes are under way; the shard waits for engines: %v", s.Holdings().HalfOpen, s.engines)
		}
		time.Sleep(2 * defaultHandshakeTimeout)
		s.PeersFirst = false
		f.leaveAll()
	})
}
