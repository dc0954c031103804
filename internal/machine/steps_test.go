package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// "not past its expiry and leeway (drop `expired`). The server then tells the client with CLOSE."
// PROTOCOL.md 4.5
func TestExpiryOnEachDatagram(t *testing.T) {
	for _, leeway := range []time.Duration{0, 30 * time.Second} {
		d := play(t, session.Config{Leeway: leeway, Idle: time.Hour}, session.ClientConfig{})
		end := begin.Add(tokenLife + leeway)
		d.now = end.Add(-1)
		d.toServer(d.say(wire.KindData, "last")).gives("last")
		d.tickServer().nothing()
		d.now = end
		b := d.say(wire.KindData, "late")
		d.toClient(d.toServer(b).ends(audit.DropExpired, wire.ReasonExpired).envelope).closes(wire.ReasonExpired)
		d.now = end.Add(1)
		d.toServer(b).drops(audit.DropExpired) // told once
		d.tickServer().nothing()
	}
}

// Silent players expire as well, and at the same instant.
func TestExpiryByTick(t *testing.T) {
	d := play(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	d.now = begin.Add(tokenLife - 1)
	d.tickServer().nothing()
	d.pass(1)
	d.tickServer().ends(audit.DropExpired, wire.ReasonExpired)
	d.tickServer().nothing()
}

// "not revoked (drop `revoked`)" PROTOCOL.md 4.5
func TestRevokeStopsTheNextDatagram(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.toServer(d.say(wire.KindData, "before")).gives("before")
	if !d.server.Session().Revoke() || d.server.Session().Revoke() {
		t.Error("Revoke does not say whether it was the first")
	}
	b := d.say(wire.KindData, "after")
	d.toClient(d.toServer(b).ends(audit.DropRevoked, wire.ReasonRevoked).envelope).closes(wire.ReasonRevoked)
	d.toServer(b).drops(audit.DropRevoked) // the reason that ended it, and no second CLOSE
	d.toServer(mistag(b)).drops(audit.DropRevoked)
	if d.gate.Len() != 0 {
		t.Error("the session is still counted")
	}
	if _, err := d.server.Append(nil, wire.KindData, nil); err != ErrNotLive {
		t.Errorf("Append after the end: %v", err)
	}
}

// "The epoch bits are those of the current epoch" PROTOCOL.md 4.6
func TestEpochOfNoKind(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	b := d.say(wire.KindData, "input")
	for _, bits := range []uint8{0, 2, 3} {
		d.toServer(edit(b, func(e *wire.Envelope) { e.Epoch = bits })).drops(audit.DropEpoch)
	}
	d.toServer(b).gives("input")
}

// "8 in a row revoke the session." PROTOCOL.md 4.8
func TestWrongTags(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	for range 3 {
		b := d.say(wire.KindData, "input")
		for range serverDefaults.BadTags - 1 {
			d.toServer(mistag(b)).drops(audit.DropTag)
		}
		d.toServer(b).gives("input") // a wrong tag has not marked its number
	}
	b := mistag(d.say(wire.KindData, "input"))
	for range serverDefaults.BadTags - 1 {
		d.toServer(b).drops(audit.DropTag)
	}
	d.toServer(b).ends(audit.DropTag, wire.ReasonRevoked)
	if !d.server.Session().Revoked() {
		t.Error("not revoked")
	}
}

// Each part of the header and the length of the body is under the tag, and the direction is too.
func TestTagCovers(t *testing.T) {
	d := play(t, session.Config{BadTags: 100}, session.ClientConfig{})
	d.toClient(d.tell(wire.KindData, "snapshot")).gives("snapshot")
	b := d.say(wire.KindData, "input")
	for name, forged := range map[string][]byte{
		"kind":      edit(b, func(e *wire.Envelope) { e.Kind = wire.KindPing }),
		"sequence":  edit(b, func(e *wire.Envelope) { e.Seq++ }),
		"length":    append(append([]byte(nil), b...), 0),
		"first bit": edit(b, func(e *wire.Envelope) { e.Tag[0] ^= 0x80 }),
		"last bit":  mistag(b),
		"direction": d.tell(wire.KindData, "input"),
	} {
		if h := d.toServer(forged); h.Drop != audit.DropTag {
			t.Errorf("%s: dropped %v", name, h.Drop)
		}
	}
	d.toServer(b).gives("input")
}

// "The window advances only after authentication." PROTOCOL.md 4.9
func TestMarkAfterTag(t *testing.T) {
	d := play(t, session.Config{Window: 64}, session.ClientConfig{})
	b := d.say(wire.KindData, "input")
	d.toServer(edit(b, func(e *wire.Envelope) { e.Seq = 1 << 30 })).drops(audit.DropTag)
	d.toServer(b).gives("input")
	d.toServer(b).drops(audit.DropReplay)
}

// "the network prefix of the validated path (/24 of IPv4, /56 of IPv6)" PROTOCOL.md 4.9
func TestFingerprintPath(t *testing.T) {
	d := play(t, session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionRequire}}, session.ClientConfig{})
	d.server.SetPath(d.now, near)
	d.toServer(d.say(wire.KindData, "near")).gives("near")
	d.server.SetPath(d.now, far)
	b := d.say(wire.KindData, "far")
	d.toServer(mistag(b)).drops(audit.DropTag) // whoever it was: not the player
	d.toServer(b).ends(audit.DropFingerprint, wire.ReasonFingerprint)
	d.toServer(b).drops(audit.DropFingerprint)
	if d.server.Session().Revoked() {
		t.Error("revoked, although its player may be at home")
	}
}

