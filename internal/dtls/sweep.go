package dtls

import "time"

// sweeping is where a shard is in looking at time limits.
type sweeping struct {
	next     int       // place in table.order where it goes on
	at       time.Time // when it last did
	proofsAt time.Time // when half-open handshakes were last looked at
}

// Sweep looks at the time limits of as many connections as are due, so that
// each is seen once in a sweepInterval and no turn pays for all.
func (s *Shard) Sweep(now time.Time) {
	w := &s.sweeping
	if now.Before(s.waiting.patient) {
		w.at = now
		return
	}
	if now.Sub(w.proofsAt) >= SweepInterval {
		w.proofsAt = now
		s.Handshakes.sweep(now)
		if s == s.Endpoint.First() {
			s.Endpoint.watch(now)
		}
	}
	order := &s.Table.order
	elapsed := now.Sub(w.at)
	due := int(int64(len(*order)) * int64(elapsed) / int64(SweepInterval))
	switch {
	case elapsed >= SweepInterval:
		due, w.at = len(*order), now
	case due > 0:
		w.at = w.at.Add(SweepInterval * time.Duration(due) / time.Duration(len(*order)))
	}
	for range due {
		if len(*order) == 0 {
			return
		}
		if w.next >= len(*order) {
			w.next = 0
		}
		(*order)[w.next].User.Tick(now)
		w.next++
	}
}
