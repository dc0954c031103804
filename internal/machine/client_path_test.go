package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// quietly is a dialogue whose payloads do not flow, and whose client has just been answered a PING
// after a round trip.
func playQuietly(t testing.TB, cc session.ClientConfig, rtt time.Duration) *dialogue {
	t.Helper()
	d := playWithTicket(t, session.Config{Idle: time.Hour}, cc)
	d.measures(d.pings(1)[0], rtt)
	d.waits(flowTime)
	d.client.Ask()
	d.measures(d.pings(1)[0], rtt)
	return d
}

// pings returns the n PINGs that the client sends now.
func (d *dialogue) pings(n int) [][]byte {
	d.Helper()
	p := d.clientTick(wire.KindPing)
	if len(p) != n {
		d.Fatalf("%d PINGs, want %d", len(p), n)
	}
	return p
}

// measures delivers the PONG of a PING, a round trip later.
func (d *dialogue) measures(ping []byte, rtt time.Duration) {
	d.Helper()
	pong := d.toServer(ping).says(wire.KindPong).envelope
	d.waits(rtt)
	if h := d.toClient(pong).is(EventPong, audit.DropNone, 0); h.RTT != rtt {
		d.Fatalf("round trip %v, want %v", h.RTT, rtt)
	}
}

// probes expects the client's next PING at the time that Tick returned, and not before.
func (d *dialogue) probes(at time.Time) []byte {
	d.Helper()
	tick := func() time.Time {
		return d.client.Tick(d.now, func(kind wire.Kind, _ []byte) { d.Fatalf("%v %v too early", kind, at.Sub(d.now)) })
	}
	due := tick()
	for ; due.Before(at); due = tick() {
		if !due.After(d.now) {
			d.Fatal("the client does not wait")
		}
		d.now = due
	}
	if !due.Equal(at) {
		d.Errorf("the client sleeps %v too long", due.Sub(at))
	}
	d.now = at.Add(-1)
	d.pings(0)
	d.waits(1)
	return d.pings(1)[0]
}

// after is a time from now.
func (d *dialogue) after(t time.Duration) time.Time { return d.now.Add(t) }

// "The client may send the first PING as soon as 250 ms after the last datagram while payloads flow."
// PROTOCOL.md 8.3
// "A client that has sent PINGs without an answer for 500 ms, or for four round trips if that is
// longer" PROTOCOL.md 8.3
func TestProbe4RTT(t *testing.T) {
	const ms = time.Millisecond
	for rtt, want := range map[time.Duration]struct{ interval, lost time.Duration }{
		20 * ms:    {200 * ms, 500 * ms},
		100*ms - 1: {200 * ms, 500 * ms},
		100 * ms:   {200 * ms, 500 * ms},
		100*ms + 1: {200*ms + 2, 500 * ms},
		125*ms - 1: {250*ms - 2, 500 * ms},
		125 * ms:   {250 * ms, 500 * ms},
		125*ms + 1: {250*ms + 2, 500*ms + 4},
		300 * ms:   {600 * ms, 1200 * ms},
	} {
		d := playQuietly(t, session.ClientConfig{}, rtt)
		for range 3 { // nothing while payloads come
			d.toClient(d.serverSends(wire.KindData, "snapshot")).delivers("snapshot")
			d.waits(clientDefaults.Probe - 1)
			d.pings(0)
		}
		d.toClient(d.serverSends(wire.KindData, "last")).delivers("last")
		ping := d.probes(d.after(clientDefaults.Probe))
		asked := d.now
		for d.after(want.interval).Before(asked.Add(want.lost)) {
			ping = d.probes(d.after(want.interval))
		}
		d.now = asked.Add(want.lost - 1)
		if d.client.Lost(d.now) || !d.client.Lost(d.after(1)) || !d.client.Lost(d.after(2)) {
			t.Errorf("round trip %v: lost after %v is %v", rtt, want.lost-1, d.client.Lost(d.now))
		}
		d.waits(1)
		d.toClient(mistag(d.serverSends(wire.KindData, "forged"))).drops(audit.DropTag)
		if !d.client.Lost(d.now) {
			t.Error("a forged datagram counts as an answer")
		}
		d.toClient(d.serverSends(wire.KindData, "here again")).delivers("here again")
		if d.client.Lost(d.now) {
			t.Error("lost, though it has answered")
		}
		d.toClient(d.toServer(ping).says(wire.KindPong).envelope).is(EventPong, audit.DropNone, 0)
		if d.client.Lost(d.now) || d.client.Lost(d.after(time.Minute)) {
			t.Error("lost, though it has answered a PING")
		}
		d.probes(d.after(clientDefaults.Probe))
	}
}

