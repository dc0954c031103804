package machine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// leaky carries datagrams both ways, loses some, and leaves numbers out.
type leaky struct {
	*dialogue
	rng      *rand.Rand
	up, down [][]byte // under way
	lost     [2]uint64
}

// playLeaky is a session with lanes whose server measures round trips.
func playLeaky(t testing.TB, seed uint64) *leaky {
	d := connectOnly(t, session.Config{FleetKeys: fleet(t), Ping: time.Second, Behaviour: unlimitedBehaviour}, session.ClientConfig{})
	withLanes(t, d.gate, lanes.Ordered)
	d = d.connect(session.ClientConfig{Lanes: true}, "identity", channel)
	addIDs(d.claims["identity"])
	d.getsConnectionID()
	d.join()
	d.exchangesData()
	return &leaky{dialogue: d, rng: rand.New(rand.NewPCG(seed, 1))}
}

// plays sends some datagrams, of which some are lost, overtaken or not sent at all.
func (l *leaky) plays(n int) {
	l.Helper()
	for range n {
		switch l.rng.IntN(8) {
		case 0:
			l.client.LeaveOut()
		case 1:
			l.server.LeaveOut()
		case 2, 3, 4:
			l.up = l.sends(l.up, 0, l.clientSends(wire.KindData, "up"))
		default:
			l.down = l.sends(l.down, 1, l.serverSends(wire.KindData, "down"))
		}
		l.arrive(4)
	}
	l.arrive(0)
}

func (l *leaky) sends(way [][]byte, i int, b []byte) [][]byte {
	if l.rng.IntN(5) == 0 {
		l.lost[i]++
		return way
	}
	return append(way, b)
}

// arrive delivers until at most n are under way in each direction, in any order.
func (l *leaky) arrive(n int) {
	l.Helper()
	next := func(way *[][]byte) []byte {
		last := len(*way) - 1
		i := l.rng.IntN(last + 1)
		b := (*way)[i]
		(*way)[i] = (*way)[last]
		*way = (*way)[:last]
		return b
	}
	for len(l.up) > n {
		l.toServer(next(&l.up)).delivers("up")
	}
	for len(l.down) > n {
		l.toClient(next(&l.down)).delivers("down")
	}
}

// measures has both ends send a PING and report.
func (l *leaky) measures() {
	l.Helper()
	l.waits(time.Second)
	l.client.Ask()
	l.toClient(l.toServer(l.pings(1)[0]).says(wire.KindPong).envelope)
	h := l.toServer(l.toClient(l.tickServer().says(wire.KindPing).envelope).says(wire.KindPong).envelope)
	if h.Event.Kind != EventPong {
		l.Errorf("the client's PONG: %+v", h.Event)
	}
}

// counted compares what the ends know of what they have lost, less some, with what was lost.
func (l *leaky) counted(down uint64) {
	l.Helper()
	if up := l.client.Stats().LostOut; up != l.lost[0] {
		l.Errorf("%d of the client's datagrams lost, want %d", up, l.lost[0])
	}
	if got := l.server.Stats().LostOut; got != l.lost[1]-down {
		l.Errorf("%d of the server's datagrams lost, want %d", got, l.lost[1]-down)
	}
}

