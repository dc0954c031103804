package revocation

import (
	"encoding/hex"
	"time"

	"github.com/sallyport/sallyport/session"
)

// apply puts a record in force and reports whether the sink has room for it.
func (c *core) apply(now time.Time, f *follower, s *segment, r *Record) bool {
	if !f.trusted.Kinds.Has(r.Kind) || r.Kind == KindLift && r.Of != (PublisherID{}) && r.Of != f.id && !f.trusted.LiftAny {
		c.counts.Forbidden++
		c.alarm(now, "forbidden "+f.trusted.Name, "revocation: a publisher has published what it may not; it was ignored", f)
		return true
	}
	if r.over(now) {
		return true
	}
	c.counts.Applied++
	switch r.Kind {
	case KindBan:
		return c.took(now, f, c.rules.ban(f, r, now, c.config.Sink, c.awaitsLifts(now, f)))
	case KindLift:
		of, until := r.Of, r.At
		if of == (PublisherID{}) {
			of, until = f.id, r.Time.Add(-time.Microsecond)
		}
		return c.took(now, f, c.rules.lift(f, of, r, until, now, c.config.Sink, c.started))
	case KindUsed:
		if own := c.config.Own; own == nil || own.id != f.id || own.former(r.Number) {
			c.config.Sink.Use(session.Used{Kind: r.Used, ID: r.ID, Epoch: r.Epoch, Reason: r.Reason, Until: r.Until})
		}
		return true
	}
	if r.Kind == KindSession && f.trusted.Optional && f.revokesTooMuch(r.ID, now, c.rules.shares.one()) {
		return c.took(now, f, isTooMuch)
	}
	_, err := c.config.Sink.Revoke(f.revocation(r, now))
	return err == nil
}

// took says what became of a record, and reports whether there was room for it.
func (c *core) took(now time.Time, f *follower, t taken) bool {
	if t == isTooMuch {
		c.counts.Forbidden++
		c.alarm(now, "too much "+f.trusted.Name, "revocation: an optional publisher bans, lifts or ends more than its share, which was ignored: if its key was stolen, trust it no more and lift what it has banned", f)
	}
	return t != isFull
}

// revocationKinds are those of package session.
var revocationKinds = [...]session.RevocationKind{
	KindSubject: session.RevokeSubject, KindToken: session.RevokeToken, KindSignIn: session.RevokeSignIn,
	KindKey: session.RevokeKey, KindBuild: session.RevokeBuild, KindSession: session.RevokeSession,
}

// revocation returns what the sink is told. Its time is by our clock, as far as the publisher's is
// known to differ, and never to come.
func (f *follower) revocation(r *Record, now time.Time) session.Revocation {
	out := session.Revocation{Kind: revocationKinds[r.Kind], Issuer: r.Issuer, Value: r.Value, Everywhere: true}
	switch {
	case r.Kind == KindSession:
		out.Value = hex.EncodeToString(r.ID[:])
		out.Time = r.Time
	case r.byClock:
		out.Time = r.IssuedBy.Add(f.shift())
	case !r.IssuedBy.IsZero():
		out.Time = r.IssuedBy
	default:
		out.Time = r.Time.Add(f.shift())
	}
	if out.Time.After(now) {
		out.Time = now
	}
	return out
}
