package machine

import (
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// watch is what a client knows of the path to its server.
type watch struct {
	lastAccepted    time.Time // last accepted datagram
	lastPayload     time.Time // when payloads were last seen to flow, either way
	lastPing        time.Time // last PING
	firstUnanswered time.Time // the first PING since heard; zero if there is none
	pings           [4]struct {
		wire.Ping
		at time.Time
	}
	sent int // PINGs
	rtt  time.Duration
}

func (w *watch) accept(now time.Time) { w.lastAccepted, w.firstUnanswered = now, time.Time{} }

// ClientStats is what is known of a session's traffic, on all its connections.
type ClientStats struct {
	RTT    time.Duration // the last one measured; 0 before
	Jitter time.Duration // mean difference between one RTT and the next, as RFC 3550 6.4.1 smooths it
	// LostIn are datagrams that the server has sent and that have not come, or too
	// late; LostOut are the client's own, as the server said with the last PONG.
	LostIn, LostOut uint64
}

// counts is what a session's connections count together.
type counts struct {
	accepted uint64
	rtt      time.Duration
	jitter   time.Duration
	lostOut  uint64 // on servers before this one
	reported uint64 // by this one
	fresh    bool   // no report has come on this connection
}

// Stats counts. It belongs to the receiving half.
func (c *Client) Stats() ClientStats {
	n := c.counts
	return ClientStats{
		RTT: n.rtt, Jitter: n.jitter,
		LostIn: c.window.Highest() - min(n.accepted, c.window.Highest()), LostOut: n.lostOut + n.reported,
	}
}

// Ask has the next Tick send a PING: the way to the server may have changed.
func (c *Client) Ask() { c.watch.lastPing = time.Time{} }

// Silent says whether the server has been silent for so long that it must be
// gone: the idle time that it named in WELCOME.
func (c *Client) Silent(now time.Time) bool {
	idle := time.Duration(c.limits.Idle) * time.Millisecond
	return c.state == live && idle > 0 && now.Sub(c.watch.lastAccepted) >= idle
}

// Lost says whether the path to the server has been lost: it has been asked, more
// than once, and does not answer.
func (c *Client) Lost(now time.Time) bool {
	w := &c.watch
	return c.state == live && c.config.Probe > 0 && !w.firstUnanswered.IsZero() && now.Sub(w.firstUnanswered) >= max(lostTime, 4*w.rtt)
}

// keepAlive sends a PING when one is due. It holds address translators open,
// measures the round trip, and finds out whether the path is lost.
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

func (c *Client) pingDue(now time.Time) time.Time {
	w, probes := &c.watch, c.config.Probe > 0
	busy := now.Sub(w.lastPayload) < flowTime
	switch {
	case probes && !w.firstUnanswered.IsZero():
		return w.lastPing.Add(max(probeInterval, 2*w.rtt))
	case !busy && probes:
		return earlier(w.lastPing.Add(c.config.KeepAlive), now.Add(flowTime)) // and looks then whether payloads flow
	case !busy:
		return w.lastPing.Add(c.config.KeepAlive)
	}
	due := w.lastPing.Add(c.config.KeepAlive * 2 / 5)
	if probes {
		due = earlier(due, w.lastAccepted.Add(c.config.Probe))
	}
	return due
}

// pong measures.
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

// asks says when the one of the last PINGs was sent that has these data, if any.
func (w *watch) sentAt(data [8]byte) (at time.Time, ok bool) {
	for i := range min(w.sent, len(w.pings)) {
		if w.pings[i].Data == data {
			return w.pings[i].at, true
		}
	}
	return at, false
}

// report takes what a server knows of loss. One that has not known the session
// before begins at 0.
func (n *counts) report(lost uint64) {
	if n.fresh && lost < n.reported {
		n.lostOut += n.reported
	}
	n.reported, n.fresh = lost, false
}
