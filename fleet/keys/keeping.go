package keys

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// keeping is a Keeper without clock, store and carrier. Whoever changes it saves state before it
// sends what grantTo returns, and if that fails sends only what renews allows: what nobody was told may
// be lost in a crash.
type keeping struct {
	fleet        string
	identity     voice
	life, lease  time.Duration
	rotateEvery  time.Duration // negative: never by itself
	maxInstances int

	ring     version
	saved    version // the ring on disk
	ancestor uint64  // instances of this epoch, or of an earlier one, may have rings of other Keepers
	phase    Phase
	keys     []kept // in the order of the ring
	members  map[instance]*member
	gone     map[instance]departed // as long as something that they have said may be repeated

	ahead    version // a ring that an instance has and this Keeper has not made, or zero
	dirty    bool    // state has changed since it was saved
	everyone bool    // the ring has changed: each instance is to get it
	notes    []note  // for log and audit
	random   func() (fleetkey.Key, error)
}

// kept is a key of the ring.
type kept struct {
	key   fleetkey.Key
	role  Role
	since time.Time // when it began to seal, or was made
	until time.Time // RoleFormer: when it is dropped; zero while somebody may seal with it
}

// member is an instance that has been given a ring, or is about to be.
type member struct {
	id      string // SPIFFE
	public  [32]byte
	counter uint64
	has     version
	heard   time.Time     // its newest announcement
	lease   time.Duration // that it was given at most
	saved   time.Duration // the same on disk, zero if it is not there
}

// departed is an instance that is no member any more.
type departed struct {
	counter uint64    // of what it has said last
	at      time.Time // when it went
}

// note is something that an operator should know.
type note struct {
	alarm bool
	text  string
	args  []any
}

func (k *keeping) note(alarm bool, text string, args ...any) {
	k.notes = append(k.notes, note{alarm, text, args})
}

// found begins an epoch with one fresh key.
func (k *keeping) found(now time.Time) error {
	key, err := k.fresh()
	if err != nil {
		return err
	}
	k.ring = version{max(uint64(now.UnixMilli()), k.ancestor+1), 1}
	k.phase = PhaseSteady
	k.keys = []kept{{key: key, role: RoleSealing, since: now}}
	k.dirty, k.everyone = true, true
	return nil
}

// fresh returns a key whose id no other key of the ring has.
func (k *keeping) fresh() (fleetkey.Key, error) {
	for {
		key, err := k.random()
		if err != nil || !slices.ContainsFunc(k.keys, func(o kept) bool { return o.key.ID() == key.ID() }) {
			return key, err
		}
	}
}

// announced handles a message of an instance, and returns the number of the instance if it is to get
// a grant in answer.
func (k *keeping) announced(now time.Time, b []byte) (i instance, answer bool, err error) {
	id, body, err := k.identity.open(kindAnnouncement, b)
	if err != nil {
		return i, false, err
	}
	a, err := parseAnnouncement(body)
	switch {
	case err != nil:
		return i, false, err
	case a.fleet != k.fleet:
		return i, false, errFleet
	case now.Sub(a.made).Abs() > Skew:
		return i, false, errClock
	}
	m := k.members[a.instance]
	switch {
	case m != nil && (m.id != id || m.public != a.public):
		return i, false, errIdentity
	case m != nil && a.counter <= m.counter, m == nil && a.counter <= k.gone[a.instance].counter:
		return i, false, errReplay
	case k.foreign(a.ring):
		if k.ahead.before(a.ring) {
			k.ahead = a.ring
			k.note(true, ErrBehind.Error(), "service", id, "instance", a.instance.String())
		}
		return i, false, ErrBehind
	case a.leaving:
		if m != nil {
			m.counter = a.counter
			k.remove(now, a.instance, "it has left")
		}
		return i, false, nil
	}
	if m == nil {
		if former := k.members[a.former]; former != nil && former.id == id {
			former.counter = math.MaxUint64 // its process is over: what comes of it yet was held back
			k.remove(now, a.former, "a new process has taken its place")
		}
		if len(k.members) >= k.maxInstances {
			return i, false, errFull
		}
		m = &member{id: id, public: a.public}
		k.members[a.instance] = m
		delete(k.gone, a.instance)
	}
	if m.lease < k.lease { // a new instance's is zero: it is on disk before it is given anything
		m.lease, k.dirty = k.lease, true
	}
	m.counter, m.heard, m.has = a.counter, now, a.ring
	return a.instance, true, nil
}

// foreign reports whether an instance with that ring has it from elsewhere.
func (k *keeping) foreign(v version) bool {
	return v.epoch > k.ancestor && (v.epoch != k.ring.epoch || v.revision > k.ring.revision)
}

// remove leaves out an instance, which seals with nothing of ours from now on. What it has said until
// then brings it back no more, or a broker that repeats it could have each step wait for a lease.
func (k *keeping) remove(now time.Time, i instance, why string) {
	m := k.members[i]
	k.note(false, "an instance gets no more fleet keys", "service", m.id, "instance", i.String(), "because", why)
	if k.gone == nil {
		k.gone = map[instance]departed{}
	}
	k.gone[i] = departed{m.counter, now}
	delete(k.members, i)
	k.dirty = true
}

// over returns when the lease of m is over for certain, though its clock is slow by a sixty-fourth.
func (m *member) over() time.Time { return m.heard.Add(m.lease + m.lease/64 + time.Second) }

// leaveOut leaves out instances that the policy does not let have keys any more.
func (k *keeping) leaveOut(now time.Time) {
	for i, m := range k.members {
		if !k.identity.permits(m.id) {
			k.remove(now, i, "the policy does not let it have them any more")
		}
	}
}

