package machine

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "A client MUST drop a PONG that echoes none of its last PINGs, as `state`; a server ignores one."
// PROTOCOL.md 3.7. The last ones are those of more than 3 s.
func TestPongOfLastPings(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	d.toClient(d.serverSends(wire.KindPong, "\x00\x00\x00\x00\x00\x00\x00\x00")).drops(audit.DropState) // before any PING
	d = playQuietly(t, session.ClientConfig{}, time.Millisecond)
	var pongs [][]byte
	first := d.now
	for range pingsKept + 1 {
		d.client.Ask()
		pongs = append(pongs, d.toServer(d.pings(1)[0]).says(wire.KindPong).envelope)
		d.waits(10 * time.Millisecond)
	}
	d.toClient(pongs[0]).drops(audit.DropState)
	for _, i := range []int{pingsKept, 1, pingsKept - 1, 2} {
		want := d.now.Sub(first) - time.Duration(i)*10*time.Millisecond
		if h := d.toClient(pongs[i]).is(EventPong, audit.DropNone, 0); h.RTT != want || d.client.Stats().RTT != want {
			t.Errorf("PING %d: round trip %v, want %v", i, h.RTT, want)
		}
	}
}

// "mean difference between one RTT and the next, as RFC 3550 6.4.1 smooths it": J = J + (|D| -
// J)/16. The slow twin has fractions.
func TestJitterTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	d := playQuietly(t, session.ClientConfig{}, 50*time.Millisecond)
	if s := d.client.Stats(); s.RTT != 50*time.Millisecond || s.Jitter != 0 {
		t.Errorf("%+v after one round trip", s)
	}
	last, jitter := 50*time.Millisecond, 0.0
	next := func(rtt time.Duration) {
		if last > 0 { // a round trip of 0 is none
			jitter += (math.Abs(float64(rtt-last)) - jitter) / 16
		}
		last = rtt
	}
	for i := range 1000 {
		rtt := time.Duration(1 + rng.IntN(int(300*time.Millisecond)))
		d.client.Ask()
		d.measures(d.pings(1)[0], rtt)
		next(rtt)
		if s := d.client.Stats(); math.Abs(float64(s.Jitter)-jitter) > 20 || s.RTT != rtt {
			t.Fatalf("round trip %d: %+v, want a jitter of %.1f ns", i, s, jitter)
		}
		if i%100 == 99 {
			d = d.resumesHere() // it goes on with the session
			next(0)
		}
	}
}

// Lost datagrams of the server are counted over all connections.
func TestLostIn(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	lost := func(d *dialogue, want uint64) {
		t.Helper()
		if n := d.client.Stats().LostIn; n != want {
			t.Errorf("%d lost, want %d", n, want)
		}
	}
	lost(d, 0)
	late := d.serverSends(wire.KindData, "late")
	d.serverSends(wire.KindData, "lost")
	lost(d, 0) // nobody knows yet
	d.exchangesData()
	lost(d, 2)
	r := d.reconnects(d.gate, home)
	welcome := r.showsTicket()
	lost(r, 0)
	d.serverSends(wire.KindData, "lost")
	r.takesWelcome(welcome)
	d.toClient(late).delivers("late") // counts for the session
	lost(r, 1)
	r.sendsFirstDatagram()
	lost(r, 2)
	r.exchangesData()
	r = r.resumesOn(r.anotherServer(session.Config{}))
	r.exchangesData()
	lost(r, 2)
}

// "how many of the client's numbers in this session, up to the highest that has arrived, are
// missing or came too late, as far as this server knows" PROTOCOL.md 3.7
func TestLostOut(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	lose := func(n int) {
		for range n {
			d.clientSends(wire.KindData, "lost")
		}
	}
	reported := func(want uint64) {
		t.Helper()
		d.client.Ask()
		d.measures(d.pings(1)[0], time.Millisecond)
		if n := d.client.Stats().LostOut; n != want {
			t.Errorf("%d lost, want %d", n, want)
		}
	}
	reported(0)
	late := d.clientSends(wire.KindData, "late")
	lose(2)
	reported(3)
	d.toServer(late).delivers("late")
	reported(2)
	lose(1)
	d = d.resumesHere() // a server that goes on
	reported(3)
	lose(1)
	reported(4)
	d = d.resumesHere() // nothing is lost on the way
	reported(4)
	late = d.clientSends(wire.KindData, "late")
	reported(5)
	d.toServer(late).delivers("late")
	reported(4)
	d = d.resumesOn(d.anotherServer(session.Config{})) // one that begins anew
	reported(4)
	lose(2)
	reported(6)
	d = d.resumesHere()
	lose(1)
	reported(7)
	d = d.resumesOn(d.anotherServer(session.Config{}))
	lose(1)
	reported(8)
	if s := d.server.Stats(); s.Lost != 1 {
		t.Errorf("%+v", s)
	}
}

// "A server's PONG has the report if both ends have feature bit 0 (section 3.2)" PROTOCOL.md 3.7
func TestReports(t *testing.T) {
	length := func(d *dialogue, want int) {
		t.Helper()
		if h := d.toServer(d.clientSends(wire.KindPing, pingBody)).says(wire.KindPong); len(h.body) != want {
			t.Errorf("a PONG of %d bytes, want %d", len(h.body), want)
		}
		if h := d.toClient(d.serverSends(wire.KindPing, pingBody)).says(wire.KindPong); string(h.body) != pingBody {
			t.Errorf("the client's PONG: %x", h.body)
		}
	}
	for _, wants := range []uint32{0, 1, 2, math.MaxUint32} {
		d := connectOnly(t, session.Config{FleetKeys: fleet(t)}, session.ClientConfig{})
		d.getsConnectionID()
		d.statesInHello(offers(wants))
		d.join()
		length(d, 8+4*int(wants&1))
		if d.client.Stats().LostOut != 0 {
			t.Error("a report")
		}
		r := d.reconnects(d.gate, home)
		r.statesInHello(offers(1 ^ wants))
		if m := r.takesWelcome(r.showsTicket()); m.Features != 1&^wants {
			t.Errorf("features %x", m.Features)
		}
		length(r, 12-4*int(wants&1))
	}
}

// offers puts feature bits into a HELLO, and what belongs to them.
func offers(features uint32) func(*wire.Hello) {
	return func(m *wire.Hello) {
		if m.Features = features; features&wire.FeatureLanes != 0 {
			m.Lanes.Delay = 16
		}
	}
}

// A count that does not fit 32 bits is sent as the largest that does.
func TestReportSaturates(t *testing.T) {
	for lost, want := range map[uint64]uint32{1<<32 - 2: 1<<32 - 2, 1<<32 - 1: 1<<32 - 1, 1 << 32: 1<<32 - 1, 1 << 40: 1<<32 - 1} {
		d := playWithTicket(t, session.Config{}, session.ClientConfig{})
		d.server.window.Skip(d.server.accepted + lost)
		d.client.sequence = d.server.window.Highest()
		m, err := wire.ParsePong(d.toServer(d.clientSends(wire.KindPing, pingBody)).says(wire.KindPong).body)
		if err != nil || !m.Report || m.Lost != want {
			t.Errorf("%d lost: %+v, %v", lost, m, err)
		}
	}
}
