package machine

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// A script is messages for a machine, each behind a byte for what to do and two for its length.
// What to do: the low 3 bits say how much time passes before it, bit 3 that its header is put right
// (session, epoch, fresh sequence and tag), bits 4 and 5 what the verifier says, bit 6 that it goes
// to the second connection.
func eachMessage(script []byte, do func(op byte, msg []byte)) {
	for len(script) >= 3 {
		op, n := script[0], int(binary.BigEndian.Uint16(script[1:]))
		n = min(n, len(script)-3, wire.MaxEnvelope)
		do(op, script[3:][:n])
		script = script[3+n:]
	}
}

func message(op byte, msg []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{op}, uint16(len(msg))), msg...)
}

var pauses = [8]time.Duration{0, 1, time.Millisecond, time.Second, 5 * time.Second, 29 * time.Second, time.Minute, -time.Second}

// put writes the header that an envelope of the session has.
func put(l *link, msg []byte) []byte {
	if len(msg) <= wire.HeaderLen {
		return msg
	}
	b, err := l.append(nil, wire.Kind(msg[0]&15), msg[wire.HeaderLen:])
	if err != nil {
		return msg
	}
	return b
}

// fuzzed is where scripts go: two connections to one server, with a session on the first one that the client goes on
// with on the second, or nothing yet. What is random is the same each time, so that a ticket in a script opens.
func fuzzDialogues(t testing.TB, inSession bool) [2]*dialogue {
	gc := session.Config{AllowBearer: true, AllowUnbound: true, FleetKeys: fleet(t), Random: rand.NewChaCha8([32]byte{1})}
	cc := session.ClientConfig{Fingerprint: phone, Random: rand.NewChaCha8([32]byte{2})}
	d := connectOnly(t, gc, cc)
	d.getsConnectionID()
	if !inSession {
		second := d.connect(cc, "identity", channel)
		second.getsConnectionID()
		return [2]*dialogue{d, second}
	}
	d.join()
	d.exchangesData()
	return [2]*dialogue{d, d.reconnects(d.gate, home)}
}

// seeds are the datagrams of ordinary dialogues.
func seeds(f *testing.F) {
	lines, hello := fuzzDialogues(f, false), []byte(nil)
	for _, b := range lines[0].clientTick(wire.KindHello) {
		hello = append(hello, message(0, b)...)
		f.Add(false, message(0, b))
	}
	lines = fuzzDialogues(f, true)
	d, all := lines[0], hello
	for kind := wire.KindHello; kind <= wire.KindFrames; kind++ {
		for _, body := range []string{"", closeBody, pingBody, "\x00\x05\x00\x00token", "\x00\x05tokeninput"} {
			b := d.clientSends(kind, body)
			f.Add(true, message(8, b))
			f.Add(true, append(message(0x18, b), message(4, b)...))
			all = append(all, message(byte(kind)<<3, b)...)
		}
	}
	f.Add(false, all)
	f.Add(true, all)
	ticket, data := lines[1].clientTick(wire.KindHello)[0], d.clientSends(wire.KindData, "input")
	for _, inSession := range []bool{true, false} {
		f.Add(inSession, message(0x40, ticket))
		f.Add(inSession, append(message(0x40, ticket), message(0x48, data)...))
		f.Add(inSession, append(append(message(0, ticket), message(0x40, ticket)...), append(message(0x48, data), message(8, data)...)...))
		f.Add(inSession, append(append(message(0x40, ticket), message(8, d.clientSends(wire.KindClose, closeBody))...), message(0x48, data)...))
	}
}

// FuzzConn feeds a server what a peer with good records may send: it never panics, keeps little,
// and a session that is still live is still usable.
func FuzzConn(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, inSession bool, script []byte) {
		lines := fuzzDialogues(t, inSession)
		now := begin
		eachMessage(script, func(op byte, msg []byte) {
			now = now.Add(pauses[op&7])
			lines[0].now, lines[1].now = now, now
			d := lines[op>>6&1]
			if op&8 != 0 && d.client.Live() {
				msg = put(&d.client.link, msg)
			}
			d.receives(msg, [4]error{nil, token.ErrSignature, session.ErrBusy, token.ErrUnavailable}[op>>4&3])
		})
		living := 0
		for _, d := range lines {
			if d.keepsLittle(); d.server.Begun() && !d.server.livesOnFormer() {
				living++
			}
		}
		if n := lines[0].gate.Len(); n != living {
			t.Errorf("%d sessions, %d live", n, living)
		}
		for _, d := range lines {
			c := d.server
			if !c.Begun() || c.livesOnFormer() || c.session.Revoked() || !d.client.Live() {
				continue
			}
			if c.session.fingerprint == phone && c.binding == d.client.binding { // it is the client's own HELLO
				d.staysUsable()
			}
		}
	})
}

