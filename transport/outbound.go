package transport

import (
	"bytes"
	"errors"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// appender writes an envelope behind dst; machine.Conn and machine.Client are.
type appender interface {
	Append(dst []byte, kind wire.Kind, body []byte) ([]byte, error)
}

// sealEnvelope writes record, header and body to dst, encrypted in place.
func sealEnvelope(dst []byte, rc *record.Conn, s appender, kind wire.Kind, body []byte) ([]byte, error) {
	b, err := s.Append(dst[:record.Prefix], kind, body)
	if err != nil {
		return nil, err
	}
	return rc.Seal(dst[:0], record.ApplicationData, b[record.Prefix:])
}

// put seals an envelope of a connection into its shard's outbox, for an address.
//
// +checklocks:o.Mu
func put(o *dtls.Outbox, c *conn, to udp.Flow, kind wire.Kind, body []byte) error {
	p := o.Next(to)
	b, err := sealEnvelope(p.Buf[:0], &c.Record, &c.session, kind, body)
	if err != nil {
		return err
	}
	o.Commit(b)
	if p := c.player; p != nil && p.messages != nil && kind != wire.KindFrames {
		p.messages.sent(c.session.Sequence(), len(body))
	}
	return nil
}

// send seals one envelope and sends it by and by: to the connection's address, or to another one.
func (c *conn) send(to udp.Flow, kind wire.Kind, body []byte) error {
	o := &c.Shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	err := put(o, c, to, kind, body)
	if err == nil {
		o.FlushUnlessHeld()
	}
	return err
}

// sendPayload seals a payload for a player, wherever its session lives.
func (p *Player) sendPayload(payload []byte) error {
	o := &p.shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	c := p.conn
	err := put(o, c, c.Addr, wire.KindData, payload)
	switch {
	case err == nil:
		o.FlushUnlessHeld()
	case errors.Is(err, machine.ErrNotLive) && p.stay.Load() != gone:
		return nil // its session is just moving to another connection: a lost datagram
	case errors.Is(err, machine.ErrNotLive):
		return ErrGone
	}
	return sendError(err)
}

// broadcast seals a payload for every player of a shard.
func (s *shard) broadcast(payload []byte) {
	s.players.mu.RLock()
	defer s.players.mu.RUnlock()
	o := &s.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	list := s.players.list
	for i, p := range list {
		if i%dtls.PrefetchLen == 0 && len(list) >= dtls.PrefetchFrom {
			s.players.prefetch(list[i:min(i+dtls.PrefetchLen, len(list))])
		}
		if p.stay.Load() == present && !p.ended.Load() {
			_ = put(o, p.conn, p.conn.Addr, wire.KindData, payload) // a lost datagram
		}
	}
	if j := s.joining; j != nil {
		j.early = append(j.early, bytes.Clone(payload))
	}
	o.FlushUnlessHeld()
}

// prefetch reads the memory that is needed for what is about to be sent to some players. The
// caller holds the outbox's lock.
func (ps *players) prefetch(some []*Player) {
	for stage := range dtls.PrefetchStages {
		for _, p := range some {
			ps.read ^= p.conn.Record.PrefetchSeal(stage) ^ p.conn.session.PrefetchAppend(stage)
		}
	}
}
