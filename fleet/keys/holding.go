package keys

import (
	"crypto/hpke"
	"crypto/rand"
	"slices"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// holding is a Holder without clock, file and carrier.
type holding struct {
	fleet    string
	identity voice
	ring     *fleetkey.Ring
	life     time.Duration // of a ticket
	// save, if set, keeps what a process that takes this one's place needs. Where it fails, the Keeper
	// is not told of the ring, so that it does not go on while an older one is on disk.
	save func(now time.Time) error

	instance instance
	former   instance
	private  hpke.PrivateKey
	public   [32]byte

	counter uint64
	sent    [remembered]time.Time // when the announcement of each counter was made

	has   version // in the ring
	saved version // and in the file, if there is one
	keys  []fleetkey.Key
	lease time.Time // end
	// The key of our own seals while there is no lease, and opens for life after that.
	own     fleetkey.Key
	ownUsed time.Time      // when it sealed last, or zero
	sealing bool           // one of the fleet's keys seals
	filled  []fleetkey.Key // what the ring has
	written time.Time      // lease that the file has
}

// begin makes the number and the keys of the instance, and fills the ring.
func (h *holding) begin(now time.Time) error {
	rand.Read(h.instance[:]) // never fails
	var err error
	if h.private, err = kem.GenerateKey(); err != nil {
		return err
	}
	copy(h.public[:], h.private.PublicKey().Bytes())
	h.sealing = h.leased(now)
	return h.fill(now)
}

// leased reports whether a key of the fleet may seal.
func (h *holding) leased(now time.Time) bool { return len(h.keys) > 0 && h.lease.After(now) }

// announce returns an announcement.
func (h *holding) announce(now time.Time, leaving bool) ([]byte, error) {
	h.counter++
	h.sent[h.counter%remembered] = now
	a := announcement{
		fleet: h.fleet, instance: h.instance, former: h.former, counter: h.counter, made: now,
		ring: h.saved, leaving: leaving, public: h.public,
	}
	body, err := a.append(nil)
	if err != nil {
		return nil, err
	}
	return h.identity.sign(kindAnnouncement, body)
}

// granted handles a message of the Keeper, and reports whether the ring has become another one.
func (h *holding) granted(now time.Time, b []byte) (changed bool, err error) {
	_, body, err := h.identity.open(kindGrant, b)
	if err != nil {
		return false, err
	}
	g, err := parseGrant(body)
	switch {
	case err != nil:
		return false, err
	case g.fleet != h.fleet:
		return false, errFleet
	case g.instance != h.instance:
		return false, errOther
	case g.counter == 0 || g.counter > h.counter:
		return false, errForm
	case g.ring.before(h.has):
		return false, errStale
	case g.ring != h.has && len(g.sealed) == 0:
		return false, errStale // it answers an announcement of ours that says more
	}
	if g.ring != h.has {
		if err := h.take(g); err != nil {
			return false, err
		}
		changed = true
	}
	if g.counter+remembered > h.counter {
		if end := h.sent[g.counter%remembered].Add(g.lease); end.After(h.lease) {
			h.lease = end
		}
	}
	if err := h.refresh(now, changed); err != nil {
		return changed, err
	}
	return changed, h.keep(now)
}

// take opens the ring in g.
func (h *holding) take(g grant) error {
	file, err := g.unseal(h.private, h.identity.name())
	if err != nil {
		return err
	}
	defer clear(file)
	keys, err := fleetkey.Parse(file)
	if err != nil || len(keys) == 0 || len(keys) > maxKeys {
		return errSealed
	}
	old := h.keys
	for i, k := range keys { // a key that stays goes on counting what it has sealed
		if at := slices.IndexFunc(old, func(o fleetkey.Key) bool { return o.ID() == k.ID() }); at >= 0 {
			k.Wipe()
			keys[i] = old[at]
		}
	}
	h.keys, h.has = keys, g.ring
	return nil
}

// refresh does what the time, or a new ring if changed, makes due.
func (h *holding) refresh(now time.Time, changed bool) error {
	sealing := h.leased(now)
	if !h.sealing {
		h.ownUsed = now
	}
	if over := !h.ownUsed.IsZero() && sealing && h.sealing && now.Sub(h.ownUsed) > h.life+lifeMargin; over {
		h.ownUsed, changed = time.Time{}, true
	}
	if sealing == h.sealing && !changed {
		return nil
	}
	h.sealing = sealing
	return h.fill(now)
}

// fill fills the ring, and erases what it has no more.
func (h *holding) fill(now time.Time) error {
	keys := slices.Clone(h.keys)
	switch {
	case !h.sealing:
		h.ownUsed = now
		if h.own.ID() == 0 || slices.ContainsFunc(keys, h.same) {
			own, err := fleetkey.Generate()
			if err != nil {
				return err
			}
			h.own = own
		}
		keys = slices.Insert(keys, 0, h.own)
	case !h.ownUsed.IsZero() && !slices.ContainsFunc(keys, h.same):
		keys = append(keys, h.own)
	default:
		h.own = fleetkey.Key{}
	}
	if err := h.ring.Set(keys...); err != nil {
		return err
	}
	for _, k := range h.filled {
		if !slices.ContainsFunc(keys, func(o fleetkey.Key) bool { return o.ID() == k.ID() }) {
			k.Wipe()
		}
	}
	h.filled = keys
	return nil
}

// same reports whether k has the id of our own key.
func (h *holding) same(k fleetkey.Key) bool { return k.ID() == h.own.ID() }

// keep saves what has changed: the ring at once, a longer lease once it is a quarter longer.
func (h *holding) keep(now time.Time) error {
	if h.save != nil && (h.saved != h.has || h.lease.Sub(h.written) > h.lease.Sub(now)/4) {
		if err := h.save(now); err != nil {
			return err
		}
		h.written = h.lease
	}
	h.saved = h.has
	return nil
}
