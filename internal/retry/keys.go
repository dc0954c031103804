package retry

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"
)

// Keys are what tokens are made with: the present one, and the one before it. They are made at
// random, are kept nowhere else, and are forgotten after four minutes. Keys are safe for concurrent use.
type Keys struct {
	pair atomic.Pointer[[2]key] // the newest first; constant once stored
	mu   sync.Mutex             // held by whoever makes a new one
}

// key is good for what is made in one period.
type key struct {
	period int64
	secret [32]byte
}

// periodOf returns the period that a time in seconds lies in.
func periodOf(seconds int64) int64 { return seconds / period }

// at returns the key of the period that a time in seconds lies in, and makes it if that is the first
// of it. It returns nil for a time that is over.
func (k *Keys) at(seconds int64) *key {
	p := periodOf(seconds)
	pair := k.pair.Load()
	if pair == nil || pair[0].period < p {
		pair = k.renew(p)
	}
	for i := range pair {
		if pair[i].period == p {
			return &pair[i]
		}
	}
	return nil
}

// known returns the key of a period, nil if there is none.
func (k *Keys) known(p int64) *key {
	pair := k.pair.Load()
	if pair == nil {
		return nil
	}
	for i := range pair {
		if pair[i].period == p {
			return &pair[i]
		}
	}
	return nil
}

// renew makes the key of a period.
func (k *Keys) renew(p int64) *[2]key {
	k.mu.Lock()
	defer k.mu.Unlock()
	pair := k.pair.Load()
	if pair != nil && pair[0].period >= p {
		return pair // another shard has
	}
	next := [2]key{{period: p}}
	rand.Read(next[0].secret[:]) // never fails
	if pair != nil {
		next[1] = pair[0]
	} else {
		next[1].period = -1 // none
	}
	k.pair.Store(&next)
	return &next
}

// Age has a new key made once the present one has had its time, and so the one before it forgotten,
// though nobody asks for a token. Call it now and then.
func (k *Keys) Age(now time.Time) {
	if k.pair.Load() != nil {
		k.at(now.Unix())
	}
}
