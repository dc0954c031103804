package transport

import (
	"errors"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// Session returns the live session with an id on this server. It reports false if there is none.
func (s *Server) Session(id uint32) (session.Session, bool) {
	live, ok := s.gate.Session(id)
	if !ok {
		return nil, false
	}
	return live, true
}

// Revoke ends every session that r concerns with its next datagram and returns how many there
// were. From now on it refuses the identity tokens that r concerns and the tickets issued for
// them: for a key or a build as long as this process runs, and those that take over its sessions;
// for anything else until the longest-lived token has expired. Memory is bounded by
// session.Config.MaxRevocations, and repeating a revocation takes none. The audit has a line
// "withdraw", unless r only repeats what is kept. The error is session.ErrRevocation,
// session.ErrRevocationsFull, or ErrServerClosed once Shutdown has written Config.Snapshot: the
// next process does not know of r unless it was given before, and r has no line then. What comes
// from a feed has no such error, since the feed repeats it.
//
// Revoke may be called at any time after Listen, and is meant for a feed that serves a whole fleet: a
// repetition takes about a microsecond, as does a revocation that concerns nobody here. One by key or
// by build, or of a token or sign-in that is in use here, searches all sessions. Of revocations and
// bans from a feed (Revocation.Everywhere, Ban.Everywhere) that end no session here the audit has 1,024
// lines at once and ten a second; the rest is counted in one line a second.
func (s *Server) Revoke(r session.Revocation) (ended int, err error) {
	now := s.clock.now()
	known := s.gate.Revoked(now, r)
	ended, err = s.gate.Revoke(now, r)
	if errors.Is(err, machine.ErrSaved) {
		return ended, ErrServerClosed
	}
	if ended == 0 && known || errors.Is(err, session.ErrRevocation) || s.audit.feedLines.leavesOut(now, r.Everywhere, ended) {
		return ended, err
	}
	e := audit.Event{Decision: audit.Withdraw, Issuer: r.Issuer}
	what := r.Kind.String()
	switch r.Kind {
	case session.RevokeSubject:
		e.Subject = r.Value
	case session.RevokeToken:
		e.TokenID = r.Value
	case session.RevokeKey:
		what += " " + r.Value
	case session.RevokeBuild:
		e.Build = r.Value
	case session.RevokeSession:
		what += " " + r.Value
	}
	if err != nil {
		e.Reason = audit.DropFull // of revocations
	}
	s.audit.operator(e, what, ended)
	return ended, err
}

// RevokeSubject revokes every session of a player that lives here, or whose connection has ended
// and that could still be resumed, and returns how many there were; the audit has a line "withdraw"
// if there were any. The player may come again with another identity token. See Revoke and Ban:
// where those return ErrServerClosed, RevokeSubject is too late as well, and does not say so.
func (s *Server) RevokeSubject(issuer, subject string) int {
	n := s.gate.RevokeSubject(issuer, subject)
	if n > 0 {
		s.audit.operator(audit.Event{Decision: audit.Withdraw, Issuer: issuer, Subject: subject}, "sessions", n)
	}
	return n
}

// RevokeSession ends a session with its next datagram; the audit has a line "withdraw". It reports
// false if no session has this id, neither live nor resumable, or if it is revoked already. Like
// RevokeSubject it does not say that it is too late for the next process.
func (s *Server) RevokeSession(id uint32) bool {
	e := audit.Event{Decision: audit.Withdraw, Session: id}
	if live, ok := s.gate.Session(id); ok {
		e.Issuer, e.Subject, e.TokenID, e.Scope = live.Issuer(), live.Subject(), live.TokenID(), live.Scope()
	}
	if !s.gate.RevokeSession(id) {
		return false
	}
	s.audit.operator(e, "session", 1)
	return true
}

// Ban ends every session of a player with its next datagram, returns how many there were, and
// refuses the player's identity tokens, old and new, and tickets until the ban is over or lifted.
// Processes that take over this one's sessions keep the ban. Of several bans of a player the one
// that lasts longest holds; one that is over already does nothing. Memory is bounded by
// session.Config.MaxBans. The audit has a line "ban", unless b changes nothing. The error is
// session.ErrBan, session.ErrBansFull or ErrServerClosed. What Revoke says of that and of a feed
// holds for Ban, too.
func (s *Server) Ban(b session.Ban) (ended int, err error) {
	known := s.gate.Banned(b)
	ended, err = s.gate.Ban(b)
	if errors.Is(err, machine.ErrSaved) {
		return ended, ErrServerClosed
	}
	if ended == 0 && known || errors.Is(err, session.ErrBan) || s.audit.feedLines.leavesOut(s.clock.now(), b.Everywhere, ended) {
		return ended, err
	}
	e := audit.Event{Decision: audit.Ban, Issuer: b.Issuer, Subject: b.Subject}
	if err != nil {
		e.Reason = audit.DropFull // of bans
	}
	if b.Reason == 0 {
		b.Reason = wire.ReasonRevoked
	}
	what := b.Reason.String()
	if !b.Until.IsZero() {
		what += ", until " + b.Until.UTC().Format(time.RFC3339)
	}
	s.audit.operator(e, what, ended, b.Note)
	return ended, err
}

// Bans returns up to most of the bans in force, in no particular order; if it returns that many, there may be
// more. A player may have two, one of them with Everywhere. Issuer, Subject and Note are empty in a ban that
// another process has left: a snapshot has no names.
func (s *Server) Bans(most int) []session.Ban {
	return s.gate.Bans(s.clock.now(), most)
}

// Lift ends a ban of this server's own before its time and reports whether there was one; if so, the
// audit has a line "lift". The player may come again with an identity token; sessions that the ban has
// ended stay ended. A ban that a feed has brought (Ban.Everywhere) stays in force: whoever has
// published it lifts it.
func (s *Server) Lift(issuer, subject string) bool { return lift(s, issuer, subject, false) }

// LiftEverywhere is Lift for a feed: it ends the ban that was given with Ban.Everywhere, and leaves
// this server's own.
func (s *Server) LiftEverywhere(issuer, subject string) bool { return lift(s, issuer, subject, true) }

func lift(s *Server, issuer, subject string, everywhere bool) bool {
	lifted := s.gate.Lift(issuer, subject, everywhere)
	if lifted {
		s.audit.now(audit.Event{Decision: audit.Lift, Issuer: issuer, Subject: subject})
	}
	return lifted
}
