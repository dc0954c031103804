package netsim

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// link is one direction between two addresses. Its line's lock guards it.
type link struct {
	rand   *rand.Rand
	last   time.Time   // no later datagram is due before
	orders uint64      // given out so far
	held   []*datagram // to be overtaken by the next datagram
}

func newLink(seed, stream uint64) *link {
	return &link{rand: rand.New(rand.NewPCG(seed, stream))}
}

// outcome is what became of a datagram.
type outcome uint8

const (
	delivered outcome = iota
	unreachable
	overflowed
	lost
	tailDropped
	flying // not due yet
)

// line keeps datagrams until they are due, then hands each to arrive.
type line struct {
	arrive func(*datagram) outcome // called in order of due time, with mu held; must not block

	callbacks sync.WaitGroup // the timer while it is armed or its function runs; close waits

	mu sync.Mutex
	// +checklocks:mu
	stats Stats
	// +checklocks:mu
	flight flight
	// +checklocks:mu
	timer *time.Timer // armed for flight[0]; nil until something has to wait
	// +checklocks:mu
	closed bool
}

// send takes d over a bottleneck and a link, and reports false if one of them drops it.
//
// +checklocks:l.mu
func (l *line) send(k *link, b *bottleneck, im Impairment, d *datagram) bool {
	l.stats.Sent++
	if l.closed {
		l.stats.Unreachable++
		return true
	}
	now := time.Now()
	o := l.take(now, k, b, im, d)
	l.count(o)
	l.land(now)
	return o == flying
}

// take lets a bottleneck and a link decide what happens to d, which comes to them at now. The fate
// is drawn first: what the bottleneck drops does not shift the fates of others.
//
// +checklocks:l.mu
func (l *line) take(now time.Time, k *link, b *bottleneck, im Impairment, d *datagram) outcome {
	f := im.roll(k.rand, len(d.data))
	behind, ok := b.pass(now, im, packetSize(len(d.data), cmp.Or(d.to, d.from).Addr()))
	if !ok {
		return tailDropped
	}
	if f.lost {
		return lost
	}
	if f.flipped {
		d.data[f.bit/8] ^= 1 << (f.bit % 8)
		l.stats.Corrupted++
	}
	l.launch(k, f, behind.Add(f.delay), d)
	return flying
}

// launch puts d, and its copy if there is one, in flight.
//
// +checklocks:l.mu
func (l *line) launch(k *link, f fate, due time.Time, d *datagram) {
	if due.Before(k.last) {
		due = k.last
	}
	d.due, k.last = due, due
	switch {
	case f.held && f.late > 0:
		d.due = due.Add(f.late)
		l.stats.Reordered++
	case f.held:
		d.due = due.Add(maxHold)
		k.held = append(k.held, d)
		l.stats.Reordered++
	}
	l.push(k, d)
	if f.twice {
		l.stats.Duplicated++
		l.push(k, &datagram{from: d.from, to: d.to, data: slices.Clone(d.data), due: due, last: d.last})
	}
	if !f.held {
		l.release(k, due)
	}
}

// +checklocks:l.mu
func (l *line) push(k *link, d *datagram) {
	k.orders++
	d.order = k.orders
	heap.Push(&l.flight, d)
}

// release lets those held back arrive right behind the datagram that has just been pushed for due.
//
// +checklocks:l.mu
func (l *line) release(k *link, due time.Time) {
	for _, d := range k.held {
		if d.index >= 0 && due.Before(d.due) {
			k.orders++
			d.due, d.order = due, k.orders
			heap.Fix(&l.flight, d.index)
		}
	}
	clear(k.held)
	k.held = k.held[:0]
}

// land delivers everything due by now and arms the timer for what comes next.
//
// +checklocks:l.mu
func (l *line) land(now time.Time) {
	for len(l.flight) > 0 && !l.flight[0].due.After(now) {
		l.deliver(heap.Pop(&l.flight).(*datagram))
	}
	if len(l.flight) > 0 {
		l.arm(l.flight[0].due.Sub(now))
	}
}

// +checklocks:l.mu
func (l *line) deliver(d *datagram) { l.count(l.arrive(d)) }

// +checklocks:l.mu
func (l *line) count(o outcome) {
	switch o {
	case delivered:
		l.stats.Delivered++
	case unreachable:
		l.stats.Unreachable++
	case overflowed:
		l.stats.Overflowed++
	case lost:
		l.stats.Lost++
	case tailDropped:
		l.stats.TailDropped++
	case flying: // counted later
	}
}

// +checklocks:l.mu
func (l *line) arm(d time.Duration) {
	if l.timer == nil {
		l.callbacks.Add(1)
		l.timer = time.AfterFunc(d, l.wake)
	} else if !l.timer.Reset(d) {
		l.callbacks.Add(1)
	}
}

func (l *line) wake() {
	defer l.callbacks.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.land(time.Now())
}

// close discards what is in flight. When it returns, nothing arrives any more and no timer is left.
func (l *line) close() {
	l.mu.Lock()
	l.closed = true
	l.stats.Unreachable += uint64(len(l.flight))
	l.flight = nil
	if l.timer != nil && l.timer.Stop() {
		l.callbacks.Done()
	}
	l.mu.Unlock()
	l.callbacks.Wait()
}

func (l *line) snapshot() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}
