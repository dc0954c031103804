package revocation

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// rescue publishes again, under new numbers, what the carrier has of this publisher and the store has
// not: the store was lost while the carrier could not be asked, or is an older copy from which the
// history has parted. It comes before anything is stored there, which would take its place. Records keep
// their times, by which they are known: what others have lifted stays lifted.
func (p *Publisher) rescue(ctx context.Context) error {
	stored, err := p.stored(ctx)
	if err != nil {
		return err
	}
	records := p.lacking(stored, time.Now())
	if len(records) == 0 {
		return nil
	}
	p.rescued.begin(p.Stats().Last + 1)
	done, err := p.appendAll(records)
	if done > 0 {
		p.rescued.end(records[done-1].Number)
	}
	if err == nil {
		p.config.Logger.Warn("revocation: the store had lost records that the carrier had; they were published again",
			"publisher", p.config.Name, slog.Int("records", len(records)))
	}
	return err
}

// stored returns what the carrier has of this publisher.
func (p *Publisher) stored(ctx context.Context) (segments []segment, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	public := p.config.Key.Public()
	err = p.config.Carrier.Load(ctx, p.id, 0, func(_ StateKey, m []byte) error {
		m = slices.Clone(m)
		if s, ok := parseSegment(m); ok && s.publisher == p.id && verify(m, public) {
			segments = append(segments, s)
		}
		return nil
	})
	return segments, err
}

// lacking returns the records of segments that this publisher's history has not and that are still needed,
// in the order of their times.
func (p *Publisher) lacking(stored []segment, now time.Time) (records []Record) {
	has := p.holding()
	for i := range stored {
		stored[i].records(has.lifts.add)
	}
	for i := range stored {
		stored[i].records(func(r *Record) {
			if has.lacks(r, now) && r.check() == nil {
				has.add(r)
				records = append(records, *r)
			}
		})
	}
	slices.SortFunc(records, func(a, b Record) int { return a.Time.Compare(b.Time) })
	return records
}

// holding is what a history has.
type holding struct {
	times map[int64]bool // of its records: no two share one
	lifts ownLifts
}

func (p *Publisher) holding() holding {
	h := holding{make(map[int64]bool), make(ownLifts)}
	_ = p.segments(0, func(m []byte) error {
		s, _ := parseSegment(m)
		s.records(h.add)
		return nil
	})
	return h
}

func (h *holding) add(r *Record) {
	h.times[r.Time.UnixMicro()] = true
	h.lifts.add(r)
}

// lacks reports whether a record is not there, and is still needed.
func (h *holding) lacks(r *Record, now time.Time) bool {
	return !h.times[r.Time.UnixMicro()] && !r.over(now) && !h.lifts.end(r)
}

// ownLifts are the times of the latest lifts by which a publisher has ended bans of its own.
type ownLifts map[player]time.Time

func (l ownLifts) add(r *Record) {
	if who := playerOf(r); r.Kind == KindLift && r.Of == (PublisherID{}) && r.Time.After(l[who]) {
		l[who] = r.Time
	}
}

// end reports whether a record is a ban that has ended.
func (l ownLifts) end(r *Record) bool { return r.Kind == KindBan && r.Time.Before(l[playerOf(r)]) }

// numbers are those of the records that a rescue has published again. They are read without a lock.
type numbers struct{ from, to atomic.Uint64 }

func (n *numbers) begin(from uint64) {
	n.to.Store(math.MaxUint64)
	n.from.Store(from)
}

func (n *numbers) end(last uint64) { n.to.Store(last) }

func (n *numbers) has(number uint64) bool {
	from := n.from.Load()
	return from > 0 && from <= number && number <= n.to.Load()
}

// former reports whether a record is one that a former process of this publisher has made. What this
// process has used up its server knows.
func (p *Publisher) former(number uint64) bool { return number < p.first || p.rescued.has(number) }
