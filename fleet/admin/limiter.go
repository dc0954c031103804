package admin

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter bounds requests, of each service and of all together.
type limiter struct {
	perSecond int // of one service; constant

	all    *bucket
	others *bucket // shared by services that find no room in peers

	mu sync.Mutex
	// +checklocks:mu
	peers map[string]*bucket // by SPIFFE id
}

// bucket has the requests that may be made now, and one line a second about those that may not.
type bucket struct {
	requests, lines *rate.Limiter
	own             *rate.Limiter // what a service has even while all together ask too much
}

func newLimiter(peer, all int) *limiter {
	return &limiter{perSecond: peer, all: newBucket(all), others: newBucket(peer), peers: make(map[string]*bucket)}
}

func newBucket(perSecond int) *bucket {
	return &bucket{
		requests: rate.NewLimiter(rate.Limit(perSecond), burstSeconds*perSecond), lines: rate.NewLimiter(1, 1),
		own: rate.NewLimiter(ownPerSecond, burstSeconds*ownPerSecond),
	}
}

// take takes a request of a service, and returns why it cannot and whether that is worth a line. It
// takes none from all of them for one that is refused, so one service cannot use up what there is
// for the others. Several can, so each has a few of its own.
func (l *limiter) take(id string, now time.Time) (problem *Problem, tell bool) {
	b := l.peer(id, now)
	if !b.requests.AllowN(now, 1) {
		return problemRate, b.lines.AllowN(now, 1)
	}
	if !l.all.requests.AllowN(now, 1) && !b.own.AllowN(now, 1) {
		return problemBusy, l.all.lines.AllowN(now, 1)
	}
	return nil, true
}

// peer returns the bucket of a service. One that is full again is forgotten to make room: a new one
// is the same.
func (l *limiter) peer(id string, now time.Time) *bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.peers[id]; ok {
		return b
	}
	if len(l.peers) >= maxPeers {
		for other, b := range l.peers {
			if b.full(now) {
				delete(l.peers, other)
			}
		}
	}
	if len(l.peers) >= maxPeers {
		return l.others
	}
	b := newBucket(l.perSecond)
	l.peers[id] = b
	return b
}

// full reports whether all requests that there may be are there.
func (b *bucket) full(now time.Time) bool {
	return b.requests.TokensAt(now) >= float64(b.requests.Burst()) && b.own.TokensAt(now) >= float64(b.own.Burst())
}
