package machine

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Revoke ends every session that r concerns with its next datagram, says how many
// there were, and refuses the tokens that r concerns, and the tickets that stand for
// them, from now on: of a key or
// a build as long as this process runs and those that it hands its sessions to, of
// anything else until the longest-lived token has expired. Memory is bounded by
// MaxRevocations, and repeating a revocation takes none. The error is ErrRevocation,
// or ErrRevocationsFull.
//
// Revoke is what a feed of a whole fleet calls. It costs a look at every session.
func (g *Gate) Revoke(r session.Revocation) (ended int, err error) {
	if r.Kind < session.RevokeSubject || r.Kind > session.RevokeBuild || r.Value == "" || r.Issuer == "" != (r.Kind == session.RevokeBuild) {
		return 0, session.ErrRevocation
	}
	until := int64(never) // of the issue of tokens, Unix ms: what is live now has been issued
	if r.Time.IsZero() {
		r.Time = time.Now()
	} else if r.Kind == session.RevokeSubject {
		until = r.Time.UnixMilli()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	err = g.revoked.add(&r)
	ended = g.revokeLive(func(s *Session) bool { return matches(&r, s) && s.names.Load().issued <= until })
	if r.Kind == session.RevokeSubject {
		ended += g.barAbsent(playerKey(r.Issuer, r.Value), until, audit.DropRevoked)
	}
	return ended, err
}

// RevokeSubject revokes every session of a subject of an issuer that lives here, or
// whose connection has ended a while ago and that may yet be resumed, and says how
// many there were. The subject may come again with another identity token. See
// Revoke and Ban.
func (g *Gate) RevokeSubject(issuer, subject string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.revokeLive(func(s *Session) bool { return s.issuer == issuer && s.subject == subject })
	return n + g.barAbsent(playerKey(issuer, subject), never, audit.DropRevoked)
}

// RevokeSession ends a session with its next datagram; false if there is none of
// this id, neither live nor one that may yet be resumed, or it is revoked already.
func (g *Gate) RevokeSession(id uint32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.sessions[id]; s != nil {
		return g.putOut(s, wire.ReasonRevoked, audit.DropRevoked)
	}
	for name, e := range g.absent.sessions {
		if e.id == id {
			g.bar(name, time.Unix(0, e.expires), audit.DropRevoked)
			return true
		}
	}
	return false
}

// +checklocks:g.mu
func (g *Gate) revokeLive(concerned func(*Session) bool) (n int) {
	for _, s := range g.sessions {
		if concerned(s) && g.putOut(s, wire.ReasonRevoked, audit.DropRevoked) {
			n++
		}
	}
	return n
}

// barAbsent bars a player's sessions that are not here and whose token was issued by then (Unix ms).
//
// +checklocks:g.mu
func (g *Gate) barAbsent(player [16]byte, until int64, why audit.Drop) (n int) {
	for name, e := range g.absent.sessions {
		if e.player == player && e.issued <= until {
			g.bar(name, time.Unix(0, e.expires), why)
			n++
		}
	}
	return n
}

// concerns reports whether a live session falls under r.
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

// revocations are remembered for those who are not here now.
type revocations struct {
	most    int
	entries map[[32]byte]revocation
}

type revocation struct {
	at   int64 // tokens issued later are good, Unix ns
	ends int64 // when it may be forgotten
}

const never = 1<<63 - 1

func (rs *revocations) add(r *session.Revocation) error {
	key, now := revocationKey(r.Kind, r.Issuer, r.Value), r.Time.UnixNano()
	e := revocation{never, r.Time.Add(revocationLife).UnixNano()}
	switch r.Kind {
	case session.RevokeSubject:
		e.at = now
	case session.RevokeKey, session.RevokeBuild:
		e.ends = never
	}
	if _, known := rs.entries[key]; !known && len(rs.entries) >= rs.most && !rs.prune(now) {
		return session.ErrRevocationsFull
	}
	rs.restore(key, e)
	return nil
}

// restore remembers an entry beside what is known already.
func (rs *revocations) restore(key [32]byte, e revocation) {
	if rs.entries == nil {
		rs.entries = make(map[[32]byte]revocation)
	}
	old := rs.entries[key]
	rs.entries[key] = revocation{max(e.at, old.at), max(e.ends, old.ends)}
}

// prune forgets what has expired; false if that makes no room.
func (rs *revocations) prune(now int64) bool {
	maps.DeleteFunc(rs.entries, func(_ [32]byte, e revocation) bool { return e.ends <= now })
	return len(rs.entries) < rs.most
}

// concern says whether a token, or the build of who shows it, is revoked.
func (rs *revocations) covers(now time.Time, claims *token.Claims, build string) bool {
	if len(rs.entries) == 0 {
		return false
	}
	for _, about := range [...]struct {
		kind          session.RevocationKind
		issuer, value string
	}{
		{session.RevokeSubject, claims.Issuer, claims.Subject},
		{session.RevokeToken, claims.Issuer, claims.ID},
		{session.RevokeSignIn, claims.Issuer, claims.SignIn},
		{session.RevokeKey, claims.Issuer, claims.KeyID},
		{session.RevokeBuild, "", build},
	} {
		e, ok := rs.entries[revocationKey(about.kind, about.issuer, about.value)]
		if ok && now.UnixNano() < e.ends && (claims.IssuedAt.IsZero() || claims.IssuedAt.UnixNano() <= e.at) {
			return true
		}
	}
	return false
}

func revocationKey(kind session.RevocationKind, issuer, value string) [32]byte {
	b := binary.BigEndian.AppendUint16([]byte{byte(kind)}, uint16(len(issuer)))
	b = append(b, issuer...)
	return sha256.Sum256(append(b, value...))
}
