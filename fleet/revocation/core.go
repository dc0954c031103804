package revocation

import (
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// core is a Subscriber without goroutines and clocks: it maps a time and a message to what is to be
// asked and loaded. It belongs to one goroutine.
type core struct {
	config    SubscriberConfig
	start     time.Time
	ticked    time.Time // the last tick
	awake     time.Time // since when ticks have come in time
	followers map[PublisherID]*follower
	order     []*follower

	rules   rules // bans and lifts
	started bool  // everything that was stored when it began has been read: see rules
	asking  []asking
	asks    backoff
	askNext time.Time
	random  func([]byte)

	said   map[string]time.Time // see quiet
	ended  bool                 // End has been called
	counts SubscriberCounts
}

// asking is a challenge that was sent.
type asking struct {
	nonce nonce
	sent  time.Time
}

// SubscriberCounts count what was refused.
type SubscriberCounts struct {
	Unknown   uint64 // messages of publishers that are not trusted
	Forged    uint64 // messages whose signature is wrong
	Malformed uint64 // signed messages that this version cannot read
	Old       uint64 // heads that were repeated or overtaken
	Forbidden uint64 // records that their publisher may not publish: of a kind, or in a number, that it may not
	Forks     uint64 // two histories signed by one publisher
	Overflow  uint64 // messages that came faster than they could be applied; they are read again
	Applied   uint64 // records
}

func newCore(config SubscriberConfig, now time.Time, random func([]byte)) *core {
	c := &core{
		config: config, start: now, followers: make(map[PublisherID]*follower), random: random,
		said: make(map[string]time.Time), rules: newRules(),
	}
	for _, t := range config.Trusted {
		c.trust(now, t)
	}
	return c
}

// trust adds a publisher, or changes what it may do.
func (c *core) trust(now time.Time, t Trusted) {
	id := IDOf(t.Key)
	if f := c.followers[id]; f != nil {
		if f.trusted.Optional && !t.Optional { // its silence has consequences from now on
			f.since, f.alarmed = now, false
		}
		f.trusted = t
		return
	}
	f := &follower{trusted: t, id: id, since: now}
	c.followers[id] = f
	c.order = append(c.order, f)
}

// receive takes a message of the topic live, or one that was loaded.
func (c *core) receive(now time.Time, m []byte) {
	if h, ok := parseHead(m); ok {
		if f := c.followers[h.publisher]; f != nil {
			c.head(now, f, &h, m)
			return
		}
	} else if s, ok := parseSegment(m); ok {
		if f := c.followers[s.publisher]; f != nil {
			c.segment(now, f, &s, m)
			return
		}
	} else {
		c.counts.Malformed++
		return
	}
	c.counts.Unknown++
}

// head takes a publisher's word on what there is.
func (c *core) head(now time.Time, f *follower, h *head, m []byte) {
	if !f.newer(h) {
		c.counts.Old++
		return
	}
	if !c.authentic(now, f, m) {
		return
	}
	if had := f.have.whole(); f.head.epoch != h.epoch {
		f.have = f.have.cut(h)
		f.anchor = anchor{}
		if lost := had - f.have.whole(); f.head.epoch != 0 && lost > 0 {
			c.say(now, slog.LevelWarn, "lost "+f.trusted.Name, "revocation: a publisher has begun again before records that were in force here; they stay in force",
				slog.String("publisher", f.trusted.Name), slog.Uint64("records", lost))
		}
	}
	f.head = *h
	for _, n := range h.nonces {
		for _, a := range c.asking {
			if a.nonce == n {
				f.anchored(h, a.sent, now)
			}
		}
	}
	if f.anchor.ok {
		f.compare(h, now)
	}
	if skew := f.skew; f.anchor.ok && (skew > clockApart || skew < -clockApart) {
		c.alarm(now, "clock "+f.trusted.Name, "revocation: a publisher's clock differs from ours: set both by NTP", f, slog.Duration("ahead", skew.Round(time.Second)))
	}
	c.settle(now, f)
}

// segment takes records.
func (c *core) segment(now time.Time, f *follower, s *segment, m []byte) {
	if f.knows(s) {
		return
	}
	if !c.authentic(now, f, m) {
		return
	}
	if !s.merged && s.after != s.before.next(s.content) || !s.records(nil) {
		c.counts.Malformed++
		c.say(now, slog.LevelError, "malformed "+f.trusted.Name, "revocation: a publisher signs what this version cannot read: update this server", slog.String("publisher", f.trusted.Name))
		return
	}
	full := false
	s.records(func(r *Record) {
		if f.have.covers(r.Number, s.epoch) {
			return
		}
		before := c.counts.Applied
		switch {
		case !c.apply(now, f, s, r):
			full = true
		case c.counts.Applied > before && c.config.OnApplied != nil && !f.isOwn(c.config.Own):
			c.config.OnApplied(r.Time.Add(f.shift()))
		}
	})
	if full {
		c.full(now, f)
	}
	if !f.add(s) {
		c.forked(now, f)
		return
	}
	c.settle(now, f)
}

// authentic reports whether m is signed by the publisher.
func (c *core) authentic(now time.Time, f *follower, m []byte) bool {
	if verify(m, f.trusted.Key) {
		return true
	}
	c.counts.Forged++
	c.alarm(now, "forged "+f.trusted.Name, "revocation: a message with a wrong signature was ignored: somebody who may publish to the broker forges, or the publisher has another key", f)
	return false
}

func (c *core) full(now time.Time, f *follower) {
	f.full(now)
	c.alarm(now, "full", "revocation: the server does not hold all that is revoked: raise session.Config.MaxRevocations and MaxBans", f)
}

func (c *core) forked(now time.Time, f *follower) {
	c.counts.Forks++
	f.have = nil
	c.alarm(now, "fork "+f.trusted.Name, "revocation: a publisher has signed two histories: its store was copied, or its key is stolen; replace the key", f)
}

// settle notes what is in force since when.
func (c *core) settle(now time.Time, f *follower) {
	switch f.settle(now) {
	case isForked:
		c.forked(now, f)
	case isWhole:
		if !c.started && c.everythingRead() {
			c.started = true
			c.rules.start(now, c.config.Sink)
		}
	}
}

// awaitsLifts reports whether bans of f wait: what it has stored, and what those have who may lift them, has
// not been read yet, and there is still time for that. Who was banned and lifted long ago plays, perhaps.
func (c *core) awaitsLifts(now time.Time, f *follower) bool {
	if now.Sub(f.since) >= firstRead {
		return false
	}
	for _, other := range c.order {
		if (other == f || other.trusted.LiftAny) && !other.loaded && !other.wholeKnown {
			return true
		}
	}
	return false
}

// release puts the bans in force that have waited, and that nobody has lifted.
func (c *core) release(now time.Time) {
	for _, f := range c.order {
		if len(f.waiting) == 0 || c.awaitsLifts(now, f) {
			continue
		}
		for who := range f.waiting {
			if !c.rules.enforce(who, f.id, now, c.config.Sink) {
				c.full(now, f)
			}
		}
		f.waiting = nil
		c.settle(now, f)
	}
}

// everythingRead reports whether all is known that was published before: publishers have confirmed
// it, or what is stored has been read of one that is not needed.
func (c *core) everythingRead() bool {
	for _, f := range c.order {
		if !f.wholeKnown && !(f.trusted.Optional && f.loaded) {
			return false
		}
	}
	return true
}

// say logs, the same once in a while. It reports false if it has not.
func (c *core) say(now time.Time, level slog.Level, key, message string, attrs ...slog.Attr) bool {
	if last, ok := c.said[key]; ok && now.Sub(last) < quiet {
		return false
	}
	c.said[key] = now
	c.config.Logger.LogAttrs(noContext, level, message, attrs...)
	return true
}

// alarm logs and audits.
func (c *core) alarm(now time.Time, key, message string, f *follower, attrs ...slog.Attr) {
	attrs = append(attrs, slog.String("publisher", f.trusted.Name))
	if c.say(now, slog.LevelError, key, message, attrs...) {
		c.config.Audit.Record(audit.Event{Time: now, Decision: audit.Alarm, Detail: key})
	}
}
