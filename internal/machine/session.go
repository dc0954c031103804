package machine

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Session is one player's stay in one match. Its methods are safe for
// concurrent use, and stay valid after the session has ended.
type Session struct {
	// out is the one word that anybody may set and every datagram reads: the wire.Reason for which the session has been put
	// out, 0 if it has not. Only Gate.putOut sets it.
	out     atomic.Uint32
	hint    atomic.Uint32           // of the connection that it lives on
	quiet   atomic.Uint32           // for how long nothing had been accepted when its machine last looked at the time, ms
	began   uint32                  // Unix s; constant
	expires atomic.Int64            // Unix ns, the leeway not included
	names   atomic.Pointer[names]   // of the newest identity token
	shared  atomic.Pointer[account] // with the player's other sessions; nil without

	sibling *Session // next in Gate.players, under its mu

	// Constant once the session has begun.
	gate            *Gate
	id              uint32
	bound           bool  // to a client certificate by the cnf of an identity token
	holds           uint8 // how often sessions have given way in turn, each soon after it took another's place, up to this one; 0: none
	name            [16]byte
	issuer, subject string
	scope           string
	fingerprint     session.Fingerprint
}

func (s *Session) init(claims *token.Claims, f session.Fingerprint) {
	s.issuer, s.subject, s.scope = claims.Issuer, claims.Subject, claims.Scope
	both := f.Platform + f.Build // one piece of memory in place of two
	s.fingerprint = session.Fingerprint{Platform: both[:len(f.Platform)], Build: both[len(f.Platform):]}
	s.adopt(claims)
}

// names are what a token can be revoked by, and when it was issued: Unix ms, 0 if it does not say.
type names struct {
	token, signIn, key string
	issued             int64
}

func namesOf(claims *token.Claims) *names {
	n := &names{token: claims.ID, signIn: claims.SignIn, key: claims.KeyID}
	if !claims.IssuedAt.IsZero() {
		n.issued = claims.IssuedAt.UnixMilli()
	}
	return n
}

// adopt takes over what a newer identity token says.
func (s *Session) adopt(claims *token.Claims) {
	s.names.Store(namesOf(claims))
	s.expires.Store(claims.Expires.UnixNano())
}

// Name is the session's own, 16 random bytes: the same on every connection and every server on which it goes on.
func (s *Session) Name() [16]byte { return s.name }

// ID is the session's id on the wire: never 0, unique on its server, and another one where the session goes on elsewhere.
func (s *Session) ID() uint32 { return s.id }

// Issuer and Subject together say who the player is.
func (s *Session) Issuer() string { return s.issuer }

// Subject is the player's name at its issuer.
func (s *Session) Subject() string { return s.subject }

// Scope is the match for which the player was admitted.
func (s *Session) Scope() string { return s.scope }

// Fingerprint is what the client stated of itself.
func (s *Session) Fingerprint() session.Fingerprint { return s.fingerprint }

// TokenID names the newest identity token: its jti.
func (s *Session) TokenID() string { return s.names.Load().token }

// Expires is when the session ends unless it is renewed.
func (s *Session) Expires() time.Time { return time.Unix(0, s.expires.Load()) }

// Revoke makes the session's next datagram the last: it is dropped, and the
// player is told once. The session's tickets are refused from now on, even if it
// has ended meanwhile or lives on another connection to this server. Revoke reports
// whether the session had not ended for good before.
func (s *Session) Revoke() bool { return s.putOut(wire.ReasonRevoked, audit.DropRevoked) }

// putOut is Revoke with the reason that the player is told, and what its tickets are refused for.
func (s *Session) putOut(reason wire.Reason, why audit.Drop) bool {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.putOut(s, reason, why)
}

// Revoked reports whether the session has been revoked or put out otherwise. Of a
// session that has been resumed on another connection since, the *Session of that
// connection knows.
func (s *Session) Revoked() bool { return s.out.Load() != 0 }

// reason is what the player is told of a session that was put out, 0 if it was not.
func (s *Session) reason() wire.Reason { return wire.Reason(s.out.Load()) }

// dead is step 5 of the receive list: whether the session is past its life,
// and why.
func (s *Session) dead(now time.Time, leeway time.Duration) audit.Drop {
	if s.out.Load() != 0 {
		return audit.DropRevoked
	}
	if now.UnixNano() >= s.expires.Load()+int64(leeway) {
		return audit.DropExpired
	}
	return audit.DropNone
}
