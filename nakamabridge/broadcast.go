package nakamabridge

import (
	"errors"
	"slices"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/session"
)

// message is one broadcast.
type message struct {
	op        int64
	data      []byte
	presences []runtime.Presence // nil means everybody
	sender    runtime.Presence
	reliable  bool
	later     bool // BroadcastMessageDeferred
}

// form is how a broadcast looks to some clients.
type form struct {
	built, fits bool // fits: the longest message of any lane
	datagram    []byte
}

// distribute sends by UDP where it can, and has Nakama send to the rest. It also reports whether the
// message was too large for somebody who has UDP.
func (d *dispatcher) distribute(b *message) (large bool, err error) {
	seats := &d.match.seats
	seats.mu.Lock()
	defer seats.mu.Unlock()
	if seats.udp == 0 || seats.over || slices.Contains(b.presences, nil) { // for nil, Nakama has an error
		return false, d.bySocket(b, b.presences)
	}
	r := round{message: b, fast: !b.reliable || d.match.bridge.unreliable(b.op)}
	d.forms[0].built, d.forms[1].built = false, false
	d.rest = d.rest[:0]
	d.routes(&r)
	err = d.remaining(&r, b)
	clear(d.rest)
	if r.missed {
		d.match.bridge.counts.undelivered.Add(1)
	}
	return r.large, err
}

// round is the way of one broadcast.
type round struct {
	message *message
	fast    bool // it may be lost: by UDP to a player who has both

	held    bool // what is sent waits for the others
	reached bool // a socket's player, by UDP
	large   bool // it does not fit, and would have gone by UDP
	missed  bool // a UDP-only player
}

// routes sends by UDP to whom it reaches so, and adds the others to the rest. During a call what goes on
// a reliable lane waits for the next flush, to share datagrams; anything else goes out together.
func (d *dispatcher) routes(r *round) {
	to := r.message.presences
	if !d.calling || r.fast && len(to) != 1 {
		d.hold(r)
	}
	defer func() {
		if r.held {
			d.match.bridge.release()
		}
	}()
	seats := d.match.seats.bySession
	if to == nil {
		for _, at := range seats {
			d.route(r, at, at.presence)
		}
	}
	for _, p := range to {
		d.route(r, seats[p.GetSessionId()], p)
	}
}

// hold has what is sent from now on go out at the end of the round.
func (d *dispatcher) hold(r *round) {
	if !r.held {
		r.held = true
		d.match.bridge.hold()
	}
}

// route sends to one player by UDP, or adds it to the rest. at is nil for an unknown player.
func (d *dispatcher) route(r *round, at *seat, p runtime.Presence) {
	only := at != nil && at.virtual != nil
	if m := at.reachable(); m != nil && (only || r.fast) {
		f := d.form(r.message, m)
		err := session.ErrTooLarge
		if f.fits {
			if !r.message.later && len(r.message.presences) != 1 && !m.player.HasLanes() {
				d.hold(r)
			}
			err = d.send(m, f.datagram, !r.fast, r.message.later)
		}
		if err == nil {
			r.reached = r.reached || !only
			return
		}
		fits := !errors.Is(err, session.ErrTooLarge)
		r.large = r.large || !fits
		r.missed = r.missed || !fits && only
	}
	if !only {
		d.rest = append(d.rest, p)
	}
}

// form returns the broadcast as m wants it.
func (d *dispatcher) form(b *message, m *member) *form {
	f := &d.forms[0]
	if m.sender {
		f = &d.forms[1]
	}
	if f.built {
		return f
	}
	f.built = true
	if !m.sender {
		f.datagram, f.fits = matchdata.Append(f.datagram[:0], matchdata.MaxReliable, b.op, nil, b.data)
		return f
	}
	id := senderID(b.sender)
	f.datagram, f.fits = matchdata.Append(f.datagram[:0], matchdata.MaxReliable, b.op, id[:], b.data)
	return f
}

// remaining sends by socket. Nakama takes nil for all presences: it is passed if all with a socket
// are meant, and never if none is left.
func (d *dispatcher) remaining(r *round, b *message) error {
	switch {
	case b.presences == nil && !r.reached:
		return d.bySocket(b, nil)
	case len(d.rest) == 0:
		return nil
	}
	return d.bySocket(b, d.rest)
}

// bySocket has Nakama send.
func (d *dispatcher) bySocket(b *message, presences []runtime.Presence) error {
	if b.later {
		return d.nakama.BroadcastMessageDeferred(b.op, b.data, presences, b.sender, b.reliable)
	}
	return d.nakama.BroadcastMessage(b.op, b.data, presences, b.sender, b.reliable)
}
