package token

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// A budget lets something happen once in every, and burst times at once. It counts by one instant: when it will be
// whole again.
type budget struct {
	every time.Duration
	burst int
	whole time.Time
}

func (b *budget) take(now time.Time) bool {
	if b.whole.Before(now) {
		b.whole = now
	}
	if b.whole.Sub(now) > time.Duration(b.burst-1)*b.every {
		return false
	}
	b.whole = b.whole.Add(b.every)
	return true
}

// giveBack undoes a take that came to nothing.
func (b *budget) giveBack() { b.whole = b.whole.Add(-b.every) }

// An absent remembers, for absentLife, names of keys that a fetch has shown not to exist. There are two generations of
// maxAbsent names: when the young one is full, the old one is forgotten.
type absent struct {
	young, old map[string]time.Time // when to forget
}

func (a *absent) add(kid string, now time.Time) {
	if a.young == nil || len(a.young) >= maxAbsent {
		a.young, a.old = map[string]time.Time{}, a.young
	}
	a.young[kid] = now.Add(absentLife)
}

func (a *absent) has(kid string, now time.Time) bool {
	return now.Before(a.young[kid]) || now.Before(a.old[kid])
}

// jitter returns at random between nine tenths of d and d.
func jitter(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return d - time.Duration(binary.BigEndian.Uint64(b[:])%uint64(d/10+1))
}
