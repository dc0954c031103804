package revocation

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// rescue publishes again, under new numbers, what the carrier has of this publisher and the store has
// not: the store was lost while the carrier could not be asked, or is an older copy from which the
// history has parted. It comes before anything is stored there, which would take its place.
func (p *Publisher) rescue(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	var stored []segment
	public := p.config.Key.Public()
	err := p.config.Carrier.Load(ctx, p.id, 0, func(_ StateKey, m []byte) error {
		m = slices.Clone(m)
		if s, ok := parseSegment(m); ok && s.publisher == p.id && verify(m, public) {
			stored = append(stored, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(stored, func(a, b segment) int { return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.first, b.first)) })
	records := p.lacking(stored, time.Now())
	if len(records) == 0 {
		return nil
	}
	p.rescued.begin(p.Stats().Last + 1)
	filled, err := p.Append(records...)
	if n := len(filled); n > 0 {
		p.rescued.end(filled[n-1].Number)
	}
	if err == nil {
		p.config.Logger.Warn("revocation: the store had lost records that the carrier had; they were published again",
			"publisher", p.config.Name, slog.Int("records", len(records)))
	}
	return err
}

// lacking returns the records of segments, in order, that this publisher's history has not and that
// are still needed, as they are to be published again.
func (p *Publisher) lacking(stored []segment, now time.Time) (records []Record) {
	ours := make(map[int64]bool) // by their times, which no two records share
	lifts := make(map[player]time.Time)
	look := func(r *Record) {
		if r.Kind == KindLift && r.Of == (PublisherID{}) && r.Time.After(lifts[playerOf(r)]) {
			lifts[playerOf(r)] = r.Time
		}
	}
	_ = p.segments(0, func(m []byte) error {
		s, _ := parseSegment(m)
		s.records(func(r *Record) { ours[r.Time.UnixMicro()] = true; look(r) })
		return nil
	})
	for i := range stored {
		stored[i].records(look)
	}
	for i := range stored {
		stored[i].records(func(r *Record) {
			if ours[r.Time.UnixMicro()] || r.over(now) || r.Kind == KindBan && r.Time.Before(lifts[playerOf(r)]) {
				return
			}
			ours[r.Time.UnixMicro()] = true
			again := *r
			switch {
			case r.Kind == KindSubject && r.IssuedBy.IsZero():
				again.IssuedBy = r.Time
			case r.Kind == KindLift && r.Of == (PublisherID{}): // of the bans before it, and no later one
				again.Of, again.At = p.id, r.Time.Add(-time.Microsecond)
			}
			if again.check() == nil {
				records = append(records, again)
			}
		})
	}
	return records
}

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
