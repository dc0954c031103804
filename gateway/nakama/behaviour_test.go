package nakama

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/rtapi"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Both ways, on the lanes of package nakamabridge.
func TestData(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), func(c *Config, _ *gateway.Config) { c.Unreliable = []int64{9} })
	p := s.enter(t, "anna")
	p.say(t, 5, "reliable")
	if err := p.Send([]byte("\x06lossy")); err != nil {
		t.Fatal(err)
	}
	if err := p.Send([]byte{0x80}); err != nil { // no op code
		t.Fatal(err)
	}
	p.say(t, 7, strings.Repeat("x", DefaultMaxInput)) // too long with its op code
	await(t, "the inputs", func() bool { return s.peer.has("5 true reliable") && s.peer.has("6 false lossy") })
	await(t, "the faults", func() bool { return s.Stats().Malformed == 1 && s.Stats().LongInputs == 1 })
	long := strings.Repeat("y", 2000)
	for _, c := range []struct {
		op       int64
		data     string
		reliable bool
		want     string
	}{
		{1, "a", true, "0 1 a"},
		{2, "b", false, "-1 2 b"},
		{3, long, false, "1 3 " + long},
		{9, "c", true, "-1 9 c"},
	} {
		s.peer.say(c.op, []byte(c.data), c.reliable)
		await(t, c.want[:4], func() bool { return p.has(c.want) })
	}
	s.peer.say(4, make([]byte, 70_000), true)
	s.peer.say(-1, nil, true)
	await(t, "what does not fit", func() bool { return s.Stats().Oversized == 2 })
	if n := s.log.count("dropped"); n != 2 {
		t.Errorf("%d log lines for an input that is too long and match data that is too large", n)
	}
	if from := s.peer.from[0]; from != "127.0.0.1" {
		t.Errorf("Nakama is told that the player is at %q", from)
	}
}

// One who leaves leaves the match, and what was said before counts.
func TestLeave(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), nil)
	p := s.enter(t, "anna")
	p.say(t, 5, "last")
	await(t, "the input", func() bool { return s.peer.has("5 true last") })
	p.Close() //nolint:errcheck // that is what is tested
	await(t, "the leave", func() bool { return s.peer.has("leave") && len(s.peer.ids()) == 0 })
	await(t, "no player", func() bool { return s.Stats().Players == 0 })
}

// "A player whose WebSocket breaks stays for Config.Stay while it is made again." What was said
// reliably meanwhile arrives, and a session that Nakama would not take any more is refreshed, or the
// gateway signs in anew.
func TestBroken(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), nil)
	p := s.enter(t, "anna")
	for i, refreshes := range []bool{true, true, false} {
		s.peer.noRefresh.Store(!refreshes)
		s.peer.noSockets.Store(true)
		s.peer.cut()
		await(t, "the break", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.members) == 0
		})
		text := fmt.Sprint("meanwhile ", i)
		p.say(t, 5, text)
		time.Sleep(100 * time.Millisecond)
		s.peer.noSockets.Store(false)
		await(t, "the input", func() bool { return s.peer.has("5 true " + text) })
		p.plays(t)
	}
	if st := s.Stats(); st.Rejoined != 3 || st.SignedIn != 2 || st.Refreshed < 2 {
		t.Errorf("%+v", st)
	}
	if n := s.log.count("made again"); n != 1 {
		t.Errorf("%d log lines say that the WebSocket was made again", n)
	}
	if tokens := s.peer.tokens; tokens[0] == tokens[len(tokens)-1] {
		t.Error("a WebSocket that has broken is made again with the former session")
	}
}

// A session token that ends is not used for an upgrade.
func TestExpired(t *testing.T) {
	t.Parallel()
	peer := newPeer(t)
	peer.life.Store(1) // less than almost
	s := newStage(t, peer, nil)
	s.enter(t, "anna")
	peer.life.Store(600)
	if token, err := s.only(t).credential.token(t.Context()); err != nil || time.Until(expiry(token)) < time.Minute {
		t.Errorf("%v, %v", token, err)
	}
	if peer.signIns.Load() != 1 || peer.refreshes.Load() != 1 {
		t.Errorf("%d sign-ins, %d refreshes", peer.signIns.Load(), peer.refreshes.Load())
	}
}

// A token that the issuer has bound to the match renews the session, as any other does.
func TestRenewBound(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), nil)
	p, err := s.dialFor(t, token.Grant{Subject: "anna", Scope: matchWord + matchOne, Life: 3 * time.Second}, `{"match_id":"`+matchOne+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	first := p.Expires()
	await(t, "the renewal, or the end", func() bool { return p.ended() || p.Expires().After(first) })
	p.plays(t)
}

// A WebSocket that cannot be made again ends the session, with a reason after which the player may come
// again.
func TestStay(t *testing.T) {
	t.Parallel()
	const stay = 300 * time.Millisecond
	s := newStage(t, newPeer(t), func(c *Config, _ *gateway.Config) { c.Stay = stay })
	p, began := s.enter(t, "anna"), time.Now()
	s.peer.noSockets.Store(true)
	s.peer.cut()
	p.ends(t, session.ReasonUnavailable, "")
	if stayed := time.Since(began); stayed < stay {
		t.Errorf("ended after %v", stayed)
	}
	s.peer.noSockets.Store(false)
	s.enter(t, "anna").plays(t)
}

