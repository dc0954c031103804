package transport

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// behindOne is a port of a translator that several players are behind.
func behindOne(i int) netip.AddrPort { return netip.AddrPortFrom(playerAddr(1).Addr(), uint16(3000+i)) }

// behindOne has a player dial from there.
func (w *world) behindOne(i int) func(*ClientConfig) {
	return func(c *ClientConfig) {
		if c.Conn != nil {
			c.Conn.Close() //nolint:errcheck // never fails
		}
		c.Conn = w.socket(behindOne(i))
	}
}

// cutOff has nothing come from an address, or go there.
func (w *world) cutOff(addr netip.AddrPort) {
	w.net.Tap(func(from, to netip.AddrPort, _ []byte) bool { return from != addr && to != addr })
}

// playsOn fails unless a player has not noticed anything but a change of address.
func (w *world) playsOn(players ...*stayer) {
	w.Helper()
	for _, s := range players {
		if s.since() > 3*frame || s.Stats().Resumed > 0 {
			w.Errorf("player %d: last snapshot %v ago, %+v", s.number, s.since(), s.Stats())
		}
	}
}

// "A record of application data is opened under the keys that its connection id names, whatever
// address it comes from. The address may have another connection." PROTOCOL.md 9.4. A translator that
// begins anew may give players each other's addresses. All that they send arrives, and the server
// follows them without a handshake.
func TestExchangedAddresses(t *testing.T) {
	t.Parallel()
	for _, players := range []int{2, 3, 8} {
		t.Run(fmt.Sprint(players), func(t *testing.T) {
			both(t, func(w *world) {
				r := w.run()
				at, from := behindOne, w.behindOne
				stayers := make([]*stayer, players)
				for i := range stayers {
					stayers[i] = w.stay(i, from(i))
				}
				gone := w.join(players, from(players))
				time.Sleep(time.Second)
				w.rebind(gone, at(players+1)) // as one more
				for i, s := range slices.Backward(stayers) {
					w.rebind(s.Client, at(i+1)) // where somebody else was
				}
				time.Sleep(within)
				for _, s := range stayers {
					s.rest()
				}
				for i, s := range stayers {
					if n := w.missing(s); n > 0 {
						t.Errorf("player %d: %d inputs are missing", i, n)
					}
					if longest := time.Duration(s.longest.Load()); longest > 500*time.Millisecond {
						t.Errorf("player %d had no snapshot for %v", i, longest)
					}
				}
				if n := w.audits(audit.Migrate); n != players+1 {
					t.Errorf("%d migrations are on record, want %d", n, players+1)
				}
				if n := w.audits(audit.Resume); n > 0 {
					t.Errorf("%d sessions were resumed", n)
				}
				w.quit(r, stayers...)
				gone.Close()
			})
		})
	}
}

// "What somebody else opens there ends nothing." PROTOCOL.md 9.6. A translator gives a player's port to
// a newcomer while the player says nothing: the player goes on from another one.
func TestNewcomerAtAPlayersAddress(t *testing.T) {
	t.Parallel()
	for name, bearer := range map[string]bool{"key": false, "bearer": true} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve(func(c *Config) { c.Session.AllowBearer = true })
				mode := func(c *ClientConfig) { c.Session.Bearer = bearer }
				first := w.dial(1, mode, quietClient)
				at := playerAddr(1)
				w.rebind(first, neighbour(1))
				second := w.dial(2, mode, func(c *ClientConfig) {
					c.Conn.Close() //nolint:errcheck // never fails
					c.Conn = w.socket(at)
				})
				w.echo(second, "a newcomer")
				if err := first.Send([]byte("to be answered where the player was")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				w.echo(first, "from elsewhere")
				w.echo(second, "still here")
				if left := w.match.left(); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				if n := w.audits(audit.Resume) + w.audits(audit.Replace); n > 0 {
					t.Errorf("%d sessions were resumed or replaced", n)
				}
			})
		})
	}
}

// The same where there are no tickets, and while the newcomer's handshake is under way.
func TestNewcomerWithoutTickets(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run(w.ticketless())
		a := w.stay(0, w.behindOne(0), func(c *ClientConfig) { c.Session.Probe = -1 })
		time.Sleep(time.Second)
		w.rebind(a.Client, behindOne(1))
		w.cutOff(behindOne(1))
		b := w.stay(1, w.behindOne(0)) // before a has said where it is
		w.net.Tap(nil)
		time.Sleep(time.Second)
		w.playsOn(a, b)
		if left := w.match.left(); len(left) > 0 {
			t.Errorf("players have left: %v", left)
		}
		w.quit(r, a, b)
	})
}

// A process that is replaced hands on two sessions of which one has moved to where the other was last heard, of
// two players or of one.
func TestRestartAfterAnExchange(t *testing.T) {
	t.Parallel()
	for other := range 2 {
		virtual(t, func(w *world) { w.restartAfterAnExchange(other) })
	}
}

// restartAfterAnExchange has player 0 move to the address of another one.
func (w *world) restartAfterAnExchange(other int) {
	w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
	fleet := w.fleet(w.T)
	r := w.run(fleet)
	quiet := func(c *ClientConfig) { c.Session.Probe = -1 }
	a, b := w.stay(0, w.behindOne(0), quiet), w.stay(other, w.behindOne(1), quiet)
	time.Sleep(time.Second)
	w.rebind(b.Client, behindOne(2))
	w.cutOff(behindOne(2))
	w.rebind(a.Client, behindOne(1))
	time.Sleep(500 * time.Millisecond)
	w.end(r, r.shutdown)
	w.net.Tap(nil)
	r = w.run(fleet)
	time.Sleep(2 * time.Second)
	w.playsOn(a, b)
	for _, reason := range w.match.left() {
		if reason != wire.ReasonShutdown {
			w.Errorf("somebody has left: %v", reason)
		}
	}
	w.quit(r, a, b)
}

// Players who get each other's addresses as the server shuts down know that it does.
func TestShutdownAmidAnExchange(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run(w.ticketless())
		a, b := w.stay(0, w.behindOne(0)), w.stay(1, w.behindOne(1))
		time.Sleep(time.Second)
		w.rebind(b.Client, behindOne(2))
		w.rebind(a.Client, behindOne(1))
		w.end(r, r.shutdown)
		time.Sleep(100 * time.Millisecond)
		w.closed(a.progress.over(), wire.ReasonShutdown)
		w.closed(b.progress.over(), wire.ReasonShutdown)
		a.quit()
		b.quit()
	})
}

// "Once it has begun no message is delivered or acknowledged any more" (Server.Shutdown): what comes from
// another address than the player's is not either.
func TestNothingIsDeliveredAfterASnapshot(t *testing.T) {
	t.Parallel()
	for _, moved := range []bool{false, true} {
		virtual(t, func(w *world) {
			w.match.mute = true
			s := w.listen(w.fleet(t))
			handler := w.match.handler()
			stop := make(chan struct{})
			w.serving.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(frame):
						s.Poll(handler) //nolint:errcheck // it is not closed yet
						s.Flush()
					}
				}
			})
			c := w.dial(1, quietClient)
			time.Sleep(time.Second)
			close(stop)
			time.Sleep(frame)
			if moved {
				w.rebind(c, neighbour(1))
			}
			if err := c.Send([]byte("late")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(frame)
			if err := s.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			if w.match.count("late") > 0 {
				t.Errorf("from another address: %v: it was delivered", moved)
			}
		})
	}
}
