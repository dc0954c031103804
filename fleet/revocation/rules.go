package revocation

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/session"
)

// rules are the bans and lifts of all publishers. What holds does not depend on the order in which
// they come: a ban holds unless there is a lift of it, and a lift names bans by publisher and time, so
// that neither an old lift ends a new ban nor an old ban outlives its lift.
type rules struct {
	bans   map[player]*banned
	lifts  map[lifted]liftedUntil
	marked map[player]*banned // players to be lifted once everything has been read
	shares shares
}

// banned is a player, and the bans that hold.
type banned struct {
	issuer, subject string
	bans            []ban
}

type ban struct {
	by     PublisherID
	time   time.Time
	until  time.Time // zero without an end
	reason session.Reason
	note   string
}

// lifted is whose bans of whom were lifted.
type lifted struct {
	player player
	by     PublisherID
}

type liftedUntil struct {
	time  time.Time   // bans up to then are lifted
	until time.Time   // when that may be forgotten; zero never
	share PublisherID // who has lifted first
}

func newRules() rules {
	return rules{bans: make(map[player]*banned), lifts: make(map[lifted]liftedUntil), marked: make(map[player]*banned), shares: newShares()}
}

// ban takes f's ban. One that waits is put in force by enforce.
func (rs *rules) ban(f *follower, r *Record, now time.Time, sink Sink, waits bool) taken {
	who, by := playerOf(r), f.id
	if l, ok := rs.lifts[lifted{who, by}]; ok && !r.Time.After(l.time) {
		return isTaken
	}
	if !r.Until.IsZero() && !r.Until.After(now) {
		return isTaken
	}
	b := ban{by, r.Time, r.Until, r.Reason, r.Note}
	p := rs.bans[who]
	if p == nil {
		p = &banned{issuer: r.Issuer, subject: r.Value}
	}
	known := slices.ContainsFunc(p.bans, func(old ban) bool { return old.by == by && old.time.Equal(b.time) })
	if !known {
		switch t := rs.shares.fits(by, f.trusted.Optional, 1, 0, len(rs.lifts)); t {
		case isFull:
			sinkBan(sink, p, b)
			return t
		case isTooMuch:
			return t
		}
		p.bans = append(p.bans, b)
		rs.bans[who] = p
		rs.shares.add(by, 1, 0)
	}
	if waits {
		f.wait(who)
		return isTaken
	}
	return takenIf(sinkBan(sink, p, b))
}

// enforce has the sink hold a publisher's bans of a player that hold. It reports false if there is no room.
func (rs *rules) enforce(who player, by PublisherID, now time.Time, sink Sink) (ok bool) {
	p := rs.bans[who]
	return p == nil || p.enforce(now, sink, func(b *ban) bool { return b.by == by })
}

// lift takes f's lift of by's bans up to a time and ends them.
func (rs *rules) lift(f *follower, by PublisherID, r *Record, until time.Time, now time.Time, sink Sink, started bool) taken {
	who := playerOf(r)
	key := lifted{who, by}
	old, ok := rs.lifts[key]
	if ok && !until.After(old.time) {
		return isTaken
	}
	l := liftedUntil{until, r.Until, f.id}
	if ok {
		l.share = old.share
	} else if t := rs.shares.fits(f.id, f.trusted.Optional, 0, 1, len(rs.lifts)); t != isTaken {
		return t
	} else {
		rs.shares.add(f.id, 0, 1)
	}
	if ok && (old.until.IsZero() || !l.until.IsZero() && l.until.Before(old.until)) {
		l.until = old.until
	}
	rs.lifts[key] = l
	p := rs.bans[who]
	if p == nil {
		p = &banned{issuer: r.Issuer, subject: r.Value}
	}
	kept := p.bans[:0]
	for _, b := range p.bans {
		if b.by != by || b.time.After(until) {
			kept = append(kept, b)
		}
	}
	rs.shares.add(by, len(kept)-len(p.bans), 0)
	clear(p.bans[len(kept):])
	p.bans = kept
	if len(kept) == 0 {
		delete(rs.bans, who)
	}
	if !started {
		rs.marked[who] = p
		return isTaken
	}
	return takenIf(p.renew(now, sink))
}

// renew has the sink hold exactly the bans that hold, beside those of its own: what it had may have
// lasted longer.
func (p *banned) renew(now time.Time, sink Sink) (ok bool) {
	sink.LiftEverywhere(p.issuer, p.subject)
	return p.enforce(now, sink, func(*ban) bool { return true })
}

// enforce has the sink hold those of the bans that are chosen.
func (p *banned) enforce(now time.Time, sink Sink, chosen func(*ban) bool) (ok bool) {
	ok = true
	for _, b := range p.bans {
		if chosen(&b) && (b.until.IsZero() || b.until.After(now)) {
			ok = sinkBan(sink, p, b) && ok
		}
	}
	return ok
}

// start lifts what was to be lifted: now every ban is known that still holds.
func (rs *rules) start(now time.Time, sink Sink) {
	for who, p := range rs.marked {
		if holds := rs.bans[who]; holds != nil {
			p = holds
		}
		p.renew(now, sink)
	}
	clear(rs.marked)
}

// forget leaves out what is over.
func (rs *rules) forget(now time.Time) {
	for who, p := range rs.bans {
		kept := p.bans[:0]
		for _, b := range p.bans {
			if b.until.IsZero() || b.until.Add(clockMargin).After(now) {
				kept = append(kept, b)
			} else {
				rs.shares.add(b.by, -1, 0)
			}
		}
		clear(p.bans[len(kept):])
		if p.bans = kept; len(kept) == 0 {
			delete(rs.bans, who)
		}
	}
	for key, l := range rs.lifts {
		if !l.until.IsZero() && l.until.Add(clockMargin).Before(now) {
			delete(rs.lifts, key)
			rs.shares.add(l.share, 0, -1)
		}
	}
}

func sinkBan(sink Sink, p *banned, b ban) bool {
	_, err := sink.Ban(session.Ban{Issuer: p.issuer, Subject: p.subject, Until: b.until, Reason: b.reason, Note: b.note, Everywhere: true})
	return err == nil
}
