package transport

import "github.com/sallyport/sallyport/session"

// Use refuses from now on what other servers of the fleet have used up, as session.Config.OnUsed has
// reported it there, with the reason that they would give; it returns how many live sessions it has
// ended here. Sessions that were put out end with their next datagram, and so does what is left here
// of a session that was resumed elsewhere, without a CLOSE. What this server has reported itself,
// and what is repeated, late or out of order, changes nothing.
//
// Use is meant for a feed that brings thousands a second. It may be called at any time after Listen.
func (s *Server) Use(used ...session.Used) (ended int) {
	return s.gate.Use(s.clock.now(), used...)
}
