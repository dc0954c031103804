package machine

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// watch observes the path to the server.
type watch struct {
	lastAccepted    time.Time // the last accepted datagram
	lastPayload     time.Time // when a payload was last seen to flow, either way
	lastPing        time.Time // the last PING
	firstUnanswered time.Time // the first PING since lastAccepted; zero if there is none
	firstUnheard    time.Time // the first PING since one was answered by its PONG; zero if there is none
	anew            bool      // firstUnheard is when the path, having been silent since, came back
	pings           [pingsKept]struct {
		wire.Ping
		at      time.Time
		leftOut uint64 // numbers of the session left out before
	}
	sent int           // PINGs
	rtt  time.Duration // by which the path is judged
}

func (w *watch) accept(now time.Time) {
	if w.silent(now) && !w.anew { // the path is back, and may carry something towards the server again
		w.firstUnheard, w.anew = now, true
	}
	w.lastAccepted, w.firstUnanswered = now, time.Time{}
}

// silent reports whether nothing has come since several PINGs.
func (w *watch) silent(now time.Time) bool {
	return longSince(now, w.firstUnanswered, max(lostTime, 4*w.rtt))
}

// ClientStats are counts of a session's traffic on all its connections.
type ClientStats struct {
	RTT    time.Duration // the last one measured; 0 before
	Jitter time.Duration // mean difference between successive RTTs, smoothed as in RFC 3550 6.4.1
	// LostIn counts the server's datagrams that have not arrived, or arrived too late, and numbers
	// that a server with lanes has left out. LostOut counts the client's own, without those left
	// out, as the server reported with the last PONG.
	LostIn, LostOut uint64
}

// counts are shared by all connections of a session.
type counts struct {
	accepted uint64
	rtt      time.Duration
	jitter   time.Duration
	clock    clock
	current  *Client // the newest connection, on which PONG counts

	leftOut  atomic.Uint64 // numbers left out; the sending half's
	base     uint64        // leftOut before the first number that the current server counts
	next     uint64        // the same, if the server of this connection turns out to begin anew
	lostOut  uint64        // reported by former servers
	missing  uint64        // the last report of the current server
	reported uint64        // missing, less numbers left out
	fresh    bool          // no report has arrived on this connection
}

// lostIn returns how many of the server's numbers are missing.
func (c *Client) lostIn() uint64 {
	return c.window.Highest() - min(c.counts.accepted, c.window.Highest())
}

// Stats returns the counts. It belongs to the receiving half.
func (c *Client) Stats() ClientStats {
	n := c.counts
	return ClientStats{
		RTT: n.rtt, Jitter: n.jitter,
		LostIn: c.lostIn(), LostOut: n.lostOut + n.reported,
	}
}

// Ask has the next Tick send a PING, because the path to the server may have changed.
func (c *Client) Ask() { c.watch.lastPing = time.Time{} }

// Silent reports whether nothing has been accepted for the idle time that the server stated in
// WELCOME: the server must have ended the session.
func (c *Client) Silent(now time.Time) bool {
	idle := c.Idle()
	return c.state == live && idle > 0 && now.Sub(c.watch.lastAccepted) >= idle
}

// Idle returns the idle time that the server stated in WELCOME, 0 for none.
func (c *Client) Idle() time.Duration { return time.Duration(c.limits.Idle) * time.Millisecond }

// RoundTrip returns the round trip by which the path is judged; 0 before one is measured.
func (c *Client) RoundTrip() time.Duration { return c.watch.rtt }

// Lost reports whether the path to the server is lost: nothing has come since several PINGs, or no PONG
// has come for many, and so the path carries nothing towards the server.
func (c *Client) Lost(now time.Time) bool {
	w := &c.watch
	return c.state == live && c.config.Probe > 0 &&
		(w.silent(now) || longSince(now, w.firstUnheard, max(unheardTime, 8*w.rtt)))
}

// longSince reports whether at is not zero, and so long ago.
func longSince(now, at time.Time, d time.Duration) bool { return !at.IsZero() && now.Sub(at) >= d }

