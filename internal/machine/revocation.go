package machine

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Revoke ends every session that r covers with its next datagram and returns how many there were.
// From now on it refuses the tokens that r covers and the tickets that stand for them: those of a
// key or a build while this process, or one that takes over its sessions, runs; all others until
// the longest-lived token has expired. At most MaxRevocations are kept; repeating a revocation
// takes no room. The error is ErrRevocation or ErrRevocationsFull.
//
// Revoke scans all sessions: it is meant for the revocation feed of a whole fleet.
func (g *Gate) Revoke(r session.Revocation) (ended int, err error) {
	if r.Kind < session.RevokeSubject || r.Kind > session.RevokeBuild || r.Value == "" || r.Issuer == "" != (r.Kind == session.RevokeBuild) {
		return 0, session.ErrRevocation
	}
	until := int64(never) // tokens issued later stay valid, Unix ms; all live ones have been issued
	if r.Time.IsZero() {
		r.Time = time.Now()
	} else if r.Kind == session.RevokeSubject {
		until = r.Time.UnixMilli()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	err = g.revoked.revoke(&r)
	ended = g.revokeLive(func(s *Session) bool { return matches(&r, s) && s.names.Load().issued <= until })
	if r.Kind == session.RevokeSubject {
		ended += g.refuseAbsent(playerKey(r.Issuer, r.Value), until, audit.DropRevoked)
	}
	return ended, err
}

// RevokeSubject revokes every session of a subject that lives here, or whose connection has ended
// and that may still be resumed, and returns how many there were. The subject may join again with
// another identity token. See Revoke and Ban.
func (g *Gate) RevokeSubject(issuer, subject string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.revokeLive(func(s *Session) bool { return s.issuer == issuer && s.subject == subject })
	return n + g.refuseAbsent(playerKey(issuer, subject), never, audit.DropRevoked)
}

// RevokeSession ends a session with its next datagram. It reports false if no session has this id,
// neither a live one nor one that may still be resumed, or if it is revoked already.
func (g *Gate) RevokeSession(id uint32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.sessions[id]; s != nil {
		return g.terminate(s, wire.ReasonRevoked, audit.DropRevoked)
	}
	for name, e := range g.absent.sessions {
		if e.id == id {
			g.refuseTickets(name, time.Unix(0, e.expires), audit.DropRevoked)
			return true
		}
	}
	return false
}

// +checklocks:g.mu
func (g *Gate) revokeLive(concerned func(*Session) bool) (n int) {
	for _, s := range g.sessions {
		if concerned(s) && g.terminate(s, wire.ReasonRevoked, audit.DropRevoked) {
			n++
		}
	}
	return n
}

// refuseAbsent refuses the tickets of a player's sessions that live on no connection and whose
// token was issued by until (Unix ms).
//
// +checklocks:g.mu
func (g *Gate) refuseAbsent(player [16]byte, until int64, why audit.Drop) (n int) {
	for name, e := range g.absent.sessions {
		if e.player == player && e.issued <= until {
			g.refuseTickets(name, time.Unix(0, e.expires), why)
			n++
		}
	}
	return n
}

// matches reports whether r covers a live session.
func matches(r *session.Revocation, s *Session) bool {
	n := s.names.Load()
	if r.Kind == session.RevokeBuild {
		return s.fingerprint.Build == r.Value
	}
	if s.issuer != r.Issuer {
		return false
	}
	switch r.Kind {
	case session.RevokeSubject:
		return s.subject == r.Value
	case session.RevokeToken:
		return n.token == r.Value
	case session.RevokeSignIn:
		return n.signIn == r.Value
	}
	return n.key == r.Value
}

// revocations are kept for tokens that are not in use now.
type revocations struct{ expiring[revocation] }

type revocation struct {
	at   int64 // tokens issued later are valid, Unix ns
	ends int64 // when it expires, Unix ns
}

const never = 1<<63 - 1

func (e revocation) expiry() int64 { return e.ends }

// merge returns the revocation that covers both.
func (e revocation) merge(old revocation) revocation {
	return revocation{max(e.at, old.at), max(e.ends, old.ends)}
}

func (rs *revocations) revoke(r *session.Revocation) error {
	now := r.Time.UnixNano()
	e := revocation{never, r.Time.Add(revocationLife).UnixNano()}
	switch r.Kind {
	case session.RevokeSubject:
		e.at = now
	case session.RevokeKey, session.RevokeBuild:
		e.ends = never
	}
	if !rs.add(revocationKey(r.Kind, r.Issuer, r.Value), e, now) {
		return session.ErrRevocationsFull
	}
	return nil
}

// covers reports whether a token, or the build of the client that presents it, is revoked.
func (rs *revocations) covers(now time.Time, claims *token.Claims, build string) bool {
	if len(rs.entries) == 0 {
		return false
	}
	for _, key := range [...]struct {
		kind          session.RevocationKind
		issuer, value string
	}{
		{session.RevokeSubject, claims.Issuer, claims.Subject},
		{session.RevokeToken, claims.Issuer, claims.ID},
		{session.RevokeSignIn, claims.Issuer, claims.SignIn},
		{session.RevokeKey, claims.Issuer, claims.KeyID},
		{session.RevokeBuild, "", build},
	} {
		e, ok := rs.lookup(revocationKey(key.kind, key.issuer, key.value), now.UnixNano())
		if ok && (claims.IssuedAt.IsZero() || claims.IssuedAt.UnixNano() <= e.at) {
			return true
		}
	}
	return false
}

// revocationKey returns the digest of what a revocation names.
func revocationKey(kind session.RevocationKind, issuer, value string) [32]byte {
	b := binary.BigEndian.AppendUint16([]byte{byte(kind)}, uint16(len(issuer)))
	b = append(b, issuer...)
	return sha256.Sum256(append(b, value...))
}
