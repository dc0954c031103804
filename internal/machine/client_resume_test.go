package machine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

func TestNoTicket(t *testing.T) {
	none := func(name string, d *dialogue) {
		t.Helper()
		if r, err := d.client.Resume(d.now, channel, nil); r != nil || !errors.Is(err, ErrNoTicket) || d.client.Resumable() {
			t.Errorf("%s: %v", name, err)
		}
	}
	keyed := session.Config{FleetKeys: fleet(t)}
	none("before WELCOME", connectOnly(t, keyed, session.ClientConfig{}))
	none("without fleet keys", play(t, session.Config{}, session.ClientConfig{}))
	wiped := fleet(t)
	if k, ok := wiped.First(); ok {
		k.Wipe()
	}
	none("a key that is wiped", play(t, session.Config{FleetKeys: wiped}, session.ClientConfig{}))
	left := playWithTicket(t, keyed, session.ClientConfig{})
	left.client.Close()
	none("after the end", left)
	d := playWithTicket(t, keyed, session.ClientConfig{})
	none("while WELCOME is waited for", d.reconnects(d.gate, far))
	d = playWithTicket(t, session.Config{Fingerprint: policy.FingerprintConfig{Platform: policy.ActionStepUp}}, session.ClientConfig{})
	d.mints("other").Platform = "ios"
	o := d.connect(session.ClientConfig{Fingerprint: phone}, "other", channel)
	o.join()
	none("as long as a step up is owed from the beginning", o)
}

// A RENEWED without a ticket leaves the last one good.
func TestTicketKept(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	before := d.client.ticket
	d.must(nil, d.gate.config.FleetKeys.Set())
	d.renewsWith("second")
	if !bytes.Equal(d.client.ticket, before) || !d.client.Resumable() {
		t.Error("the ticket is gone")
	}
	d.must(nil, d.gate.config.FleetKeys.Set(fleetKey(t, 1)))
	d.resumesHere().exchangesData()
}

// Handle borrows its message, so the client copies a ticket.
func TestTicketIsCopied(t *testing.T) {
	d := connectOnly(t, session.Config{FleetKeys: fleet(t)}, session.ClientConfig{})
	d.getsConnectionID()
	b := bytes.Clone(d.present(d.clientTick(wire.KindHello)...).joins().envelope)
	if _, ev := d.client.Handle(d.now, b); ev.Kind != EventJoined {
		t.Fatal(ev.Drop)
	}
	clear(b)
	d.exchangesData()
	d.resumesHere().exchangesData()
}

func TestResumeRandomFails(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{Random: bytes.NewReader(make([]byte, 2*16))})
	if r, err := d.client.Resume(d.now, channel, nil); r != nil || err == nil || errors.Is(err, ErrNoTicket) {
		t.Errorf("%v", err)
	}
	d.exchangesData()
}

// "It MUST send HELLO with the newest ticket, the same binding mode, platform, build and client
// certificate, and both next sequences. Next to send MUST be above every number that the client has
// used." PROTOCOL.md 8.3
func TestResumeHello(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{Fingerprint: phone, Scope: "match-7"})
	d.clientSends(wire.KindData, "lost")
	d.serverSends(wire.KindData, "lost")
	d.exchangesData()
	m, err := wire.ParseHello(d.reconnects(d.gate, home).client.hello)
	if err != nil || m.Nonce == d.client.nonce || !bytes.Equal(m.Ticket, d.client.ticket) || m.Binding != wire.BindingExporter ||
		string(m.Platform) != phone.Platform || string(m.Build) != phone.Build || string(m.Scope) != "match-7" ||
		m.NextSend != d.client.sequence+1 || m.NextReceive != d.server.sequence+1 || m.Features != features {
		t.Errorf("%+v, %v", m, err)
	}
}

