package nakamabridge

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// deliver sends a broadcast to m: a reliable one on its lane, any other as a payload if it fits one,
// and by the other lane if not. What a lane takes leaves with the next flush. The error matches
// session.ErrTooLarge for one that m's client has no way to get, transport.ErrFull when m has been
// put out for being too slow, and transport.ErrGone.
func (m *member) deliver(datagram []byte, reliable bool) error {
	lane := matchdata.Unreliable
	if reliable {
		lane = matchdata.Reliable
	}
	if !reliable && len(datagram) <= transport.MaxPayload {
		return m.player.Send(datagram)
	}
	_, err := m.player.QueueMessage(lane, datagram)
	switch {
	case errors.Is(err, transport.ErrNoLanes):
		return m.player.Send(datagram)
	case errors.Is(err, transport.ErrFull):
		m.fallBehind()
	}
	return err
}

// takes reports whether the client of m can get n bytes of op code and data.
func (m *member) takes(n int, reliable bool) bool {
	switch {
	case n <= transport.MaxPayload:
		return true
	case reliable:
		return n <= matchdata.MaxReliable && m.player.HasLanes()
	}
	return n <= matchdata.MaxUnreliable && m.player.HasLanes()
}

// fallBehind ends the session of a player for whom more reliable messages wait than the queue takes:
// without one of them the game and the player would no longer agree. Nakama ends a socket for the
// same reason. The player may come back at once.
func (m *member) fallBehind() {
	if m.out.Swap(true) {
		return // by an earlier one of this call
	}
	b := m.match.bridge
	why := runtime.PresenceReasonDisconnect
	m.parting.Store(&why)
	m.kick(session.ReasonBusy, tooSlow)
	n := b.counts.behind.Add(1)
	if m.match.slow.allows(time.Now()) {
		b.config.Logger.Warn("nakamabridge: match %s: a player takes reliable broadcasts too slowly: more than %d bytes wait, "+
			"and the session ends; of this server's players it was the %dth", m.match.id, matchdata.ReliableQueue, n)
	}
}

// tooSlow is the detail of the CLOSE to such a player.
const tooSlow = "too many reliable messages wait: connect again"

// rarely lets an event be logged once a logInterval. Its zero value is ready.
type rarely struct {
	last atomic.Int64 // Unix nanoseconds; 0 before the first
}

func (r *rarely) allows(now time.Time) bool {
	last := r.last.Load()
	return (last == 0 || now.UnixNano()-last >= int64(logInterval)) && r.last.CompareAndSwap(last, now.UnixNano())
}

// message is transport.Handler's: it copies an input that came on a lane into the match's queue.
func (b *Bridge) message(p *transport.Player, lane int, _ uint64, data []byte) {
	b.take(p, data, lane == matchdata.Reliable)
}
