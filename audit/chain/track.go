package chain

import (
	"cmp"
	"crypto/sha256"
	"iter"
	"slices"
	"sort"
	"time"
)

// track is what is remembered of a chain.
type track struct {
	id   string
	here bool   // a line of it is
	used uint64 // Verifier.clock at its last line

	runs []*run // ascending, with gaps between them
	top  uint64 // highest number

	signed     uint64    // up to this line it is
	signedAt   time.Time // the last head
	end        uint64    // number of the end; zero if it is not here
	key        string    // that has signed the first head here; a process has one
	unknownKey string    // that has been reported

	next     uint64  // highest line that another chain says to come after
	nextTorn bool    // and that the one behind it may be torn
	claims   []claim // about lines that are not here yet

	recent [recentLines]struct {
		sequence uint64
		hash     [sha256.Size]byte
	}
	recentAt int
}

// run is lines of a chain without a gap.
type run struct {
	from, to uint64
	first    alike   // line from
	last     []alike // lines with the number to, of which the next line will say which it was written after
}

// alike is one of the lines with a number.
type alike struct {
	previous, hash [sha256.Size]byte
	at             place
}

// track returns what is remembered of a chain.
func (v *Verifier) track(id string) *track {
	t := v.chains[id]
	if t == nil {
		if len(v.chains) >= maxChains {
			for _, old := range v.oldest()[:maxChains/4] {
				v.finish(old)
			}
		}
		t = &track{id: id}
		v.chains[id] = t
	}
	v.clock++
	t.used = v.clock
	return t
}

// oldest returns the chains, that without a line for the longest time first.
func (v *Verifier) oldest() []*track {
	var list []*track
	for _, t := range v.chains {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *track) int { return cmp.Compare(a.used, b.used) })
	return list
}

// successor notes that a chain goes on behind a line of this one.
func (t *track) successor(sequence uint64, torn bool) {
	if sequence >= t.next {
		t.next, t.nextTorn = sequence, torn
	}
}

// has reports whether a line with the number is here.
func (t *track) has(sequence uint64) bool {
	i := t.behind(sequence)
	return i > 0 && t.runs[i-1].to >= sequence
}

// behind returns how many runs begin at or before the number.
func (t *track) behind(sequence uint64) int {
	if n := len(t.runs); n > 0 && t.runs[n-1].from <= sequence {
		return n // as usual
	}
	return sort.Search(len(t.runs), func(i int) bool { return t.runs[i].from > sequence })
}

// hashes are those of the lines with the number, as far as they are remembered: of the last that came,
// and of each at the end of a run.
func (t *track) hashes(sequence uint64) iter.Seq[[sha256.Size]byte] {
	return func(yield func([sha256.Size]byte) bool) {
		for _, r := range t.recent {
			if r.sequence == sequence && !yield(r.hash) {
				return
			}
		}
		i := t.behind(sequence)
		if i == 0 || t.runs[i-1].to != sequence {
			return
		}
		for _, a := range t.runs[i-1].last {
			if !yield(a.hash) {
				return
			}
		}
	}
}

// remember keeps the hash of a line for those who ask for it soon.
func (t *track) remember(l *line) {
	t.recent[t.recentAt].sequence, t.recent[t.recentAt].hash = l.sequence, l.hash
	t.recentAt = (t.recentAt + 1) % recentLines
}
