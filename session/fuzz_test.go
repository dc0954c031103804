package session

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/wire"
)

// A script is messages for a machine, each behind a byte for what to do and two for its length. What to do: the low 3
// bits say how much time passes before it, bit 3 that its header is put right (session, epoch, fresh sequence and
// tag), bits 4 and 5 what the verifier says.
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

// seeds are the datagrams of ordinary dialogues.
func seeds(f *testing.F) {
	d, hello := meet(f, Config{}, ClientConfig{Fingerprint: phone}), []byte(nil)
	for _, b := range d.ticks(wire.KindHello) {
		hello = append(hello, message(0, b)...)
		f.Add(false, message(0, b))
	}
	d = play(f, Config{}, ClientConfig{Fingerprint: phone})
	all := hello
	for kind := wire.KindHello; kind <= wire.KindNotice; kind++ {
		for _, body := range []string{"", closeBody, pingBody, "\x00\x05\x00\x00token", "\x00\x05tokeninput"} {
			b := d.say(kind, body)
			f.Add(true, message(8, b))
			f.Add(true, append(message(0x18, b), message(4, b)...))
			all = append(all, message(byte(kind)<<3, b)...)
		}
	}
	f.Add(false, all)
	f.Add(true, all)
}

// FuzzConn feeds a server what a peer with good records may send: it never panics, keeps little, and a session that is
// still live is still usable.
func FuzzConn(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, inSession bool, script []byte) {
		d := meet(t, Config{AllowBearer: true, AllowUnbound: true}, ClientConfig{Fingerprint: phone})
		if inSession {
			d.join()
		}
		eachMessage(script, func(op byte, msg []byte) {
			d.pass(pauses[op&7])
			if op&8 != 0 && inSession {
				msg = put(&d.client.link, msg)
			}
			r, ev := d.server.Handle(d.now, slices.Clone(msg))
			d.send(r)
			if ev.Kind == EventVerify {
				claims := d.mint(string(ev.Token))
				r, _ = d.server.Verified(d.now, claims, [4]error{nil, token.ErrSignature, ErrBusy, token.ErrUnavailable}[op>>4&3])
				d.send(r)
			}
			r, _ = d.server.Tick(d.now)
			d.send(r)
		})
		d.bounded()
		if inSession && d.server.state == live && !d.server.session.Revoked() {
			d.usable()
		}
	})
}

// usable has a live session take a datagram, if its token is good and no renewal has moved one end only.
func (d *dialogue) usable() {
	d.pass(2 * time.Second)
	if d.server.session.dead(d.now.Add(time.Minute), 0) != 0 || d.server.current.number != d.client.current.number {
		return
	}
	d.client.sequence = d.server.window.Highest() // which a BEARER moves wherever its sender likes
	d.toServer(d.say(wire.KindData, "the clock may have gone back: the rate begins anew"))
	d.pass(2 * time.Second)
	d.toServer(d.say(wire.KindData, "still here")).gives("still here")
}

// send has a reply of the server's written, as its caller would.
func (d *dialogue) send(r Reply) {
	if r.Kind == 0 {
		return
	}
	b := d.must(d.server.Append(nil, r.Kind, r.Body))
	if _, err := wire.Parse(b); err != nil {
		d.Fatalf("%v: the server sends what does not parse: %x", err, b)
	}
}

// bounded looks at what a stranger's bytes can make a machine keep.
func (d *dialogue) bounded() {
	c := d.server
	if p := c.pending; p != nil && len(p.token) > wire.MaxToken {
		d.Errorf("%d bytes of token", len(p.token))
	}
	if c.state == closed && (c.pending != nil || c.current != nil || c.next != nil || c.previous != nil) {
		d.Error("a closed session keeps keys or tokens")
	}
	if (c.state == live) != (d.gate.Len() == 1) {
		d.Errorf("state %d, %d sessions", c.state, d.gate.Len())
	}
}

// FuzzClient is FuzzConn for the other end.
func FuzzClient(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, inSession bool, script []byte) {
		d := meet(t, Config{}, ClientConfig{Fingerprint: phone})
		if inSession {
			d.join()
		}
		eachMessage(script, func(op byte, msg []byte) {
			d.pass(pauses[op&7])
			if op&8 != 0 && inSession {
				msg = put(&d.server.link, msg)
			}
			if op&16 != 0 && inSession && d.client.Live() {
				d.must(nil, d.client.Renew(d.now, []byte("fresh")))
			}
			r, _ := d.client.Handle(d.now, slices.Clone(msg))
			if r.Kind != 0 {
				d.must(d.client.Append(nil, r.Kind, r.Body))
			}
			d.client.Tick(d.now, func(kind wire.Kind, body []byte) { d.must(d.client.Append(nil, kind, body)) })
		})
		if inSession && d.client.Live() && d.client.current.number == 1 {
			d.server.sequence += 1 << 20
			d.toClient(d.tell(wire.KindData, "still here")).gives("still here")
		}
	})
}

// A peer that sends one part of every body it can think of has the server keep one partial body and no more.
func TestPartsKeepLittle(t *testing.T) {
	d := play(t, Config{Behaviour: anything}, ClientConfig{})
	part := func(total, offset uint16) string {
		return string(wire.Part{Total: total, Offset: offset, Data: make([]byte, wire.MaxPart)}.AppendTo(nil))
	}
	before := heap()
	for i := range 10_000 {
		kind := []wire.Kind{wire.KindHello, wire.KindRenew}[i&1]
		d.toServer(d.say(kind, part(uint16(wire.MaxPart+1+i%4000), 0)))
	}
	if kept := int64(heap()) - int64(before); kept > 1<<20 {
		t.Errorf("%d bytes kept", kept)
	}
	runtime.KeepAlive(d)
}
