package machine

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// longToken makes a HELLO of four parts.
var longToken = strings.Repeat("t", 3*wire.MaxPart)

func connectWithLongToken(t *testing.T) (*dialogue, [][]byte) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{Fingerprint: phone})
	d.mints(longToken)
	d = d.connect(session.ClientConfig{Fingerprint: phone}, longToken, channel)
	parts := d.clientTick(wire.KindHello)
	if len(parts) != 4 {
		t.Fatalf("%d parts", len(parts))
	}
	return d, parts
}

func TestHello(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{Fingerprint: phone, Scope: "match-7"})
	s := d.server.Session()
	if s.ID() == 0 || s.ID() != d.client.ID() || s.Subject() != "player" || s.Issuer() != "issuer" || s.Scope() != "match-7" ||
		s.TokenID() != "id of identity" || s.Fingerprint() != phone || !s.Expires().Equal(begin.Add(tokenLife)) {
		t.Errorf("%+v", s)
	}
	if l := d.client.Limits(); l != (wire.Limits{MaxPayload: wire.MaxBody, Rate: uint32(defaultBehaviour.Datagrams), Idle: 30_000}) {
		t.Errorf("limits %+v", l)
	}
	if found, ok := d.gate.Session(s.ID()); !ok || found != s || d.gate.Len() != 1 {
		t.Error("the gate does not know the session")
	}
	if !d.client.Live() || !d.client.Expires().Equal(s.Expires()) {
		t.Error("the client does not know its session")
	}
	d.toServer(d.clientSends(wire.KindData, "input")).delivers("input")
	d.toClient(d.serverSends(wire.KindData, "snapshot")).delivers("snapshot")
}

// "Expiry less server time is the life that is left" PROTOCOL.md 3.2
func TestHelloClocksDisagree(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	hello := d.clientTick(wire.KindHello)
	d.waits(-time.Hour)
	welcome := d.present(hello...).joins()
	d.waits(time.Hour)
	d.toClient(welcome.envelope).joins()
	if left := d.client.Expires().Sub(d.now); left != tokenLife+time.Hour {
		t.Errorf("%v left", left)
	}
}

// "a client MUST count from no later than the moment at which it first sent the message that is answered" PROTOCOL.md 3.2: a WELCOME
// that is repeated for a HELLO has the first one's time, and so has a RENEWED. A client that counted from its arrival would
// renew after the session's end.
func TestLateAnswers(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	hello := d.clientTick(wire.KindHello)
	d.waits(time.Second)
	d.present(hello...).joins() // and is lost
	d.waits(5 * time.Second)
	d.toClient(d.present(d.clientTick(wire.KindHello)...).says(wire.KindWelcome).envelope).joins()
	end := d.server.Session().Expires()
	if early := end.Sub(d.client.Expires()); early != time.Second {
		t.Errorf("WELCOME: early by %v", early)
	}
	d.waits(tokenLife / 2)
	d.mints("fresh")
	d.present(d.renew("fresh")...)
	d.waits(20 * time.Second)
	d.toClient(d.present(d.clientTick(wire.KindRenew)...).says(wire.KindRenewed).envelope).renews()
	d.exchangesData()
	if early := d.server.Session().Expires().Sub(d.client.Expires()); early != 0 || d.server.Session().Expires() == end {
		t.Errorf("RENEWED: early by %v", early)
	}
	d.waits(tokenLife / 2)
	d.mints("another")
	d.present(d.renew("another")...).renews() // and is lost
	d.waits(10 * time.Second)
	for _, part := range d.renew("one more") {
		d.toServer(part).drops(audit.DropState)
	}
	d.waits(time.Second)
	d.toClient(d.tickServer().says(wire.KindRenewed).envelope).renews()
	d.exchangesData()
	if early := d.server.Session().Expires().Sub(d.client.Expires()); early != 0 {
		t.Errorf("RENEWED for the token before: early by %v", early)
	}
}

