package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "while payloads flow there is one in two fifths of it, to measure by"
func TestPingWhilePayloadsFlow(t *testing.T) {
	for _, probe := range []time.Duration{0, -1, time.Hour} {
		d := playQuietly(t, session.ClientConfig{Probe: probe}, time.Millisecond)
		pinged := d.now.Add(-time.Millisecond)
		for range 3 {
			for d.after(100 * time.Millisecond).Before(pinged.Add(2 * clientDefaults.KeepAlive / 5)) {
				d.exchangesData()
				d.pings(0)
				d.waits(100 * time.Millisecond)
			}
			d.exchangesData()
			d.measures(d.probes(pinged.Add(2*clientDefaults.KeepAlive/5)), time.Millisecond)
			pinged = d.now.Add(-time.Millisecond)
		}
	}
}

// A client whose payloads do not flow sends nothing but a PING in KeepAlive, however long the
// server is silent.
func TestPingQuiet(t *testing.T) {
	for _, cc := range []session.ClientConfig{{}, {Probe: -1}, {KeepAlive: time.Second / 2}, {KeepAlive: time.Minute}} {
		d := playQuietly(t, cc, time.Millisecond)
		every := d.client.config.KeepAlive
		for range 5 {
			d.measures(d.probes(d.after(every-time.Millisecond)), time.Millisecond)
		}
		if due := d.client.Tick(d.now, func(wire.Kind, []byte) {}); cc.Probe >= 0 && due.After(d.after(flowTime)) {
			t.Errorf("it looks after %v whether payloads flow", due.Sub(d.now))
		}
		d.probes(d.after(every - time.Millisecond)) // and this one is lost
		asked := d.now
		if cc.Probe < 0 {
			d.probes(d.after(every))
		} else {
			d.probes(d.after(probeInterval))
		}
		if d.now = asked.Add(lostTime); d.client.Lost(d.now) != (cc.Probe >= 0) {
			t.Errorf("probes %v: lost %v", cc.Probe, d.client.Lost(d.now))
		}
	}
}

// "A client that has nothing else to send MUST send a PING before the idle time is over. It SHOULD send one every 5 s,
// or every sixth of the idle time if that is less" PROTOCOL.md 3.6: also on the next connection, unless the user says
// how often.
func TestPingWithinIdle(t *testing.T) {
	for idle, every := range map[time.Duration]time.Duration{
		3 * time.Second: time.Second / 2, 10 * time.Second: 10 * time.Second / 6, 30 * time.Second: 5 * time.Second, time.Hour: 5 * time.Second,
	} {
		for _, cc := range []session.ClientConfig{{}, {Probe: -1}, {KeepAlive: time.Minute}} {
			if cc.KeepAlive != 0 {
				every = cc.KeepAlive
			}
			d := playWithTicket(t, session.Config{Idle: idle}, cc)
			for range 2 {
				for range 2 { // at first the client takes the payload of before for one that has just been sent
					d.client.Ask()
					d.measures(d.pings(1)[0], time.Millisecond)
					d.waits(flowTime)
				}
				d.client.Ask()
				d.measures(d.pings(1)[0], time.Millisecond)
				d.probes(d.after(every - time.Millisecond))
				d = d.resumesHere()
			}
		}
	}
}

func TestAsk(t *testing.T) {
	d := playQuietly(t, session.ClientConfig{}, time.Millisecond)
	d.pings(0)
	d.client.Ask()
	d.measures(d.pings(1)[0], 2*time.Millisecond)
	d.pings(0)
}

// "the connection has moved to the address from which the client sends" PROTOCOL.md 3.10
func TestMoved(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	d.toClient(d.serverSends(wire.KindNotice, "\x03\x00\x00\x00\x00")).is(EventMoved, audit.DropNone, 0)
	d.toClient(d.serverSends(wire.KindNotice, "\x03\x00\x00\x00")).drops(audit.DropMalformed)
	d.exchangesData()
}

// "With the first accepted datagram of the new epoch the server sends in it, and the new expiry
// holds." PROTOCOL.md 5.3 A client that has nothing to send sends a PING for that.
func TestPingAfterRenewed(t *testing.T) {
	d := playQuietly(t, session.ClientConfig{}, time.Millisecond)
	d.renewsWith("second")
	d.measures(d.pings(1)[0], time.Millisecond)
	if d.epochs() != [2]uint32{2, 2} || d.server.Session().TokenID() != "id of second" {
		t.Errorf("epochs %d", d.epochs())
	}
}