// keepAlive sends a PING when one is due. It keeps address translators open, measures the round
// trip, and detects a lost path.
func (c *Client) keepAlive(now time.Time, send func(wire.Kind, []byte)) time.Time {
	if c.sentPayload.Load() {
		c.sentPayload.Store(false)
		c.watch.lastPayload = now
	}
	if due := c.pingDue(now); now.Before(due) {
		return due
	}
	w := &c.watch
	w.lastPing = now
	if w.firstUnanswered.IsZero() {
		w.firstUnanswered = now
	}
	if w.firstUnheard.IsZero() {
		w.firstUnheard = now
	}
	ping := &w.pings[w.sent%len(w.pings)]
	w.sent++
	ping.at, ping.leftOut = now, c.counts.leftOut.Load()
	binary.BigEndian.PutUint64(ping.Data[:], uint64(now.UnixNano()))
	var buf [8]byte
	send(wire.KindPing, ping.AppendTo(buf[:0]))
	return c.pingDue(now)
}

// keepAliveEvery returns the longest time between two PINGs.
func (c *Client) keepAliveEvery() time.Duration {
	if idle := c.Idle(); c.paced && idle > 0 {
		return min(c.config.KeepAlive, idle/idlePings)
	}
	return c.config.KeepAlive
}

// pingDue returns when the next PING is due.
func (c *Client) pingDue(now time.Time) time.Time {
	w, probes, every := &c.watch, c.config.Probe > 0, c.keepAliveEvery()
	busy := now.Sub(w.lastPayload) < flowTime
	switch {
	case probes && !w.firstUnheard.IsZero():
		return w.lastPing.Add(max(probeInterval, 2*w.rtt))
	case !busy && probes:
		return earlier(w.lastPing.Add(every), now.Add(flowTime)) // and checks then whether payloads flow
	case !busy:
		return w.lastPing.Add(every)
	}
	due := w.lastPing.Add(every * 2 / 5)
	if probes {
		due = earlier(due, w.lastAccepted.Add(c.config.Probe))
	}
	return due
}

// pong measures the round trip and takes over the report and the times.
func (c *Client) pong(now time.Time, body []byte) (Reply, Event) {
	m, err := wire.ParsePong(body)
	w, n := &c.watch, c.counts
	if err != nil {
		return dropped(audit.DropMalformed)
	}
	ping := w.find(m.Data)
	if ping < 0 {
		return dropped(audit.DropState)
	}
	sent := w.pings[ping].at
	w.firstUnheard, w.anew = time.Time{}, false
	rtt := now.Sub(sent)
	if n.rtt > 0 {
		n.jitter += ((rtt - n.rtt).Abs() - n.jitter) / 16
	}
	n.rtt, w.rtt = rtt, min(rtt, longestRoundTrip)
	if idle := c.Idle(); idle > 0 {
		w.rtt = min(w.rtt, idle/idleRoundTrips)
	}
	if n.current != c { // a late one of the former connection's
		return Reply{}, Event{Kind: EventPong, RTT: rtt}
	}
	if m.Report {
		n.report(uint64(m.Lost), w.pings[ping].leftOut)
	}
	if m.Times && c.lanes != nil {
		n.clock.add(sent, now, m.Received, m.Sent)
	}
	return Reply{}, Event{Kind: EventPong, RTT: rtt}
}

// find returns which of the recent PINGs has these data, -1 for none.
func (w *watch) find(data [8]byte) int {
	for i := range min(w.sent, len(w.pings)) {
		if w.pings[i].Data == data {
			return i
		}
	}
	return -1
}

// pongOf returns the answer to a PING, with the report if the session has lanes.
func (c *Client) pongOf(ping []byte) Reply {
	if c.lanes == nil {
		return Reply{Kind: wire.KindPong, Body: ping}
	}
	m := wire.Pong{Data: [8]byte(ping), Report: true, Lost: saturate(c.lostIn())}
	return Reply{Kind: wire.KindPong, Body: m.AppendTo(c.lanes.pong.body[:0])}
}

// report takes over how many numbers the server misses, in answer to a PING before which leftOut
// numbers had been left out. A server that did not know the session before starts at 0.
func (n *counts) report(missing, leftOut uint64) {
	if n.fresh && missing < n.missing {
		n.lostOut += n.reported
		n.base = n.next
	}
	n.missing, n.fresh = missing, false
	n.reported = missing - min(missing, leftOut-min(leftOut, n.base))
}
