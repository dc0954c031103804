package transport

import (
	"context"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/policy"
)

// opening is a handshake under way, and then its keys until the first record
// opens under them: nothing is believed before.
type opening struct {
	addr    udp.Flow
	conn    *handshake.Conn
	cancel  context.CancelFunc
	random  [32]byte      // of the ClientHello it began with
	claim   *policy.Claim // what it holds until its address is proven
	own     bool          // by what a live player's address has of its own
	began   time.Time
	heard   time.Time    // when something last came that it could use
	backlog [][]byte     // came while the engine was done and the keys not here
	ready   *association // the keys, waiting for their proof
}

// unknown is the gate for addresses without an association, and for a player
// who comes again from the same one.
func (s *shard) unknown(now time.Time, addr udp.Flow, b []byte) {
	if !handshake.IsFirstHello(b) || s.closing {
		if !s.strayed(addr, b) && !s.hinted(now, addr, b) {
			s.drop(audit.DropSource)
		}
		return
	}
	claim, own := s.admit(now, addr)
	if claim == nil {
		s.drop(audit.DropBudget)
		return
	}
	s.begin(now, addr, b, claim, own)
}

// begin starts a handshake for which there is room.
func (s *shard) begin(now time.Time, addr udp.Flow, b []byte, claim *policy.Claim, own bool) {
	o := &opening{addr: addr, began: now, heard: now, random: handshake.Random(b), claim: claim, own: own}
	o.conn = handshake.NewConn(true, s.local, udpAddr(addr.AddrPort), func(datagram []byte) {
		if o.conn.Proven() {
			claim.Release()
		}
		s.socket.SendOne(udp.Packet{Addr: addr, Buf: datagram})
	})
	s.openings[addr] = o
	s.underway.Add(1)
	s.arrived = now
	if !own {
		s.arrivals = append(s.arrivals, o)
	}
	s.handshakes.started.Add(1)
	ctx, cancel := context.WithTimeout(s.server.ctx, s.server.config.HandshakeTimeout)
	o.cancel = cancel
	s.server.wg.Add(1)
	go s.negotiate(ctx, o)
	s.opening(now, o, b)
}

// negotiate runs the engine: the only goroutine of a handshake that is ours.
func (s *shard) negotiate(ctx context.Context, o *opening) {
	defer s.server.wg.Done()
	result, err := engine.Server(ctx, o.conn, &s.server.handshake)
	s.post(func(now time.Time) { s.negotiated(now, o, result, err) })
	o.conn.Wait()
}

// negotiated takes the keys over, and looks at what came in the meantime.
func (s *shard) negotiated(now time.Time, o *opening, result *handshake.Result, err error) {
	o.cancel()
	if s.openings[o.addr] != o {
		return // evicted meanwhile
	}
	if err == nil {
		o.ready, err = s.newAssociation(now, o.addr, result)
	}
	if err != nil {
		s.handshakes.failed.Add(1)
		s.drop(audit.DropHandshake)
		s.explain(now, o, err)
		s.forget(o)
		return
	}
	o.began, o.heard = now, now
	backlog := o.backlog
	o.backlog = nil
	for _, b := range backlog {
		s.datagram(now, o.addr, b)
	}
}

// explain tells the audit why a handshake has failed, of an address that has returned the cookie. What strangers
// begin under other people's addresses is counted alone.
func (s *shard) explain(now time.Time, o *opening, err error) {
	if !o.conn.Proven() {
		return
	}
	s.server.config.Audit.Record(audit.Event{
		Time: s.server.clock.at(now), Decision: audit.Reject, Reason: audit.DropHandshake, Prefix: prefixOf(o.addr),
		Version: version, Detail: handshake.Cause(err),
	})
}

// opening hands a datagram to a handshake, or to the keys that came of it.
func (s *shard) opening(now time.Time, o *opening, b []byte) {
	if handshake.IsFirstHello(b) && handshake.Random(b) != o.random {
		s.again(now, o, b)
		return
	}
	if o.ready != nil {
		s.records(now, o.ready, b)
		return
	}
	switch o.conn.Deliver(b) {
	case handshake.Refused:
		s.drop(audit.DropHandshake)
	case handshake.Taken:
		o.heard = now
	case handshake.Divert:
		o.heard = now
		if len(o.backlog) == maxBacklog {
			s.drop(audit.DropQueue)
			return
		}
		o.backlog = append(o.backlog, slices.Clone(b))
	}
}

// again is a ClientHello that does not belong to the handshake under way at its
// address: its sender has begun anew, or the one before was a forger. What nobody
// has proven to receive makes room, if there is budget for another one; what somebody
// has goes on, unless it has been silent for so long that its own client has given it up.
func (s *shard) again(now time.Time, o *opening, b []byte) {
	s.drop(audit.DropHandshake)
	if o.conn.Proven() && now.Sub(o.heard) < openingSilence {
		return
	}
	claim, own := s.readmit(now, o)
	if claim == nil {
		s.drop(audit.DropBudget)
		return
	}
	s.handshakes.failed.Add(1)
	s.discard(o)
	s.begin(now, o.addr, b, claim, own)
}

// prove is called when the first record has opened under the new keys: only now
// do they take the address, and what was there before goes.
func (s *shard) prove(now time.Time, a *association) {
	if o := s.openings[a.addr]; o != nil && o.ready == a {
		s.forget(o)
	}
	s.handshakes.completed.Add(1)
	s.adopt(now, a)
}