// "A match that refuses the user because it still has the former presence is asked again."
func TestRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), nil)
	s.peer.reject.Store(1)
	p, err := s.dial(t, "anna", `{"match_id":"`+matchOne+`"}`)
	if err == nil {
		p.ends(t, session.ReasonKicked, "no seat")
	} else {
		closedFor(t, err, session.ReasonKicked, "no seat")
	}
	p = s.enter(t, "anna")
	s.peer.reject.Store(2)
	s.peer.cut()
	await(t, "the third join", func() bool { return s.Stats().Rejoined == 1 })
	p.plays(t)
	s.refusedOne(t)
}

// A match that goes on to refuse the user for as long as Stay has refused the player.
func TestRefusedForLong(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), func(c *Config, _ *gateway.Config) { c.Stay = time.Second })
	p := s.enter(t, "anna")
	s.peer.reject.Store(1 << 20)
	s.peer.cut()
	p.ends(t, session.ReasonKicked, "no seat")
	s.refusedOne(t)
}

// refusedOne wants one player to have been refused by a match, once.
func (s *stage) refusedOne(t *testing.T) {
	t.Helper()
	if st := s.Stats(); st.Refused != 1 {
		t.Errorf("%+v", st)
	}
	refused := 0
	lines, _ := s.audit.Since(0)
	for _, line := range lines {
		if strings.Contains(string(line), joinRejected) {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("the audit has %d refusals of a match", refused)
	}
}

// "So is one that is behind with its join attempts, for which Nakama answers with a refusal."
// Neither who is new nor who plays is put out for that.
func TestCrowded(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), nil)
	s.peer.crowded.Store(2)
	p := s.enter(t, "anna")
	p.plays(t)
	s.peer.crowded.Store(2)
	s.peer.cut()
	await(t, "the join", func() bool { return s.Stats().Rejoined == 1 })
	p.plays(t)
	if st := s.Stats(); st.Refused != 0 || st.Kicked != 0 {
		t.Errorf("%+v", st)
	}
}

// Who waits for a crowded match longer than Stay may come again.
func TestCrowdedForLong(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), func(c *Config, _ *gateway.Config) { c.Stay = 500 * time.Millisecond })
	p := s.enter(t, "anna")
	s.peer.crowded.Store(1 << 20)
	s.peer.cut()
	p.ends(t, session.ReasonBusy, endCrowded.detail)
	if st := s.Stats(); st.Refused != 0 || st.Kicked != 0 {
		t.Errorf("%+v", st)
	}
	s.peer.crowded.Store(0)
	s.enter(t, "anna").plays(t)
}

// Which of Nakama's answers to a join are the match's verdict on a player.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code rtapi.Error_Code
		text string
		took time.Duration
		want error
		end  session.Reason
	}{
		{rtapi.Error_MATCH_NOT_FOUND, "Match not found", 0, endAbsent, session.ReasonLeft},
		{rtapi.Error_MATCH_JOIN_REJECTED, "no seat", 0, nil, session.ReasonKicked},
		{rtapi.Error_MATCH_JOIN_REJECTED, "no seat", joinAnswer, nil, session.ReasonKicked},
		{rtapi.Error_MATCH_JOIN_REJECTED, joinRejected, joinAnswer - 1, nil, session.ReasonKicked},
		{rtapi.Error_MATCH_JOIN_REJECTED, joinRejected, joinAnswer, errCrowded, 0},
		{rtapi.Error_MATCH_JOIN_REJECTED, joinCrowded, 0, errCrowded, 0},
		{rtapi.Error_BAD_INPUT, "Invalid match ID", 0, nil, session.ReasonKicked},
		{rtapi.Error_RUNTIME_FUNCTION_EXCEPTION, joinCrowded, 0, nil, session.ReasonKicked},
	} {
		err := refusal(&rtapi.Error{Code: int32(c.code), Message: c.text}, c.took)
		e, final := errors.AsType[*ending](err)
		if c.want != nil && !errors.Is(err, c.want) || final != (c.end != 0) || final && e.reason != c.end {
			t.Errorf("%v %q after %v: %v", c.code, c.text, c.took, err)
		}
	}
}

// An account that is banned gets no further, neither at first nor when its WebSocket has broken.
func TestBanned(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), nil)
	p := s.enter(t, "anna")
	s.peer.banned.Store(true)
	s.peer.cut()
	p.ends(t, session.ReasonKicked, endBanned.detail)
	again, err := s.dial(t, "anna", `{"match_id":"`+matchOne+`"}`)
	if err == nil {
		again.ends(t, session.ReasonKicked, endBanned.detail)
	} else {
		closedFor(t, err, session.ReasonKicked, endBanned.detail)
	}
}

