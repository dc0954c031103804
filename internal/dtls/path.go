package dtls

import (
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// path is an address that a peer's datagrams have come from lately and that is
// not proven yet: "the server challenges the new path, keeps sending to the old
// one until it is answered, then moves."
type path struct {
	addr       udp.Flow
	began      time.Time
	challenged time.Time // when the challenge was last sent
	times      int       // how often
	credit     int       // bytes that have come from there, less those that were sent there

	rested time.Time // when the peer may move moveBurst times at once again; of all its paths
}

// roaming is what a shard notes while it handles a datagram from elsewhere than its connection's address.
type roaming struct {
	from  udp.Flow           // where it comes from
	hears func(c *Conn) bool // while the shard drains, whom it still hears; nil for everybody
}

// mayMove reports whether the peer has not moved too often lately.
func (p *path) mayMove(now time.Time) bool { return p.rested.Sub(now) <= (MoveBurst-1)*MoveInterval }

// pause is how long the next challenge waits for an answer to the one before.
func (p *path) pause() time.Duration {
	if p.times < MaxChallenges {
		return ChallengeInterval
	}
	return pathTime
}

// moved returns what is left of a path that the peer has moved to.
func (p *path) moved(now time.Time) *path {
	rested := p.rested
	if rested.Before(now) {
		rested = now
	}
	return &path{rested: rested.Add(MoveInterval)}
}

// Follow has a connection that takes another's place know how often the peer has moved: a new
// connection buys no moves.
func (c *Conn) Follow(former *Conn) {
	if former.path != nil && c.path == nil {
		c.path = &path{rested: former.path.rested}
	}
}

// IDOf is what the first record of a datagram begins its explicit nonce with, if
// that is a connection id: the low bits of the record number follow. Others draw their nonces
// at random.
func IDOf(b []byte) (id uint32, ok bool) {
	if len(b) < record.Overhead || record.ContentType(b[0]) != record.ApplicationData {
		return 0, false
	}
	id = binary.BigEndian.Uint32(b[record.HeaderLen:])
	return id, id>>16 > 1 && [4]byte(b[record.Prefix-4:]) == [4]byte(b[7:])
}

// newID draws a connection id that no connection has and whose low bits name a shard. None begins like
// the explicit nonce of a peer that has none.
func (t *Table) newID(shard int) uint32 {
	for {
		id := t.draw()&^udp.ShardMask | uint32(shard)
		if id>>16 > 1 && t.byID[id] == nil {
			return id
		}
	}
}

// roamerOf is who is told of what comes from other addresses, nil if nobody is.
func roamerOf(c *Conn) Roamer {
	if m, ok := c.User.(Mover); ok {
		return m.Roamer()
	}
	return nil
}

// elsewhere handles a datagram that names a connection and comes from another address than
// the connection's. Nothing happens unless it authenticates, and nobody is told unless it is the
// newest.
func (c *Conn) elsewhere(now time.Time, r Roamer, addr udp.Flow, b []byte) {
	length, newest := len(b), c.Record.Opened()
	c.Shard.roaming.from = addr
	opened := c.records(now, b)
	c.Shard.roaming.from = udp.Flow{}
	if opened && c.Record.Opened() > newest {
		r.Roamed(now, addr, length)
	}
}

// Candidate looks at an address from which so many bytes have come, and to which the connection
// may move: it challenges the address.
func (c *Conn) Candidate(now time.Time, addr udp.Flow, length int) {
	p := c.path
	if p == nil {
		p = &path{addr: addr, began: now}
		c.path = p
	}
	if p.addr != addr && now.Sub(p.began) >= pathTime {
		*p = path{addr: addr, began: now, rested: p.rested}
	}
	if p.addr != addr {
		return // "one candidate address at a time"
	}
	p.credit += length
	p.probe(now, c)
}

// ReprobePath repeats a challenge for which there was no credit, or that was too soon.
func (c *Conn) ReprobePath(now time.Time) {
	if c.path != nil && c.path.times == 0 && c.path.credit > 0 {
		c.path.probe(now, c)
	}
}

// probe asks the candidate of a connection, as often as it may be asked, and never with more
// bytes than have come from there. A peer that has moved too often lately is
// followed a little later: with the next datagram, or by tick.
func (p *path) probe(now time.Time, c *Conn) {
	length := c.Shard.Endpoint.config.ChallengeLen
	if p.credit < length || now.Sub(p.challenged) < p.pause() || !p.mayMove(now) {
		return
	}
	first := p.times == 0
	p.times++
	p.challenged = now
	p.credit -= length
	c.User.(Mover).Challenge(p.addr, first) // a path is a mover's
}

// Answered moves a connection to the address that its challenge was answered from, which is
// that of the datagram that is handled, whoever was there before. It reports false if there is no
// such challenge, and returns the former address.
func (c *Conn) Answered(now time.Time) (former udp.Flow, ok bool) {
	p, s := c.path, c.Shard
	if p == nil || p.addr != s.roaming.from {
		return former, false
	}
	former = c.Addr
	s.Table.vacate(c.Addr, occupant{here: c})
	c.stray.recall()
	c.stray = nil
	s.Out.Mu.Lock()
	c.Addr, c.path = p.addr, p.moved(now)
	s.Out.Mu.Unlock()
	s.Table.occupy(c)
	c.known()
	s.left(former, 0)
	return former, true
}