// What a client's wall clock is set to changes nothing of when its session ends.
func TestClientClockStep(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		d := connectOnly(t, session.Config{}, session.ClientConfig{})
		d.now = testkit.Step(t, d.now, 0)
		d = d.connect(session.ClientConfig{}, "identity", channel)
		d.join()
		later := testkit.Step(t, d.now.Add(time.Minute), step)
		if left := d.client.Expires().Sub(later); left != tokenLife-time.Minute {
			t.Errorf("%v: %v left", step, left)
		}
	}
}

// "The server MUST answer the same HELLO body on the same connection with the same answer in a new
// record, and do nothing twice. This holds until the server has accepted a datagram of the
// session." PROTOCOL.md 5.1
func TestHelloAgain(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	hello := d.clientTick(wire.KindHello)[0]
	asked := d.toServer(hello).verifies()
	d.toServer(hello).nothing() // while it is verified
	welcome := d.verifiesToken(asked).joins()
	for range 3 {
		if again := d.toServer(hello).says(wire.KindWelcome); !bytes.Equal(again.envelope, welcome.envelope) {
			t.Fatal("another WELCOME")
		}
	}
	d.toClient(welcome.envelope).joins()
	d.toClient(welcome.envelope).drops(audit.DropSession) // "only while it waits for one"
	if d.gate.Len() != 1 {
		t.Errorf("%d sessions", d.gate.Len())
	}
	d.toServer(d.clientSends(wire.KindData, "input")).delivers("input")
	d.toServer(hello).drops(audit.DropState)
}

// "It MUST repeat HELLO after 200 ms and then double the wait, up to 2 s, until WELCOME or CLOSE
// comes." PROTOCOL.md 5.1
func TestHelloRepeats(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	first := d.clientTick(wire.KindHello)
	for _, ms := range []time.Duration{200, 400, 800, 1600, 2000, 2000} {
		if d.waits(ms*time.Millisecond - 1); len(d.clientTick(wire.KindHello)) != 0 {
			t.Fatalf("HELLO before %d ms", ms)
		}
		d.waits(1)
		if again := d.clientTick(wire.KindHello); len(again) != 1 || !bytes.Equal(again[0], first[0]) {
			t.Fatalf("after %d ms: %x", ms, again)
		}
	}
}

// "Another HELLO on the same connection is dropped `state`." PROTOCOL.md 5.1. "An event that is not
// in a table changes no state." PROTOCOL.md 5.7
func TestHelloOther(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	d.mints("other")
	other := d.connect(session.ClientConfig{}, "other", channel).clientTick(wire.KindHello)[0]
	asked := d.toServer(d.clientTick(wire.KindHello)[0])
	d.toServer(other).drops(audit.DropState)
	welcome := d.verifiesToken(asked).joins()
	d.toServer(other).drops(audit.DropState)
	d.toClient(welcome.envelope).joins()
	d.toServer(d.clientSends(wire.KindData, "input")).delivers("input")
	d.toServer(other).drops(audit.DropState)
}

// "Parts may come in any order and more than once." PROTOCOL.md 2.6
func TestHelloPartsAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 2, 0, 3, 0, 1}} {
		d, parts := connectWithLongToken(t)
		for _, i := range order[:len(order)-1] {
			d.toServer(parts[i]).nothing()
		}
		d.verifiesToken(d.toServer(parts[order[len(order)-1]]).verifies()).joins()
	}
}

// "A sender that gets no answer MUST send all parts again." PROTOCOL.md 2.6
func TestHelloPartLost(t *testing.T) {
	d, parts := connectWithLongToken(t)
	for _, p := range slices.Delete(slices.Clone(parts), 1, 2) {
		d.toServer(p).nothing()
	}
	d.waits(200 * time.Millisecond)
	again := d.clientTick(wire.KindHello)
	d.toServer(again[0]).nothing()
	d.verifiesToken(d.toServer(again[1]).verifies()).joins()
	for _, p := range again {
		d.toServer(p)
	}
	if d.server.partial != nil {
		t.Error("the buffer is kept")
	}
}