// "If datagrams come and no PONG for 3 s, or for eight round trips if that is longer, it SHOULD resume all the
// same: its own datagrams do not reach the server." PROTOCOL.md 8.3. The PINGs meanwhile are 200 ms apart, or two
// round trips, and one that is answered at last will do.
func TestPathTowardsServerIsLost(t *testing.T) {
	const ms = time.Millisecond
	for rtt, lost := range map[time.Duration]time.Duration{
		20 * ms: 3 * time.Second, 375 * ms: 3 * time.Second, 375*ms + 1: 3*time.Second + 8, time.Second: 8 * time.Second,
	} {
		for _, heard := range []bool{false, true} {
			d := playQuietly(t, session.ClientConfig{}, rtt)
			d.client.Ask()
			ping := d.pings(1)[0]
			asked, interval := d.now, max(probeInterval, 2*rtt)
			for n := 1; d.after(interval).Before(asked.Add(lost)); n++ {
				d.toClient(d.serverSends(wire.KindData, "snapshot")).delivers("snapshot")
				ping = d.probes(d.after(interval))
			}
			d.now = asked.Add(lost - 1)
			d.toClient(d.serverSends(wire.KindData, "snapshot")).delivers("snapshot")
			if d.client.Lost(d.now) {
				t.Errorf("round trip %v: lost after %v", rtt, lost-1)
			}
			if heard {
				d.toClient(d.toServer(ping).says(wire.KindPong).envelope).is(EventPong, audit.DropNone, 0)
			}
			if d.waits(1); d.client.Lost(d.now) == heard {
				t.Errorf("round trip %v: lost after %v is %v, and that the last PING was answered is %v", rtt, lost, !heard, heard)
			}
		}
	}
}

// "If datagrams come and no PONG for 3 s": PROTOCOL.md 8.3, however rarely they come. A path that has been silent in
// between may be whole again, once: it is lost 3 s after that.
func TestPathTowardsServerIsLostAmidSilence(t *testing.T) {
	const step = 10 * time.Millisecond
	for every := 100 * time.Millisecond; every <= 2*time.Second; every += 100 * time.Millisecond {
		for _, outage := range []time.Duration{0, 10 * time.Second} {
			d := playQuietly(t, session.ClientConfig{}, 20*time.Millisecond)
			d.client.Ask()
			d.pings(1)
			for range outage / step { // nothing comes at all
				d.waits(step)
				d.clientTick(wire.KindPing)
			}
			began, last := d.now, d.now
			for whole := true; whole && d.now.Sub(began) < time.Minute; d.waits(step) {
				d.clientTick(wire.KindPing)
				if d.now.Sub(last) < every {
					continue
				}
				last = d.now
				d.toClient(d.serverSends(wire.KindData, "snapshot")).delivers("snapshot")
				whole = !d.client.Lost(d.now)
			}
			if took := last.Sub(began); took > unheardTime+2*every+step || took < unheardTime {
				t.Errorf("after nothing for %v, and a datagram each %v: lost after %v", outage, every, took)
			}
		}
	}
}

