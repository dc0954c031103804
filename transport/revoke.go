package transport

import "github.com/sallyport/sallyport/session"

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
// session.Config.MaxRevocations, and repeating a revocation takes none. The error is
// session.ErrRevocation or session.ErrRevocationsFull.
//
// Revoke is meant for a feed that serves a whole fleet. It looks at every session once.
func (s *Server) Revoke(r session.Revocation) (ended int, err error) { return s.gate.Revoke(r) }

// RevokeSubject revokes every session of a player that lives here, or whose connection has ended
// and that could still be resumed, and returns how many there were. The player may come again with
// another identity token. See Revoke and Ban.
func (s *Server) RevokeSubject(issuer, subject string) int {
	return s.gate.RevokeSubject(issuer, subject)
}

// RevokeSession ends a session with its next datagram. It reports false if no session has this id,
// neither live nor resumable, or if it is revoked already.
func (s *Server) RevokeSession(id uint32) bool { return s.gate.RevokeSession(id) }

// Ban ends every session of a player with its next datagram, returns how many there were, and
// refuses the player's identity tokens, old and new, and tickets until the ban is over or lifted.
// Processes that take over this one's sessions keep the ban. Of several bans of a player the one
// that lasts longest holds; one that is over already does nothing. Memory is bounded by
// session.Config.MaxBans. The error is session.ErrBan or session.ErrBansFull.
func (s *Server) Ban(b session.Ban) (ended int, err error) { return s.gate.Ban(b) }

// Lift ends a ban before its time and reports whether the player was banned. The player may come
// again with an identity token; sessions that the ban has ended stay ended.
func (s *Server) Lift(issuer, subject string) bool { return s.gate.Lift(issuer, subject) }
