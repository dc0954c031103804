package session

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/token"
)

// Config configures which players a server admits and what a session may do. The zero Config works:
// it admits every client with a valid identity token whose scope is the one that the client asks
// for.
type Config struct {
	// Scope is the match that this server hosts. A token of another scope is refused; scopes are
	// compared as a whole. If empty, any token is accepted, but a client that asks for a scope must
	// have a token of exactly that one. Where tokens list several scopes, use Authorize and
	// token.Claims.HasScope.
	Scope string

	// Authorize, if set, decides whether a session is opened, renewed or resumed by a ticket;
	// Admission.Why tells which. It replaces the comparison of scopes: begin it with
	//
	//	if !a.ScopeAgrees() {
	//		return session.Refusal(session.ReasonScope)
	//	}
	//
	// unless tokens for other matches than Scope are to get in, too. It is asked last: bans, used
	// tokens and seats have been checked, and are checked once more afterwards, because they may
	// change meanwhile. So claim a seat of the game's own in Handler.Join.
	//
	// An error refuses. A Refusal gives the reason that the player receives; otherwise that is
	// ReasonScope. The player never receives the text of an error: it goes to the audit and the log,
	// cut at 128 bytes, and must not name a person or quote the player. A session that lives here
	// ends at once with the reason, unless the reason means "not now". Authorize runs on the
	// goroutine of the connection, several at a time, so it must not block; it may call the server
	// and its Sessions.
	Authorize func(*Admission) error

	// MaxSessions is how many sessions may be live at once. Zero means DefaultMaxSessions, negative
	// means none. Players who resume by ticket a session that does not live here have a sixteenth
	// more, so that newcomers who have taken the seats do not keep them out.
	MaxSessions int

	// MaxPerSubject is how many sessions of one player (issuer and subject) may be live at once.
	// Zero means DefaultMaxPerSubject, negative means any number. If there are more, the session
	// that has been silent longest gives way, if it has been silent for two seconds or more; see
	// PROTOCOL.md 5.6. A resumed session is not a new one.
	MaxPerSubject int

	// Replace has the oldest session give way to a new one of the same player even if it is not
	// silent, unless it is younger than ten seconds. Without Replace the new one is refused with
	// ReasonFull.
	Replace bool

	// Window is the replay window in datagrams, 64 to 8,192 in multiples of 64. Zero means 1024;
	// negative is an error.
	Window int

	// Leeway is how long a session outlives the expiry of its token, for clocks that disagree: at
	// most token.MaxLeeway. Zero means none; negative is an error.
	Leeway time.Duration

	// Overlap is how long the previous epoch stays valid after the first datagram of a new one, and how
	// long a session outlives the expiry of its token and Leeway, together at most token.MaxLeeway,
	// while a fresh one is verified and taken into use. Zero means 5 s; negative is an error.
	Overlap time.Duration

	// Idle is how long a session lives without an accepted datagram from its client. Zero means
	// DefaultIdle; negative is an error.
	Idle time.Duration

	// Behaviour limits what a session may do: datagrams, bytes and state changes. Only datagrams
	// that have passed tag and window count, once each.
	Behaviour policy.BehaviourConfig

	// Cost, if set, returns how many state changes a payload asks for; nil means one each. Inspect,
	// if set, judges each payload that Behaviour allows, before it is delivered: the game's own
	// anti-cheat. Both run on the goroutine of the connection, so they must not block, and they
	// must not keep payload.
	Cost    func(payload []byte) int
	Inspect func(s Session, payload []byte) policy.Verdict

	// Fingerprint configures what happens when a client differs from what its session is bound to.
	Fingerprint policy.FingerprintConfig

	// Unverified, if set, returns the claims of an identity token without verifying its signature, or
	// an error if the token would be refused in any case; token.Verifier has it. While a step up is
	// owed, its time pauses only while a token whose claims fit the session waits for its
	// verification. Nothing else depends on it. Nil means that every waiting token pauses the time. It
	// runs on the goroutine of the connection, so it must not block. transport.Listen sets it.
	Unverified func(now time.Time, raw []byte) (*token.Claims, error)

	// MaxRevocations is how many revocations are kept, at less than 100 bytes each. Zero means
	// 1,048,576; negative is an error. A server with a feed should have room for all that the feed may
	// hold: a revocation that finds no room ends the live sessions, and keeps nobody out.
	MaxRevocations int

	// MaxBans is how many bans are kept, at about 200 bytes each plus the names. Zero means 1,048,576;
	// negative is an error.
	MaxBans int

	// Ping is how often the round trip to a client is measured. Zero means never; negative is an
	// error.
	Ping time.Duration

	// BadTags is how many wrong tags in a row revoke a session. Zero means 8; negative is an error.
	BadTags int

	// AllowBearer lets clients send the identity token itself in every datagram. It costs bytes,
	// and this server could present the token to another one: use it only for clients that cannot
	// compute tags.
	AllowBearer bool

	// AllowUnbound accepts binding mode none, for engines whose DTLS hides the exporter. Only the
	// record layer then binds a session to its connection.
	AllowUnbound bool

	// FleetKeys seal the tickets with which sessions are resumed on other connections, and on other
	// servers with the same keys. Nil means a key of the server's own, whose players resume there and
	// nowhere else; a Ring without keys means no tickets.
	FleetKeys *fleetkey.Ring

	// OnUsed, if set, is called once for each thing that was used up here and must not be used on
	// another server of the fleet either: an identity token that has opened or renewed a session, a
	// ticket that has resumed one, a session that was ended by force. Hand it to transport.Server.Use
	// of every other server. A session that ends because of its network, its silence, its expiry or a
	// shutdown is not reported, nor is one that gives way to another of its player, or that a match ends
	// for a reason after which the client may come again as it is. OnUsed runs on the goroutine of the
	// connection or of the caller of Kick, Ban, Revoke or Use, several at a time, so it must not block,
	// and it must not call the server. Nil costs nothing.
	OnUsed func(Used)

	// Random is the source of ids and secrets; nil means crypto/rand. It must be safe for
	// concurrent use.
	Random io.Reader
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the
// field.
func (c Config) WithDefaults() (Config, error) {
	if err := notNegative(
		field{"Leeway", int64(c.Leeway)},
		field{"Overlap", int64(c.Overlap)},
		field{"Idle", int64(c.Idle)},
		field{"Ping", int64(c.Ping)},
		field{"BadTags", int64(c.BadTags)},
		field{"MaxRevocations", int64(c.MaxRevocations)},
		field{"MaxBans", int64(c.MaxBans)},
	); err != nil {
		return c, err
	}
	if c.Leeway > token.MaxLeeway {
		return c, badConfig(fmt.Sprintf("Leeway must be at most %v", token.MaxLeeway))
	}
	var err error
	if c.Behaviour, err = c.Behaviour.WithDefaults(); err != nil {
		return c, fmt.Errorf("%w: Behaviour: %w", ErrConfig, err)
	}
	if c.Fingerprint, err = c.Fingerprint.WithDefaults(); err != nil {
		return c, fmt.Errorf("%w: Fingerprint: %w", ErrConfig, err)
	}
	c.MaxSessions = cmp.Or(c.MaxSessions, DefaultMaxSessions)
	c.MaxPerSubject = cmp.Or(c.MaxPerSubject, DefaultMaxPerSubject)
	c.Window = cmp.Or(c.Window, defaultWindow)
	c.Overlap = cmp.Or(c.Overlap, defaultOverlap)
	c.Idle = cmp.Or(c.Idle, DefaultIdle)
	c.MaxRevocations = cmp.Or(c.MaxRevocations, defaultMaxRevocations)
	c.MaxBans = cmp.Or(c.MaxBans, defaultMaxBans)
	c.BadTags = cmp.Or(c.BadTags, defaultBadTags)
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c, checkWindow(c.Window)
}
