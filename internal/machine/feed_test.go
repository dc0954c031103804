package machine

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// crowd returns a gate with n live sessions of as many players.
func crowd(t testing.TB, n int, gc session.Config) *Gate {
	t.Helper()
	g, err := NewGate(gc)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		s := &Session{}
		claims := &token.Claims{
			Issuer: "issuer", Subject: fmt.Sprint("player ", i), ID: fmt.Sprint("token ", i), SignIn: fmt.Sprint("sign-in ", i), KeyID: "key",
			IssuedAt: begin.Add(-time.Minute), Expires: begin.Add(tokenLife),
		}
		s.init(g, claims, identity.Identity{}, phone)
		if _, cause := g.admit(begin, claims, s); cause != CauseNone {
			t.Fatal(cause)
		}
	}
	return g
}

// revocationOfMany is one of as many revocations as one likes, of all kinds that name somebody.
func revocationOfMany(i int) session.Revocation {
	r := session.Revocation{Issuer: "issuer", Time: begin, Everywhere: true}
	switch i % 4 {
	case 0:
		r.Kind, r.Value = session.RevokeSubject, fmt.Sprint("somebody ", i)
	case 1:
		r.Kind, r.Value = session.RevokeToken, fmt.Sprint("a token ", i)
	case 2:
		r.Kind, r.Value = session.RevokeSignIn, fmt.Sprint("a sign-in ", i)
	default:
		name := [16]byte{}
		binary.BigEndian.PutUint64(name[8:], uint64(i))
		r.Kind, r.Issuer, r.Value = session.RevokeSession, "", hex.EncodeToString(name[:])
	}
	return r
}

// A hundred thousand revocations are applied within a second, with 10,000 sessions, and take less than
// 100 bytes each; applied again they take nothing.
func TestFeedAtStart(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time and memory, which the race detector changes; the full pass does it")
	}
	const n = 100_000
	all := make([]session.Revocation, n)
	for i := range all {
		all[i] = revocationOfMany(i)
	}
	var g *Gate
	var before uint64
	for try := 1; ; try++ { // the machine may be busy
		g = crowd(t, 10_000, session.Config{MaxSessions: 10_000})
		before = heap()
		took := max(revokeAll(t, g, all), revokeAll(t, g, all))
		t.Log(took)
		if took <= time.Second {
			break
		}
		if try == 3 {
			t.Errorf("%v at best", took)
			break
		}
	}
	if each := float64(heap()-before) / n; each > 100 || each < 48 {
		t.Errorf("%.0f bytes each", each)
	} else {
		t.Logf("%.0f bytes each", each)
	}
	if g.Len() != 10_000 || len(g.revoked.entries) != n {
		t.Errorf("%d sessions, %d revocations", g.Len(), len(g.revoked.entries))
	}
	runtime.KeepAlive(all)
}

// revokeAll returns how long that takes.
func revokeAll(t *testing.T, g *Gate, all []session.Revocation) time.Duration {
	t.Helper()
	start := time.Now()
	for _, r := range all {
		if ended, err := g.Revoke(begin, r); ended != 0 || err != nil {
			t.Fatal(ended, err)
		}
	}
	return time.Since(start)
}

// A million revocations in a burst find room, and whom they name among the players is out. What is more
// than MaxRevocations ends who is here, is answered with an error, and takes no time either.
func TestFeedBurst(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time and memory, which the race detector changes; the full pass does it")
	}
	t.Parallel()
	const n, room = 1_000_000, 1 << 16 // takes a second and a half
	config, err := session.Config{}.WithDefaults()
	if err != nil || config.MaxRevocations < n {
		t.Errorf("room for %d revocations, %v", config.MaxRevocations, err)
	}
	g := crowd(t, 100, session.Config{MaxRevocations: room})
	full := 0
	start := time.Now()
	for i := range n {
		if _, err := g.Revoke(begin, revocationOfMany(i)); errors.Is(err, session.ErrRevocationsFull) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("%v", took)
	}
	if full != n-room || len(g.revoked.entries) != room {
		t.Errorf("%d found no room, %d are kept", full, len(g.revoked.entries))
	}
	ended, err := g.Revoke(begin, session.Revocation{Kind: session.RevokeSignIn, Issuer: "issuer", Value: "sign-in 7", Time: begin})
	if ended != 1 || !errors.Is(err, session.ErrRevocationsFull) {
		t.Errorf("%d ended, %v", ended, err)
	}
	later := begin.Add(revocationLife)
	g.latest = later.UnixNano()
	if _, err := g.Revoke(begin, session.Revocation{Kind: session.RevokeSignIn, Issuer: "issuer", Value: "later", Time: later}); err != nil {
		t.Errorf("%v, although all others have expired", err)
	}
}

