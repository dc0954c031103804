package machine

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// fault makes a datagram fail at one step of the receive list and at no other.
type fault struct {
	step  string
	drop  audit.Drop
	state func(*dialogue)
	spoil func([]byte)
}

// The steps in the order of PROTOCOL.md 4.
var faults = []fault{
	{"4.3", audit.DropMalformed, nil, func(b []byte) { b[1] |= 4 }},
	{"4.4", audit.DropSession, nil, func(b []byte) { b[2] ^= 1 }},
	{"4.5", audit.DropRevoked, func(d *dialogue) { d.server.session.Revoke() }, nil},
	{"4.5", audit.DropExpired, func(d *dialogue) { d.now = begin.Add(tokenLife) }, nil},
	{"4.6", audit.DropEpoch, nil, func(b []byte) { b[1] ^= 2 }},
	{"4.7", audit.DropReplay, func(d *dialogue) { d.server.window.Accept(d.client.sequence) }, nil},
	{"4.8", audit.DropTag, nil, func(b []byte) { b[10] ^= 1 }},
	{"4.9", audit.DropFingerprint, func(d *dialogue) { d.server.SetPath(d.now, far) }, nil},
	{"4.10", audit.DropRate, func(d *dialogue) {
		for d.server.behaviour.Observe(d.now, 0, 0) == policy.VerdictAllow {
		}
	}, nil},
	{"4.11", audit.DropState, nil, nil}, // a kind that only servers send
}

// faulty is a datagram with these faults, and the drop that it led to.
func dropOfFaults(t *testing.T, fs ...fault) audit.Drop {
	d := play(t, session.Config{Fingerprint: policy.FingerprintConfig{Network: policy.ActionRequire}}, session.ClientConfig{})
	kind := wire.KindData
	if fs[len(fs)-1].drop == audit.DropState {
		kind = wire.KindNotice
	}
	b := d.clientSends(kind, "\x02\x00\x00\x00\x00")
	for i := range fs {
		f := fs[len(fs)-1-i]
		if f.state != nil {
			f.state(d)
		}
		if f.spoil != nil {
			f.spoil(b)
		}
	}
	return d.toServer(b).Drop
}

// "A datagram that fails a step goes no further." PROTOCOL.md 4
func TestReceiveOrder(t *testing.T) {
	for i, first := range faults {
		if got := dropOfFaults(t, first); got != first.drop {
			t.Errorf("step %s: dropped %v, want %v", first.step, got, first.drop)
		}
		for _, second := range faults[i+1:] {
			if got := dropOfFaults(t, first, second); got != first.drop {
				t.Errorf("steps %s and %s: dropped %v, want %v", first.step, second.step, got, first.drop)
			}
		}
	}
}

// "Until step 4.9 nothing of the session has changed" PROTOCOL.md 4
func TestReceiveChangesNothing(t *testing.T) {
	for _, f := range faults {
		if f.spoil == nil {
			continue
		}
		d := play(t, session.Config{}, session.ClientConfig{})
		b := d.clientSends(wire.KindData, "input")
		bad := append([]byte(nil), b...)
		f.spoil(bad)
		before := d.server.behaviour
		d.toServer(bad).drops(f.drop)
		if d.server.window.Highest() != 0 || d.server.behaviour != before || !d.server.since.Equal(d.now) || d.server.answer == nil {
			t.Errorf("step %s: the session has changed", f.step)
		}
		d.toServer(b).delivers("input")
	}
}

// "The envelope parses; else drop `malformed`, or `version` for another version." PROTOCOL.md 4.3
func TestEnvelopeParses(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	b := d.clientSends(wire.KindData, "input")
	d.toServer(b[:wire.HeaderLen-1]).drops(audit.DropMalformed)
	d.toServer(nil).drops(audit.DropMalformed)
	d.toServer(append([]byte{0x23}, b[1:]...)).drops(audit.DropVersion)
	d.toServer(append([]byte{0x1f}, b[1:]...)).drops(audit.DropMalformed)
	d.toServer(b).delivers("input")
}

// "The session id is this connection's; else drop `session`." PROTOCOL.md 4.4
func TestSessionOfAnother(t *testing.T) {
	a := play(t, session.Config{}, session.ClientConfig{})
	a.mints("another")
	b := a.connect(session.ClientConfig{}, "another", Channel{Exporter: [32]byte{1}})
	early := edit(a.clientSends(wire.KindData, "input"), func(e *wire.Envelope) { e.Session = 0 })
	b.toServer(early).drops(audit.DropSession) // before WELCOME there is no session to be of
	b.join()
	b.toServer(a.clientSends(wire.KindData, "input")).drops(audit.DropSession)
	a.toServer(edit(a.clientSends(wire.KindClose, "\x01\x00\x00\x00\x00"), func(e *wire.Envelope) {
		*e = wire.Envelope{Kind: wire.KindClose, Body: e.Body} // outside a session
	})).drops(audit.DropSession)
	a.toServer(a.clientSends(wire.KindData, "input")).delivers("input")
}

