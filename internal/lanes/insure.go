package lanes

import "time"

const (
	// lossSeen is the share of lost datagrams from which on short messages are repeated: one in the
	// last 250 or so.
	lossSeen = 1.0 / 256

	// lossHeavy is the share from which on they are repeated twice: with one repetition, one message
	// in a hundred would still wait for a retransmission.
	lossHeavy = 0.07

	// insureShare is the part of the rate that repetitions take at most while lanes of the last
	// priority wait for it: on a slow line they would otherwise cost half of a bulk transfer.
	insureShare = 1.0 / 12

	// insureBurst is how many bytes of repetitions may follow each other then: a message's, twice.
	insureBurst = 2 * maxInsured
)

// A repeat is a short reliable message that is sent again before anything is known of it.
type repeat struct {
	m    *outgoing // which it holds
	at   time.Duration
	left uint8
}

// repeats are what waits for its repetition, and what repetitions may cost while others wait.
type repeats struct {
	list  ring[repeat]
	bytes float64       // which may be repeated now
	at    time.Duration // when bytes was right
}

// afford reports whether n bytes more fit the share of the rate, and takes them from it.
func (r *repeats) afford(now time.Duration, rate float64, n int) bool {
	r.bytes = min(insureBurst, r.bytes+insureShare*rate*(now-r.at).Seconds())
	r.at = now
	if r.bytes < float64(n) {
		return false
	}
	r.bytes -= float64(n)
	return true
}

func (r *repeats) due() time.Duration {
	for r.list.len() > 0 && r.list.at(0).m.done {
		r.list.at(0).m.release()
		r.list.pop()
	}
	if r.list.len() == 0 {
		return never
	}
	return r.list.at(0).at
}

// insure lets m be repeated in the next one or two datagrams that leave a little later.
func (e *Endpoint) insure(now time.Duration, m *outgoing) {
	if e.flight.loss < lossSeen || len(m.payload.b) > maxInsured || e.repeats.list.len() >= maxRepeats {
		return
	}
	copies := uint8(1)
	if e.flight.loss > lossHeavy {
		copies = 2
	}
	if e.pace.starved != 0 && e.waiting(^e.table.background) && !e.repeats.afford(now, e.pace.rate(e.rtt.smoothed()), int(copies)*len(m.payload.b)) {
		return
	}
	m.holds++
	e.repeats.list.push(repeat{m: m, at: now + repeatAfter, left: copies})
}

// appendRepeats appends what is due to be repeated.
func (e *Endpoint) appendRepeats(k *packer) {
	for range e.repeats.list.len() {
		if e.repeats.due() > k.now {
			return
		}
		r := *e.repeats.list.at(0)
		if !e.appendPart(k, r.m, 0) {
			return
		}
		e.repeats.list.pop()
		if r.left--; r.left == 0 {
			r.m.release()
			continue
		}
		r.at = k.now + repeatAfter
		e.repeats.list.push(r)
	}
}
