package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// "above a first line the session is recorded, above a second its datagrams are dropped, above a
// third it is revoked" PROTOCOL.md 4.10
func TestBehaviour(t *testing.T) {
	d := play(t, session.Config{Behaviour: policy.BehaviourConfig{Flag: 3, Limit: 5, Revoke: 7}}, session.ClientConfig{})
	for range 5 {
		d.toServer(d.clientSends(wire.KindData, "change")).delivers("change")
	}
	d.tickServer().is(EventFlagged, audit.DropNone, 0)
	d.tickServer().is(EventNone, audit.DropNone, 0)
	for range 2 {
		d.toServer(d.clientSends(wire.KindData, "dropped")).drops(audit.DropRate)
	}
	d.toServer(d.clientSends(wire.KindData, "out")).ends(audit.DropRate, wire.ReasonRate)
	if !d.server.Session().Revoked() {
		t.Error("not revoked")
	}
}

// "The game counts state changes; each payload is one unless the game says otherwise." PROTOCOL.md
// 4.10
func TestCost(t *testing.T) {
	cost := func(payload []byte) int { return len(payload) }
	d := play(t, session.Config{Cost: cost, Behaviour: policy.BehaviourConfig{Flag: 10, Limit: 10, Revoke: 10}}, session.ClientConfig{})
	d.toServer(d.clientSends(wire.KindData, "0123456789")).delivers("0123456789")
	for range 20 { // what is not the game's changes nothing of its state
		d.toServer(d.clientSends(wire.KindPing, "01234567")).is(EventNone, audit.DropNone, wire.KindPong)
	}
	d.toServer(d.clientSends(wire.KindData, "x")).ends(audit.DropRate, wire.ReasonRate)
}

// The game's own judgement has the last word, once for each payload that would be delivered.
func TestInspect(t *testing.T) {
	verdicts := map[string]policy.Verdict{
		"odd": policy.VerdictFlag, "spam": policy.VerdictLimit, "cheat": policy.VerdictRevoke,
	}
	asked := 0
	var d *dialogue
	d = play(t, session.Config{Inspect: func(s session.Session, payload []byte) policy.Verdict {
		if asked++; s != d.server.Session() {
			t.Error("another session")
		}
		return verdicts[string(payload)]
	}}, session.ClientConfig{})
	fair := d.clientSends(wire.KindData, "fair")
	d.toServer(fair).delivers("fair")
	d.toServer(fair).drops(audit.DropReplay)
	d.toServer(d.clientSends(wire.KindData, "odd")).delivers("odd")
	d.tickServer().is(EventFlagged, audit.DropNone, 0)
	d.toServer(d.clientSends(wire.KindData, "spam")).drops(audit.DropRate)
	d.toServer(d.clientSends(wire.KindData, "cheat")).ends(audit.DropRate, wire.ReasonRate)
	if asked != 4 {
		t.Errorf("asked %d times", asked)
	}
}

// A copy of what was counted, and what others send in a player's name, count for nothing.
func TestBehaviourOfOthers(t *testing.T) {
	d := play(t, session.Config{Behaviour: policy.BehaviourConfig{Flag: 2, Limit: 2, Revoke: 2}, BadTags: 1000}, session.ClientConfig{})
	b := d.clientSends(wire.KindData, "mine")
	d.toServer(b).delivers("mine")
	for range 100 {
		d.toServer(b).drops(audit.DropReplay)
		d.toServer(mistag(d.clientSends(wire.KindData, "forged"))).drops(audit.DropTag)
	}
	d.toServer(d.clientSends(wire.KindData, "mine too")).delivers("mine too")
}

// The round trip is measured by Ping, and by no other PONG.
func TestProbe(t *testing.T) {
	d := play(t, session.Config{Ping: 2 * time.Second}, session.ClientConfig{})
	ping := d.tickServer().is(EventNone, audit.DropNone, wire.KindPing)
	d.tickServer().is(EventNone, audit.DropNone, 0)
	pong := d.toClient(ping.envelope).is(EventNone, audit.DropNone, wire.KindPong)
	d.waits(30 * time.Millisecond)
	d.toServer(d.clientSends(wire.KindPong, "12345678")).is(EventNone, audit.DropNone, 0)
	if rtt := d.server.Stats().RTT; rtt != 0 {
		t.Errorf("somebody else's PONG measured %v", rtt)
	}
	d.toServer(pong.envelope)
	d.waits(time.Second)
	d.toServer(d.clientSends(wire.KindPong, string(pong.body))) // too late to change anything
	if s := d.server.Stats(); s.RTT != 30*time.Millisecond {
		t.Errorf("%+v", s)
	}
	d.waits(time.Second)
	d.tickServer().is(EventNone, audit.DropNone, wire.KindPing)
}

// Lost is what was sent and has not come.
func TestStats(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	before := d.server.Stats()
	d.clientSends(wire.KindData, "lost")
	late := d.clientSends(wire.KindData, "late")
	d.toServer(d.clientSends(wire.KindData, "input")).delivers("input")
	d.serverSends(wire.KindData, "snapshot")
	if s := d.server.Stats(); s.Accepted != before.Accepted+1 || s.Lost != before.Lost+2 || s.Sent != before.Sent+1 {
		t.Errorf("%+v after %+v", s, before)
	}
	d.toServer(late).delivers("late")
	if s := d.server.Stats(); s.Accepted != before.Accepted+2 || s.Lost != before.Lost+1 {
		t.Errorf("%+v after %+v", s, before)
	}
}
