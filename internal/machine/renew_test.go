package machine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// renewsWith delivers RENEW and RENEWED, and nothing more.
func (d *dialogue) renewsWith(identity string) {
	d.Helper()
	d.mints(identity)
	renewed := d.present(d.renew(identity)...).is(EventRenewed, audit.DropNone, wire.KindRenewed)
	d.toClient(renewed.envelope).renews()
}

func (d *dialogue) epochs() [2]uint32 {
	return [2]uint32{d.server.current.number, d.client.current.number}
}

func TestRenew(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.waits(10 * time.Minute)
	first := d.server.Session().Expires()
	old := d.clientSends(wire.KindData, "old")
	d.renewsWith("second")
	if d.client.Renewing() || !d.client.Expires().Equal(d.now.Add(tokenLife)) {
		t.Error("the client has not taken the new epoch over")
	}
	// "With the first accepted datagram of the new epoch the server sends in it, and the new expiry
	// holds."
	if d.server.Session().Expires() != first || d.server.Session().TokenID() != "id of identity" {
		t.Error("the new token holds before it is used")
	}
	d.toClient(d.serverSends(wire.KindData, "in the old")).delivers("in the old")
	d.toServer(mistag(d.clientSends(wire.KindData, "forged"))).drops(audit.DropTag)
	if d.epochs() != [2]uint32{1, 1} {
		t.Error("a forged datagram moved the epoch")
	}
	d.toServer(d.clientSends(wire.KindData, "new")).delivers("new")
	if !d.server.Session().Expires().Equal(d.now.Add(tokenLife)) || d.server.Session().TokenID() != "id of second" {
		t.Error("the new token does not hold")
	}
	d.toServer(old).delivers("old")
	d.toClient(d.serverSends(wire.KindData, "in the new")).delivers("in the new")
	if d.epochs() != [2]uint32{2, 2} {
		t.Errorf("epochs %d", d.epochs())
	}
	d.now = first.Add(time.Minute) // the first token's end is nobody's any more
	d.toServer(d.clientSends(wire.KindData, "later")).delivers("later")
}

// "It MUST answer the same token with the same RENEWED, and the epoch moves once." PROTOCOL.md 5.3
func TestRenewAgain(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.mints("second")
	first := d.renew("second")
	asked := d.toServer(first[0]).verifies()
	d.waits(200 * time.Millisecond)
	second, used := d.clientTick(wire.KindRenew), d.client.sequence
	if bytes.Equal(first[0], second[0]) {
		t.Error("a repetition without a sequence of its own")
	}
	d.toServer(second[0]).nothing() // while it is verified
	renewed := d.verifiesToken(asked).renews()
	d.waits(400 * time.Millisecond)
	third, fourth := d.clientTick(wire.KindRenew), d.clientSends(wire.KindRenew, "\x00\x06\x00\x00second")
	again := d.toServer(third[0]).says(wire.KindRenewed) // RENEWED was lost
	if !bytes.Equal(again.body, renewed.body) {
		t.Error("another RENEWED")
	}
	d.toClient(again.envelope).renews()
	d.toClient(renewed.envelope).drops(audit.DropState) // overtaken, and changes nothing
	if d.client.sequence != used+2 {
		t.Error("a RENEW too many")
	}
	d.toServer(d.clientSends(wire.KindData, "new")).delivers("new")
	late := d.toServer(fourth).says(wire.KindRenewed) // a copy that was long on its way
	if !bytes.Equal(late.body, renewed.body) || d.server.next != nil {
		t.Error("a late copy moves the epoch")
	}
	d.toClient(late.envelope).drops(audit.DropState)
	if d.epochs() != [2]uint32{2, 2} {
		t.Errorf("epochs %d", d.epochs())
	}
}

// "The old epoch stays good for an overlap of 5 s." PROTOCOL.md 5.3
func TestOverlapServer(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	old := []string{"0 s", "-1 ns", "0", "+1 ns"}
	var sent [][]byte
	for _, text := range old {
		sent = append(sent, d.clientSends(wire.KindData, text))
	}
	d.renewsWith("second")
	d.waits(time.Minute) // the overlap begins with the new epoch's first datagram
	d.toServer(d.clientSends(wire.KindData, "new")).delivers("new")
	d.toServer(sent[0]).delivers("0 s")
	d.waits(serverDefaults.Overlap - 1)
	d.tickServer().nothing()
	d.toServer(sent[1]).delivers("-1 ns")
	d.waits(1)
	d.toServer(sent[2]).drops(audit.DropEpoch)
	d.waits(1)
	d.tickServer().nothing()
	d.toServer(sent[3]).drops(audit.DropEpoch)
	d.toServer(d.clientSends(wire.KindData, "still")).delivers("still")
}

