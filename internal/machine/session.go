package machine

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Session is one player's stay in one match. Its methods are safe for concurrent use, and stay
// valid after the session has ended.
type Session struct {
	// terminated is the wire.Reason for which the session was ended, the Cause in bits 8 to 15, and
	// cancelled; 0 if it was not ended. Every datagram reads it. Only Gate.terminate and Gate.cancel
	// set it.
	terminated   atomic.Uint32
	connectionID atomic.Uint32           // of the connection that it lives on
	quiet        atomic.Uint32           // how long nothing had been accepted at the last Tick, ms
	began        uint32                  // of the times given, Unix s; constant
	ends         atomic.Int64            // without the leeway, of the times given; Unix ns
	names        atomic.Pointer[names]   // of the newest identity token
	shared       atomic.Pointer[account] // with the player's other sessions; nil without any

	sibling  *Session // next in Gate.players, under its mu
	gate     *Gate    // constant
	outlives uint16   // see outlive, ms; of the receiving half of the connection that it lives on

	// Constant once the session has begun.
	replacements    uint8 // how often in a row sessions replaced each other soon after they had begun, up to this one
	bound           bool  // to a client certificate, by the cnf claim of an identity token
	id              uint32
	name            [16]byte
	issuer, subject string
	scope           string
	fingerprint     session.Fingerprint

	ended atomic.Pointer[atomic.Bool] // see OnEnd; nil before
}

// cancelled marks a session whose token counts as unused. Its entry in the memory, which its name ends
// in, may be another session's by now.
const cancelled = 1 << 16

// OnEnd has flag set as soon as the session is ended by the server, before its next datagram: at
// once if it has been. It is called once.
func (s *Session) OnEnd(flag *atomic.Bool) {
	s.ended.Store(flag)
	if s.Revoked() {
		flag.Store(true)
	}
}

func (s *Session) init(g *Gate, claims *token.Claims, id identity.Identity, f session.Fingerprint) {
	s.gate = g
	s.issuer, s.subject, s.scope = claims.Issuer, claims.Subject, claims.Scope
	both := f.Platform + f.Build // one piece of memory in place of two
	s.fingerprint = session.Fingerprint{Platform: both[:len(f.Platform)], Build: both[len(f.Platform):]}
	s.adopt(claims, id)
}

// names are what a token can be revoked by, when it was issued (Unix ms, 0 if unknown), when it expires
// by the wall clock (Unix ns), and what it says about the player.
type names struct {
	token, signIn, key string
	issued, expires    int64
	identity           *identity.Identity // nil if nothing is known
}

func namesOf(claims *token.Claims, id identity.Identity) *names {
	n := &names{token: claims.ID, signIn: claims.SignIn, key: claims.KeyID, expires: claims.Expires.UnixNano(), identity: keep(id)}
	if !claims.IssuedAt.IsZero() {
		n.issued = claims.IssuedAt.UnixMilli()
	}
	return n
}

// adopt binds the session to a newer identity token.
func (s *Session) adopt(claims *token.Claims, id identity.Identity) {
	n := namesOf(claims, id)
	s.names.Store(n)
	s.ends.Store(s.gate.lapses(n.expires))
	s.outlives = 0
}

// Name returns the session's name, 16 bytes: the same on every connection and every server.
func (s *Session) Name() [16]byte { return s.name }

// ID returns the session's id on the wire: never 0, unique on its server, and another one after the
// session is resumed on another server.
func (s *Session) ID() uint32 { return s.id }

// Issuer returns the issuer of the identity token. Issuer and Subject together identify the player.
func (s *Session) Issuer() string { return s.issuer }

// Subject returns the player's name at the issuer.
func (s *Session) Subject() string { return s.subject }

// Scope returns the match that the player was admitted to.
func (s *Session) Scope() string { return s.scope }

// Fingerprint returns what the client stated about itself.
func (s *Session) Fingerprint() session.Fingerprint { return s.fingerprint }

// Identity returns what the newest identity token says about the player.
func (s *Session) Identity() session.Identity { return s.names.Load().about() }

// TokenID returns the id (jti) of the newest identity token.
func (s *Session) TokenID() string { return s.names.Load().token }

// Expires returns when the session ends by the wall clock unless it is renewed or that clock steps.
func (s *Session) Expires() time.Time { return time.Unix(0, s.expires()) }

// expires is Expires in Unix ns.
func (s *Session) expires() int64 {
	if n := s.names.Load(); n != nil {
		return n.expires
	}
	return 0
}

// Revoke ends the session with its next datagram: that is dropped, and the player is told once. The
// session's tickets are refused from now on, even if it has ended meanwhile or lives on another
// connection of this server. Revoke reports whether the session had not ended for good before.
func (s *Session) Revoke() bool {
	return s.terminate(wire.ReasonRevoked, audit.DropRevoked, CauseRevoked)
}

// terminate is Revoke with a reason for the player, the drop for which its tickets are refused, and
// the cause for the operator.
func (s *Session) terminate(reason wire.Reason, why audit.Drop, cause Cause) bool {
	g := s.gate
	g.mu.Lock()
	defer g.unlock()
	return g.terminate(s, reason, why, cause)
}

// terminateHere is terminate without a report to the other servers of the fleet.
func (s *Session) terminateHere(reason wire.Reason, why audit.Drop, cause Cause) bool {
	g := s.gate
	g.mu.Lock()
	defer g.unlock()
	g.quiet = true
	return g.terminate(s, reason, why, cause)
}

// Revoked reports whether the session has been revoked or ended by the server otherwise. If the
// session has been resumed on another connection since, ask the *Session of that connection.
func (s *Session) Revoked() bool { return s.terminated.Load() != 0 }

// reason returns the reason for which the session was ended, 0 if it was not.
func (s *Session) reason() wire.Reason { return wire.Reason(s.terminated.Load()) }

// cause returns why the session was ended, CauseNone if it was not.
func (s *Session) cause() Cause { return Cause(s.terminated.Load() >> 8) }

// checkLife is step 5 of the receive list: it returns why the session has ended at a time that a
// machine was given, or DropNone.
func (s *Session) checkLife(now time.Time, leeway time.Duration) audit.Drop {
	if s.terminated.Load() != 0 {
		return audit.DropRevoked
	}
	if now.UnixNano() >= s.ends.Load()+int64(leeway) {
		return audit.DropExpired
	}
	return audit.DropNone
}

// checkEnd is checkLife with the leeway of the configuration, or what outlive has said.
func (s *Session) checkEnd(now time.Time) audit.Drop {
	return s.checkLife(now, max(s.gate.config.Leeway, s.outlived()))
}

// outlive has the session outlive its expiry by an overlap more, because a token has come in time: as
// long as it is looked at, or may be shown again, and while RENEWED and the answer are under way. If
// the server is late to read it, the time begins now. It ends where the memory of ended sessions does.
func (s *Session) outlive(now time.Time) {
	until := s.gate.config.Leeway
	if late := time.Duration(now.UnixNano() - s.ends.Load()); late >= s.outlived() {
		until = min(max(until, late), token.MaxLeeway)
	}
	until += min(s.gate.config.Overlap, token.MaxLeeway-until)
	s.outlives = max(s.outlives, uint16(until.Milliseconds()))
}

// outlived returns by how long the session may outlive its expiry, from what outlive has said.
func (s *Session) outlived() time.Duration { return time.Duration(s.outlives) * time.Millisecond }
