package transport

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// runts are datagrams of no more bytes than a record's header, with every first byte. Behind it they
// go on as a record of this epoch does, or a message of package retry.
func runts(epoch byte) (all tape) {
	all = append(all, nil)
	for typ := range 256 {
		b := make([]byte, record.HeaderLen)
		b[0], b[1], b[2], b[4] = byte(typ), 0xfe, 0xfd, epoch
		if typ == retry.TypeRetry || typ == retry.TypeReturn {
			b[1] = 1
		}
		if testing.Short() && typ > 31 {
			break
		}
		for n := 1; n <= len(b); n++ {
			all = append(all, b[:n])
		}
	}
	return all
}

// pelt sends runts in the names of player 1, of the server and of a stranger for a time, all of an
// epoch in 10 ms. The returned function waits for the end.
func (w *world) pelt(net *netsim.Network, long time.Duration) (wait func()) {
	const chunks = 25
	all := [2]tape{runts(0), runts(1)}
	var pelting sync.WaitGroup
	pelting.Go(func() {
		for i, end := 0, time.Now().Add(long); time.Now().Before(end); i++ {
			for some := range slices.Chunk(all[i%2], len(all[0])/chunks+1) {
				for _, b := range some {
					net.Inject(serverAddr, playerAddr(1), b)
					net.Inject(playerAddr(1), serverAddr, b)
					if i%16 < 2 {
						net.Inject(thief, serverAddr, b)
					}
				}
				time.Sleep(10 * time.Millisecond / chunks)
			}
		}
	})
	return pelting.Wait
}

// "The UDP payload has 1 to 1,200 bytes; else drop `size`." PROTOCOL.md 4.1, which a client keeps to
// as well. What is empty or shorter than a record harms nobody, whatever client and server are doing:
// each of their states lasts for as long as all of it takes to arrive.
func TestRunts(t *testing.T) {
	t.Parallel()
	for name, live := range map[string]func(w *world){
		"another connection": func(w *world) {
			defer w.pelt(w.net, 700*time.Millisecond)()
			r := w.run()
			s := w.stay(1)
			time.Sleep(100 * time.Millisecond)
			s.replaceLine()
			time.Sleep(400 * time.Millisecond)
			s.rest()
			if st := s.Stats(); st.Resumed == 0 || w.missing(s) > 0 {
				w.Errorf("%d inputs are missing, %+v", w.missing(s), st)
			}
			defer w.pelt(w.net, 100*time.Millisecond)()
			s.quit()
			time.Sleep(100 * time.Millisecond)
			w.quit(r)
		},
		"another process": func(w *world) {
			fleet := w.fleet(w.T)
			r := w.run(fleet)
			s := w.stay(1)
			time.Sleep(time.Second)
			defer w.pelt(w.net, 700*time.Millisecond)()
			w.end(r, r.shutdown)
			r = w.run(fleet)
			time.Sleep(200 * time.Millisecond)
			if st := s.Stats(); st.Resumed > 0 || s.since() > 2*frame {
				w.Errorf("from a snapshot: %+v, the last came %v ago", st, s.since())
			}
			w.end(r, r.Close)
			r = w.run(fleet)
			w.disconnect(s.Client)
			time.Sleep(400 * time.Millisecond)
			if st := s.Stats(); st.Resumed != 1 || s.since() > 2*frame {
				w.Errorf("by ticket: %+v, the last came %v ago", st, s.since())
			}
			w.quit(r, s)
		},
		"a carrier": func(w *world) {
			d := w.around()
			defer d.close()
			d.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
			r := w.run(d.server)
			w.block(true)
			time.AfterFunc(2*attemptTime, func() { w.pelt(d.net, time.Second)() })
			s := w.stay(1, d.client(1))
			time.Sleep(100 * time.Millisecond)
			d.cut()
			time.Sleep(4 * time.Second)
			if st := s.Stats(); st.Resumed != 1 || !st.Fallback || s.since() > 2*frame {
				w.Errorf("%+v, the last came %v ago", st, s.since())
			}
			w.quit(r, s)
		},
		"a relay": func(w *world) {
			w.serve()
			defer w.pelt(w.net, 500*time.Millisecond)()
			p, err := w.page(1, w.server.pin())
			if err != nil {
				w.Fatal(err)
			}
			defer p.close()
			p.join(1)
			p.send(wire.KindData, []byte("hello"))
			if got := p.await(machine.EventData).Payload; string(got) != "hello" {
				w.Errorf("%q came back", got)
			}
			if err := p.relay.Close(); err != nil {
				w.Error(err)
			}
			time.Sleep(100 * time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				live(w)
			})
		})
	}
}
