package machine

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// exchange sends payloads to and fro without the copies that a dialogue makes.
type exchange struct {
	*dialogue
	payload, buffer []byte
}

func newExchange(t testing.TB, cc session.ClientConfig) *exchange {
	d := play(t, session.Config{Behaviour: unlimitedBehaviour, AllowBearer: true}, cc)
	return &exchange{d, make([]byte, 8), make([]byte, 0, wire.MaxEnvelope)}
}

func (x *exchange) up(kind wire.Kind) (Reply, Event) {
	b, err := x.client.Append(x.buffer, kind, x.payload)
	if err != nil {
		x.Fatal(err)
	}
	return x.server.Handle(x.now, b)
}

func (x *exchange) down(kind wire.Kind) (Reply, Event) {
	b, err := x.server.Append(x.buffer, kind, x.payload)
	if err != nil {
		x.Fatal(err)
	}
	return x.client.Handle(x.now, b)
}

// Neither accepted nor dropped datagrams allocate, in either direction.
func TestNoAllocs(t *testing.T) {
	x, bearer := newExchange(t, session.ClientConfig{}), newExchange(t, session.ClientConfig{Bearer: true})
	resumed := *x
	resumed.dialogue = playWithTicket(t, session.Config{Behaviour: unlimitedBehaviour}, session.ClientConfig{}).resumesHere()
	restored := *x
	restored.dialogue = playWithTicket(t, session.Config{Behaviour: unlimitedBehaviour}, session.ClientConfig{}).restarts()
	laned := *x
	laned.dialogue = playLanes(t)
	laned.server.gate.limits = x.server.gate.limits
	laned.server.behaviour = x.server.behaviour
	laned.client.Ask()
	laned.payload = []byte(laned.pings(1)[0])[wire.HeaderLen:]
	old := x.clientSends(wire.KindData, "old")
	x.toServer(old).delivers("old")
	wrong := mistag(x.clientSends(wire.KindData, "input"))
	data := func(_ Reply, ev Event) bool { return ev.Kind == EventData }
	for name, ok := range map[string]func() bool{
		"DATA up":             func() bool { return data(x.up(wire.KindData)) },
		"DATA down":           func() bool { return data(x.down(wire.KindData)) },
		"DATA up, resumed":    func() bool { return data(resumed.up(wire.KindData)) },
		"DATA down, resumed":  func() bool { return data(resumed.down(wire.KindData)) },
		"DATA up, restored":   func() bool { return data(restored.up(wire.KindData)) },
		"DATA down, restored": func() bool { return data(restored.down(wire.KindData)) },
		"BEARER":              func() bool { return data(bearer.up(wire.KindData)) },
		"PING, resumed": func() bool {
			r, _ := resumed.up(wire.KindPing)
			return r.Kind == wire.KindPong && len(r.Body) == 8+4
		},
		"PING": func() bool {
			r, _ := x.up(wire.KindPing)
			b, err := x.server.Append(x.buffer, r.Kind, r.Body)
			_, ev := x.client.Handle(x.now, b)
			return r.Kind == wire.KindPong && err == nil && ev.Drop == audit.DropState
		},
		"PING, lanes": func() bool {
			r, _ := laned.up(wire.KindPing)
			b, err := laned.server.Append(laned.buffer, r.Kind, r.Body)
			_, ev := laned.client.Handle(laned.now, b)
			return len(r.Body) == 8+4+16 && err == nil && ev.Kind == EventPong && laned.client.ServerTime(laned.now).Clock == 1
		},
		"PING down, lanes": func() bool {
			r, _ := laned.down(wire.KindPing)
			p := laned.server.ensureProbe()
			p.awaiting, p.ping.Data = true, [8]byte(laned.payload)
			b, err := laned.client.Append(laned.buffer, r.Kind, r.Body)
			_, ev := laned.server.Handle(laned.now, b)
			return len(r.Body) == 8+4 && err == nil && ev.Kind == EventPong
		},
		"PING down": func() bool {
			r, _ := x.down(wire.KindPing)
			return r.Kind == wire.KindPong
		},
		"replay": func() bool {
			_, ev := x.server.Handle(x.now, old)
			return ev.Drop == audit.DropReplay
		},
		"tag": func() bool {
			_, ev := x.server.Handle(x.now, wrong)
			return ev.Drop == audit.DropTag && data(x.up(wire.KindData))
		},
		"Tick": func() bool {
			_, ev := x.server.Tick(x.now)
			return ev.Kind == EventNone
		},
	} {
		good := true
		if n := testing.AllocsPerRun(200, func() { good = good && ok() }); n != 0 || !good {
			t.Errorf("%s: %v allocations, as expected: %v", name, n, good)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	x := newExchange(b, session.ClientConfig{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.client.Append(x.buffer, wire.KindData, x.payload); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEcho is DATA up and DATA down, in the first of n sessions or in all of them in turn.
func BenchmarkEcho(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n, " sessions"), func(b *testing.B) {
			first := newExchange(b, session.ClientConfig{})
			all := make([]*exchange, n)
			for i := range all {
				all[i] = first.another(fmt.Sprint(i))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				x := all[i%n]
				i++
				if _, ev := x.up(wire.KindData); ev.Kind != EventData {
					b.Fatal(ev.Drop)
				}
				if _, ev := x.down(wire.KindData); ev.Kind != EventData {
					b.Fatal(ev.Drop)
				}
			}
		})
	}
}

// another is a session of another player at the same gate, with the buffers of x.
func (x *exchange) another(identity string) *exchange {
	other := *x
	x.mints(identity).Subject = "player " + identity
	x.gate.config.MaxSessions = 1 << 20
	other.dialogue = x.connect(session.ClientConfig{}, identity, channel)
	other.join()
	other.claims = nil
	return &other
}

// BenchmarkMemory measures what the server keeps for a session: Conn, Session, keys, window, used
// token.
func BenchmarkMemory(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		first := newExchange(b, session.ClientConfig{})
		conns := make([]*Conn, n)
		before := heap()
		for i := range conns {
			x := first.another(fmt.Sprint(i))
			if _, ev := x.up(wire.KindData); ev.Kind != EventData {
				b.Fatal(ev.Drop)
			}
			delete(first.claims, fmt.Sprint(i))
			conns[i] = x.server
		}
		b.ReportMetric(float64(heap()-before)/n, "B/session")
		runtime.KeepAlive(conns)
		runtime.KeepAlive(first)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
