package revocation

import (
	"encoding/binary"
	"slices"
	"time"
)

func epochFrame(b branch) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, b.epoch), b.first)
}

// group is a run of segments that becomes one.
type group struct {
	from  []kept
	heads []segment
	live  []Record
	bytes int
}

// precedes reports whether records have later times than those of the group, as they must in one segment.
// What was published again has earlier ones than what was before it.
func (g *group) precedes(live []Record) bool {
	return len(g.live) == 0 || len(live) == 0 || g.live[len(g.live)-1].Time.Before(live[0].Time)
}

// merge returns segments without what may be forgotten: records that are over, and bans that this
// publisher has lifted. Neighbours that fit into one are merged; all means that every segment is
// signed again.
func (p *Publisher) merge(segments []kept, now time.Time, all bool) ([]kept, error) {
	lifts := make(ownLifts)
	for _, k := range segments {
		s, _ := parseSegment(k.bytes)
		s.records(lifts.add)
	}
	var out []kept
	var g group
	for _, k := range segments {
		s, _ := parseSegment(k.bytes)
		var live []Record
		s.records(func(r *Record) {
			if !r.over(now) && !lifts.end(r) {
				live = append(live, *r)
			}
		})
		size := len(k.bytes) + 16*len(live) // numbers and times in a merged segment may be longer
		if len(g.from) > 0 && (len(g.live)+len(live) > MaxRecords || g.bytes+size > MaxMessage || !g.precedes(live)) {
			k, err := p.seal(&g, all)
			if err != nil {
				return nil, err
			}
			out = append(out, k...)
			g = group{}
		}
		g.from, g.heads, g.live, g.bytes = append(g.from, k), append(g.heads, s), append(g.live, live...), g.bytes+size
	}
	k, err := p.seal(&g, all)
	return append(out, k...), err
}

// seal signs the records of a group as one segment; a group of one that has hardly changed stays as
// it is.
func (p *Publisher) seal(g *group, all bool) ([]kept, error) {
	if len(g.from) == 0 || len(g.from) == 1 && !all && 2*len(g.live) > g.from[0].count {
		return g.from, nil
	}
	first, last := &g.heads[0], &g.heads[len(g.heads)-1]
	s := segment{publisher: p.id, epoch: p.epoch, first: first.first, end: last.end, before: first.before, after: last.after, merged: true}
	if len(g.from) == 1 && len(g.live) == g.from[0].count {
		s.content, s.merged = first.content, first.merged
	} else {
		c := content{first: s.first}
		for i := range g.live {
			if !c.add(&g.live[i]) {
				return p.sealEach(g, all) // too long as one, or of too many issuers
			}
		}
		s.content = c.bytes()
	}
	b, err := s.appendTo(nil, p.config.Key)
	if err != nil {
		return nil, storeError("the signing key does not sign", err)
	}
	return []kept{{first: s.first, end: s.end, count: len(g.live), made: g.from[len(g.from)-1].made, bytes: b}}, nil
}

// sealEach is seal for a group that does not fit into one segment: each of its segments stays one.
func (p *Publisher) sealEach(g *group, all bool) (out []kept, err error) {
	if len(g.from) == 1 {
		return g.from, nil
	}
	for i := range g.from {
		one := group{from: g.from[i : i+1], heads: g.heads[i : i+1]}
		for _, r := range g.live {
			if g.heads[i].first <= r.Number && r.Number < g.heads[i].end {
				one.live = append(one.live, r)
			}
		}
		k, err := p.seal(&one, all)
		if err != nil {
			return nil, err
		}
		out = append(out, k...)
	}
	return out, nil
}

// compact merges what has settled and writes the store anew where that halves it.
func (p *Publisher) compact(now time.Time) error {
	p.compacting.Lock()
	defer p.compacting.Unlock()
	settled := p.settled(now)
	merged, err := p.merge(settled, now, false)
	if err != nil {
		return err
	}
	rest, frames, st := p.replace(settled, merged, now)
	if st == nil {
		return nil
	}
	f, err := st.begin(frames)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var later []byte
	for _, k := range p.history.kept[rest:] {
		later = appendFrame(later, frameSegment, k.bytes)
	}
	return st.finish(f, later)
}

// settled returns the segments that are old enough.
func (p *Publisher) settled(now time.Time) []kept {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.history.kept) && now.Sub(p.history.kept[n].made) >= settle {
		n++
	}
	return slices.Clone(p.history.kept[:n])
}

// replace puts merged segments in the place of settled ones. It returns the store if its file should
// be written anew with frames, and how many segments are in these.
func (p *Publisher) replace(settled, merged []kept, now time.Time) (n int, frames []byte, st *store) {
	after := make(map[uint64]*byte, len(merged))
	for _, k := range merged {
		after[k.first] = &k.bytes[0]
	}
	var gone []leftover
	for _, k := range settled {
		if after[k.first] == nil {
			s, _ := parseSegment(k.bytes)
			gone = append(gone, leftoverOf(k.first, &s, now))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.store == nil {
		return 0, nil, nil
	}
	for _, k := range settled {
		if after[k.first] != &k.bytes[0] {
			p.carried.dirty[k.first] = true
		}
	}
	for _, g := range gone {
		delete(p.carried.dirty, g.first)
	}
	p.carried.gone = append(p.carried.gone, gone...)
	p.history.kept = append(merged[:len(merged):len(merged)], p.history.kept[len(settled):]...)
	total := 0
	for _, k := range p.history.kept {
		total += len(k.bytes) + frameSize
	}
	if p.store.size < int64(2*total+slack) {
		return 0, nil, nil
	}
	return len(p.history.kept), p.frames(), p.store
}