// "A round trip counts as 2 s at most, and as a sixteenth of the idle time: one that was measured while the client stood
// still says nothing of the path." PROTOCOL.md 8.3
func TestProbeStoodStill(t *testing.T) {
	for idle, most := range map[time.Duration]time.Duration{
		8 * time.Second: time.Second / 2, session.DefaultIdle: 1875 * time.Millisecond, time.Minute: 2 * time.Second, time.Hour: 2 * time.Second,
	} {
		for rtt, want := range map[time.Duration]time.Duration{most - 1: most - 1, most: most, most + 1: most, idle - 1: most} {
			d := playWithTicket(t, session.Config{Idle: idle}, session.ClientConfig{})
			d.measures(d.pings(1)[0], rtt)
			if got := d.client.Stats().RTT; got != rtt {
				t.Errorf("%v was measured, want %v", got, rtt)
			}
			d.client.Ask()
			d.pings(1)
			asked := d.now
			d.probes(d.after(2 * want))
			d.now = asked.Add(4*want - 1)
			if d.client.Lost(d.now) || !d.client.Lost(d.after(1)) {
				t.Errorf("idle time %v, round trip %v: lost after %v is %v", idle, rtt, 4*want-1, d.client.Lost(d.now))
			}
		}
	}
}

// Payloads flow for a second after one was sent or came; whatever else comes keeps the path alive
// and nothing flowing.
func TestProbeFlow(t *testing.T) {
	for _, sent := range []bool{true, false} {
		for heard, probed := range map[time.Duration]bool{
			flowTime - clientDefaults.Probe - 1: true, flowTime - clientDefaults.Probe: false, flowTime - clientDefaults.Probe + 1: false,
		} {
			d := playQuietly(t, session.ClientConfig{}, time.Millisecond)
			pinged := d.now.Add(-time.Millisecond)
			if sent {
				d.clientSends(wire.KindData, "input")
			} else {
				d.toClient(d.serverSends(wire.KindData, "snapshot")).delivers("snapshot")
			}
			d.pings(0) // looks whether payloads flow
			d.waits(heard)
			d.client.watch.lastPing = pinged.Add(heard) // it has asked meanwhile
			d.toClient(d.serverSends(wire.KindPing, pingBody)).says(wire.KindPong)
			if probed {
				d.probes(d.after(clientDefaults.Probe))
			} else {
				d.probes(d.after(clientDefaults.KeepAlive - time.Millisecond))
			}
		}
	}
}

// The first payload after a silence asks at once whether the server is there.
func TestProbeAfterSilence(t *testing.T) {
	d := playQuietly(t, session.ClientConfig{}, time.Millisecond)
	d.waits(2 * time.Second)
	d.pings(0)
	d.clientSends(wire.KindData, "input")
	d.pings(1)
}

// A client that never probes never takes its path for lost, whatever flows.
func TestProbeNever(t *testing.T) {
	d := playQuietly(t, session.ClientConfig{Probe: -1}, time.Millisecond)
	before := d.client.watch.sent
	for range 100 {
		d.clientSends(wire.KindData, "input")
		d.client.Tick(d.now, func(wire.Kind, []byte) {})
		d.waits(100 * time.Millisecond)
		if d.client.Lost(d.now) {
			t.Fatal("lost")
		}
	}
	if n := d.client.watch.sent - before; n != 4 {
		t.Errorf("%d PINGs in less than 10 s", n)
	}
}

// The next connection starts with the measured round trip.
func TestProbeResumed(t *testing.T) {
	d := playQuietly(t, session.ClientConfig{}, 300*time.Millisecond)
	r := d.reconnects(d.gate, home)
	r.takesWelcome(r.showsTicket())
	r.pings(1)
	asked := r.now
	r.probes(r.after(600 * time.Millisecond))
	r.now = asked.Add(1200*time.Millisecond - 1)
	if r.client.Lost(r.now) || !r.client.Lost(r.after(1)) {
		t.Error("lost by another round trip")
	}
}

// Before WELCOME and after the end there is no path to lose.
func TestProbeOutsideSession(t *testing.T) {
	d := connectOnly(t, session.Config{}, session.ClientConfig{})
	d.clientTick(wire.KindHello)
	d.waits(time.Minute)
	if d.client.Lost(d.now) || d.client.Silent(d.now) {
		t.Error("lost before WELCOME")
	}
	d = playQuietly(t, session.ClientConfig{}, time.Millisecond)
	d.probes(d.after(clientDefaults.KeepAlive - time.Millisecond))
	d.waits(time.Minute)
	d.client.Close()
	if d.client.Lost(d.now) || d.client.Silent(d.now) {
		t.Error("lost after the end")
	}
	d.pings(0)
}
