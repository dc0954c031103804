package soak

import (
	"fmt"
	"maps"
)

// failing notes a promise that was broken.
type failing func(format string, args ...any)

// handedOn is the audited decision and detail for a player whom a server leaves to the next process.
const handedOn = "close handed on to the next process"

// judgeTurn lists what went wrong with what happened in the middle of play, and what the server's record does not show.
func (r *run) judgeTurn(p *Report, fail failing) {
	if r.config.turns() {
		if turned := r.turned.Load(); turned < uint64(p.Connected) {
			fail("%d of %d players went on after %s; behind: %s", turned, p.Connected, r.config.turnName(), r.behind.Counts().Text("unknown"))
		}
		if n := r.strangers.Load(); n > 0 {
			fail("%d players came back as somebody else", n)
		}
	}
	if err := r.evidence.err; err != nil {
		fail("the server: %v", err)
		return
	}
	switch {
	case r.config.Migrate:
		byTicket := int(r.tickets.Load()) // in place of it: a client whom the new path did not answer soon
		r.audited(fail, "migrate", p.Connected-byTicket)
		r.audited(fail, "resume", byTicket)
	case r.config.Blackout > 0:
		r.judgeBlackout(fail)
	case r.config.Replace:
		r.judgeHandover(p, fail)
	}
	if r.config.Renew {
		r.judgeRenewals(fail)
	}
}

// turnName names the event in the middle of play.
func (c *Config) turnName() string {
	switch {
	case c.Migrate:
		return "the change of socket"
	case c.Blackout > 0:
		return "the blackout"
	}
	return "the server was replaced"
}

// audited expects a decision about each of so many sessions, where the server shows its audit. What it says to have left
// out for being too much may have been among them.
func (r *run) audited(fail failing, what string, want int) {
	if trail := r.evidence.trail; trail != nil {
		got, missing := len(trail.Sessions(what)), trail.Missing()
		if got+int(missing) < want {
			fail("the server has audited %s of %d sessions, of %d%s", what, got, want, leftOut(missing))
		}
	}
}

func (r *run) judgeRenewals(fail failing) {
	if counts := r.evidence.counts(); counts != nil {
		got, want, missing := counts["renew"], r.renewals.Load(), r.evidence.trail.Missing()
		if got+missing < want {
			fail("the server has audited %d of %d renewals%s", got, want, leftOut(missing))
		}
	}
}

func leftOut(lines uint64) string {
	if lines == 0 {
		return ""
	}
	return fmt.Sprintf(", and has left out %d lines", lines)
}

func (r *run) judgeBlackout(fail failing) {
	limit := resumeTime + 2*r.config.delay()
	if longest := r.pauses.longestBut(r.late); longest > limit {
		fail("the first snapshot came %.0f ms after the path's return, without what this process was stopped, later than %v", ms(longest), limit)
	}
	r.audited(fail, "resume", int(r.tickets.Load()))
}

// judgeHandover wants every session that the one process has left to have been taken up by the other, without a handshake.
func (r *run) judgeHandover(p *Report, fail failing) {
	h := r.evidence.handover
	if h == nil {
		return // interrupted
	}
	left, resumed := h.Former.Sessions(handedOn), h.Present.Sessions("resume")
	if len(left) != p.Connected {
		fail("the old process has audited %q of %d sessions, of %d", handedOn, len(left), p.Connected)
	}
	if !maps.Equal(left, resumed) {
		fail("the next process has audited resume of %d sessions, of %d", len(resumed), len(left))
	}
	if n := h.Handshakes.Started; n > 0 && r.lostPaths.Load() == 0 {
		fail("%d handshakes have begun with the next process, although no player had lost its path", n)
	}
	if n := h.Handshakes.Completed; n > 0 {
		fail("%d players have negotiated with the next process", n)
	}
}