// "A part with different bytes for the same offset, or with another total, drops the whole partial
// body and itself." PROTOCOL.md 2.6
func TestHelloPartsDiffer(t *testing.T) {
	for name, change := range map[string]func(*wire.Envelope){
		"bytes": func(e *wire.Envelope) { e.Body[len(e.Body)-1] ^= 1 },
		"total": func(e *wire.Envelope) { e.Body[0] ^= 1 },
	} {
		d, parts := connectWithLongToken(t)
		d.toServer(parts[0]).nothing()
		d.toServer(parts[1]).nothing()
		if h := d.toServer(edit(parts[1], change)); h.Drop != audit.DropMalformed {
			t.Errorf("%s: dropped %v", name, h.Drop)
		}
		d.toServer(parts[2]).nothing()
		d.toServer(parts[3]).nothing() // two are missing again
		d.toServer(parts[0]).nothing()
		d.verifiesToken(d.toServer(parts[1]).verifies()).joins()
	}
}

// "A partial body is dropped 5 s after its first part came." PROTOCOL.md 2.6
func TestHelloPartsAge(t *testing.T) {
	d, parts := connectWithLongToken(t)
	for _, p := range parts[:3] {
		d.toServer(p).nothing()
	}
	d.waits(wire.PartialLife)
	d.toServer(parts[3]).nothing()
	d.now = d.now.Add(-1) // within the life of what parts[3] began
	for _, p := range parts[:2] {
		d.toServer(p).nothing()
	}
	d.toServer(parts[2]).verifies()
}

// "A server that has no complete HELLO 5 s after the handshake gives up with CLOSE reason 17. One
// that has no verdict on the token 5 s after HELLO gives up with reason 12." PROTOCOL.md 5.1
func TestHelloTimeLimits(t *testing.T) {
	d, parts := connectWithLongToken(t)
	d.waits(4 * time.Second)
	d.toServer(parts[0]).nothing() // a part does not prolong it
	d.waits(time.Second - 1)
	d.tickServer().nothing()
	d.waits(1)
	d.toClient(d.tickServer().ends(audit.DropIdle, wire.ReasonIdle).envelope).closes(wire.ReasonIdle)
	d.toServer(parts[0]).nothing()
	d.tickServer().nothing()

	d = connectOnly(t, session.Config{}, session.ClientConfig{})
	d.waits(time.Second)
	hello := d.clientTick(wire.KindHello)[0]
	asked := d.toServer(hello).verifies()
	d.waits(5*time.Second - 1)
	d.tickServer().nothing()
	d.waits(1)
	h := d.tickServer().refuses(audit.DropBusy, wire.ReasonBusy)
	d.verifiedAs(d.claims[string(asked.Token)], nil).nothing() // too late
	if again := d.toServer(hello).says(wire.KindClose); !bytes.Equal(again.envelope, h.envelope) {
		t.Error("another CLOSE")
	}
}

// "The client MUST take a WELCOME only while it waits for one, and only with the nonce of its
// HELLO." PROTOCOL.md 5.1
func TestWelcomeOfAnother(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	welcome := d.present(d.clientTick(wire.KindHello)...).joins().envelope
	d.toClient(edit(welcome, func(e *wire.Envelope) { e.Body[15] ^= 1 })).drops(audit.DropMalformed)
	d.toClient(edit(welcome, func(e *wire.Envelope) { e.Body = e.Body[:95] })).drops(audit.DropMalformed)
	d.toClient(d.serverSends(wire.KindData, "early")).drops(audit.DropSession) // "drops it"
	d.toClient(welcome).joins()
}

// "It MUST take a CLOSE outside a session only before WELCOME." PROTOCOL.md 5.1
func TestCloseOutsideSession(t *testing.T) {
	outside := wire.Envelope{Kind: wire.KindClose, Body: []byte("\x02\x00\x00\x00\x00")}.AppendTo(nil)
	d := play(t, session.Config{}, session.ClientConfig{})
	d.toClient(outside).drops(audit.DropSession)
	d.toClient(d.serverSends(wire.KindData, "still here")).delivers("still here")
	d = connectOnly(t, session.Config{}, session.ClientConfig{})
	d.toClient(outside).closes(wire.ReasonShutdown)
	d.toClient(outside).is(EventCloseAgain, audit.DropNone, 0) // a copy, which is answered
}
