package transport

import (
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

// put seals an envelope into the outbox, for an address. The caller holds the outbox's lock.
//
// +checklocks:a.Conn.link.out.mu
func (a *association) put(to udp.Flow, kind wire.Kind, body []byte) error {
	o := &a.Shard.Out
	p := o.Next(to)
	b, err := sealEnvelope(p.Buf[:0], &a.Record, &a.match, kind, body)
	if err != nil {
		return err
	}
	o.Commit(b)
	return nil
}

// send seals one envelope and sends it by and by.
func (a *association) send(kind wire.Kind, body []byte) error {
	return a.sendTo(udp.Flow{}, kind, body)
}

// sendTo does so to another address than the association's, unless addr is none.
func (a *association) sendTo(addr udp.Flow, kind wire.Kind, body []byte) error {
	o := &a.Shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	if !addr.IsValid() {
		addr = a.Addr
	}
	err := a.put(addr, kind, body)
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
	a := p.association
	err := a.put(a.Addr, wire.KindData, payload)
	switch {
	case err == nil:
		o.FlushUnlessHeld()
	case errors.Is(err, machine.ErrNotLive) && !p.gone.Load():
		return nil // its session is just moving to another connection: a lost datagram
	}
	return err
}

// broadcast seals a payload for every player of a shard.
func (s *shard) broadcast(payload []byte) {
	s.players.mu.RLock()
	defer s.players.mu.RUnlock()
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	list := s.players.list
	for i, p := range list {
		if i%dtls.PrefetchLen == 0 && len(list) >= dtls.PrefetchFrom {
			s.players.prefetch(list[i:min(i+dtls.PrefetchLen, len(list))])
		}
		if !p.gone.Load() {
			_ = p.association.put(p.association.Addr, wire.KindData, payload) // a lost datagram
		}
	}
	s.Out.FlushUnlessHeld()
}

// prefetch reads the memory that is needed for what is about to be sent to some players. The
// caller holds the outbox's lock.
func (ps *players) prefetch(some []*Player) {
	for stage := range dtls.PrefetchStages {
		for _, p := range some {
			ps.read ^= p.association.Record.PrefetchSeal(stage) ^ p.association.match.PrefetchAppend(stage)
		}
	}
}
