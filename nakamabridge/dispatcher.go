package nakamabridge

import (
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// dispatcher is the game's: Nakama's own, with UDP beside it. It belongs to the match's goroutine.
type dispatcher struct {
	runtime.MatchDispatcher // of the call under way

	match    *match
	datagram []byte
	rest     []runtime.Presence // recipients by socket
	deferred []deferred
	data     []byte // of the deferred messages
}

// deferred is a datagram that waits for the end of the call.
type deferred struct {
	to         *member
	start, end int
}

// broadcast is Nakama's BroadcastMessage or BroadcastMessageDeferred.
type broadcast = func(op int64, data []byte, presences []runtime.Presence, sender runtime.Presence, reliable bool) error

// BroadcastMessage implements runtime.MatchDispatcher. It may also return ErrTooLarge.
func (d *dispatcher) BroadcastMessage(
	op int64, data []byte, presences []runtime.Presence, sender runtime.Presence, reliable bool,
) error {
	if d.match.seats.udp == 0 {
		return d.MatchDispatcher.BroadcastMessage(op, data, presences, sender, reliable)
	}
	return d.broadcast(d.MatchDispatcher.BroadcastMessage, false, op, data, presences, sender, reliable)
}

// BroadcastMessageDeferred implements runtime.MatchDispatcher. It may also return ErrTooLarge.
func (d *dispatcher) BroadcastMessageDeferred(
	op int64, data []byte, presences []runtime.Presence, sender runtime.Presence, reliable bool,
) error {
	if d.match.seats.udp == 0 {
		return d.MatchDispatcher.BroadcastMessageDeferred(op, data, presences, sender, reliable)
	}
	return d.broadcast(d.MatchDispatcher.BroadcastMessageDeferred, true, op, data, presences, sender, reliable)
}

// broadcast sends by UDP where it can, and has Nakama send to the rest.
func (d *dispatcher) broadcast(
	bySocket broadcast, later bool, op int64, data []byte, presences []runtime.Presence, sender runtime.Presence,
	reliable bool,
) error {
	var fits bool
	d.datagram, fits = appendDatagram(d.datagram[:0], op, data)
	d.rest = d.rest[:0]
	r := round{later: later, fits: fits, reliable: reliable}
	if presences == nil {
		for _, at := range d.match.seats.bySession {
			d.route(&r, at, at.presence)
		}
	}
	for _, p := range presences {
		if p == nil {
			return bySocket(op, data, presences, sender, reliable) // Nakama's own error
		}
		d.route(&r, d.match.seats.bySession[p.GetSessionId()], p)
	}
	err := d.remaining(&r, bySocket, op, data, presences, sender, reliable)
	clear(d.rest)
	if err == nil && r.missed {
		return ErrTooLarge
	}
	return err
}

// round is one broadcast.
type round struct {
	later, fits, reliable bool

	reached bool // a socket's player, by UDP
	missed  bool // a UDP-only player
}

// route sends to one player by UDP, or adds it to the rest. at is nil for an unknown player.
func (d *dispatcher) route(r *round, at *seat, p runtime.Presence) {
	only := at != nil && at.virtual != nil
	if m := at.reachable(); m != nil && r.fits && (only || !r.reliable) && d.send(m, r.later) {
		r.reached = r.reached || !only
		return
	}
	if only {
		r.missed = r.missed || !r.fits
		return
	}
	d.rest = append(d.rest, p)
}

// remaining sends by socket. Nakama takes nil for all presences: it is passed if all with a socket
// are meant, and never if none is left.
func (d *dispatcher) remaining(
	r *round, bySocket broadcast, op int64, data []byte, presences []runtime.Presence, sender runtime.Presence,
	reliable bool,
) error {
	switch {
	case presences == nil && !r.reached:
		return bySocket(op, data, nil, sender, reliable)
	case len(d.rest) == 0:
		return nil
	}
	return bySocket(op, data, d.rest, sender, reliable)
}

// send sends the datagram, or keeps it until flush. It reports false when the player has just gone.
func (d *dispatcher) send(m *member, later bool) bool {
	if !later {
		return m.player.Send(d.datagram) == nil
	}
	start := len(d.data)
	d.data = append(d.data, d.datagram...)
	d.deferred = append(d.deferred, deferred{m, start, len(d.data)})
	return true
}

// flush sends the deferred messages.
func (d *dispatcher) flush() {
	for _, f := range d.deferred {
		_ = f.to.player.Send(d.data[f.start:f.end]) // the player may have left: a lost datagram
	}
	clear(d.deferred)
	d.deferred, d.data = d.deferred[:0], d.data[:0]
}

// MatchKick implements runtime.MatchDispatcher. UDP ends at once; MatchLeave follows.
func (d *dispatcher) MatchKick(presences []runtime.Presence) error {
	if d.match.seats.udp == 0 {
		return d.MatchDispatcher.MatchKick(presences)
	}
	d.rest = d.rest[:0]
	for _, p := range presences {
		if p == nil {
			continue
		}
		at := d.match.seats.bySession[p.GetSessionId()]
		if m := at.reachable(); m != nil {
			m.kick(session.ReasonKicked)
		}
		if at == nil || at.virtual == nil {
			d.rest = append(d.rest, p)
		}
	}
	defer clear(d.rest)
	if len(d.rest) == 0 {
		return nil
	}
	return d.MatchDispatcher.MatchKick(d.rest)
}