// "a number s is too old if s ≤ h and h - s ≥ n" PROTOCOL.md 7.3
func TestWindowEdges(t *testing.T) {
	d := play(t, session.Config{Window: 64}, session.ClientConfig{})
	var sent [][]byte
	for range 100 {
		sent = append(sent, d.clientSends(wire.KindData, "input"))
	}
	d.toServer(sent[99]).delivers("input") // sequence 100
	d.toServer(sent[100-64-1]).drops(audit.DropReplay)
	d.toServer(sent[100-64]).delivers("input")
	d.toServer(sent[100-64+1]).delivers("input")
	d.toServer(sent[100-64]).drops(audit.DropReplay)
	d.toServer(sent[99]).drops(audit.DropReplay)
}

// "The sequence is restored to 64 bits (section 7.2) and is not 0." PROTOCOL.md 4.7
func TestSequenceRestored(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	first := d.clientSends(wire.KindData, "1")
	d.client.sequence = math.MaxUint64
	d.toServer(d.clientSends(wire.KindData, "0")).drops(audit.DropReplay)
	d.client.sequence = 1<<31 - 2
	d.toServer(d.clientSends(wire.KindData, "2^31-1")).delivers("2^31-1")
	d.client.sequence = 1<<32 - 2
	before, zero, one := d.clientSends(wire.KindData, "-1"), d.clientSends(wire.KindData, "low 0"), d.clientSends(wire.KindData, "low 1")
	d.toServer(before).delivers("-1")
	d.toServer(one).delivers("low 1")
	d.toServer(zero).delivers("low 0")
	d.toServer(zero).drops(audit.DropReplay)
	d.toServer(first).drops(audit.DropReplay) // taken for 2^32 + 1
}

// "Each direction of a session numbers its datagrams from 1, in 64 bits, across epochs. A sender
// MUST NOT use a number again, not even for a repetition." PROTOCOL.md 7.1
func TestNumbering(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	said, told := uint32(0), uint32(0)
	follows := func(b []byte, last *uint32) {
		t.Helper()
		if e, err := wire.Parse(b); err != nil || e.Seq != *last+1 {
			t.Fatalf("%v has number %d, %v; the last one had %d", e.Kind, e.Seq, err, *last)
		}
		*last++
	}
	for i := range 5 {
		input := d.clientSends(wire.KindData, "input")
		follows(input, &said)
		d.toServer(input).delivers("input") // and takes an epoch over
		follows(d.serverSends(wire.KindData, "snapshot"), &told)
		d.waits(tokenLife / renewalsOfLife)
		fresh := fmt.Sprint("token ", i)
		d.mints(fresh)
		parts := d.renew(fresh)
		for range 3 {
			for _, b := range parts {
				follows(b, &said)
			}
			d.waits(2 * time.Second)
			parts = d.clientTick(wire.KindRenew)
		}
		renewed := d.present(parts...).is(EventRenewed, audit.DropNone, wire.KindRenewed).envelope
		follows(parts[0], &said)
		follows(renewed, &told)
		d.toClient(renewed).renews()
	}
}

// A clump of all orders: each is delivered once.
func TestReceiveReordered(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	a, b, c := d.clientSends(wire.KindData, "a"), d.clientSends(wire.KindData, "b"), d.clientSends(wire.KindData, "c")
	d.toServer(c).delivers("c")
	d.toServer(a).delivers("a")
	d.toServer(c).drops(audit.DropReplay)
	d.toServer(b).delivers("b")
	d.waits(time.Second)
	d.toServer(a).drops(audit.DropReplay)
}

// "The client MUST receive by steps 4.1 to 4.4 and 4.6 to 4.8, update the window, and deliver."
// PROTOCOL.md 4.12
func TestReceiveClient(t *testing.T) {
	for i, first := range faults {
		for _, second := range faults[i:] {
			d := play(t, session.Config{}, session.ClientConfig{})
			b := d.serverSends(wire.KindData, "snapshot")
			good := append([]byte(nil), b...)
			if first.spoil == nil && first.drop != audit.DropReplay || second.spoil == nil {
				continue
			}
			if first.drop == audit.DropReplay {
				d.toClient(b).delivers("snapshot")
			} else if first.spoil(b); first.step != second.step {
				second.spoil(b)
			}
			d.toClient(b).drops(first.drop)
			if first.drop != audit.DropReplay {
				d.toClient(good).delivers("snapshot")
			}
			d.toClient(good).drops(audit.DropReplay)
		}
	}
}
