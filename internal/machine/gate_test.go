package machine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

func TestGateConfig(t *testing.T) {
	for name, c := range map[string]session.Config{
		"window not of 64": {Window: 100}, "window small": {Window: 32}, "window large": {Window: 8256},
		"leeway": {Leeway: token.MaxLeeway + 1}, "leeway below 0": {Leeway: -1}, "overlap": {Overlap: -1}, "idle": {Idle: -1},
		"rate": {Behaviour: policy.BehaviourConfig{Datagrams: -1}}, "ping": {Ping: -1}, "bad tags": {BadTags: -1},
	} {
		if _, err := NewGate(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewGate(session.Config{Window: 8192, Leeway: token.MaxLeeway}); err != nil {
		t.Error(err)
	}
	if _, err := NewClient(begin, session.ClientConfig{Window: 100}, channel, []byte("identity")); err == nil {
		t.Error("a client's window: no error")
	}
	for name, cc := range map[string]session.ClientConfig{
		"Platform": {Fingerprint: session.Fingerprint{Platform: strings.Repeat("x", 129)}},
		"Build":    {Fingerprint: session.Fingerprint{Build: "a\nb"}},
		"Scope":    {Scope: "\xff"},
		"Metadata": {Metadata: make([]byte, wire.MaxMetadata+1)},
	} {
		if _, err := NewClient(begin, cc, channel, []byte("identity")); !errors.Is(err, session.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{0, wire.MaxToken + 1, 1 << 17} {
		if _, err := NewClient(begin, session.ClientConfig{}, channel, make([]byte, n)); !errors.Is(err, session.ErrHello) {
			t.Errorf("a token of %d bytes: %v", n, err)
		}
	}
}

// "session id, never 0" PROTOCOL.md 3.2. And no two have the same.
func TestGateIDs(t *testing.T) {
	const seed, name = 0, 1 // two words, four words
	ids := []uint32{seed, seed, name, name, name, name, 7, name, name, name, name, 0, 7, 8, name, name, name, name, 8, 9}
	var random []byte
	for _, id := range ids {
		random = binary.BigEndian.AppendUint32(random, id)
	}
	g, err := NewGate(session.Config{Random: bytes.NewReader(random)})
	if err != nil {
		t.Fatal(err)
	}
	var live []*Session
	for i, want := range []uint32{7, 8, 9} {
		c := &token.Claims{Subject: fmt.Sprint("player ", i), ID: fmt.Sprint(i), Expires: begin.Add(tokenLife)}
		s := new(Session)
		s.init(g, c, identityOf(c), phone)
		if _, cause := g.admit(begin, c, s); cause != CauseNone || s.ID() != want {
			t.Fatalf("id %d, cause %v; want %d", s.ID(), cause, want)
		}
		live = append(live, s)
	}
	g.forget(&Session{id: 7}, audit.DropNone, false) // not the one that has the id now
	g.forget(live[1], audit.DropNone, false)
	g.forget(live[1], audit.DropNone, false)
	if _, ok := g.Session(7); !ok || g.Len() != 2 {
		t.Errorf("%d sessions", g.Len())
	}
}

func TestRevokeSubject(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.mints("tablet")
	d.mints("namesake").Issuer = "other"
	tablet, namesake := d.connect(session.ClientConfig{}, "tablet", channel), d.connect(session.ClientConfig{}, "namesake", channel)
	tablet.join()
	namesake.join()
	if n := d.gate.RevokeSubject("issuer", "player"); n != 2 {
		t.Errorf("revoked %d", n)
	}
	if n := d.gate.RevokeSubject("issuer", "player"); n != 0 {
		t.Errorf("revoked %d again", n)
	}
	d.toServer(d.clientSends(wire.KindData, "input")).ends(audit.DropRevoked, wire.ReasonRevoked)
	tablet.toServer(tablet.clientSends(wire.KindData, "input")).ends(audit.DropRevoked, wire.ReasonRevoked)
	namesake.toServer(namesake.clientSends(wire.KindData, "input")).delivers("input")
}

// Many connections at one gate, each in its own goroutine, while anybody revokes; run with -race.
func TestGateConcurrency(t *testing.T) {
	first := connectOnly(t, session.Config{MaxSessions: 50, Idle: time.Hour}, session.ClientConfig{})
	var players []*dialogue
	for i := range 100 {
		identity := fmt.Sprint(i)
		first.mints(identity).Subject = fmt.Sprint(i % 10)
		first.mints("fresh " + identity).Subject = fmt.Sprint(i % 10)
	}
	for i := range 100 {
		players = append(players, first.connect(session.ClientConfig{}, fmt.Sprint(i), channel))
	}
	var wg sync.WaitGroup
	for i, d := range players {
		wg.Go(func() { d.playsWholeSession(i) })
	}
	for i := range 10 {
		wg.Go(func() {
			for range 20 {
				first.gate.RevokeSubject("issuer", fmt.Sprint(i))
			}
		})
	}
	wg.Wait()
	if n := first.gate.Len(); n != 0 {
		t.Errorf("%d sessions left", n)
	}
}

// playsWholeSession runs a session from HELLO to CLOSE, if it is admitted, while others revoke it.
// The server sends from a goroutine of its own.
func (d *dialogue) playsWholeSession(i int) {
	h := d.present(d.clientTick(wire.KindHello)...)
	if h.Event.Kind != EventJoined {
		return
	}
	d.toClient(h.envelope)
	for range 10 {
		d.toServer(d.clientSends(wire.KindData, "input"))
	}
	h = d.present(d.renew(fmt.Sprint("fresh ", i))...)
	if h.envelope != nil {
		d.toClient(h.envelope)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 10 {
			d.server.Append(nil, wire.KindData, nil) //nolint:errcheck // may have ended
		}
	}()
	for range 10 {
		if b, err := d.client.Append(nil, wire.KindData, nil); err == nil {
			d.server.Handle(d.now, b)
		}
	}
	if s, ok := d.gate.Session(d.client.ID()); ok {
		s.Expires()
		_ = s.TokenID()
		s.Revoke()
	}
	<-done
	d.server.Close(wire.ReasonShutdown)
}
