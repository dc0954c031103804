package revocation

import (
	"bytes"
	"context"
	"slices"
	"time"
)

// carried is what the carrier's state still needs.
type carried struct {
	dirty map[uint64]bool // first numbers of segments to be stored
	gone  []uint64        // first numbers of segments to be deleted, once the others are stored
}

// carry stores segments in the carrier, the newest first, until ctx is done. Before the first it reads
// what is there.
func (p *Publisher) carry(ctx context.Context) {
	retry, rescued := backoff{}, false
	for ctx.Err() == nil {
		var idle bool
		var err error
		if rescued {
			idle, err = p.carryNext(ctx)
		} else if err = p.rescue(ctx); err == nil {
			rescued = true
		}
		if idle {
			select {
			case <-ctx.Done():
			case <-p.work:
			}
			continue
		}
		if err == nil {
			if retry.failed > 3 {
				p.config.Logger.Info("revocation: the carrier stores again", "publisher", p.config.Name)
			}
			retry = backoff{}
			continue
		}
		if retry.failed == 3 {
			p.config.Logger.Warn("revocation: the carrier does not store: servers that run hear what is published, those that start have to wait", "publisher", p.config.Name, "error", err)
		}
		pause(ctx, retry.next())
	}
}

// carryNext stores or deletes one segment; idle means that there is none.
func (p *Publisher) carryNext(ctx context.Context) (idle bool, err error) {
	first, m, remove := p.nextCarried()
	if m == nil && !remove {
		return true, nil
	}
	key := StateKey{p.id, first}
	if remove {
		err = p.config.Carrier.Delete(ctx, key)
	} else {
		err = p.config.Carrier.Store(ctx, key, m)
	}
	p.hasCarried(first, m, remove, err == nil)
	return false, err
}

// nextCarried returns what is to be stored or deleted next; nothing if m is nil and remove false.
func (p *Publisher) nextCarried() (first uint64, m []byte, remove bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.history.kept) - 1; i >= 0 && len(p.carried.dirty) > 0; i-- {
		if k := &p.history.kept[i]; p.carried.dirty[k.first] {
			return k.first, k.bytes, false
		}
	}
	if n := len(p.carried.gone); n > 0 {
		return p.carried.gone[n-1], nil, true
	}
	return 0, nil, false
}

// hasCarried notes what became of it. A segment that was replaced meanwhile stays to be stored.
func (p *Publisher) hasCarried(first uint64, m []byte, remove, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok {
		return
	}
	if remove {
		p.carried.gone = slices.DeleteFunc(p.carried.gone, func(f uint64) bool { return f == first })
		return
	}
	for i := range p.history.kept {
		if k := &p.history.kept[i]; k.first == first && &k.bytes[0] == &m[0] {
			delete(p.carried.dirty, first)
		}
	}
}

// keepHouse merges and forgets, and sees that the carrier has everything, until ctx is done.
func (p *Publisher) keepHouse(ctx context.Context) {
	compacted, announced := time.Now(), time.Now()
	p.announce(ctx, false)
	for rounds := 1; pause(ctx, min(compactEvery, p.config.Announce)); {
		if now := time.Now(); now.Sub(compacted) >= compactEvery {
			compacted = now
			if err := p.compact(p.opened.Add(now.Sub(p.opened))); err != nil {
				p.config.Logger.Error("revocation: the store was not written anew; it grows until this succeeds", "publisher", p.config.Name, "error", err)
			}
			signal(p.work)
		}
		if now := time.Now(); now.Sub(announced) >= p.config.Announce {
			announced = now
			p.announce(ctx, rounds%announceAll == 0)
			rounds++
		}
	}
}

// announce looks at what the carrier has, and has what is missing stored again, and what is left over
// from before deleted. With all, or if the carrier does not say, it has everything stored again.
func (p *Publisher) announce(ctx context.Context, all bool) {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	p.mu.Lock()
	missing := make(map[uint64][]byte, len(p.history.kept))
	for _, k := range p.history.kept {
		missing[k.first] = k.bytes
	}
	h := head{epoch: p.epoch, branches: p.branches}
	p.mu.Unlock()
	ours := make(map[uint64]bool, len(missing))
	for first := range missing {
		ours[first] = true
	}
	var gone []uint64
	lost := make(map[uint64][]byte)
	err := p.config.Carrier.Load(ctx, p.id, 0, func(k StateKey, m []byte) error {
		switch s, ok := parseSegment(m); {
		case ours[k.First]:
			if !all && bytes.Equal(m, missing[k.First]) {
				delete(missing, k.First)
			}
		case !ok || s.publisher != p.id || s.epoch <= p.epoch && s.end <= h.intact(s.epoch):
			gone = append(gone, k.First)
		default:
			lost[k.First] = slices.Clone(m)
		}
		return nil
	})
	gone = append(gone, p.superfluous(lost)...)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.history.kept {
		if m := missing[k.first]; err != nil || m != nil {
			p.carried.dirty[k.first] = true
		}
	}
	for _, first := range gone {
		if !slices.ContainsFunc(p.history.kept, func(k kept) bool { return k.first == first }) && !slices.Contains(p.carried.gone, first) {
			p.carried.gone = append(p.carried.gone, first)
		}
	}
	signal(p.work)
}

// superfluous returns which of the segments that are not of this history bring nothing besides it.
func (p *Publisher) superfluous(lost map[uint64][]byte) (firsts []uint64) {
	if len(lost) == 0 {
		return nil
	}
	has, now := p.holding(), time.Now()
	for first, m := range lost {
		s, _ := parseSegment(m)
		needed := false
		ok := s.records(func(r *Record) { needed = needed || has.lacks(r, now) })
		if !ok || !needed {
			firsts = append(firsts, first)
		}
	}
	return firsts
}

// backoff counts failures in a row.
type backoff struct{ failed int }

// next returns how long to wait after a failure.
func (b *backoff) next() time.Duration {
	d := min(minRetry<<min(b.failed, 10), maxRetry)
	b.failed++
	return d
}
