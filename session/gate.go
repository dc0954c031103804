package session

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// Gate is a server's door. It is safe for concurrent use; no datagram of a
// live session touches it.
type Gate struct {
	config Config
	seed   uint64       // of fingerprints' digests
	ahead  atomic.Int64 // see StepClock

	mu sync.Mutex // held for a map operation or two, never across a call out
	// +checklocks:mu
	sessions map[uint32]*Session
	// +checklocks:mu
	used usedTokens
	// +checklocks:mu
	revoked revocations
}

// NewGate returns a Gate for config, or says what is wrong with it.
func NewGate(config Config) (*Gate, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Gate{config: config, sessions: make(map[uint32]*Session), revoked: revocations{most: config.MaxRevocations}}
	var seed [8]byte
	g.random(seed[:])
	g.seed = binary.BigEndian.Uint64(seed[:])
	return g, nil
}

// StepClock says by how much the wall clock is ahead of the time that machines
// are given, in all: expiry follows the wall clock, and everything that lasts
// follows the time given, which never steps. It is zero at first.
func (g *Gate) StepClock(ahead time.Duration) { g.ahead.Store(int64(ahead)) }

// wall is the wall clock at a time that a machine was given.
func (g *Gate) wall(now time.Time) time.Time { return now.Add(time.Duration(g.ahead.Load())) }

// Len is the number of live sessions.
func (g *Gate) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sessions)
}

// Session finds a live session by its id.
func (g *Gate) Session(id uint32) (*Session, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.sessions[id]
	return s, ok
}

// RevokeSubject revokes every live session of a subject of an issuer and says
// how many there were. Nothing is remembered: the subject may come again with
// another identity token. See Revoke.
func (g *Gate) RevokeSubject(issuer, subject string) int {
	return g.revokeLive(func(s *Session) bool { return s.issuer == issuer && s.subject == subject })
}

func (g *Gate) revokeLive(concerned func(*Session) bool) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sessions {
		if concerned(s) && s.Revoke() {
			n++
		}
	}
	return n
}

// admit gives s its id, unless its token has been used or the server is full.
func (g *Gate) admit(now time.Time, claims *token.Claims, s *Session) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.sessions) >= g.config.MaxSessions {
		return audit.DropFull
	}
	if g.revoked.concern(now, claims, s.fingerprint.Build) {
		return audit.DropRevoked
	}
	if drop := g.used.take(now, claims); drop != audit.DropNone {
		return drop
	}
	for s.id == 0 || g.sessions[s.id] != nil {
		var b [4]byte
		g.random(b[:])
		s.id = binary.BigEndian.Uint32(b[:])
	}
	g.sessions[s.id] = s
	return audit.DropNone
}

// take marks the token of a renewal as used.
func (g *Gate) take(now time.Time, claims *token.Claims, build string) audit.Drop {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.revoked.concern(now, claims, build) {
		return audit.DropRevoked
	}
	return g.used.take(now, claims)
}

func (g *Gate) forget(s *Session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sessions[s.id] == s {
		delete(g.sessions, s.id)
	}
}

// random fills b. A source of randomness that fails leaves nothing to build
// on: crypto/rand itself ends the process then, and so does this.
func (g *Gate) random(b []byte) {
	if _, err := io.ReadFull(g.config.Random, b); err != nil {
		panic(fmt.Sprintf("session: Config.Random failed: %v", err))
	}
}

// usedTokens remembers which identity tokens have opened or renewed a session,
// each at least until it expires. Two generations: the older is dropped when
// all in it have expired, so that neither a sweep nor a timer is needed.
type usedTokens struct {
	young, old         map[[32]byte]struct{}
	youngSince         time.Time
	youngEnds, oldEnds time.Time // latest expiry within
}

// take marks a token, unless it is marked or there is no room.
func (u *usedTokens) take(now time.Time, claims *token.Claims) audit.Drop {
	u.turn(now)
	key := tokenKey(claims)
	if _, ok := u.young[key]; ok {
		return audit.DropUsed
	}
	if _, ok := u.old[key]; ok {
		return audit.DropUsed
	}
	if len(u.young)+len(u.old) >= maxUsedTokens {
		return audit.DropFull
	}
	u.young[key] = struct{}{}
	if ends := claims.Expires.Add(token.MaxLeeway); ends.After(u.youngEnds) {
		u.youngEnds = ends
	}
	return audit.DropNone
}

// turn starts a new generation once the older one holds only expired tokens.
func (u *usedTokens) turn(now time.Time) {
	if u.young == nil {
		u.young, u.youngSince = make(map[[32]byte]struct{}), now
	}
	if now.After(u.oldEnds) && now.Sub(u.youngSince) >= minUsedLife {
		u.old, u.oldEnds = u.young, u.youngEnds
		u.young, u.youngSince, u.youngEnds = make(map[[32]byte]struct{}), now, time.Time{}
	}
}

func tokenKey(claims *token.Claims) [32]byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(claims.Issuer)))
	b = append(b, claims.Issuer...)
	return sha256.Sum256(append(b, claims.ID...))
}
