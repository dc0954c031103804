package revocationtest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// Faults say how often something happens to a live message or challenge, on its way to one process:
// each from 0 to 1.
type Faults struct {
	Lose   float64
	Repeat float64 // once more
	Hold   float64 // until the next one has been delivered
}

// Broker is what carriers are connected to. Its methods are safe for concurrent use.
type Broker struct {
	mu sync.Mutex
	// +checklocks:mu
	random *rand.Rand
	// +checklocks:mu
	faults Faults
	// +checklocks:mu
	stored map[revocation.StateKey][]byte
	// +checklocks:mu
	listeners []*listener
	// +checklocks:mu
	past []past
}

type listener struct {
	of      *Carrier
	topic   revocation.Topic
	receive func([]byte)
	held    [][]byte
}

type past struct {
	topic revocation.Topic
	m     []byte
}

// maxPast is how many live messages a broker remembers for Replay.
const maxPast = 4096

// NewBroker returns a broker without faults. Its choices depend on seed alone, and on the order of
// calls.
func NewBroker(seed uint64) *Broker {
	return &Broker{random: rand.New(rand.NewPCG(seed, 1)), stored: make(map[revocation.StateKey][]byte)}
}

// Carrier returns a connection for one process.
func (b *Broker) Carrier() *Carrier { return &Carrier{broker: b} }

// Disturb sets the faults from now on.
func (b *Broker) Disturb(f Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = f
}

// Backup returns a copy of the stored state.
func (b *Broker) Backup() map[revocation.StateKey][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.stored)
}

// Restore replaces the stored state; nil empties it.
func (b *Broker) Restore(state map[revocation.StateKey][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stored = make(map[revocation.StateKey][]byte)
	maps.Copy(b.stored, state)
}

// Replay delivers the newest n live messages and challenges once more, in their order.
func (b *Broker) Replay(n int) {
	b.mu.Lock()
	again := slices.Clone(b.past[max(0, len(b.past)-n):])
	b.mu.Unlock()
	for _, p := range again {
		b.deliver(nil, p.topic, p.m)
	}
}

// Inject delivers a message that nobody has published.
func (b *Broker) Inject(t revocation.Topic, m []byte) { b.deliver(nil, t, m) }

// deliver hands a message to everybody who listens, with the faults that were chosen.
func (b *Broker) deliver(from *Carrier, t revocation.Topic, m []byte) {
	m = bytes.Clone(m)
	type delivery struct {
		to *listener
		m  []byte
	}
	var out []delivery
	b.mu.Lock()
	if from != nil {
		b.past = append(b.past, past{t, m})
		b.past = b.past[max(0, len(b.past)-maxPast):]
	}
	for _, l := range b.listeners {
		if l.topic != t || l.of.cut {
			continue
		}
		times := 1
		switch {
		case b.random.Float64() < b.faults.Lose:
			times = 0
		case b.random.Float64() < b.faults.Repeat:
			times = 2
		case b.random.Float64() < b.faults.Hold:
			l.held, times = append(l.held, m), 0
			continue
		}
		for range times {
			out = append(out, delivery{l, m})
		}
		for _, h := range l.held {
			out = append(out, delivery{l, h})
		}
		l.held = nil
	}
	b.mu.Unlock()
	for _, d := range out {
		d.to.receive(d.m)
	}
}

// Carrier is one process's connection to a Broker.
type Carrier struct {
	broker *Broker
	cut    bool // guarded by broker.mu
}

var _ revocation.Carrier = (*Carrier)(nil)

// ErrCut is returned by a carrier that is cut off.
var ErrCut = errors.New("revocationtest: the broker cannot be reached")

// Cut cuts the connection, or joins it again.
func (c *Carrier) Cut(cut bool) {
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	c.cut = cut
}

func (c *Carrier) reach(ctx context.Context) error {
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	if c.cut {
		return ErrCut
	}
	return ctx.Err()
}

// Publish implements revocation.Carrier.
func (c *Carrier) Publish(ctx context.Context, t revocation.Topic, m []byte) error {
	if err := c.reach(ctx); err != nil {
		return err
	}
	c.broker.deliver(c, t, m)
	return nil
}

// Subscribe implements revocation.Carrier.
func (c *Carrier) Subscribe(t revocation.Topic, receive func(m []byte)) (stop func(), err error) {
	l := &listener{of: c, topic: t, receive: receive}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners = append(b.listeners, l)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.listeners = slices.DeleteFunc(slices.Clone(b.listeners), func(x *listener) bool { return x == l })
	}, nil
}

// Store implements revocation.Carrier.
func (c *Carrier) Store(ctx context.Context, k revocation.StateKey, m []byte) error {
	if err := c.reach(ctx); err != nil {
		return err
	}
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	c.broker.stored[k] = bytes.Clone(m)
	return nil
}

// Delete implements revocation.Carrier.
func (c *Carrier) Delete(ctx context.Context, k revocation.StateKey) error {
	if err := c.reach(ctx); err != nil {
		return err
	}
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	delete(c.broker.stored, k)
	return nil
}

// Load implements revocation.Carrier.
func (c *Carrier) Load(ctx context.Context, p revocation.PublisherID, from uint64, each func(k revocation.StateKey, m []byte) error) error {
	if err := c.reach(ctx); err != nil {
		return err
	}
	state := c.broker.Backup()
	var firsts []uint64
	for k := range state {
		if k.Publisher == p {
			firsts = append(firsts, k.First)
		}
	}
	slices.Sort(firsts)
	at, found := slices.BinarySearch(firsts, from)
	if !found && at > 0 {
		at-- // the one before may go on beyond from
	}
	for _, first := range firsts[at:] {
		k := revocation.StateKey{Publisher: p, First: first}
		if err := each(k, state[k]); err != nil {
			return err
		}
	}
	return nil
}