// "For each direction the server MUST take the larger of the client's stated next sequence and its
// own, and return it in WELCOME." PROTOCOL.md 8.3. A WELCOME that says less of the server's
// direction, or more than any session comes to, is not for this session.
func TestResumeWelcomeRefused(t *testing.T) {
	const up, down = 101, 201 // what the client states
	for _, c := range []struct {
		up, down uint64
		first    uint64 // what the client sends next; 0 if the WELCOME is refused
	}{
		{up, down - 1, 0},
		{up, down, up},
		{up, down + 1, up},
		{up - 1, down, up},
		{1, down, up},
		{up + 1, down, up + 1},
		{1<<62 - 1, down, 1<<62 - 1},
		{1 << 62, down, 1 << 62},
		{1<<62 + 1, down, 0},
		{math.MaxUint64, down, 0},
		{up, 1<<62 - 1, up},
		{up, 1 << 62, up},
		{up, 1<<62 + 1, 0},
		{up, math.MaxUint64, 0},
	} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.client.sequence, d.server.sequence = up-2, down-2
		d.exchangesData()
		r := d.reconnects(d.gate, home)
		welcome := r.showsTicket()
		altered := edit(welcome.envelope, func(e *wire.Envelope) {
			binary.BigEndian.PutUint64(e.Body[56:], c.up)
			binary.BigEndian.PutUint64(e.Body[64:], c.down)
		})
		if c.first == 0 {
			r.toClient(altered).drops(audit.DropMalformed)
			r.takesWelcome(welcome) // it waits for the right one
			continue
		}
		r.toClient(altered).is(EventResumed, audit.DropNone, 0)
		if r.clientSends(wire.KindData, "next"); r.client.sequence != c.first || r.client.window.Highest() != c.down-1 {
			t.Errorf("%+v: numbers %d and %d", c, r.client.sequence, r.client.window.Highest()+1)
		}
	}
}

// A WELCOME to a token begins with 1: nobody has sent anything yet.
func TestWelcomeNumbers(t *testing.T) {
	for _, offset := range []int{56, 64} {
		d := connectOnly(t, session.Config{}, session.ClientConfig{})
		welcome := d.present(d.clientTick(wire.KindHello)...).joins().envelope
		d.toClient(edit(welcome, func(e *wire.Envelope) { e.Body[offset+7] = 2 })).drops(audit.DropMalformed)
		d.toClient(edit(welcome, func(e *wire.Envelope) { e.Body[offset] = 1 })).drops(audit.DropMalformed)
		d.toClient(welcome).joins()
	}
}

// "A RENEW that waits for its answer does not go with it: bring a fresh token."
func TestResumeWhileRenewing(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.mints("second")
	asked := d.toServer(d.renew("second")[0]).verifies()
	r := d.resumesHere()
	if r.client.Renewing() || len(r.clientTick(wire.KindRenew)) != 0 {
		t.Error("the RENEW goes along")
	}
	d.verifiedAs(d.claims[string(asked.Token)], nil).nothing() // nobody waits for it any more
	r.renewsWith("second")                                     // so it has not been used
	r.exchangesData()

	d = playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.mints("second")
	renewed := d.present(d.renew("second")...).renews()
	r = d.resumesHere()
	d.toClient(renewed.envelope).renews() // late, and good for nothing
	r.present(r.renew("second")...).is(EventRefused, audit.DropUsed, 0)
	r.waits(time.Second)
	r.renewsWith("third")
	r.exchangesData()
}

// A session that has begun without the exporter goes on without it.
func TestResumeUnbound(t *testing.T) {
	d := playWithTicket(t, session.Config{AllowUnbound: true}, session.ClientConfig{Unbound: true})
	d = d.resumesHere()
	d.exchangesData()
	d.resumesOn(d.anotherServer(session.Config{AllowUnbound: true})).exchangesData()
}

// A client in bearer mode shows an identity token in every datagram, and a ticket has none: either
// it has no use for a ticket, or what it sends afterwards arrives.
func TestResumeBearer(t *testing.T) {
	d := playWithTicket(t, session.Config{AllowBearer: true}, session.ClientConfig{Bearer: true})
	r, err := d.client.Resume(d.now, channel, nil)
	if r == nil && errors.Is(err, ErrNoTicket) {
		return
	}
	d.resumesHere().exchangesData()
}

// Config.Authorize may let a player in who asks for another scope than the token names: whom it has
// let in it lets in again by ticket.
func TestResumeScopeAskedFor(t *testing.T) {
	agrees := func(a *session.Admission) error {
		if a.Scope != "lobby" {
			return errors.New("no such match")
		}
		return nil
	}
	for _, here := range []bool{true, false} {
		d := playWithTicket(t, session.Config{Authorize: agrees}, session.ClientConfig{Scope: "lobby"})
		if here {
			d.resumesHere().exchangesData()
		} else {
			d.resumesOn(d.anotherServer(session.Config{Authorize: agrees})).exchangesData()
		}
	}
}