// "The client MUST accept the old epoch until 5 s after the first datagram that the server sent in
// the new one." PROTOCOL.md 5.3
func TestOverlapClient(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	a, b, c := d.serverSends(wire.KindData, "a"), d.serverSends(wire.KindData, "b"), d.serverSends(wire.KindData, "c")
	d.renewsWith("second")
	d.toServer(d.clientSends(wire.KindData, "new")).delivers("new")
	d.waits(time.Minute)
	d.toClient(a).delivers("a")
	d.toClient(d.serverSends(wire.KindData, "new")).delivers("new")
	d.waits(serverDefaults.Overlap - 1)
	d.toClient(b).delivers("b")
	d.waits(1)
	d.toClient(c).drops(audit.DropEpoch)
}

// The first datagram of the new epoch is lost, the second overtakes what was sent in the old one.
func TestRenewFirstLostAndReordered(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	a, b := d.clientSends(wire.KindData, "a"), d.clientSends(wire.KindData, "b")
	d.renewsWith("second")
	d.clientSends(wire.KindData, "lost")
	d.toServer(a).delivers("a")
	if d.epochs() != [2]uint32{1, 1} {
		t.Error("the epoch moved with a datagram of the old one")
	}
	d.toServer(d.clientSends(wire.KindData, "new")).delivers("new")
	d.toServer(b).delivers("b")
	d.toServer(b).drops(audit.DropReplay)
	d.toServer(d.clientSends(wire.KindData, "newer")).delivers("newer")
}

// "At most three epochs are possible at once, so two bits tell them apart." PROTOCOL.md 4.6
func TestTenRenewals(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	for i := range 10 {
		d.waits(tokenLife / renewalsOfLife)
		before := d.clientSends(wire.KindData, "before")
		d.renewsWith(fmt.Sprint("token ", i))
		number := uint32(i + 2)
		d.toServer(d.clientSends(wire.KindData, "new")).delivers("new")
		d.toServer(before).delivers("before")
		reply := d.serverSends(wire.KindData, "reply")
		if e, _ := wire.Parse(reply); e.Epoch != uint8(number%4) {
			t.Errorf("epoch %d has bits %d", number, e.Epoch)
		}
		d.toClient(reply).delivers("reply")
		if d.epochs() != [2]uint32{number, number} || d.gate.Len() != 1 {
			t.Fatalf("epochs %d, want %d", d.epochs(), number)
		}
	}
	if d.server.Session().TokenID() != "id of token 9" {
		t.Error(d.server.Session().TokenID())
	}
}

// The previous, the current and the next epoch are good at once; what the fourth value of the bits
// names is not.
func TestThreeEpochsAtOnce(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	first := d.clientSends(wire.KindData, "first")
	d.renewsWith("second")
	d.toServer(d.clientSends(wire.KindData, "to second")).delivers("to second")
	d.toClient(d.serverSends(wire.KindData, "second")).delivers("second")
	second := d.clientSends(wire.KindData, "second")
	d.server.renewAt = 0 // as if a step up had asked for it
	d.renewsWith("third")
	third := d.clientSends(wire.KindData, "third")
	d.toServer(edit(third, func(e *wire.Envelope) { e.Epoch = 0 })).drops(audit.DropEpoch)
	d.toServer(second).delivers("second")
	d.toServer(first).delivers("first")
	d.toServer(third).delivers("third")
	if d.epochs()[0] != 3 {
		t.Errorf("epochs %d", d.epochs())
	}
}

// RENEW in parts, over a network that loses, repeats and reorders, until it is through; and a
// hundred times.
func TestRenewOverBadNetwork(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	d := play(t, session.Config{}, session.ClientConfig{})
	carry := func(envelopes [][]byte, to func([]byte) heard) (back [][]byte) {
		envelopes = append(envelopes, envelopes...)
		rng.Shuffle(len(envelopes), func(i, j int) { envelopes[i], envelopes[j] = envelopes[j], envelopes[i] })
		for _, e := range slices.Clone(envelopes)[:len(envelopes)*2/3] {
			h := to(e)
			if h.Event.Kind == EventVerify {
				h = d.verifiesToken(h)
			}
			if h.envelope != nil {
				back = append(back, h.envelope)
			}
		}
		return back
	}
	for i := range 100 {
		d.waits(tokenLife / renewalsOfLife)
		identity := fmt.Sprint(i, strings.Repeat("t", 2*wire.MaxPart))
		d.mints(identity)
		envelopes := d.renew(identity)
		for tries := 0; d.epochs() != [2]uint32{uint32(i + 2), uint32(i + 2)}; tries++ {
			back := carry(append(envelopes, d.clientSends(wire.KindData, "input")), d.toServer)
			carry(append(back, d.serverSends(wire.KindData, "snapshot")), d.toClient)
			d.waits(2 * time.Second)
			if envelopes = d.clientTick(wire.KindRenew); tries > 50 {
				t.Fatalf("renewal %d does not get through", i)
			}
		}
	}
}