// "PONG's report (section 3.7) has the numbers left out among those missing: an end takes its own off
// the report that it gets." PROTOCOL.md 16.10. What remains is what was lost, on any schedule, over
// resumptions here and elsewhere.
func TestReportsWithNumbersLeftOut(t *testing.T) {
	for seed := range uint64(40) {
		l := playLeaky(t, seed)
		elsewhere := uint64(0)
		for range 12 {
			l.plays(60)
			l.measures()
			l.counted(elsewhere)
			switch l.rng.IntN(4) {
			case 0:
				l.dialogue = l.resumesHere()
				l.exchangesData()
			case 1:
				g := withLanes(t, l.anotherServer(session.Config{Ping: time.Second, Behaviour: unlimitedBehaviour}), lanes.Ordered)
				l.dialogue = l.resumesOn(g)
				l.exchangesData()
				l.measures()
				elsewhere = l.lost[1]
				l.counted(elsewhere)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// A number left out after the PING is no reason to take one off.
func TestReportOfThen(t *testing.T) {
	l := playLeaky(t, 1)
	l.serverSends(wire.KindData, "lost")
	l.clientSends(wire.KindData, "lost")
	l.lost = [2]uint64{1, 1}
	l.waits(time.Second)
	l.client.Ask()
	up, down := l.pings(1)[0], l.tickServer().says(wire.KindPing).envelope
	l.client.LeaveOut()
	l.server.LeaveOut()
	pong := l.toServer(up).says(wire.KindPong).envelope
	l.toServer(l.toClient(down).says(wire.KindPong).envelope)
	l.toClient(pong)
	l.counted(0)
}

// "A server's PONG has the report if both ends have feature bit 0 (section 3.2), and the times if both
// have bit 1. A client's PONG has the report if both have bit 1, and never the times." PROTOCOL.md 3.7
func TestTimesAndReportNeedLanes(t *testing.T) {
	for features, want := range map[uint32][2]int{0: {8, 8}, 1: {12, 8}, 2: {24, 12}, 3: {28, 12}} {
		d := connectOnly(t, session.Config{FleetKeys: fleet(t)}, session.ClientConfig{})
		withLanes(t, d.gate, lanes.Ordered)
		d = d.connect(session.ClientConfig{Lanes: features&2 != 0}, "identity", channel)
		d.statesInHello(offers(features))
		d.join()
		up := d.toServer(d.clientSends(wire.KindPing, pingBody)).says(wire.KindPong)
		down := d.toClient(d.serverSends(wire.KindPing, pingBody)).says(wire.KindPong)
		if got := [2]int{len(up.body), len(down.body)}; got != want {
			t.Errorf("features %b: PONG of %d bytes, want %d", features, got, want)
		}
	}
}

// "The times are Unix microseconds, signed, by a clock of the server's that is not set while a
// connection lasts: when the PING came, and when the PONG left, which is not earlier." PROTOCOL.md 3.7.
// A step of the wall clock is no step of that one.
func TestTimesOfPong(t *testing.T) {
	d := playLanes(t)
	d.gate.StepClock(d.now, time.Minute)
	ping := d.clientSends(wire.KindPing, pingBody)
	r, _ := d.server.HandleLate(d.now, 1500*time.Microsecond, ping)
	m, err := wire.ParsePong(r.Body)
	want := wire.Pong{
		Data: [8]byte([]byte(pingBody)), Report: true, Times: true, Sent: begin.UnixMicro(), Received: begin.UnixMicro() - 1500,
	}
	if err != nil || m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
}

// "It MUST begin anew when it has resumed at another server." PROTOCOL.md 3.7. On another connection
// to the same one it goes on.
func TestServerTime(t *testing.T) {
	d := playLanes(t)
	var ahead time.Duration
	runs := func(g *Gate) *Gate {
		g.lanes.clock = func() time.Time { return d.now.Add(ahead) }
		return g
	}
	runs(d.gate)
	known := func(clock uint32) {
		t.Helper()
		s := d.client.ServerTime(d.now)
		if off := s.Time.Sub(d.now.Add(ahead)).Abs(); s.Clock != clock || off > s.Bound {
			t.Errorf("%+v is off by %v, want clock %d", s, off, clock)
		}
	}
	measure := func(clock uint32) {
		t.Helper()
		d.client.Ask()
		ping := d.pings(1)[0]
		d.waits(30 * time.Millisecond)
		pong := d.toServer(ping).says(wire.KindPong).envelope
		d.waits(10 * time.Millisecond)
		d.toClient(pong)
		known(clock)
	}
	if s := d.client.ServerTime(d.now); s != (ServerTime{}) {
		t.Errorf("before the first PONG: %+v", s)
	}
	measure(1)
	d = d.resumesHere()
	known(1)
	measure(1)
	g := runs(withLanes(t, d.anotherServer(session.Config{}), lanes.Ordered, lanes.Latest))
	ahead = time.Millisecond // it might be taken for the same
	former := d
	former.client.Ask()
	late := former.toServer(former.pings(1)[0]).says(wire.KindPong).envelope
	next := d.reconnects(g, home)
	next.takesWelcome(next.showsTicket().resumes())
	if s := next.client.ServerTime(d.now); s != (ServerTime{}) {
		t.Errorf("at another server before its first PONG: %+v", s)
	}
	former.toClient(late).is(EventPong, 0, 0) // says nothing of the new server
	if s := next.client.ServerTime(d.now); s != (ServerTime{}) {
		t.Errorf("after a late PONG of the former one: %+v", s)
	}
	next.sendsFirstDatagram()
	d = next
	known(2)
	measure(2)
}
