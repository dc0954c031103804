package session

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// ErrRevocationsFull means that MaxRevocations are remembered already and none of
// them may be forgotten: the sessions that live have been revoked, but their
// players could come again. Refuse newcomers, or allow more revocations.
var ErrRevocationsFull = errors.New("session: too many revocations to remember another; live sessions are revoked, newcomers are not refused")

// ErrRevocation means that a Revocation does not say what it is about.
var ErrRevocation = errors.New("session: a revocation needs a kind and a value, and an issuer unless it is by build")

// RevocationKind says what a Revocation is about.
type RevocationKind uint8

// What can be revoked. A session by its id: see Gate.RevokeSession.
const (
	RevokeSubject RevocationKind = iota + 1 // a player of an issuer
	RevokeToken                             // one identity token, by its id (jti)
	RevokeSignIn                            // all tokens of one sign-in (origin_jti of Cognito, tid of Nakama)
	RevokeKey                               // all tokens that a key of the issuer has signed, by its id (kid)
	RevokeBuild                             // all clients that state a build
)

var revocationNames = [...]string{RevokeSubject: "subject", RevokeToken: "token", RevokeSignIn: "sign-in", RevokeKey: "key", RevokeBuild: "build"}

// String returns the kind as a word, or "revocation N".
func (k RevocationKind) String() string {
	if k >= RevokeSubject && k <= RevokeBuild {
		return revocationNames[k]
	}
	return "revocation " + strconv.Itoa(int(k))
}

// Revocation withdraws trust.
type Revocation struct {
	Kind   RevocationKind
	Issuer string // of the subject, token, sign-in or key; empty for a build
	Value  string

	// Time is when trust was withdrawn; zero means now. A subject's tokens that
	// were issued later are good again: who issues them has decided so. A token
	// that does not say when it was issued never is.
	Time time.Time
}

// Revoke ends every session that r concerns with its next datagram, says how many
// there were, and refuses the tokens that r concerns, and the tickets that stand for
// them, from now on: of a key or
// a build as long as this process runs and those that it hands its sessions to, of
// anything else until the longest-lived token has expired. Memory is bounded by
// MaxRevocations, and repeating a revocation takes none. The error is ErrRevocation,
// or ErrRevocationsFull.
//
// Revoke is what a feed of a whole fleet calls. It costs a look at every session.
func (g *Gate) Revoke(r Revocation) (ended int, err error) {
	if r.Kind < RevokeSubject || r.Kind > RevokeBuild || r.Value == "" || r.Issuer == "" != (r.Kind == RevokeBuild) {
		return 0, ErrRevocation
	}
	until := int64(never) // of the issue of tokens, Unix ms: what is live now has been issued
	if r.Time.IsZero() {
		r.Time = time.Now()
	} else if r.Kind == RevokeSubject {
		until = r.Time.UnixMilli()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	err = g.revoked.add(&r)
	ended = g.revokeLive(func(s *Session) bool { return r.concerns(s) && s.names.Load().issued <= until })
	if r.Kind == RevokeSubject {
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

// concerns says whether a live session falls under r.
func (r *Revocation) concerns(s *Session) bool {
	n := s.names.Load()
	if r.Kind == RevokeBuild {
		return s.fingerprint.Build == r.Value
	}
	if s.issuer != r.Issuer {
		return false
	}
	switch r.Kind {
	case RevokeSubject:
		return s.subject == r.Value
	case RevokeToken:
		return n.token == r.Value
	case RevokeSignIn:
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

func (rs *revocations) add(r *Revocation) error {
	key, now := revocationKey(r.Kind, r.Issuer, r.Value), r.Time.UnixNano()
	e := revocation{never, r.Time.Add(revocationLife).UnixNano()}
	switch r.Kind {
	case RevokeSubject:
		e.at = now
	case RevokeKey, RevokeBuild:
		e.ends = never
	}
	if _, known := rs.entries[key]; !known && len(rs.entries) >= rs.most && !rs.prune(now) {
		return ErrRevocationsFull
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
func (rs *revocations) concern(now time.Time, claims *token.Claims, build string) bool {
	if len(rs.entries) == 0 {
		return false
	}
	for _, about := range [...]struct {
		kind          RevocationKind
		issuer, value string
	}{
		{RevokeSubject, claims.Issuer, claims.Subject},
		{RevokeToken, claims.Issuer, claims.ID},
		{RevokeSignIn, claims.Issuer, claims.SignIn},
		{RevokeKey, claims.Issuer, claims.KeyID},
		{RevokeBuild, "", build},
	} {
		e, ok := rs.entries[revocationKey(about.kind, about.issuer, about.value)]
		if ok && now.UnixNano() < e.ends && (claims.IssuedAt.IsZero() || claims.IssuedAt.UnixNano() <= e.at) {
			return true
		}
	}
	return false
}

func revocationKey(kind RevocationKind, issuer, value string) [32]byte {
	b := binary.BigEndian.AppendUint16([]byte{byte(kind)}, uint16(len(issuer)))
	b = append(b, issuer...)
	return sha256.Sum256(append(b, value...))
}
