package revocation

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"
)

// carried is what the carrier's state still needs.
type carried struct {
	dirty map[uint64]bool // first numbers of segments to be stored
	gone  []leftover      // segments to be deleted
}

// leftover is a segment that is not kept any more: its records are in others, or may be forgotten. It is
// deleted once what is kept of its numbers up to end is stored; with 0 it waits for nothing.
type leftover struct{ first, end uint64 }

// leftoverOf returns what is left of a segment that is stored under first. If all its records may be forgotten
// it waits for nothing: what has its numbers may be larger, and find room only then.
func leftoverOf(first uint64, s *segment, now time.Time) leftover {
	over := true
	s.records(func(r *Record) { over = over && r.over(now) })
	if over {
		return leftover{first: first}
	}
	return leftover{first, s.end}
}

// carry stores segments in the carrier, the newest first, until ctx is done. Before the first it reads
// what is there.
func (p *Publisher) carry(ctx context.Context) {
	retry, rescued := backoff{}, false
	for ctx.Err() == nil {
		var idle, removed bool
		var err error
		if rescued {
			idle, removed, err = p.carryNext(ctx, retry.failed)
		} else if err = p.rescue(ctx); err == nil {
			rescued = true
		}
		if err != nil {
			if retry.failed == 3 {
				p.config.Logger.Warn("revocation: the carrier does not store: servers that run hear what is published, those that start have to wait", "publisher", p.config.Name, "error", err)
			}
			pause(ctx, retry.next())
			continue
		}
		if !removed { // else what has failed is tried again once everything is removed that can be
			if retry.failed > 3 {
				p.config.Logger.Info("revocation: the carrier stores again", "publisher", p.config.Name)
			}
			retry = backoff{}
		}
		if idle {
			select {
			case <-ctx.Done():
			case <-p.work:
			}
		}
	}
}

// carryNext stores or removes one segment; idle means that there is none.
func (p *Publisher) carryNext(ctx context.Context, failed int) (idle, removed bool, err error) {
	first, m, remove := p.nextCarried(failed)
	if m == nil && !remove {
		return true, false, nil
	}
	key := StateKey{p.id, first}
	if remove {
		err = p.config.Carrier.Delete(ctx, key)
	} else {
		err = p.config.Carrier.Store(ctx, key, m)
	}
	p.hasCarried(first, m, remove, err == nil)
	return false, remove, err
}

// nextCarried returns what is to be stored or deleted next, after so many failures in a row; nothing if m is
// nil and remove false. The newest segment comes first, and what is to be deleted last. If that fails it is
// each of the others' turn now and then, from what is to be deleted and the oldest on: these make room where
// there is none for what is new.
func (p *Publisher) nextCarried(failed int) (first uint64, m []byte, remove bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	turn, next := len(p.carried.dirty), 0
	if failed%2 == 1 {
		turn = failed / 2 % (turn + 1)
	}
	if turn == 0 {
		for _, g := range p.carried.gone {
			if !p.awaited(g) {
				return g.first, nil, true
			}
		}
		turn = 1
	}
	for i := range p.history.kept {
		if k := &p.history.kept[i]; p.carried.dirty[k.first] {
			if next++; next == turn {
				return k.first, k.bytes, false
			}
		}
	}
	return 0, nil, false
}

// awaited reports whether a segment that has records of g has still to be stored.
//
// +checklocks:p.mu
func (p *Publisher) awaited(g leftover) bool {
	all := p.history.kept
	i, _ := slices.BinarySearchFunc(all, g.first+1, func(k kept, n uint64) int { return cmp.Compare(k.end, n) })
	for ; i < len(all) && all[i].first < g.end; i++ {
		if p.carried.dirty[all[i].first] {
			return true
		}
	}
	return false
}

// hasCarried notes what became of it. A segment that was replaced meanwhile stays to be stored.
func (p *Publisher) hasCarried(first uint64, m []byte, remove, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok {
		return
	}
	if remove {
		p.forgetGone(first)
		return
	}
	for i := range p.history.kept {
		k := &p.history.kept[i]
		if k.first != first {
			continue
		}
		p.forgetGone(first) // it is another one now
		if &k.bytes[0] == &m[0] {
			delete(p.carried.dirty, first)
		}
	}
}

// forgetGone forgets that what is stored under a number is to be deleted.
//
// +checklocks:p.mu
func (p *Publisher) forgetGone(first uint64) {
	p.carried.gone = slices.DeleteFunc(p.carried.gone, func(g leftover) bool { return g.first == first })
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
// from before, or forged, deleted. With all, or if the carrier does not say, it has everything stored again.
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
	now, public := time.Now(), p.config.Key.Public()
	ours := make(map[uint64]bool, len(missing))
	for first := range missing {
		ours[first] = true
	}
	var gone []leftover
	lost := make(map[uint64][]byte)
	err := p.config.Carrier.Load(ctx, p.id, 0, func(k StateKey, m []byte) error {
		switch s, ok := parseSegment(m); {
		case ours[k.First]:
			if !all && bytes.Equal(m, missing[k.First]) {
				delete(missing, k.First)
			}
		case !ok || s.publisher != p.id || !verify(m, public):
			gone = append(gone, leftover{first: k.First}) // somebody else's
		case s.epoch <= p.epoch && s.end <= h.intact(s.epoch):
			gone = append(gone, leftoverOf(k.First, &s, now))
		default:
			lost[k.First] = slices.Clone(m)
		}
		return nil
	})
	superfluous := p.superfluous(lost)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.history.kept {
		if m := missing[k.first]; err != nil || m != nil {
			p.carried.dirty[k.first] = true
		}
	}
	if len(p.carried.dirty) == 0 { // else what they bring has still to be stored, perhaps
		gone = append(gone, superfluous...)
	}
	for _, g := range gone {
		if !slices.ContainsFunc(p.history.kept, func(k kept) bool { return k.first == g.first }) &&
			!slices.ContainsFunc(p.carried.gone, func(known leftover) bool { return known.first == g.first }) {
			p.carried.gone = append(p.carried.gone, g)
		}
	}
	signal(p.work)
}

// superfluous returns which of the segments that are not of this history bring nothing besides it.
func (p *Publisher) superfluous(lost map[uint64][]byte) (gone []leftover) {
	if len(lost) == 0 {
		return nil
	}
	has, now := p.holding(), time.Now()
	for first, m := range lost {
		s, _ := parseSegment(m)
		needed := false
		ok := s.records(func(r *Record) { needed = needed || has.lacks(r, now) })
		if !ok || !needed {
			gone = append(gone, leftover{first: first})
		}
	}
	return gone
}

// backoff counts failures in a row.
type backoff struct{ failed int }

// next returns how long to wait after a failure.
func (b *backoff) next() time.Duration {
	d := min(minRetry<<min(b.failed, 10), maxRetry)
	b.failed++
	return d
}
