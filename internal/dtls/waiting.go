package dtls

import "time"

// waiting tells how long a shard's datagrams have waited for their turn, from the
// time at which the kernel, or the socket's reader, received each. A stall of the
// server's own is therefore not taken for the doing of the players who were not
// read meanwhile.
//
// Stamps are the system's clock's, which may step. A datagram has never waited
// for longer than since the turn before, which read everything that had come; and
// when the clock has been stepped since, none counts as having waited: then it is
// as if the player had been silent.
type waiting struct {
	now, system func() time.Time // Config.Now and Config.Wall, constant

	stamp   int64         // of the datagram that is being handled; 0 if unknown
	wall    int64         // the system's clock when last looked at, Unix ns
	ahead   int64         // ns by which it was ahead of the server's then
	stepped bool          // stamps are not to be believed
	gap     time.Duration // from the turn before, or the socket's beginning, until then
	turned  time.Time     // when the last turn began that read everything

	ran     time.Time // when the last turn began
	patient time.Time // until when no time limits are looked at
}

// note is called as each turn begins and whenever clocks are looked at in it. After a
// gap of stallTime or more nobody is put out by a time limit until the players have
// had the time to be heard.
func (w *waiting) note(now time.Time) {
	if now.Sub(w.ran) >= StallTime && now.Sub(w.patient) >= StallPause {
		w.patient = now.Add(StallPatience)
	}
}

// look reads the clocks, after something has been received and before it is handled: what has come
// while the shard stood still has not come at one instant.
func (w *waiting) look() (now time.Time) {
	now = w.now()
	w.note(now)
	w.begin(now, w.system())
	return now
}

// begin is called after something has been received, with both clocks as they are then.
func (w *waiting) begin(now, wall time.Time) {
	w.wall = wall.UnixNano()
	w.gap = now.Sub(w.turned)
	ahead := w.wall - now.UnixNano()
	step := time.Duration(ahead - w.ahead).Abs()
	if step > clockStep+w.gap/clockSlew {
		w.stepped = true
	}
	w.ahead = ahead
}

// emptied is called when everything has been read that had come when the turn began:
// what comes later is stamped by the clock as it is since its last step.
func (w *waiting) emptied(began time.Time) { w.turned, w.stepped = began, false }

// Waited is how long the datagram that the shard handles has waited for its turn, 0 outside one.
func (s *Shard) Waited() time.Duration { return s.waiting.waited() }

// waited is how long the datagram that is being handled has waited, 0 or more.
func (w *waiting) waited() time.Duration {
	if w.stamp == 0 || w.stepped {
		return 0
	}
	return min(max(time.Duration(w.wall-w.stamp), 0), w.gap)
}