// What other servers have used up is bounded, and forgets what expires next; no newcomer is refused
// for it, and no session that was put out is forgotten for a token.
func TestElsewhereIsBounded(t *testing.T) {
	g := crowd(t, 10, session.Config{})
	room := g.memory.capacity(g.config.MaxSessions) - len(g.memory.entries)
	used := make([]session.Used, 0, 1024)
	out := [16]byte{1, 2, 3}
	g.Use(begin, session.Used{Kind: session.UsedSession, ID: out, Until: begin.Add(time.Hour)})
	const most = 1 << 12
	g.elsewhere.mostUsed = most
	for i := range 3 * most {
		u := session.Used{Kind: session.UsedToken, Until: begin.Add(time.Minute + time.Duration(i)*100*time.Millisecond)}
		binary.BigEndian.PutUint64(u.ID[:], uint64(i)*0x9e3779b97f4a7c15)
		if used = append(used, u); len(used) == cap(used) {
			g.Use(begin, used...)
			used = used[:0]
		}
	}
	if l := len(g.elsewhere.used.entries); l > most || l < most/2 {
		t.Errorf("%d entries", l)
	}
	if g.memory.capacity(g.config.MaxSessions)-len(g.memory.entries) != room {
		t.Error("it takes room of the server's own memory")
	}
	if g.ticketsRefused(begin, out) != CauseTicketEnded {
		t.Error("a session that was put out is forgotten")
	}
	g.Sweep(begin.Add(2 * time.Hour))
	if l := len(g.elsewhere.used.entries) + len(g.elsewhere.used.slots) + len(g.elsewhere.putOut.entries); l != 0 {
		t.Errorf("%d entries after their time", l)
	}
}

// When too many sessions are put out, one alarm says so.
func TestPutOutAlarm(t *testing.T) {
	g := crowd(t, 0, session.Config{})
	if got := g.Sweep(begin); got != "" {
		t.Error(got)
	}
	g.elsewhere.mostOut = 100
	for i := range 102 {
		u := session.Used{Kind: session.UsedSession, Until: begin.Add(time.Hour)}
		binary.BigEndian.PutUint64(u.ID[8:], uint64(i))
		g.Use(begin, u)
	}
	alarms := 0
	for range 3 {
		if g.Sweep(begin) != "" {
			alarms++
		}
	}
	if alarms != 1 {
		t.Errorf("%d alarms", alarms)
	}
}

// The count of names follows the tokens of live sessions.
func TestNamedBy(t *testing.T) {
	g := crowd(t, 2, session.Config{})
	s := g.players[g.playerHash("issuer", "player 1")]
	r := &session.Revocation{Kind: session.RevokeToken, Issuer: "issuer", Value: "token 1"}
	if !g.named.has(r) || len(g.named.counts) != 4 {
		t.Errorf("%v", g.named.counts)
	}
	g.adopt(begin, s, &token.Claims{Issuer: "issuer", Subject: "player 1", ID: "fresh", Expires: begin.Add(tokenLife)}, identity.Identity{})
	if g.named.has(r) || len(g.named.counts) != 3 {
		t.Errorf("%v after a renewal", g.named.counts)
	}
	g.forget(s, audit.DropNone, false)
	if len(g.named.counts) != 2 || len(g.stays) != 1 {
		t.Errorf("%v after the end", g.named.counts)
	}
}