// "It MUST repeat RENEW as it repeats HELLO, but never wait longer than an eighth of the life that
// is left, nor less than 50 ms." PROTOCOL.md 5.3
func TestRenewRepeatsCloserTogether(t *testing.T) {
	for left, want := range map[time.Duration][]time.Duration{
		10 * time.Minute: {200, 400, 800, 1600, 2000, 2000},
		2 * time.Second:  {200, 225, 197, 172},
		time.Second / 5:  {50, 50, 50},
	} {
		d := play(t, session.Config{}, session.ClientConfig{})
		d.now = d.client.Expires().Add(-left)
		if err := d.client.Renew(d.now, []byte("second")); err != nil {
			t.Fatal(err)
		}
		d.client.Tick(d.now, func(wire.Kind, []byte) {})
		for i, ms := range want {
			wait := d.client.repeat.at.Sub(d.now)
			if got := wait.Round(time.Millisecond); got != ms*time.Millisecond {
				t.Errorf("%v left: repetition %d after %v, want %v", left, i+1, got, ms*time.Millisecond)
			}
			d.now = d.client.repeat.at
			d.client.Tick(d.now, func(wire.Kind, []byte) {})
		}
	}
}

// "It looks at a token once a quarter of the life is over that the one before had left when its
// epoch began." PROTOCOL.md 5.3
func TestRenewPaced(t *testing.T) {
	for at := time.Duration(-1); at <= 1; at++ {
		d := play(t, session.Config{}, session.ClientConfig{})
		d.renewsWith("second")
		d.exchangesData()
		d.waits(tokenLife/renewalsOfLife + at)
		d.mints("third")
		early := d.renew("third")
		if at < 0 {
			d.present(early...).drops(audit.DropRate)
			d.waits(200 * time.Millisecond)
			early = d.clientTick(wire.KindRenew) // the same token again: it has not been refused
		}
		d.toClient(d.present(early...).renews().envelope).renews()
		d.exchangesData()
		if d.epochs() != [2]uint32{3, 3} {
			t.Errorf("epochs %d", d.epochs())
		}
	}
}

// "It looks at the first of a session, and at one that a step up asks for, at any time."
// PROTOCOL.md 5.3
func TestRenewPacedButForStepUp(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	for i := range 5 {
		d.renewsWith(fmt.Sprint("token ", i))
		d.exchangesData()
		d.server.SetPath(d.now, []netip.Addr{far, home}[i%2])
		d.toServer(d.clientSends(wire.KindData, "from elsewhere")).delivers("from elsewhere")
		if !d.server.owes() {
			t.Fatal("no step up")
		}
	}
}

// However a session's player behaves, it has no more entries than there is room kept for.
func TestRenewalsRemembered(t *testing.T) {
	d := playWithTicket(t, session.Config{Idle: time.Hour}, session.ClientConfig{})
	most := 0
	for i := range 5000 {
		d.waits(time.Second)
		d.gate.Sweep(d.now)
		identity := fmt.Sprint(i)
		d.mints(identity)
		if i%7 == 0 {
			d = d.resumesHere()
		}
		if h := d.present(d.renew(identity)...); h.Event.Kind == EventRenewed {
			d.toClient(h.envelope)
			d.exchangesData()
		}
		most = max(most, len(d.gate.memory.entries))
	}
	if n := d.server.current.number; n < 20 || most > tokensOfSession {
		t.Errorf("%d entries, epoch %d", most, n)
	}
}

// "A client that sends one seems not to have received RENEWED, so the server repeats that within a
// second or so." PROTOCOL.md 5.3. Without that a player who has lost RENEWED, and shows another
// token in place of the one that has been taken, could never renew.
func TestRenewWithAnotherToken(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.mints("second")
	d.present(d.renew("second")...).renews() // and lost
	d.waits(10 * time.Second)
	d.tickServer().nothing()
	d.mints("third")
	for _, part := range d.renew("third") {
		d.toServer(part).drops(audit.DropState)
	}
	d.waits(time.Second)
	d.toClient(d.tickServer().says(wire.KindRenewed).envelope).renews()
	d.tickServer().nothing()
	d.exchangesData()
	if s := d.server.Session(); s.TokenID() != "id of second" || d.epochs() != [2]uint32{2, 2} {
		t.Errorf("%s, epochs %d", s.TokenID(), d.epochs())
	}
	d.waits(tokenLife / renewalsOfLife)
	d.renewsWith("third") // which has not been used up
	d.exchangesData()
}

// "A server MUST send it" PROTOCOL.md 3.5. "Expiry less time is the life that the next epoch has left, counted as for WELCOME" PROTOCOL.md 3.5. A client that went on
// with the clock of WELCOME would renew ten minutes late once the server's clock has been set back.
func TestRenewedTellsTheTime(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.gate.StepClock(d.now, -10*time.Minute)
	d.waits(time.Minute)
	fresh := d.mints("fresh")
	fresh.Expires = d.gate.wall(d.now).Add(tokenLife)
	d.toClient(d.present(d.renew("fresh")...).envelope)
	if got, want := d.client.Expires(), d.now.Add(tokenLife); !got.Equal(want) {
		t.Errorf("the client expires at %v, want %v", got, want)
	}
}
