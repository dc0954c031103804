package lanes

import "time"

// A reorder says how late a datagram may be before it counts as lost: as in RFC 9002, and wider
// where datagrams that had been counted as lost have come, as in RFC 8985.
type reorder struct {
	packets int           // as many later ones must have been acknowledged
	extra   time.Duration // at least so much beyond an RTT
	rounds  int           // round trips since it was widened
}

const (
	packetThreshold = 3   // RFC 9002, 6.1.1
	maxThreshold    = 256 // a quarter of MaxWindow: what is lost must be found while the window is open
	timeFraction    = 8   // an eighth of the RTT
	keepWide        = 16  // round trips: RFC 8985, 7.2
)

func (r *reorder) begin() { *r = reorder{packets: packetThreshold} }

// window returns for how long after an RTT a datagram may still come.
func (r *reorder) window(rtt time.Duration) time.Duration { return max(rtt/timeFraction, r.extra) }

// late notes that a datagram came after it had been counted as lost, with so many later ones before
// it and so much longer after its sending than an RTT.
func (r *reorder) late(distance int, excess, rtt time.Duration) {
	r.packets = min(max(r.packets, distance+1), maxThreshold)
	r.extra = min(max(r.extra, excess+excess/4), rtt)
	r.rounds = 0
}

// round notes the end of a round trip.
func (r *reorder) round() {
	if r.rounds++; r.rounds >= keepWide {
		r.begin()
	}
}
