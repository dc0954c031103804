package transport

import (
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// path is an address that a player's datagrams have come from lately and that is
// not proven yet: "the server challenges the new path, keeps sending to the old
// one until it is answered, then moves."
type path struct {
	addr       udp.Flow
	began      time.Time
	challenged time.Time // when the challenge was last sent
	times      int       // how often
	credit     int       // bytes that have come from there, less those that were sent there

	rested time.Time // when the player may move moveBurst times at once again; of all paths of the player
}

// mayMove reports whether the player has not moved too often lately.
func (p *path) mayMove(now time.Time) bool { return p.rested.Sub(now) <= (moveBurst-1)*moveInterval }

// moved returns what is left of a path that the player has moved to.
func (p *path) moved(now time.Time) *path {
	rested := p.rested
	if rested.Before(now) {
		rested = now
	}
	return &path{rested: rested.Add(moveInterval)}
}

// challengeLen is the length in bytes of the datagram with a challenge.
const challengeLen = record.Overhead + wire.HeaderLen + 8

// hintOf is what the first record of a datagram begins its explicit nonce with, if
// that is a hint: the low bits of the record number follow. Others draw their nonces
// at random.
func hintOf(b []byte) (hint uint32, ok bool) {
	if len(b) < record.Overhead || record.ContentType(b[0]) != record.ApplicationData {
		return 0, false
	}
	hint = binary.BigEndian.Uint32(b[record.HeaderLen:])
	return hint, hint>>16 > 1 && [4]byte(b[record.Prefix-4:]) == [4]byte(b[7:])
}

// newHint draws a hint whose low bits name the shard. None begins like the
// explicit nonce of who has no hint.
func (s *shard) newHint() uint32 {
	for {
		hint := s.server.random()&^udp.ShardMask | uint32(s.index)
		if hint>>16 > 1 && s.hints[hint] == nil {
			return hint
		}
	}
}

// hinted takes a datagram from an unknown address whose hint is known: false if
// it has none.
func (s *shard) hinted(now time.Time, addr udp.Flow, b []byte) bool {
	hint, ok := hintOf(b)
	if !ok {
		return false
	}
	if home := s.server.home(hint); home != nil && home.index != s.index {
		s.cross(home, addr, b)
		return true
	}
	a := s.hints[hint]
	if a != nil && a.ending != nil {
		return a.ending.follow(s, now, addr, b)
	}
	if a == nil || a.player == nil {
		return false
	}
	s.elsewhere(now, a, addr, b)
	return true
}

// elsewhere handles a datagram that names an association and comes from another
// address than the association's. Nothing happens unless it authenticates, and no
// path is looked at unless it is the newest: a copy is not.
func (s *shard) elsewhere(now time.Time, a *association, addr udp.Flow, b []byte) {
	length, newest := len(b), a.record.Opened()
	s.from = addr
	opened := s.records(now, a, b)
	s.from = udp.Flow{}
	if !opened || a.record.Opened() <= newest || a.ending != nil || a.addr == addr {
		return
	}
	if !a.match.Follows(addr.Addr()) {
		s.drop(audit.DropFingerprint)
		return
	}
	p := a.path
	if p == nil {
		p = &path{addr: addr, began: now}
		a.path = p
	}
	if p.addr != addr && now.Sub(p.began) >= pathTime {
		*p = path{addr: addr, began: now, rested: p.rested}
	}
	if p.addr != addr {
		return // "one candidate address at a time"
	}
	p.credit += length
	s.challenge(now, a)
}

// challenge asks the candidate, as often as it may be asked, and never with more
// bytes than have come from there. A player who has moved too often lately is
// followed a little later: with the next datagram, or by tick.
func (s *shard) challenge(now time.Time, a *association) {
	p := a.path
	if p.times == maxChallenges || p.credit < challengeLen || now.Sub(p.challenged) < challengeInterval || !p.mayMove(now) {
		return
	}
	reply := a.match.Challenge(p.times == 0)
	p.times++
	p.challenged = now
	p.credit -= challengeLen
	s.out.envelopeTo(a, p.addr, reply.Kind, reply.Body) //nolint:errcheck // a lost datagram
}

// answered moves an association to the address that its challenge was answered
// from.
func (s *shard) answered(now time.Time, a *association) {
	p := a.path
	if p == nil || p.addr != s.from || s.associations.Lookup(p.addr) != nil || s.away(p.addr) != nil {
		return
	}
	previous, away := a.addr, a.match.Away()
	s.vacate(a.addr, occupant{here: a})
	s.recall(a)
	s.out.mu.Lock()
	a.addr, a.path = p.addr, p.moved(now)
	s.out.mu.Unlock()
	s.occupy(a)
	a.match.SetPath(now, a.addr.Addr())
	switch {
	case !a.match.Away():
		a.left = nil
	case !away:
		a.left = &previous
	}
	s.noteAddress(now, a)
	e := s.decision(now, a, audit.Migrate)
	e.Previous = prefixOf(previous)
	s.server.config.Audit.Record(e)
	notice := wire.NoticeBody{Code: wire.NoticeMoved}
	s.out.envelope(a, wire.KindNotice, notice.AppendTo(nil)) //nolint:errcheck // a lost datagram
}

// crossing is a datagram that the kernel gave to another shard than its
// association's.
type crossing struct {
	addr  udp.Flow
	b     *[udp.BufferLen]byte
	n     int
	stamp int64 // as a packet's
}

// cross hands a datagram to the shard that its hint names.
func (s *shard) cross(to *shard, addr udp.Flow, b []byte) {
	buffer := s.server.buffers.Get().(*[udp.BufferLen]byte)
	select {
	case to.crossings <- crossing{addr, buffer, copy(buffer[:], b), s.waiting.stamp}:
		to.socket.Wake()
	default:
		s.server.buffers.Put(buffer)
		s.drop(audit.DropQueue)
	}
}

// crossed handles n datagrams that other shards have handed over.
func (s *shard) crossed(now time.Time, n int) {
	for range n {
		c := <-s.crossings
		s.waiting.stamp = c.stamp
		s.datagram(now, c.addr, c.b[:c.n])
		s.server.buffers.Put(c.b)
	}
}
