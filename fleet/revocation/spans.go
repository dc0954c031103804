package revocation

import "slices"

// span is a range of a publisher's records that are in force here, of one epoch's history: the newest
// epoch that has vouched for all of them.
type span struct {
	first, end    uint64
	before, after chain // zero if not known, and before the first record
	epoch         uint64
}

// spans are those of one publisher, ascending and apart. Two that touch are of different histories,
// as far as is known.
type spans []span

// whole returns up to which number, exclusive, everything of one history is in force.
func (s spans) whole() uint64 {
	if len(s) > 0 && s[0].first == 1 {
		return s[0].end
	}
	return 1
}

// covers reports whether a record is in force that this epoch, or a later one, has vouched for.
func (s spans) covers(number, epoch uint64) bool {
	for _, x := range s {
		if x.first <= number && number < x.end {
			return x.epoch >= epoch
		}
	}
	return false
}

// add adds a segment. Where it overlaps what another epoch has signed, the later one counts. It
// reports false if the hash chain shows that the publisher has signed two histories in one epoch.
func (s spans) add(n span) (out spans, ok bool) {
	for _, x := range s {
		if (x.forks(n) || n.forks(x)) && x.epoch == n.epoch {
			return s, false
		}
		switch {
		case x.end < n.first || x.first > n.end:
			out = append(out, x)
		case x.continues(n):
			n = x.join(n)
		case n.continues(x):
			n = n.join(x)
		case x.epoch < n.epoch:
			out = append(out, x.without(n)...)
		default:
			parts := n.without(x)
			if len(parts) == 0 {
				return s, true
			}
			for _, part := range parts[1:] { // behind x
				s, ok := s.add(part)
				if !ok {
					return s, false
				}
				return s.add(parts[0])
			}
			out, n = append(out, x), parts[0]
		}
	}
	out = append(out, n)
	slices.SortFunc(out, func(a, b span) int { return int(int64(a.first) - int64(b.first)) })
	return out[:min(len(out), maxSpans)], true // what is left out is read again
}

// forks reports whether b begins where a ends, and says that something else was before it.
func (a span) forks(b span) bool {
	return a.end == b.first && a.after != (chain{}) && b.before != (chain{}) && a.after != b.before
}

// continues reports whether b begins in a or at its end and is of the same history: of the same epoch,
// or by the chain.
func (a span) continues(b span) bool {
	if a.first > b.first || b.first > a.end {
		return false
	}
	return a.epoch == b.epoch || a.epoch < b.epoch && a.end == b.first && a.after != (chain{}) && a.after == b.before
}

// join returns a and b, which continues it, as one.
func (a span) join(b span) span {
	if b.end <= a.end {
		return a
	}
	return span{a.first, b.end, a.before, b.after, b.epoch}
}

// without returns what a has outside of b.
func (a span) without(b span) (out []span) {
	if a.first < b.first {
		left := a
		if left.end >= b.first {
			if left.end > b.first {
				left.after = chain{}
			}
			left.end = b.first
		}
		out = append(out, left)
	}
	if a.end > b.end {
		right := a
		if right.first <= b.end {
			if right.first < b.end {
				right.before = chain{}
			}
			right.first = b.end
		}
		out = append(out, right)
	}
	return out
}

// cut leaves what belongs to the history that h states, which vouches for it from now on.
func (s spans) cut(h *head) (out spans) {
	for _, x := range s {
		if x.epoch <= h.epoch {
			end := min(x.end, h.intact(x.epoch))
			if end <= x.first {
				continue
			}
			if end < x.end {
				x.end, x.after = end, chain{}
			}
			x.epoch = h.epoch
		}
		joined, ok := out.add(x)
		if !ok {
			continue // read again
		}
		out = joined
	}
	return out
}
