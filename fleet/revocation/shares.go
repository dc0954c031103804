package revocation

// shares count the bans that hold, and the lifts, of all publishers. A publisher that is Optional has a
// share, and all of these have half of what there is: so a match server whose key was stolen takes no
// room from the others, and none from those that are needed.
type shares struct {
	most     int // bans, and as many lifts; constant
	of       map[PublisherID]*share
	bans     int // of all
	optional share
}

func newShares() shares { return shares{most: maxListed, of: make(map[PublisherID]*share)} }

// one is the share of a publisher that is Optional.
func (s *shares) one() int { return s.most / 16 }

// share is one publisher's.
type share struct {
	bans, lifts int
	optional    bool
}

// outcomes of taking a ban or a lift.
const (
	isTaken   taken = iota
	isFull          // there is no room for it here
	isTooMuch       // it is beyond the share of its publisher, and ignored
)

type taken uint8

func takenIf(ok bool) taken {
	if ok {
		return isTaken
	}
	return isFull
}

// fits reports whether there is room for so many more of a publisher's.
func (s *shares) fits(by PublisherID, optional bool, bans, lifts, allLifts int) taken {
	own := s.of[by]
	if own == nil {
		own = &share{optional: optional}
		s.of[by] = own
	}
	if own.optional && (own.bans+bans > s.one() || own.lifts+lifts > s.one() || s.optional.bans+bans > s.most/2 || s.optional.lifts+lifts > s.most/2) {
		return isTooMuch
	}
	return takenIf(s.bans+bans <= s.most && allLifts+lifts <= s.most)
}

// add counts what a publisher has added, or what is left out of it.
func (s *shares) add(by PublisherID, bans, lifts int) {
	s.bans += bans
	own := s.of[by]
	if own == nil {
		return
	}
	own.bans, own.lifts = own.bans+bans, own.lifts+lifts
	if own.optional {
		s.optional.bans, s.optional.lifts = s.optional.bans+bans, s.optional.lifts+lifts
	}
}
