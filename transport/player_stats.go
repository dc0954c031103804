package transport

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
)

// PlayerStats is what is known of a player's traffic.
type PlayerStats struct {
	Received uint64 // datagrams that passed every check
	Sent     uint64 // datagrams to the player; with lanes also the numbers left out, one in about 256

	// Lost counts datagrams from the player that have not arrived, or arrived too late; with lanes
	// also the numbers that the player's client has left out, one in about 256.
	Lost uint64
	// LostOut counts datagrams to the player that have not arrived, or arrived too late, without
	// numbers left out: as of the client's last report, and what the lanes have lost since. Without
	// lanes it is 0, because nothing is known; without session.Config.Ping the lanes alone tell, and
	// only while messages flow. After the session has come from another server it counts from the
	// first report.
	LostOut uint64

	// RTT is the smoothed time to the player and back, as the lanes measure it, and Jitter its mean
	// deviation. Without lanes, and before a message has been acknowledged, RTT is that of the last
	// PING, and Jitter the mean difference between one and the next; both are 0 before the first,
	// and without session.Config.Ping.
	RTT, Jitter time.Duration

	// Rate is how many bytes a second the lanes may send at most as the path is now, headers of IP
	// and UDP included. Queued is how many bytes of messages on all lanes have neither arrived nor
	// been given up. Both are 0 without lanes.
	Rate, Queued int

	// Prefix is the network that the player's datagrams come from.
	Prefix netip.Prefix
	// Doubt is what was recorded of the player's fingerprint or behaviour.
	Doubt Doubt
}

// Stats returns what is known of the player's traffic. Unlike the other methods it belongs to the
// goroutine that calls the Handler for this player.
func (p *Player) Stats() PlayerStats {
	p.shard.Out.Mu.Lock() // Sent is the sending half's, and so are the lanes
	defer p.shard.Out.Mu.Unlock()
	c := p.conn
	of := c.session.Stats()
	s := PlayerStats{
		Received: of.Accepted, Lost: of.Lost, Sent: of.Sent, LostOut: of.LostOut, RTT: of.RTT, Jitter: of.Jitter,
		Prefix: prefixOf(c.Addr), Doubt: doubtOf(of.Doubt),
	}
	if m := p.messages; m != nil {
		m.addTo(&s)
	}
	return s
}

// addTo adds what the lanes know.
func (m *messages) addTo(s *PlayerStats) {
	e := m.endpoint
	lost, _ := e.Lost()
	s.LostOut += lost - min(lost, m.reported)
	if rtt, deviation := e.RTT(); rtt > 0 {
		s.RTT, s.Jitter = rtt, deviation
	}
	s.Rate, s.Queued = e.Rate(), queued(e)
}

// queued returns how many bytes of messages have neither arrived nor been given up.
func queued(e *lanes.Endpoint) (bytes int) {
	for lane := range e.Lanes() {
		_, n := e.Pending(lane)
		bytes += n
	}
	return bytes
}
