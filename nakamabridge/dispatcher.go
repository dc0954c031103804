package nakamabridge

import (
	"errors"
	"slices"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// dispatcher is the game's: Nakama's own, with UDP beside it. Like Nakama's, it may be used by any
// goroutine. Its fields are under the lock of the match's seats.
type dispatcher struct {
	nakama  runtime.MatchDispatcher // of the last call
	calling bool                    // that call is under way, and flush follows

	match    *match
	forms    [2]form            // of the broadcast under way: without and with its sender
	rest     []runtime.Presence // recipients by socket
	deferred []deferred
	data     []byte  // of the deferred messages
	kicked   []*seat // UDP-only players for whom MatchLeave has to be called
	reported []int64 // op codes of broadcasts that did not fit, as logged
}

// deferred is a broadcast to one player that waits for the end of the call.
type deferred struct {
	to         *member
	reliable   bool
	start, end int
}

// use sets Nakama's dispatcher for the call that begins.
func (d *dispatcher) use(nakama runtime.MatchDispatcher) {
	d.match.seats.mu.Lock()
	defer d.match.seats.mu.Unlock()
	d.nakama, d.calling = nakama, true
}

// BroadcastMessage implements runtime.MatchDispatcher.
func (d *dispatcher) BroadcastMessage(
	op int64, data []byte, presences []runtime.Presence, sender runtime.Presence, reliable bool,
) error {
	return d.broadcast(message{op, data, presences, sender, reliable, false})
}

// BroadcastMessageDeferred implements runtime.MatchDispatcher.
func (d *dispatcher) BroadcastMessageDeferred(
	op int64, data []byte, presences []runtime.Presence, sender runtime.Presence, reliable bool,
) error {
	return d.broadcast(message{op, data, presences, sender, reliable, true})
}

func (d *dispatcher) broadcast(b message) error {
	large, err := d.distribute(&b)
	if large {
		d.report(b.op, len(b.data))
	}
	return err
}

// report counts a broadcast that did not fit, and logs the first with its op code in this match.
func (d *dispatcher) report(op int64, size int) {
	b := d.match.bridge
	b.counts.oversized.Add(1)
	d.match.seats.mu.Lock()
	first := len(d.reported) < maxReported && !slices.Contains(d.reported, op)
	if first {
		d.reported = append(d.reported, op)
	}
	d.match.seats.mu.Unlock()
	if first {
		b.config.Logger.Warn("nakamabridge: match %s: a broadcast with op code %d and %d bytes is too large for UDP, which takes %d if it is "+
			"reliable, %d if not, %d of a client without lanes, and no negative op code: sockets get such broadcasts, players without a socket do not",
			d.match.id, op, size, matchdata.MaxReliable, matchdata.MaxUnreliable, transport.MaxPayload)
	}
}

// send sends the broadcast to one player, or keeps it until flush. The error is that of deliver.
func (d *dispatcher) send(m *member, datagram []byte, reliable, later bool) error {
	if !later {
		return m.deliver(datagram, reliable)
	}
	if !m.takes(len(datagram), reliable) {
		return session.ErrTooLarge
	}
	start := len(d.data)
	d.data = append(d.data, datagram...)
	d.deferred = append(d.deferred, deferred{m, reliable, start, len(d.data)})
	return nil
}

// flush sends the deferred messages, and what waits on lanes.
func (d *dispatcher) flush() {
	d.match.seats.mu.Lock()
	defer d.match.seats.mu.Unlock()
	d.match.bridge.hold()
	defer d.match.bridge.release()
	for _, f := range d.deferred {
		if err := f.to.deliver(d.data[f.start:f.end], f.reliable); errors.Is(err, session.ErrTooLarge) {
			d.match.bridge.counts.undelivered.Add(1) // the client has given up its lanes since; else the player has left
		}
	}
	clear(d.deferred)
	d.deferred, d.data, d.calling = d.deferred[:0], d.data[:0], false
}

// MatchKick implements runtime.MatchDispatcher. The UDP session of a player who has a socket ends at
// once. UDP-only players get what the game still sends in this tick, as sockets do; then their
// session ends, and MatchLeave follows.
func (d *dispatcher) MatchKick(presences []runtime.Presence) error {
	seats := &d.match.seats
	seats.mu.Lock()
	defer seats.mu.Unlock()
	if seats.udp == 0 || seats.over {
		return d.nakama.MatchKick(presences)
	}
	d.rest = d.rest[:0]
	for _, p := range presences {
		if p == nil {
			continue
		}
		switch at := seats.bySession[p.GetSessionId()]; {
		case at != nil && at.virtual != nil:
			d.kicked = append(d.kicked, at)
			continue
		case at.reachable() != nil:
			at.udp.part(runtime.PresenceReasonLeave)
		}
		d.rest = append(d.rest, p)
	}
	defer clear(d.rest)
	if len(d.rest) == 0 {
		return nil
	}
	return d.nakama.MatchKick(d.rest)
}

// expelled returns the UDP-only players who have been kicked since the last call.
func (d *dispatcher) expelled() []*seat {
	d.match.seats.mu.Lock()
	defer d.match.seats.mu.Unlock()
	kicked := d.kicked
	d.kicked = nil
	return kicked
}

// MatchLabelUpdate implements runtime.MatchDispatcher.
func (d *dispatcher) MatchLabelUpdate(label string) error {
	d.match.seats.mu.Lock()
	nakama := d.nakama
	d.match.seats.mu.Unlock()
	return nakama.MatchLabelUpdate(label)
}