// A player who is back on its path before it sends has not strayed.
func TestFingerprintBack(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.server.SetPath(d.now, far)
	d.server.SetPath(d.now, home)
	d.toServer(d.say(wire.KindData, "back")).gives("back")
}

// "The session's rate allows the datagram; else drop `rate`." PROTOCOL.md 4.10
func TestRate(t *testing.T) {
	d := play(t, session.Config{Behaviour: policy.BehaviourConfig{Datagrams: 10, DatagramBurst: 3}}, session.ClientConfig{})
	for range 3 {
		d.toServer(d.say(wire.KindData, "clump")).gives("clump")
	}
	b := d.say(wire.KindData, "too many")
	d.toServer(b).drops(audit.DropRate)
	d.toServer(b).drops(audit.DropReplay) // it was marked: a copy has no second try
	d.pass(time.Second/10 - 1)
	d.toServer(d.say(wire.KindData, "early")).drops(audit.DropRate)
	d.pass(1)
	d.toServer(d.say(wire.KindData, "in time")).gives("in time")
	if d.server.Session().Revoked() {
		t.Error("revoked")
	}
}

// "Only datagrams that passed every step above count, once each" PROTOCOL.md 4.10
func TestRateCountsOnce(t *testing.T) {
	d := play(t, session.Config{Behaviour: policy.BehaviourConfig{Datagrams: 1, DatagramBurst: 3}}, session.ClientConfig{})
	a, b, c := d.say(wire.KindData, "a"), d.say(wire.KindData, "b"), d.say(wire.KindData, "c")
	d.toServer(a).gives("a")
	for range 5 {
		d.toServer(a).drops(audit.DropReplay)
		d.toServer(mistag(b)).drops(audit.DropTag)
		d.toServer(edit(b, func(e *wire.Envelope) { e.Session++ })).drops(audit.DropSession)
		d.toServer(edit(b, func(e *wire.Envelope) { e.Epoch++ })).drops(audit.DropEpoch)
	}
	d.toServer(b).gives("b")
	d.toServer(c).gives("c")
	d.toServer(d.say(wire.KindData, "d")).drops(audit.DropRate)
}
