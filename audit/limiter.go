package audit

import (
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
)

// limiter bounds the lines of one second of the clock. It keeps three separate shares, so that no
// flood hides the lines that matter:
//
//	revocations                  perSecond in the long run, revokeBurst at once: each session is revoked once; with
//	                             them bans, their lifting, withdrawals of trust and calls of services
//	alarms, floods, key changes  perSecond in the long run, serverBurst at once: rare events about the server itself
//	all others                   perSecond; rejections and denials half of it; each player playerBurst at once, then one in playerInterval
type limiter struct {
	perSecond int // negative means no limit

	revocations, server bucket.Bucket
	players             players

	second            int64 // Unix time that the next two are about
	lines, rejections int   // of the third share; rejections are among lines
}

func newLimiter(perSecond int) limiter {
	return limiter{
		perSecond:   perSecond,
		revocations: bucket.New(bucket.PerSecond(perSecond, revokeBurst), 0),
		server:      bucket.New(bucket.PerSecond(perSecond, serverBurst), 0),
		players:     newPlayers(),
	}
}

// admit takes a line from its share, and reports whether there was one.
func (l *limiter) admit(e *Event, now time.Time) bool {
	switch {
	case l.perSecond < 0:
		return true
	case e.Decision.operator():
		return l.revocations.Take(now.UnixNano())
	case e.Decision.server():
		return l.server.Take(now.UnixNano())
	}
	if second := now.Unix(); second != l.second {
		l.second, l.lines, l.rejections = second, 0, 0
	}
	if l.lines >= l.perSecond || e.Decision.refusal() && l.rejections >= (l.perSecond+1)/2 || !l.players.take(e, now.UnixNano()) {
		return false
	}
	l.lines++
	if e.Decision.refusal() {
		l.rejections++
	}
	return true
}

// refusal reports whether a decision is one that strangers can cause without end.
func (d Decision) refusal() bool { return d == Reject || d == Deny }

// server reports whether a decision is about the server and not about a player.
func (d Decision) server() bool { return d == Alarm || d == Flood || d == KeyRotation }

// operator reports whether a decision ends the stay of players, present or absent, or ends that, or is
// a call of a service: the decisions that strangers cannot cause and that an operator must find.
func (d Decision) operator() bool {
	return d == Revoke || d == Ban || d == Lift || d == Withdraw || d == Operate
}

// room returns how many events may wait in the queue when an event of decision d is added, given
// the room of the decisions without a reserved share. Reserved shares add to it.
func (d Decision) room(others int) int {
	switch {
	case d.server():
		return others + revokeBurst + serverBurst
	case d.operator():
		return others + revokeBurst
	}
	return others
}
