package machine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
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
// takes no room. The error is ErrRevocation, ErrRevocationsFull or ErrSaved.
//
// A revocation that is repeated, and one of a subject, a token, a sign-in or a session that is not
// here, costs about a microsecond. A key, a build, and a token or sign-in that is here, is looked for
// among all sessions.
func (g *Gate) Revoke(now time.Time, r session.Revocation) (ended int, err error) {
	if !isRevocation(&r) {
		return 0, session.ErrRevocation
	}
	until := int64(never) // tokens issued later stay valid, Unix ms; all live ones have been issued
	dated := !r.Time.IsZero()
	if !dated {
		r.Time = g.wall(now)
	} else if r.Kind == session.RevokeSubject {
		until = r.Time.UnixMilli()
	}
	g.mu.Lock()
	defer g.unlock()
	known, err := g.revoked.revoke(&r, g.latest)
	if g.saved && !r.Everywhere {
		err = ErrSaved
	}
	if known && (dated || r.Kind != session.RevokeSubject) {
		return 0, err // whoever is here has come in since; but for a clock that was set back
	}
	g.quiet = r.Everywhere
	return g.revokeConcerned(&r, until), err
}

// isRevocation reports whether r has a kind, a value and what else its kind needs.
func isRevocation(r *session.Revocation) bool {
	switch r.Kind {
	case session.RevokeSubject, session.RevokeToken, session.RevokeSignIn, session.RevokeKey:
		return r.Value != "" && r.Issuer != ""
	case session.RevokeBuild:
		return r.Value != "" && r.Issuer == ""
	case session.RevokeSession:
		_, ok := sessionNamed(r.Value)
		return ok && r.Issuer == ""
	}
	return false
}

// sessionNamed returns the name of a session that is written in lower-case hexadecimal.
func sessionNamed(text string) (name [16]byte, ok bool) {
	if len(text) != 2*len(name) || strings.ContainsAny(text, "ABCDEF") {
		return name, false
	}
	_, err := hex.Decode(name[:], []byte(text))
	return name, err == nil
}

// revokeConcerned ends the sessions that r concerns, live and absent, and returns how many there were.
// Those that a subject's revocation concerns have been issued by until (Unix ms).
//
// +checklocks:g.mu
func (g *Gate) revokeConcerned(r *session.Revocation, until int64) (n int) {
	switch r.Kind {
	case session.RevokeSubject:
		return g.revokePlayer(r.Issuer, r.Value, until)
	case session.RevokeSession:
		name, _ := sessionNamed(r.Value)
		return g.revokeNamed(name, r.Time.Add(revocationLife))
	}
	if !g.named.has(r) {
		return 0
	}
	for _, s := range g.sessions {
		if matches(r, s) && g.terminate(s, wire.ReasonRevoked, audit.DropRevoked, revocationCauses[r.Kind]) {
			n++
		}
	}
	return n
}

