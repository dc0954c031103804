package machine

import "maps"

// expiring is a map of at most most entries by revocationKey, each of which expires.
type expiring[E entry[E]] struct {
	most    int
	entries map[[32]byte]E
	soonest int64 // no entry expires before, Unix ns; so a full map is not searched for each addition
}

// entry is a value of an expiring map.
type entry[E any] interface {
	expiry() int64 // Unix ns
	merge(old E) E // the entry for both; old is the zero value if there was none
}

// add merges e into the entry of key. It reports false, and adds nothing, if there is no room even
// without the expired entries.
func (m *expiring[E]) add(key [32]byte, e E, now int64) bool {
	if _, known := m.entries[key]; !known && len(m.entries) >= m.most && !m.makeRoom(now) {
		return false
	}
	m.restore(key, e)
	return true
}

// makeRoom removes the expired entries, and reports whether there is room.
func (m *expiring[E]) makeRoom(now int64) bool {
	if now < m.soonest {
		return false
	}
	soonest := int64(never)
	maps.DeleteFunc(m.entries, func(_ [32]byte, e E) bool {
		if e.expiry() <= now {
			return true
		}
		soonest = min(soonest, e.expiry())
		return false
	})
	m.soonest = soonest
	return len(m.entries) < m.most
}

// restore merges e into the entry of key, whether or not there is room.
func (m *expiring[E]) restore(key [32]byte, e E) {
	if m.entries == nil {
		m.entries = make(map[[32]byte]E)
	}
	e = e.merge(m.entries[key])
	m.entries[key] = e
	m.soonest = min(m.soonest, e.expiry())
}

// lookup returns the entry of key and reports whether it is there and has not expired.
func (m *expiring[E]) lookup(key [32]byte, now int64) (E, bool) {
	e, ok := m.entries[key]
	return e, ok && now < e.expiry()
}
