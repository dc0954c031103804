package machine

import (
	"encoding/binary"
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
	pings           [4]struct {
		wire.Ping
		at time.Time
	}
	sent int // PINGs
	rtt  time.Duration
}

func (w *watch) accept(now time.Time) { w.lastAccepted, w.firstUnanswered = now, time.Time{} }

// ClientStats are counts of a session's traffic on all its connections.
type ClientStats struct {
	RTT    time.Duration // the last one measured; 0 before
	Jitter time.Duration // mean difference between successive RTTs, smoothed as in RFC 3550 6.4.1
	// LostIn counts the server's datagrams that have not arrived, or arrived too late. LostOut
	// counts the client's own, as the server reported with the last PONG.
	LostIn, LostOut uint64
}

// counts are shared by all connections of a session.
type counts struct {
	accepted uint64
	rtt      time.Duration
	jitter   time.Duration
	lostOut  uint64 // reported by former servers
	reported uint64 // by the current server
	fresh    bool   // no report has arrived on this connection
}

// Stats returns the counts. It belongs to the receiving half.
func (c *Client) Stats() ClientStats {
	n := c.counts
	return ClientStats{
		RTT: n.rtt, Jitter: n.jitter,
		LostIn: c.window.Highest() - min(n.accepted, c.window.Highest()), LostOut: n.lostOut + n.reported,
	}
}

// Ask has the next Tick send a PING, because the path to the server may have changed.
func (c *Client) Ask() { c.watch.lastPing = time.Time{} }

// Silent reports whether nothing has been accepted for the idle time that the server stated in
// WELCOME: the server must have ended the session.
func (c *Client) Silent(now time.Time) bool {
	idle := time.Duration(c.limits.Idle) * time.Millisecond
	return c.state == live && idle > 0 && now.Sub(c.watch.lastAccepted) >= idle
}

// Lost reports whether the path to the server is lost: several PINGs have not been answered.
func (c *Client) Lost(now time.Time) bool {
	w := &c.watch
	return c.state == live && c.config.Probe > 0 && !w.firstUnanswered.IsZero() && now.Sub(w.firstUnanswered) >= max(lostTime, 4*w.rtt)
}

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
	ping := &w.pings[w.sent%len(w.pings)]
	w.sent++
	ping.at = now
	binary.BigEndian.PutUint64(ping.Data[:], uint64(now.UnixNano()))
	var buf [8]byte
	send(wire.KindPing, ping.AppendTo(buf[:0]))
	return c.pingDue(now)
}

// pingDue returns when the next PING is due.
func (c *Client) pingDue(now time.Time) time.Time {
	w, probes := &c.watch, c.config.Probe > 0
	busy := now.Sub(w.lastPayload) < flowTime
	switch {
	case probes && !w.firstUnanswered.IsZero():
		return w.lastPing.Add(max(probeInterval, 2*w.rtt))
	case !busy && probes:
		return earlier(w.lastPing.Add(c.config.KeepAlive), now.Add(flowTime)) // and checks then whether payloads flow
	case !busy:
		return w.lastPing.Add(c.config.KeepAlive)
	}
	due := w.lastPing.Add(c.config.KeepAlive * 2 / 5)
	if probes {
		due = earlier(due, w.lastAccepted.Add(c.config.Probe))
	}
	return due
}

// pong measures the round trip and takes over the report.
func (c *Client) pong(now time.Time, body []byte) (Reply, Event) {
	m, err := wire.ParsePong(body)
	w, n := &c.watch, c.counts
	sent, known := w.sentAt(m.Data)
	if err != nil || !known {
		return dropped(audit.DropState)
	}
	rtt := now.Sub(sent)
	if n.rtt > 0 {
		n.jitter += ((rtt - n.rtt).Abs() - n.jitter) / 16
	}
	n.rtt, w.rtt = rtt, rtt
	if m.Report {
		n.report(uint64(m.Lost))
	}
	return Reply{}, Event{Kind: EventPong, RTT: rtt}
}

// sentAt returns when the recent PING with these data was sent, if there is one.
func (w *watch) sentAt(data [8]byte) (at time.Time, ok bool) {
	for i := range min(w.sent, len(w.pings)) {
		if w.pings[i].Data == data {
			return w.pings[i].at, true
		}
	}
	return at, false
}

// report takes over the server's count of lost datagrams. A server that did not know the session
// before starts at 0.
func (n *counts) report(lost uint64) {
	if n.fresh && lost < n.reported {
		n.lostOut += n.reported
	}
	n.reported, n.fresh = lost, false
}