// Revoked reports whether r withdraws nothing that is not withdrawn already: a revocation of the
// same value is kept, for a subject one that is as late.
func (g *Gate) Revoked(now time.Time, r session.Revocation) bool {
	if r.Time.IsZero() {
		r.Time = g.wall(now)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.revoked.kept(revocationKey(r.Kind, r.Issuer, r.Value), revocationOf(&r), wallClock(&r, g.latest))
}

// RevokeSubject revokes every session of a subject that lives here, or whose connection has ended
// and that may still be resumed, and returns how many there were. The subject may join again with
// another identity token. See Revoke and Ban.
func (g *Gate) RevokeSubject(issuer, subject string) int {
	g.mu.Lock()
	defer g.unlock()
	return g.revokePlayer(issuer, subject, never)
}

// revokePlayer revokes the sessions of a player, live and absent, whose token was issued by until
// (Unix ms).
//
// +checklocks:g.mu
func (g *Gate) revokePlayer(issuer, subject string, until int64) (n int) {
	for s := g.players[g.playerHash(issuer, subject)]; s != nil; s = s.sibling {
		if s.isOf(issuer, subject) && s.names.Load().issued <= until && g.terminate(s, wire.ReasonRevoked, audit.DropRevoked, CauseRevokedPlayer) {
			n++
		}
	}
	return n + g.refuseAbsent(playerKey(issuer, subject), until, audit.DropRevoked, wire.ReasonRevoked)
}

// RevokeSession ends a session with its next datagram. It reports false if no session has this id,
// neither a live one nor one that may still be resumed, or if it is revoked already.
func (g *Gate) RevokeSession(id uint32) bool {
	g.mu.Lock()
	defer g.unlock()
	if s := g.sessions[id]; s != nil {
		return g.terminate(s, wire.ReasonRevoked, audit.DropRevoked, CauseRevoked)
	}
	for name, e := range g.absent.sessions {
		if e.id == id {
			return g.revokeNamed(name, time.Unix(0, e.expires)) == 1
		}
	}
	return false
}

// revokeNamed revokes a session and returns 1 if it lived here, or could have been resumed. One that
// this server does not know is reported to those that may, if tickets of it may be good until then.
//
// +checklocks:g.mu
func (g *Gate) revokeNamed(name [16]byte, until time.Time) int {
	if s := g.findByName(name); s != nil {
		if g.terminate(s, wire.ReasonRevoked, audit.DropRevoked, CauseRevoked) {
			return 1
		}
		return 0
	}
	e, absent := g.absent.sessions[name]
	if _, known := g.memory.lookup(sessionKey(name)); !absent && !known {
		g.note(session.Used{Kind: session.UsedSession, ID: name, Reason: wire.ReasonRevoked, Until: until})
		return 0
	}
	g.putOut(name, time.Unix(0, e.expires), audit.DropRevoked, wire.ReasonRevoked)
	if absent {
		return 1
	}
	return 0
}

// refuseAbsent refuses the tickets of a player's sessions that live on no connection and whose
// token was issued by until (Unix ms).
//
// +checklocks:g.mu
func (g *Gate) refuseAbsent(player [16]byte, until int64, why audit.Drop, reason wire.Reason) int {
	names := g.absent.of(player, until)
	for _, name := range names {
		g.putOut(name, time.Unix(0, g.absent.sessions[name].expires), why, reason)
	}
	return len(names)
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

// revocationOf returns the entry of r.
func revocationOf(r *session.Revocation) revocation {
	e := revocation{never, instant(r.Time.Add(revocationLife))}
	switch r.Kind {
	case session.RevokeSubject:
		e.at = instant(r.Time)
	case session.RevokeKey, session.RevokeBuild:
		e.ends = never
	}
	return e
}

// instant returns t in Unix ns, or the first or last one there is.
func instant(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, 0)):
		return 0
	case !t.Before(time.Unix(0, never)):
		return never
	}
	return t.UnixNano()
}

// wallClock returns the clock by which revocations expire, as far as it is known: it was at latest. Before
// it has been looked at it was at r.Time, unless that is still to come. Neither what r says of the future nor
// a system's clock that is ahead must make the others expire.
func wallClock(r *session.Revocation, latest int64) int64 {
	if latest > 0 {
		return latest
	}
	return min(instant(r.Time), time.Now().UnixNano())
}

// revoke keeps r, and reports whether it is kept already. now is the clock by which revocations
// expire, as far as it is known.
func (rs *revocations) revoke(r *session.Revocation, now int64) (known bool, err error) {
	key, e := revocationKey(r.Kind, r.Issuer, r.Value), revocationOf(r)
	now = wallClock(r, now)
	known = rs.kept(key, e, now)
	if !rs.add(key, e, now) {
		return false, session.ErrRevocationsFull
	}
	return known, nil
}

// kept reports whether an entry that covers e is kept, but for how long.
func (rs *revocations) kept(key [32]byte, e revocation, now int64) bool {
	old, ok := rs.lookup(key, now)
	return ok && old.at >= e.at
}

// coversSession reports whether a session is revoked by its name.
func (rs *revocations) coversSession(now time.Time, name [16]byte) bool {
	if len(rs.entries) == 0 {
		return false
	}
	_, ok := rs.lookup(revocationKey(session.RevokeSession, "", hex.EncodeToString(name[:])), now.UnixNano())
	return ok
}

// revocationCauses are the causes of refusals by revocations.
var revocationCauses = [...]Cause{
	session.RevokeSubject: CauseRevokedPlayer, session.RevokeToken: CauseRevokedToken, session.RevokeSignIn: CauseRevokedSignIn,
	session.RevokeKey: CauseRevokedKey, session.RevokeBuild: CauseRevokedBuild,
	session.RevokeSession: CauseRevoked,
}

// covers returns which revocation a token, or the build of the client that presents it, falls
// under, CauseNone without any.
func (rs *revocations) covers(now time.Time, claims *token.Claims, build string) Cause {
	if len(rs.entries) == 0 {
		return CauseNone
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
			return revocationCauses[key.kind]
		}
	}
	return CauseNone
}

// revocationKey returns the digest of what a revocation names.
func revocationKey(kind session.RevocationKind, issuer, value string) [32]byte {
	b := binary.BigEndian.AppendUint16([]byte{byte(kind)}, uint16(len(issuer)))
	b = append(b, issuer...)
	return sha256.Sum256(append(b, value...))
}
