package fuzz

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// FuzzPlay reads its input as moves of an honest player and of an attacker who sees the player's
// datagrams: copies them, changes them, holds them back, cuts them, glues them together. After all of
// them the match has had each payload that arrived unchanged exactly once, and nothing else, and the
// player plays on.
func FuzzPlay(f *testing.F) {
	w := newWorld(f)
	for _, moves := range [][]byte{
		{0, 0, 3, 0, 0, 3, 1, 7},               // two payloads, and their copies
		{1, 1, 1, 2, 2, 2, 1, 2, 0},            // three held back, and delivered the other way round
		{4, 0, 13, 4, 1, 70, 4, 0, 5, 4, 0, 0}, // a bit of the nonce, of the payload, of the number, of the type
		{5, 0, 12, 5, 0, 40, 6, 6, 6},          // cut; two records in one datagram
		{7, 8, 4, 1, 2, 3, 4, 8, 5, 9, 9, 9, 9, 9},
		{9, 1, 6, 22, 0xfe, 0xfd, 0, 0, 0, 9, 0, 2, 1, 0},
		{10, 1, 0, 10, 2, 0, 10, 0, 0},
	} {
		f.Add(moves)
	}
	f.Fuzz(func(t *testing.T, moves []byte) {
		w.t = t
		p := &play{world: w, moves: moves, want: make(map[uint64]int)}
		w.heard = make(map[uint64]int)
		for range maxMoves {
			if !p.move() {
				break
			}
		}
		p.settle()
	})
}

const (
	// maxMoves keeps a run well within the windows: what is older than 1,024 numbers does not count any more.
	maxMoves = 200

	// maxHeld is how many datagrams are held back at most.
	maxHeld = 16
)

// play is one input.
type play struct {
	world *world
	moves []byte // not read yet
	held  []sent // on their way
	seen  []sent // have arrived
	want  map[uint64]int
}

// sent is a datagram of the player with one payload.
type sent struct {
	id       uint64
	datagram []byte
}

// next reads a byte, 0 at the end.
func (p *play) next() int {
	if len(p.moves) == 0 {
		return 0
	}
	b := p.moves[0]
	p.moves = p.moves[1:]
	return int(b)
}

// bytes reads some.
func (p *play) bytes() []byte {
	n := min(p.next(), len(p.moves))
	b := p.moves[:n]
	p.moves = p.moves[n:]
	return b
}

// fresh seals a payload that nobody has sent before.
func (p *play) fresh() sent {
	w := p.world
	w.sent++
	return sent{w.sent, w.player.seal(w.t, wire.KindData, binary.BigEndian.AppendUint64(nil, w.sent))}
}

// arrive has datagrams arrive in one, from the player's address.
func (p *play) arrive(all ...sent) {
	var datagram []byte
	for _, s := range all {
		datagram = append(datagram, s.datagram...)
		p.want[s.id]++
		p.seen = append(p.seen, s)
	}
	p.world.poll(p.world.player.addr, datagram)
}

// strangers is an address of the attacker's.
func strangers(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 53)
}

// move makes the next move; false at the end.
func (p *play) move() bool {
	if len(p.moves) == 0 {
		return false
	}
	w := p.world
	switch p.next() % 11 {
	case 0:
		p.arrive(p.fresh())
	case 1:
		if len(p.held) < maxHeld {
			p.held = append(p.held, p.fresh())
		}
	case 2:
		if len(p.held) > 0 {
			i := p.next() % len(p.held)
			p.arrive(p.held[i])
			p.held = slices.Delete(p.held, i, i+1)
		}
	case 3: // a copy, from the player's address or from another
		if i, from := p.next(), p.next(); len(p.seen) > 0 {
			w.poll(p.from(from), slices.Clone(p.seen[i%len(p.seen)].datagram))
		}
	case 4: // a bit of it is changed; then it comes as it was
		s := p.fresh()
		at, bit := p.next()<<8|p.next(), p.next()
		changed := slices.Clone(s.datagram)
		changed[at%len(changed)] ^= 1 << (bit % 8)
		w.poll(w.player.addr, changed)
		p.arrive(s)
	case 5: // its end is missing
		s := p.fresh()
		w.poll(w.player.addr, s.datagram[:(p.next()<<8|p.next())%len(s.datagram)])
		p.arrive(s)
	case 6:
		p.arrive(p.fresh(), p.fresh())
	case 7: // what the player's own client, changed, may say
		kind, body := wire.Kind(p.next()), p.bytes()
		if kind >= wire.KindData && kind != wire.KindClose && kind <= wire.KindFrames {
			if kind == wire.KindData && len(body) >= 8 {
				body = body[:7] // no payload of ours
			}
			w.poll(w.player.addr, w.player.seal(w.t, kind, body))
		}
	case 8: // under the player's keys, without a tag
		w.poll(w.player.addr, w.player.sealRaw(w.t, p.bytes()))
	case 9:
		from := p.next()
		w.poll(p.from(from), p.bytes())
	case 10: // the player's address changes: what is one too many is dropped
		p.migrate(p.next())
	}
	return true
}

// from is the player's address for an even number, and a stranger's for an odd one.
func (p *play) from(n int) netip.AddrPort {
	if n%2 == 0 {
		return p.world.player.addr
	}
	return strangers(n)
}

// migrate sends a payload from another address, which is the player's if it is taken.
func (p *play) migrate(n int) {
	w, s := p.world, p.fresh()
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + n%4)}), 1000)
	w.poll(addr, s.datagram)
	p.want[s.id] = w.heard[s.id]
	if w.heard[s.id] > 0 {
		w.player.addr = addr
		p.seen = append(p.seen, s)
	}
}

// settle compares.
func (p *play) settle() {
	w := p.world
	for _, s := range p.held {
		p.arrive(s)
	}
	w.alive()
	for id, n := range w.heard {
		if n != p.want[id] || n > 1 {
			w.t.Fatalf("payload %d was delivered %d times, want %d", id, n, p.want[id])
		}
	}
	for id, n := range p.want {
		if n != w.heard[id] {
			w.t.Fatalf("payload %d was delivered %d times, want %d", id, w.heard[id], n)
		}
	}
}

// The moves do what they say: without that, the target would find nothing.
func TestPlay(t *testing.T) {
	w := newWorld(t)
	w.heard = make(map[uint64]int)
	p := &play{world: w, want: make(map[uint64]int), moves: []byte{0, 1, 1, 2, 1, 2, 0, 3, 0, 1, 4, 0, 30, 1, 5, 0, 20, 6, 10, 1}}
	for p.move() {
	}
	p.settle()
	if len(w.heard) != 8 {
		t.Errorf("%d payloads were delivered, want 8", len(w.heard))
	}
	s := p.fresh()
	if s.datagram[0] != byte(record.ApplicationData) {
		t.Errorf("a datagram of type %d", s.datagram[0])
	}
	p.arrive(s)
	delete(p.want, s.id)
	if w.heard[s.id] != 1 {
		t.Error("the last payload was not delivered")
	}
}
