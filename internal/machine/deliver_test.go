package machine

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

const (
	pingBody  = "12345678"
	closeBody = "\x01\x00\x00\x00\x00"
)

// "A body that does not parse is dropped `malformed`." PROTOCOL.md 4.11
// "A kind that this side does not take, or not in this state, is dropped `state`." PROTOCOL.md 4.11
func TestDeliverServer(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	for _, c := range []struct {
		kind wire.Kind
		body string
		drop audit.Drop
	}{
		{wire.KindRenewed, "", audit.DropState},
		{wire.KindNotice, closeBody, audit.DropState},
		{wire.KindPing, "1234567", audit.DropMalformed},
		{wire.KindRenew, "", audit.DropMalformed},
		{wire.KindClose, "", audit.DropMalformed},
		{wire.KindClose, "\x00\x00\x00\x00\x00", audit.DropMalformed},
		{wire.KindPong, pingBody, audit.DropNone},
		{wire.KindPong, "", audit.DropMalformed},
	} {
		if h := d.toServer(d.clientSends(c.kind, c.body)); h.Drop != c.drop || h.Event.Kind != EventNone || h.kind != 0 {
			t.Errorf("%v %q: %+v, want drop %v", c.kind, c.body, h.Event, c.drop)
		}
	}
	d.toServer(d.clientSends(wire.KindData, "")).delivers("")
	long := strings.Repeat("x", wire.MaxBody)
	d.toServer(d.clientSends(wire.KindData, long)).delivers(long)
	if _, err := d.server.Append(nil, wire.KindData, []byte(long+"x")); err != session.ErrTooLarge {
		t.Errorf("a body too long: %v", err)
	}
}

func TestDeliverClient(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	for _, c := range []struct {
		kind wire.Kind
		body string
		drop audit.Drop
	}{
		{wire.KindRenew, "", audit.DropState},
		{wire.KindRenewed, "", audit.DropMalformed},
		{wire.KindPing, "1234567", audit.DropMalformed},
		{wire.KindPong, "1234567", audit.DropMalformed},
		{wire.KindPong, pingBody, audit.DropState}, // an echo of nothing that was sent
		{wire.KindNotice, "", audit.DropMalformed},
		{wire.KindClose, "", audit.DropMalformed},
	} {
		if h := d.toClient(d.serverSends(c.kind, c.body)); h.Drop != c.drop || h.Event.Kind != EventNone || h.kind != 0 {
			t.Errorf("%v %q: %+v, want drop %v", c.kind, c.body, h.Event, c.drop)
		}
	}
	h := d.toClient(d.serverSends(wire.KindNotice, "\x02\x00\x00\x03\xe8bye")).is(EventNotice, audit.DropNone, 0)
	if h.Notice.Code != wire.NoticeDrain || h.Notice.Within != 1000 {
		t.Errorf("notice %+v", h.Notice)
	}
}

// "The receiver of a PING MUST answer with a PONG of the same 8 bytes." PROTOCOL.md 3.6
func TestPingPong(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	if h := d.toClient(d.serverSends(wire.KindPing, pingBody)).says(wire.KindPong); string(h.body) != pingBody {
		t.Errorf("PONG %q", h.body)
	}
	ping := d.clientTick(wire.KindPing)
	if len(ping) != 1 || len(d.clientTick(wire.KindPing)) != 0 {
		t.Fatal("not one PING")
	}
	d.toClient(d.serverSends(wire.KindPong, pingBody)).drops(audit.DropState) // an echo of something else
	pong := d.toServer(ping[0]).says(wire.KindPong)
	d.waits(40 * time.Millisecond)
	if h := d.toClient(pong.envelope).is(EventPong, audit.DropNone, 0); h.RTT != 40*time.Millisecond {
		t.Errorf("round trip %v", h.RTT)
	}
	d.waits(clientDefaults.KeepAlive - 40*time.Millisecond - 1)
	if len(d.clientTick(wire.KindPing)) != 0 {
		t.Error("a PING before its time")
	}
	d.waits(1)
	if len(d.clientTick(wire.KindPing)) != 1 {
		t.Error("no second PING")
	}
}