// advance does what it is time for.
func (k *keeping) advance(now time.Time) {
	k.leaveOut(now)
	for i, m := range k.members {
		if m.over().Before(now) {
			k.remove(now, i, "it was silent until its lease was over")
		}
	}
	maps.DeleteFunc(k.gone, func(_ instance, d departed) bool { return now.Sub(d.at) > 2*Skew })
	if k.ahead != (version{}) {
		return
	}
	switch {
	case k.phase == PhaseSpread && k.all():
		k.turn(now)
	case k.phase == PhaseSwitch && k.all():
		k.settle(now)
	}
	if k.drop(now) {
		k.change()
	}
	if k.rotateEvery > 0 && !k.keys[0].since.Add(k.rotateEvery).After(now) {
		_ = k.rotate(now) // busy: when that is over
	}
}

// all reports whether each instance has the ring.
func (k *keeping) all() bool {
	for _, m := range k.members {
		if m.has != k.ring {
			return false
		}
	}
	return true
}

// change says that the ring has become another one.
func (k *keeping) change() {
	k.ring.revision++
	k.dirty, k.everyone = true, true
}

// rotate makes the next key, which nobody seals with yet.
func (k *keeping) rotate(now time.Time) error {
	if k.ahead != (version{}) {
		return ErrBehind
	}
	if k.phase == PhaseSpread || k.phase == PhaseSwitch || len(k.keys) == maxKeys {
		return ErrBusy
	}
	k.leaveOut(now)
	key, err := k.fresh()
	if err != nil {
		return err
	}
	k.keys = slices.Insert(k.keys, 1, kept{key: key, role: RoleNext, since: now})
	k.phase = PhaseSpread
	k.change()
	k.note(false, "a fleet key was made, and goes to each server before it seals", "key", keyID(key))
	return nil
}

// turn has the next key seal. Everybody has it.
func (k *keeping) turn(now time.Time) {
	former, next := k.keys[0], k.keys[1]
	former.role, next.role, next.since = RoleFormer, RoleSealing, now
	k.keys[0], k.keys[1] = next, former
	k.phase = PhaseSwitch
	k.change()
	k.note(false, "every server has the next fleet key, and it seals from now on", "key", keyID(next.key))
}

// settle notes that nobody seals with a former key any more.
func (k *keeping) settle(now time.Time) {
	k.phase = PhaseDrain
	for i := range k.keys {
		if f := &k.keys[i]; f.role == RoleFormer && f.until.IsZero() {
			f.until = now.Add(k.life + lifeMargin)
			k.note(false, "no server seals with the former fleet key any more", "key", keyID(f.key), "dropped", f.until.UTC())
		}
	}
	k.dirty = true
}

// drop drops the former keys whose tickets have all expired, and reports whether there were any.
func (k *keeping) drop(now time.Time) (changed bool) {
	k.keys = slices.DeleteFunc(k.keys, func(f kept) bool {
		over := f.role == RoleFormer && !f.until.IsZero() && !f.until.After(now)
		if over {
			k.note(false, "a fleet key was dropped and erased", "key", keyID(f.key))
			f.key.Wipe()
		}
		changed = changed || over
		return over
	})
	if k.phase == PhaseDrain && len(k.keys) == 1 {
		k.phase, k.dirty = PhaseSteady, true
	}
	return changed
}

// emergency drops all keys at once, and begins an epoch.
func (k *keeping) emergency(now time.Time) (Loss, error) {
	var l Loss
	k.leaveOut(now)
	old := k.keys
	k.ancestor = max(k.ancestor, k.ring.epoch, k.ahead.epoch)
	if err := k.found(now); err != nil {
		return l, err
	}
	for _, f := range old {
		l.Dropped = append(l.Dropped, f.key.ID())
		f.key.Wipe()
	}
	k.ahead = version{}
	l.Sealing, l.Instances = k.keys[0].key.ID(), len(k.members)
	k.note(true, "all fleet keys were dropped at once: "+l.String(), "key", keyID(k.keys[0].key))
	return l, nil
}

// written notes that what state returns is on disk.
func (k *keeping) written() {
	k.saved, k.dirty = k.ring, false
	for _, m := range k.members {
		m.saved = m.lease
	}
}

// renews reports whether instance i gets another lease although state cannot be saved: it has the ring
// on disk, which no emergency has ended, and is there itself with such a lease.
func (k *keeping) renews(i instance) bool {
	m := k.members[i]
	return k.ahead == (version{}) && k.saved.epoch == k.ring.epoch && m.has == k.saved && m.saved >= k.lease
}

// grantTo returns what instance i is to be told now: the whole ring, as it is on disk, unless it has that.
func (k *keeping) grantTo(i instance) ([]byte, error) {
	m := k.members[i]
	g := grant{fleet: k.fleet, instance: i, counter: m.counter, ring: k.saved, lease: k.lease}
	if m.has != k.saved {
		file, err := k.file()
		if err != nil {
			return nil, err
		}
		err = g.seal(m.public, m.id, file)
		clear(file)
		if err != nil {
			return nil, err
		}
	}
	body, err := g.append(nil)
	if err != nil {
		return nil, err
	}
	return k.identity.sign(kindGrant, body)
}

// file is the ring as a key file, which the caller clears.
func (k *keeping) file() (file []byte, err error) {
	file = make([]byte, 0, maxKeys*128) // no copy is left behind
	for _, f := range k.keys {
		line, err := f.key.Text()
		if err != nil {
			clear(file)
			return nil, err
		}
		file = append(file, line...)
		clear(line)
	}
	return file, nil
}
