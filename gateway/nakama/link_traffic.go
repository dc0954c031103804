package nakama

import (
	"errors"
	"time"

	"github.com/heroiclabs/nakama-common/rtapi"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// say queues an input. It runs in the turn of the player's shard.
func (l *link) say(payload []byte, reliable bool) {
	c := &l.backend.counts
	op, data, err := matchdata.Parse(payload)
	switch {
	case l.over.Load():
	case err != nil:
		c.malformed.Add(1)
	case len(payload) > l.backend.config.MaxInput:
		c.longInputs.Add(1)
		if l.backend.seldom("long") {
			l.backend.log.Warn("nakama: an input is too long and was dropped: raise MaxInput and Nakama's socket.max_message_size_bytes",
				"op code", op, "bytes", len(payload), "reliable", reliable, "MaxInput", l.backend.config.MaxInput)
		}
	case !l.queue.put(op, data, reliable):
		c.behind.Add(1)
		l.conclude(endSlow)
	}
}

// read hands to the player what comes, until the WebSocket ends.
func (l *link) read(s *socket) error {
	e := new(rtapi.Envelope)
	for {
		if err := s.read(e); err != nil {
			return errors.Join(errBroken, err)
		}
		if err := l.take(e); err != nil {
			return err
		}
	}
}

// take hands over one message.
func (l *link) take(e *rtapi.Envelope) error {
	switch m := e.Message.(type) {
	case *rtapi.Envelope_MatchData:
		return l.deliver(m.MatchData)
	case *rtapi.Envelope_MatchPresenceEvent:
		for _, p := range m.MatchPresenceEvent.GetLeaves() {
			l.backend.gone(p.GetSessionId())
		}
		return l.event(e)
	}
	return nil
}

// deliver sends match data to the player: what is reliable on its lane, all else as a payload if it
// fits one, and by the other lane if not. The error is endBehind.
func (l *link) deliver(d *rtapi.MatchData) error {
	reliable, limit, lane := d.GetReliable() && !l.backend.lossy(d.GetOpCode()), matchdata.MaxUnreliable, matchdata.Unreliable
	if reliable {
		limit, lane = matchdata.MaxReliable, matchdata.Reliable
	}
	var sender []byte
	if l.want.Sender {
		id := matchdata.Sender(d.GetPresence().GetUserId())
		sender = id[:]
	}
	var fits bool
	if l.out, fits = matchdata.Append(l.out[:0], limit, d.GetOpCode(), sender, d.GetData()); !fits {
		l.oversized(d.GetOpCode(), len(d.GetData()), reliable)
		return nil
	}
	if !reliable && len(l.out) <= transport.MaxPayload {
		lane = gateway.Datagram
	}
	return l.send(lane, l.out)
}

// send sends, without lanes as a payload.
func (l *link) send(lane int, b []byte) error {
	err := l.player.Send(lane, 0, b)
	if errors.Is(err, transport.ErrNoLanes) {
		err = l.player.Send(gateway.Datagram, 0, b)
	}
	switch {
	case err == nil:
		l.backend.counts.messages.Add(1)
	case errors.Is(err, transport.ErrFull):
		l.backend.counts.behind.Add(1)
		return endBehind
	case errors.Is(err, session.ErrTooLarge):
		l.oversized(-1, len(b), lane == matchdata.Reliable)
	}
	return nil // a player who is away for the moment, or gone
}

func (l *link) oversized(op int64, n int, reliable bool) {
	l.backend.counts.oversized.Add(1)
	if l.backend.seldom("oversized") {
		l.backend.log.Warn("nakama: match data fits no lane of a player and was dropped", "op code", op, "bytes", n, "reliable", reliable)
	}
}

// write hands to Nakama what the player says, until the WebSocket or the stay ends.
func (l *link) write(s *socket, broken <-chan struct{}) {
	defer s.close() // so that read ends, too
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		if err := l.flush(s); err != nil {
			return
		}
		select {
		case <-l.queue.wake:
		case <-ping.C:
			if s.ping() != nil {
				return
			}
		case <-broken:
			return
		case <-l.ctx.Done():
			l.depart(s)
			return
		}
	}
}

// flush writes what waits.
func (l *link) flush(s *socket) error {
	var in input
	data := &rtapi.MatchDataSend{MatchId: l.want.MatchID}
	e := &rtapi.Envelope{Message: &rtapi.Envelope_MatchDataSend{MatchDataSend: data}}
	for {
		reliable, ok := l.queue.take(&in)
		if !ok {
			break
		}
		data.OpCode, data.Data, data.Reliable = in.op, in.data, reliable
		if err := s.write(e); err != nil {
			return err
		}
		l.backend.counts.inputs.Add(1)
	}
	l.backend.counts.droppedInputs.Add(l.queue.lost())
	return nil
}

// depart ends the presence: one who has left as planned leaves the match, whose handler then hears
// that; for any other the WebSocket breaks.
func (l *link) depart(s *socket) {
	if !l.polite.Load() {
		return
	}
	if l.flush(s) == nil && s.write(&rtapi.Envelope{Message: &rtapi.Envelope_MatchLeave{
		MatchLeave: &rtapi.MatchLeave{MatchId: l.want.MatchID},
	}}) == nil {
		s.bye()
	}
}