// A leave that others are told of is a kick if the WebSocket stays open, and a break if not.
func TestKick(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), nil)
	anna := s.enter(t, "anna")
	first := s.peer.ids()[0]
	ben := s.enter(t, "ben")
	s.peer.left(first)
	anna.ends(t, session.ReasonKicked, endKicked.detail)
	ben.plays(t)
	await(t, "the end of the WebSocket", func() bool { return len(s.peer.ids()) == 1 })
	second := s.peer.ids()[0]
	cleo := s.enter(t, "cleo")
	s.peer.left(second)
	s.peer.cutOne(second)
	await(t, "the new WebSocket", func() bool { return s.Stats().Rejoined == 1 })
	time.Sleep(settle + 100*time.Millisecond)
	ben.plays(t)
	cleo.plays(t)
}

// Nothing that a WebSocket does holds up the players' end; of what waits the oldest unreliable goes first.
func TestSlow(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), nil)
	p := s.enter(t, "anna")
	l, input := s.only(t), append([]byte{1}, make([]byte, 1000)...)
	s.peer.deaf.Store(true)
	began := time.Now()
	for range 20_000 { // more than the kernel takes
		l.say(input, false)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("20,000 inputs took %v", took)
	}
	p.plays(t)
	ok := 0
	for ; ok < 20_000 && !l.over.Load(); ok++ {
		l.say(input, true)
	}
	if ok < reliableInputs/len(input)/2 {
		t.Errorf("%d reliable inputs were taken", ok)
	}
	s.peer.deaf.Store(false)
	p.ends(t, session.ReasonBusy, endSlow.detail)
	await(t, "the count", func() bool { return s.Stats().Behind == 1 })
}

// "Nakama away": nobody new, who plays stays, and all of it is logged once.
func TestAway(t *testing.T) {
	t.Parallel()
	peer := newPeer(t)
	peer.away.Store(true)
	s := newStage(t, peer, func(_ *Config, g *gateway.Config) { g.Hold = 10 * time.Second })
	_, err := s.dial(t, "anna", `{"match_id":"`+matchOne+`"}`)
	closedFor(t, err, session.ReasonUnavailable, "")
	peer.away.Store(false)
	await(t, "its return", func() bool { return s.Ready() == nil })
	p := s.enter(t, "anna")
	peer.away.Store(true)
	peer.cut()
	await(t, "its absence", func() bool { return s.Ready() != nil })
	time.Sleep(300 * time.Millisecond)
	p.plays(t)
	if peer.dials.Load() > 4 {
		t.Errorf("%d WebSockets were tried while Nakama was away", peer.dials.Load())
	}
	peer.away.Store(false)
	await(t, "the new WebSocket", func() bool { return s.Stats().Rejoined == 1 })
	p.plays(t)
	for what, want := range map[string]int{"does not answer": 2, "answers again": 2} {
		if n := s.log.count(what); n != want {
			t.Errorf("%d log lines say that Nakama %s, not %d", n, what, want)
		}
	}
}

// Players whose WebSockets break all at once come back, never more than Config.Dials at a time.
func TestStorm(t *testing.T) {
	t.Parallel()
	const players, dials = 60, 4
	s := newStage(t, newPeer(t), func(c *Config, _ *gateway.Config) { c.Dials = dials })
	var all [players]*player
	for i := range all {
		p, err := s.dial(t, fmt.Sprint("player-", i), `{"match_id":"`+matchOne+`"}`)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = p
	}
	await(t, "everybody", func() bool { return len(s.peer.ids()) == players })
	s.peer.slow.Store(int64(2 * time.Millisecond))
	s.peer.cut()
	await(t, "everybody again", func() bool { return s.Stats().Rejoined == players && len(s.peer.ids()) == players })
	if most := s.peer.mostOpening.Load(); most > dials {
		t.Errorf("%d WebSockets were opened at once", most)
	}
	if n := s.peer.dials.Load(); n > 2*players+players/2 {
		t.Errorf("it took %d WebSockets for %d players", n, players)
	}
	for _, p := range all {
		p.plays(t)
	}
}

// The end of a match that Nakama tells nobody of is noticed, after what it has said has arrived.
func TestOver(t *testing.T) {
	t.Parallel()
	s := newStage(t, newPeer(t), func(c *Config, _ *gateway.Config) { c.Check = 20 * time.Millisecond })
	p := s.enter(t, "anna")
	await(t, "the match in the list", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		m := s.matches[matchOne]
		return m != nil && m.seen
	})
	s.peer.say(3, []byte("bye"), true)
	s.peer.absent.Store(true)
	p.ends(t, session.ReasonLeft, endOver.detail)
	if !p.has("0 3 bye") {
		t.Error("the last words have not come")
	}
	again, err := s.dial(t, "anna", `{"match_id":"`+matchOne+`"}`)
	if err == nil {
		again.ends(t, session.ReasonLeft, endAbsent.detail)
	} else {
		closedFor(t, err, session.ReasonLeft, endAbsent.detail)
	}
}
