package machine

import "sync/atomic"

// pongs are what a session with lanes has beyond others in PONG, at the server.
type pongs struct {
	body [8 + 4 + 16]byte // the last PONG

	// The client's report has the numbers that were left out among those missing.
	leftOut atomic.Uint64 // of the session; the sending half's
	then    uint64        // leftOut when the PING was made whose PONG is awaited
	before  uint64        // what the client had missed before the session came to this server
	known   bool          // before is known
	lost    uint64        // datagrams to the client, as of its last report
}

// follow goes on from the connection on which the session has lived.
func (p *pongs) follow(former *pongs) {
	p.leftOut.Add(former.leftOut.Load())
	p.before, p.known, p.lost = former.before, former.known, former.lost
}

// asked notes that a PING is about to leave. Whoever answers it has a number above all that have been
// left out by now.
func (p *pongs) asked() { p.then = p.leftOut.Load() }

// report takes how many numbers the client misses.
func (p *pongs) report(missing uint64) {
	missing -= min(missing, p.then)
	if !p.known { // the session has come from elsewhere
		p.before, p.known = missing, true
	}
	p.lost = missing - min(missing, p.before)
}

// LeaveOut uses up the next sequence without sending it. It belongs to the sending half.
func (c *Conn) LeaveOut() {
	c.sequence++
	if l := c.lanes; l != nil {
		l.pong.leftOut.Add(1)
	}
}

// LeaveOut uses up the next sequence without sending it. It belongs to the sending half.
func (c *Client) LeaveOut() {
	c.sequence++
	c.counts.leftOut.Add(1)
}
