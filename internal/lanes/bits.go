package lanes

import bits64 "math/bits"

// A bits is a set of small numbers; up to 64 of them take no allocation.
type bits struct {
	few  uint64
	many []uint64
}

func (s *bits) grow(n int) {
	if n > 64 {
		s.many = make([]uint64, (n+63)/64)
	}
}

func (s *bits) word(i int) *uint64 {
	if s.many == nil {
		return &s.few
	}
	return &s.many[i/64]
}

func (s *bits) has(i int) bool { return *s.word(i)>>(i%64)&1 != 0 }
func (s *bits) set(i int)      { *s.word(i) |= 1 << (i % 64) }
func (s *bits) clear(i int)    { *s.word(i) &^= 1 << (i % 64) }

func (s *bits) count() (n int) {
	for _, w := range s.many {
		n += bits64.OnesCount64(w)
	}
	return n + bits64.OnesCount64(s.few)
}

// A recent is the set of the numbers added last: those up to MaxWindow below the highest. Its zero
// value is empty, and numbers count from 1.
type recent struct {
	high  uint64
	words [MaxWindow / 64]uint64
}

// old reports whether n is too far below the highest to be known.
func (s *recent) old(n uint64) bool { return n+MaxWindow <= s.high }

func (s *recent) has(n uint64) bool {
	return n <= s.high && !s.old(n) && s.words[n/64%uint64(len(s.words))]>>(n%64)&1 != 0
}

// add adds n, which is not old.
func (s *recent) add(n uint64) {
	if n > s.high {
		if n-s.high >= MaxWindow {
			clear(s.words[:])
		} else {
			for i := s.high + 1; i <= n; i++ {
				s.words[i/64%uint64(len(s.words))] &^= 1 << (i % 64)
			}
		}
		s.high = n
	}
	s.words[n/64%uint64(len(s.words))] |= 1 << (n % 64)
}

func (s *recent) count() (n int) {
	for _, w := range s.words {
		n += bits64.OnesCount64(w)
	}
	return n
}