// receives handles a datagram as the caller of a server does.
func (d *dialogue) receives(msg []byte, verdict error) {
	r, ev := d.server.Handle(d.now, slices.Clone(msg))
	if d.former != nil && !d.server.livesOnFormer() {
		d.server.Follow(d.former)
		d.former = nil
	}
	d.send(r)
	switch ev.Kind {
	case EventVerify:
		r, _ = d.server.Verified(d.now, d.mints(string(ev.Token)), verdict)
		d.send(r)
	case EventResume:
		former := d.homes[ev.ConnectionID]
		r, _ = d.server.Resume(d.now, former, sentBy(former))
		if d.server.livesOnFormer() {
			d.former = former
		}
		d.send(r)
	}
	r, _ = d.server.Tick(d.now)
	d.send(r)
}

// staysUsable checks that a live session still accepts a datagram, if its token is valid and no
// renewal has moved only one end.
func (d *dialogue) staysUsable() {
	d.waits(2 * time.Second)
	if d.server.session.checkLife(d.now.Add(time.Minute), 0) != 0 || d.server.current.number != d.client.current.number {
		return
	}
	d.client.sequence = d.server.window.Highest() // which a BEARER moves wherever its sender likes
	d.toServer(d.clientSends(wire.KindData, "the clock may have gone back: the rate begins anew"))
	d.waits(2 * time.Second)
	d.toServer(d.clientSends(wire.KindData, "still here")).delivers("still here")
}

// send writes a reply of the server, as its caller does. The client receives a WELCOME.
func (d *dialogue) send(r Reply) {
	if r.Kind == 0 {
		return
	}
	b := d.must(d.server.Append(nil, r.Kind, r.Body))
	if _, err := wire.Parse(b); err != nil {
		d.Fatalf("%v: the server sends what does not parse: %x", err, b)
	}
	if r.Kind == wire.KindWelcome {
		d.client.Handle(d.now, b)
	}
}

// keepsLittle checks how much memory the bytes of an unauthenticated client can take.
func (d *dialogue) keepsLittle() {
	c := d.server
	if p := c.pending; p != nil && len(p.token) > wire.MaxToken {
		d.Errorf("%d bytes of token", len(p.token))
	}
	if c.state == closed && (c.pending != nil || c.current != nil || c.next != nil || c.previous != nil) {
		d.Error("a closed session keeps keys or tokens")
	}
}

// FuzzClient is FuzzConn for the other end.
func FuzzClient(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, inSession bool, script []byte) {
		lines := fuzzDialogues(t, inSession)
		now := begin
		eachMessage(script, func(op byte, msg []byte) {
			now = now.Add(pauses[op&7])
			d := lines[op>>6&1]
			d.now = now
			if op&8 != 0 && d.server.Begun() {
				msg = put(&d.server.link, msg)
			}
			if op&16 != 0 && d.client.Live() {
				d.must(nil, d.client.Renew(d.now, []byte("fresh")))
			}
			r, _ := d.client.Handle(d.now, slices.Clone(msg))
			if r.Kind != 0 {
				d.must(d.client.Append(nil, r.Kind, r.Body))
			}
			d.client.Tick(d.now, func(kind wire.Kind, body []byte) { d.must(d.client.Append(nil, kind, body)) })
		})
		if d := lines[0]; d.client.Live() && d.server.Begun() && d.client.current.number == 1 {
			d.server.sequence += 1 << 20
			d.toClient(d.serverSends(wire.KindData, "still here")).delivers("still here")
		}
	})
}

// A peer that sends one part of every body it can think of has the server keep one partial body and
// no more.
func TestPartsKeepLittle(t *testing.T) {
	d := play(t, session.Config{Behaviour: unlimitedBehaviour}, session.ClientConfig{})
	part := func(total, offset uint16) string {
		return string(wire.Part{Total: total, Offset: offset, Data: make([]byte, wire.MaxPart)}.AppendTo(nil))
	}
	before := heap()
	for i := range 10_000 {
		kind := []wire.Kind{wire.KindHello, wire.KindRenew}[i&1]
		d.toServer(d.clientSends(kind, part(uint16(wire.MaxPart+1+i%4000), 0)))
	}
	if kept := int64(heap()) - int64(before); kept > 1<<20 {
		t.Errorf("%d bytes kept", kept)
	}
	runtime.KeepAlive(d)
}