// "A CLOSE in a session is tagged like any other datagram, and ends the session for both."
// PROTOCOL.md 5.5
func TestCloseByClient(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	keys := d.server.current
	late, r := d.clientSends(wire.KindData, "late"), d.client.Close()
	b := d.clientSends(r.Kind, string(r.Body))
	d.toServer(mistag(b)).drops(audit.DropTag)
	h := d.toServer(b)
	if h.Event.Kind != EventClosed || h.Reason != wire.ReasonLeft || h.kind != 0 || d.gate.Len() != 0 {
		t.Fatalf("%+v, answered by %v", h.Event, h.kind)
	}
	if keys.in.cipher != nil || keys.in.subkey != [16]byte{} {
		t.Error("the keys are kept")
	}
	d.toServer(late).drops(audit.DropState)
	if _, err := d.client.Append(nil, wire.KindData, nil); err != ErrNotLive || d.client.Live() {
		t.Errorf("Append after the end: %v", err)
	}
	if r := d.client.Close(); r.Kind != 0 {
		t.Error("a second CLOSE")
	}
}

func TestCloseByServer(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	kick := func() heard {
		r, ev := d.server.Close(wire.ReasonKicked)
		return d.heard(r, ev, d.server.Append)
	}
	after := d.serverSends(wire.KindData, "after")
	b := kick().because(wire.ReasonKicked).envelope
	d.toClient(mistag(b)).drops(audit.DropTag)
	d.toClient(b).closes(wire.ReasonKicked)
	d.toClient(after).drops(audit.DropState)
	kick().nothing()
}

// "A receiver MUST treat a reason that it does not know as an end like any other." PROTOCOL.md 3.8
func TestCloseForAnUnknownReason(t *testing.T) {
	const unknown = wire.Reason(200)
	body := string(wire.CloseBody{Reason: unknown}.AppendTo(nil))
	d := play(t, session.Config{}, session.ClientConfig{})
	d.toClient(d.serverSends(wire.KindClose, body)).closes(unknown)
	d = play(t, session.Config{}, session.ClientConfig{})
	d.toServer(d.clientSends(wire.KindClose, body)).closes(wire.ReasonLeft)
}

// "A server MUST take any reason of a client's as player left, except replaced (section 8.6) if the client has a
// ticket." PROTOCOL.md 5.5
func TestCloseReasonsOfClients(t *testing.T) {
	for code := int(wire.ReasonLeft); code < 256; code++ {
		reason := wire.Reason(code)
		body := string(wire.CloseBody{Reason: reason}.AppendTo(nil))
		d := play(t, session.Config{}, session.ClientConfig{})
		d.toServer(d.clientSends(wire.KindClose, body)).closes(wire.ReasonLeft)
		d = playWithTicket(t, session.Config{}, session.ClientConfig{})
		want := wire.ReasonLeft
		if reason == wire.ReasonReplaced {
			want = reason
		}
		d.toServer(d.clientSends(wire.KindClose, body)).closes(want)
		if h := d.reconnects(d.gate, home).showsTicket(); (h.kind == wire.KindWelcome) != (want == wire.ReasonReplaced) {
			t.Errorf("%v: the ticket is answered by %v", reason, h.kind)
		}
	}
}

// "A session from which nothing has been accepted for the idle time ends with CLOSE reason 17."
// PROTOCOL.md 5.4
func TestIdle(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	b := d.clientSends(wire.KindData, "input")
	d.waits(session.DefaultIdle - 1)
	d.tickServer().nothing()
	d.toServer(mistag(b)).drops(audit.DropTag) // not accepted: it keeps nothing alive
	if d.client.Silent(d.now) {
		t.Error("the client gives up too early")
	}
	d.waits(1)
	if !d.client.Silent(d.now) {
		t.Error("the client does not give up")
	}
	d.tickServer().ends(audit.DropIdle, wire.ReasonIdle)

	d = play(t, session.Config{}, session.ClientConfig{})
	d.waits(session.DefaultIdle - 1)
	d.toServer(d.clientSends(wire.KindData, "input")).delivers("input")
	d.toClient(d.serverSends(wire.KindData, "snapshot")).delivers("snapshot")
	d.waits(session.DefaultIdle - 1)
	d.tickServer().nothing()
	if d.client.Silent(d.now) {
		t.Error("what the client hears does not count")
	}
}
