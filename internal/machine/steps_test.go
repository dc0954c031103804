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
		d.toServer(d.clientSends(wire.KindData, "last")).delivers("last")
		d.tickServer().nothing()
		d.now = end
		b := d.clientSends(wire.KindData, "late")
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
	d.waits(1)
	d.tickServer().ends(audit.DropExpired, wire.ReasonExpired)
	d.tickServer().nothing()
}

// "not revoked (drop `revoked`)" PROTOCOL.md 4.5
func TestRevokeStopsTheNextDatagram(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.toServer(d.clientSends(wire.KindData, "before")).delivers("before")
	if !d.server.Session().Revoke() || d.server.Session().Revoke() {
		t.Error("Revoke does not say whether it was the first")
	}
	b := d.clientSends(wire.KindData, "after")
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
	b := d.clientSends(wire.KindData, "input")
	for _, bits := range []uint8{0, 2, 3} {
		d.toServer(edit(b, func(e *wire.Envelope) { e.Epoch = bits })).drops(audit.DropEpoch)
	}
	d.toServer(b).delivers("input")
}

// "8 in a row revoke the session." PROTOCOL.md 4.8
func TestWrongTags(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	for range 3 {
		b := d.clientSends(wire.KindData, "input")
		for range serverDefaults.BadTags - 1 {
			d.toServer(mistag(b)).drops(audit.DropTag)
		}
		d.toServer(b).delivers("input") // a wrong tag has not marked its number
	}
	b := mistag(d.clientSends(wire.KindData, "input"))
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
	d.toClient(d.serverSends(wire.KindData, "snapshot")).delivers("snapshot")
	b := d.clientSends(wire.KindData, "input")
	for name, forged := range map[string][]byte{
		"kind":      edit(b, func(e *wire.Envelope) { e.Kind = wire.KindPing }),
		"sequence":  edit(b, func(e *wire.Envelope) { e.Seq++ }),
		"length":    append(append([]byte(nil), b...), 0),
		"first bit": edit(b, func(e *wire.Envelope) { e.Tag[0] ^= 0x80 }),
		"last bit":  mistag(b),
		"direction": d.serverSends(wire.KindData, "input"),
	} {
		if h := d.toServer(forged); h.Drop != audit.DropTag {
			t.Errorf("%s: dropped %v", name, h.Drop)
		}
	}
	d.toServer(b).delivers("input")
}

// "The window advances only after authentication." PROTOCOL.md 4.9
func TestWindowUpdatedAfterTag(t *testing.T) {
	d := play(t, session.Config{Window: 64}, session.ClientConfig{})
	b := d.clientSends(wire.KindData, "input")
	d.toServer(edit(b, func(e *wire.Envelope) { e.Seq = 1 << 30 })).drops(audit.DropTag)
	d.toServer(b).delivers("input")
	d.toServer(b).drops(audit.DropReplay)
}

// "the network prefix of the validated path (/24 of IPv4, /56 of IPv6)" PROTOCOL.md 4.9
func TestFingerprintPath(t *testing.T) {
	d := play(t, session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionRequire}}, session.ClientConfig{})
	d.server.SetPath(d.now, near)
	d.toServer(d.clientSends(wire.KindData, "near")).delivers("near")
	d.server.SetPath(d.now, far)
	b := d.clientSends(wire.KindData, "far")
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
	d.toServer(d.clientSends(wire.KindData, "back")).delivers("back")
}

// "The session's rate allows the datagram; else drop `rate`." PROTOCOL.md 4.10
func TestRate(t *testing.T) {
	d := play(t, session.Config{Behaviour: policy.BehaviourConfig{Datagrams: 10, DatagramBurst: 3}}, session.ClientConfig{})
	for range 3 {
		d.toServer(d.clientSends(wire.KindData, "clump")).delivers("clump")
	}
	b := d.clientSends(wire.KindData, "too many")
	d.toServer(b).drops(audit.DropRate)
	d.toServer(b).drops(audit.DropReplay) // it was marked: a copy has no second try
	d.waits(time.Second/10 - 1)
	d.toServer(d.clientSends(wire.KindData, "early")).drops(audit.DropRate)
	d.waits(1)
	d.toServer(d.clientSends(wire.KindData, "in time")).delivers("in time")
	if d.server.Session().Revoked() {
		t.Error("revoked")
	}
}

// "Only datagrams that passed every step above count, once each" PROTOCOL.md 4.10
func TestRateCountsOnce(t *testing.T) {
	d := play(t, session.Config{Behaviour: policy.BehaviourConfig{Datagrams: 1, DatagramBurst: 3}}, session.ClientConfig{})
	a, b, c := d.clientSends(wire.KindData, "a"), d.clientSends(wire.KindData, "b"), d.clientSends(wire.KindData, "c")
	d.toServer(a).delivers("a")
	for range 5 {
		d.toServer(a).drops(audit.DropReplay)
		d.toServer(mistag(b)).drops(audit.DropTag)
		d.toServer(edit(b, func(e *wire.Envelope) { e.Session++ })).drops(audit.DropSession)
		d.toServer(edit(b, func(e *wire.Envelope) { e.Epoch++ })).drops(audit.DropEpoch)
	}
	d.toServer(b).delivers("b")
	d.toServer(c).delivers("c")
	d.toServer(d.clientSends(wire.KindData, "d")).drops(audit.DropRate)
}
