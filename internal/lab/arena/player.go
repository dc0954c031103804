package arena

import "math"

// sender is where a player's snapshots go: a *transport.Player. What cannot be sent is a lost datagram.
type sender interface {
	Send(payload []byte) error
}

// player is one player in the square.
type player struct {
	conn  sender // constant
	lanes laned  // constant; nil where there can be none
	body  Body   // as shown; x and y are exact
	x, y  float64
	place int // in Arena.players

	delivered uint64 // datagrams
	newest    Input  // the one that steers

	viewed viewed
	score  uint32 // things picked up
}

// hasLanes reports whether the player has lanes now: a client may go on without them.
func (p *player) hasLanes() bool { return p.lanes != nil && p.lanes.HasLanes() }

// receive judges a datagram: each counts, only a newer and possible input steers.
func (p *player) receive(payload []byte) {
	p.delivered++
	in, err := ParseInput(payload)
	if err != nil || in.Number <= p.newest.Number || !in.possible() {
		return
	}
	p.newest = in
}

// move lets a tick of so many seconds pass.
func (p *player) move(seconds float64) {
	x, y := p.newest.velocity()
	p.x = min(max(p.x+x*seconds, 0), Side)
	p.y = min(max(p.y+y*seconds, 0), Side)
	p.body.X, p.body.Y = uint16(math.Round(p.x)), uint16(math.Round(p.y))
}
