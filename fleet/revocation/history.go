package revocation

import "time"

// history is what a publisher has signed and not forgotten: segments without a gap, from number 1.
type history struct {
	kept   []kept // ascending
	last   uint64 // number of the newest record
	after  chain  // behind it
	micros int64  // the latest time of a record; that of a new one is later
}

// kept is a signed segment. Its bytes do not change.
type kept struct {
	first, end uint64
	count      int // records
	made       time.Time
	bytes      []byte
	repeats    int // live repetitions to come
}

// mark is a point to which a history can go back.
type mark struct {
	n      int
	last   uint64
	after  chain
	micros int64
}

func (h *history) mark() mark { return mark{len(h.kept), h.last, h.after, h.micros} }

func (h *history) reset(m mark) {
	h.kept, h.last, h.after, h.micros = h.kept[:m.n], m.last, m.after, m.micros
}

// add signs as many records as a segment takes and returns it and how many these are. It sets their
// numbers, and the times of those that are new. Records that are published again have theirs, ascending,
// and come without new ones.
func (h *history) add(records []Record, now time.Time, life time.Duration, epoch uint64, key SigningKey) (k kept, n int, err error) {
	c := content{first: h.last + 1}
	micros := h.micros
	for n < len(records) {
		r := &records[n]
		at := max(micros+1, now.UnixMicro())
		if !r.Time.IsZero() {
			at = r.Time.UnixMicro()
		} else if r.Kind == KindSubject && r.IssuedBy.IsZero() && at-now.UnixMicro() > minShift.Microseconds() {
			r.IssuedBy, r.byClock = now, true
		}
		r.fill(h.last+1+uint64(n), at, life)
		if !c.add(r) {
			break
		}
		micros = max(micros, at)
		n++
	}
	s := segment{
		publisher: IDOf(key.Public()), epoch: epoch, first: h.last + 1, end: h.last + 1 + uint64(n),
		before: h.after, content: c.bytes(),
	}
	s.after = s.before.next(s.content)
	b, err := s.appendTo(nil, key)
	if err != nil {
		return kept{}, 0, err
	}
	k = kept{first: s.first, end: s.end, count: n, made: now, bytes: b, repeats: liveRepeats}
	h.kept = append(h.kept, k)
	h.last, h.after, h.micros = s.end-1, s.after, micros
	return k, n, nil
}

// adopt takes a segment that this publisher has signed before. It reports false if the segment does
// not follow what is kept.
func (h *history) adopt(s *segment, b []byte) bool {
	n := len(h.kept)
	for n > 0 && h.kept[n-1].first >= s.first {
		n--
	}
	before := chain{}
	last := uint64(0)
	if n > 0 {
		p, _ := parseSegment(h.kept[n-1].bytes)
		before, last = p.after, p.end-1
	}
	if s.end <= h.last+1 || s.first != last+1 || s.before != before {
		return false
	}
	count := 0
	micros := h.micros
	if !s.records(func(r *Record) { count, micros = count+1, max(micros, r.Time.UnixMicro()) }) {
		return false
	}
	h.kept = append(h.kept[:n], kept{first: s.first, end: s.end, count: count, bytes: b})
	h.last, h.after, h.micros = s.end-1, s.after, micros
	return true
}
