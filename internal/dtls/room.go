package dtls

import "time"

// kept is places that other shards have let go for newcomers to this one. They are kept for roomTime,
// or those who fill those shards would take them.
type kept struct {
	places  int
	since   time.Time // when the last of them was let go
	askedAt time.Time // when another shard was last asked for one
}

// add keeps one more.
func (k *kept) add(now time.Time) {
	k.places++
	k.since = now
}

// mayAsk reports whether another shard may be asked again.
func (k *kept) mayAsk(now time.Time) bool { return now.Sub(k.askedAt) >= askInterval }

// take takes one of them if there is one.
func (k *kept) take(a *admission) bool {
	if k.places == 0 {
		return false
	}
	k.places--
	a.kept.Add(-1)
	return true
}

// giveBack gives those back for which nobody has come.
func (k *kept) giveBack(now time.Time, a *admission) {
	for now.Sub(k.since) >= roomTime && k.take(a) {
		a.give()
	}
}

// room takes a place for a handshake, or that of a handshake which goes for it. Where
// the other shards hold them all, the one that holds most is asked to let one go, for
// when the datagram comes again. So it is where that one holds far more than this one: who
// fills the one does not have newcomers to the other put each other out.
func (h *Handshakes) room(now time.Time, by newcomer) bool {
	if a := h.shard.Endpoint.admission; h.kept.take(a) || a.take() {
		return true
	}
	o, other := h.dispensable(now, by), h.shard.Endpoint.busiest()
	ask := other != h.shard && h.kept.mayAsk(now)
	if ask && o != nil {
		ask = o.proven() && other.Handshakes.tally.underway.Load() > 2*h.tally.underway.Load()+fewHandshakes
	}
	switch {
	case ask:
		h.kept.askedAt = now
		other.Post(makeRoom{other, h.shard, by})
		return false
	case o != nil:
		o.evict()
		return true
	}
	return false
}

// makeRoom asks a shard to let a handshake go for a newcomer to another one.
type makeRoom struct {
	shard, newcomers *Shard
	by               newcomer
}

func (m makeRoom) Deliver(now time.Time) {
	if o := m.shard.Handshakes.dispensable(now, m.by); o != nil {
		o.evict()
		m.shard.Endpoint.admission.kept.Add(1)
		m.newcomers.Post(place{m.newcomers})
	}
}

// place is a place that another shard has let go.
type place struct{ shard *Shard }

func (m place) Deliver(now time.Time) { m.shard.Handshakes.kept.add(now) }
