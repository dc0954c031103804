package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// isClose reports whether a datagram is a CLOSE, by its length.
func isClose(b []byte) bool { return isRefusal(b) }

func isAlert(b []byte) bool { return record.ContentType(b[0]) == record.Alert }

// waysToEnd are how a session ends, and who must hear of it. end returns when it is over for who has ended it.
var waysToEnd = map[string]struct {
	by     netip.Addr // who says CLOSE
	reason wire.Reason
	end    func(w *world, c *Client) error
}{
	"Kick": {serverAddr.Addr(), wire.ReasonKicked, func(w *world, _ *Client) error {
		w.match.player(0).Kick(wire.ReasonKicked)
		time.Sleep(closeTime)
		return nil
	}},
	"Shutdown": {serverAddr.Addr(), wire.ReasonShutdown, func(w *world, _ *Client) error {
		return w.server.Shutdown(context.Background())
	}},
	"Close": {playerAddr(1).Addr(), wire.ReasonLeft, func(_ *world, c *Client) error { return c.Close() }},
}

// knows fails unless both ends of player 1's session know that it is over, and why.
func (w *world) knows(c *Client, reason wire.Reason) {
	w.Helper()
	if left := w.match.left(); len(left) != 1 || left[0] != reason {
		w.Errorf("the match was told %v, want %v", left, reason)
	}
	if err := c.progress.over(); reason == wire.ReasonLeft && err != errClientClosed {
		w.Errorf("the client: %v", err)
	} else if reason != wire.ReasonLeft {
		w.closed(err, reason)
	}
}

// "The sender of a CLOSE MUST repeat it" PROTOCOL.md 5.5: of the copies any one is enough, on
// either side, and whoever waits for the answer waits no longer than that takes.
func TestEveryCopyLostButOne(t *testing.T) {
	t.Parallel()
	const latency = 20 * time.Millisecond
	at := [...]time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond}
	for name, ending := range waysToEnd {
		for survivor := range at {
			for serving, start := range map[string]func(*world, ...func(*Config)) *Server{"Serve": (*world).serve, "Poll": (*world).tick} {
				t.Run(fmt.Sprint(name, " of ", serving, ", only copy ", survivor), func(t *testing.T) {
					both(t, func(w *world) {
						w.net.SetImpairment(netsim.Impairment{Latency: latency})
						start(w)
						c := w.dial(1)
						time.Sleep(time.Second)
						copies, numbers := 0, map[string]bool{}
						w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
							if from.Addr() != ending.by || !isClose(b) {
								return true
							}
							numbers[string(b[3:11])] = true
							copies++
							return copies == survivor+1
						})
						begun := time.Now()
						if err := ending.end(w, c); err != nil {
							t.Error(err)
						}
						if d := time.Since(begun); name != "Kick" && (d < at[survivor]+2*latency || d > at[survivor]+2*latency+time.Second/30) {
							t.Errorf("it took %v", d)
						}
						synctest.Wait()
						w.knows(c, ending.reason)
						time.Sleep(3 * time.Second)
						w.net.Tap(nil)
						if copies != survivor+1 || len(numbers) != copies {
							t.Errorf("%d copies under %d record numbers, want %d", copies, len(numbers), survivor+1)
						}
					})
				})
			}
		}
	}
}

// "until a close_notify comes or 1 s has passed" PROTOCOL.md 5.5. Who is not answered at all is done by then, be the other
// end gone or only its answers.
func TestNobodyAnswersClose(t *testing.T) {
	t.Parallel()
	for name, ending := range waysToEnd {
		for what, lost := range map[string]func(from netip.AddrPort, b []byte) bool{
			"answers":    func(from netip.AddrPort, b []byte) bool { return from.Addr() != ending.by && isAlert(b) },
			"everything": func(netip.AddrPort, []byte) bool { return true },
		} {
			t.Run(name+", lost: "+what, func(t *testing.T) {
				virtual(t, func(w *world) {
					w.serve()
					c := w.dial(1)
					time.Sleep(time.Second)
					copies, others := 0, 0
					w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
						if isClose(b) && from.Addr() == ending.by {
							copies++
						} else {
							others++
						}
						return !lost(from, b)
					})
					begun := time.Now()
					if err := ending.end(w, c); err != nil {
						t.Error(err)
					}
					if d := time.Since(begun); d != closeTime {
						t.Errorf("it took %v", d)
					}
					synctest.Wait()
					if what == "answers" {
						w.knows(c, ending.reason)
					}
					w.net.Tap(nil)
					// To each copy an answer, the close_notify of the end without one, and a server's NOTICE.
					most := copies + 1
					if name == "Shutdown" {
						most++
					}
					if copies != len(closeWaits) || what == "answers" && others > most {
						t.Errorf("%d copies, %d other datagrams", copies, others)
					}
				})
			})
		}
	}
}

// On a path that loses one datagram in twenty everybody is told within a second, by whatever end, and nobody finds out by
// silence.
func TestCloseUnderLoss(t *testing.T) {
	t.Parallel()
	const n = 20
	for name, ending := range waysToEnd {
		for seed := range uint64(5) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				virtual(t, func(w *world) {
					w.net.Close()
					w.net = netsim.New(seed)
					w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
					s := w.serve()
					var clients []*Client
					for i := range n {
						clients = append(clients, w.dial(i, quietClient))
					}
					time.Sleep(time.Second)
					w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond, Loss: 0.05})
					begun := time.Now()
					switch name {
					case "Kick":
						for i := range n {
							w.match.player(i).Kick(wire.ReasonKicked)
						}
					case "Shutdown":
						if err := s.Shutdown(context.Background()); err != nil {
							t.Error(err)
						}
					case "Close":
						var all sync.WaitGroup
						for _, c := range clients {
							all.Go(func() { c.Close() })
						}
						all.Wait()
					}
					if d := time.Since(begun); d > closeTime {
						t.Errorf("it took %v", d)
					}
					time.Sleep(closeTime - time.Since(begun))
					synctest.Wait()
					if left := w.match.left(); len(left) != n {
						t.Errorf("%d have left", len(left))
					}
					for _, c := range clients {
						if err := c.progress.over(); name != "Close" {
							w.closed(err, ending.reason)
						}
					}
				})
			})
		}
	}
}

// Shutdown sees everybody off although the game has stopped calling Poll: on every path it takes no longer than the answers.
func TestShutdownWithoutPoll(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		s := w.listen()
		polling, stop := make(chan struct{}), make(chan struct{})
		w.serving.Go(func() {
			defer close(polling)
			for h := w.match.handler(); ; {
				select {
				case <-stop:
					return
				case <-time.After(time.Second / 60):
					_, _ = s.Poll(h)
					s.Flush()
				}
			}
		})
		var clients []*Client
		for i := range 10 {
			clients = append(clients, w.dial(i, quietClient))
		}
		close(stop)
		<-polling
		first := map[netip.AddrPort]bool{}
		w.net.Tap(func(_, to netip.AddrPort, b []byte) bool {
			if !isClose(b) {
				return true
			}
			known := first[to]
			first[to] = true
			return known
		})
		begun := time.Now()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if d := time.Since(begun); d < 140*time.Millisecond || d > 140*time.Millisecond+2*partingInterval {
			t.Errorf("it took %v, want 100 ms to the second copy and a round trip", d)
		}
		for _, c := range clients {
			w.closed(c.progress.over(), wire.ReasonShutdown)
		}
	})
}

// "If ctx ends later, it returns ctx's error, too."
func TestShutdownCutShort(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.serve()
		w.dial(1)
		w.net.Tap(func(netip.AddrPort, netip.AddrPort, []byte) bool { return false })
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 300*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		w.net.Tap(nil)
	})
}

// Two ends that say CLOSE at once, and copies of all that they say, come to rest: nothing is answered for ever, and what is
// remembered of them goes.
func TestClosesCross(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond, Duplicate: 0.5})
		s := w.serve()
		c := w.dial(1)
		time.Sleep(time.Second)
		said := 0
		w.net.Tap(func(netip.AddrPort, netip.AddrPort, []byte) bool { said++; return true })
		w.match.player(0).Kick(wire.ReasonKicked)
		begun := time.Now()
		c.Close()
		if d := time.Since(begun); d > 50*time.Millisecond {
			t.Errorf("Close took %v", d)
		}
		time.Sleep(lingerTime + 2*dtls.SweepInterval)
		w.net.Tap(nil)
		if said > 8 {
			t.Errorf("%d datagrams", said)
		}
		sh := s.first()
		sh.Turns.Begin(nil)
		if n := sh.Holdings().Conns; n != 0 || !sh.endings.next().IsZero() {
			t.Errorf("%d connections are left", n)
		}
		sh.Turns.End()
	})
}

// "What does not authenticate has no effect" PROTOCOL.md 5.5: neither an altered close_notify nor one in the clear nor a
// copy of an old one ends the repetition of a CLOSE.
func TestForgedAnswers(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		w.serve()
		c := w.dial(1)
		time.Sleep(time.Second)
		copies := 0
		w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
			switch {
			case isClose(b):
				copies++
			case isAlert(b):
				for i := range b {
					forged := append([]byte(nil), b...)
					forged[i] ^= 1
					w.net.Inject(from, to, forged)
				}
				clear := append([]byte{byte(record.Alert), 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2}, record.CloseNotify[:]...)
				w.net.Inject(from, to, clear)
				return false
			}
			return true
		})
		w.match.player(0).Kick(wire.ReasonKicked)
		time.Sleep(2 * closeTime)
		w.net.Tap(nil)
		if copies != len(closeWaits) {
			t.Errorf("%d copies, want all %d", copies, len(closeWaits))
		}
		w.knows(c, wire.ReasonKicked)
	})
}

// Whom a server refuses hears why, not that the connection is over, even if the first copies get lost.
func TestRefusalIsRepeated(t *testing.T) {
	t.Parallel()
	for survivor := range 4 {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
			w.serve(func(c *Config) { c.Session.Scope = "another match" })
			copies := 0
			w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
				if from != serverAddr || !isClose(b) {
					return true
				}
				copies++
				return copies > survivor
			})
			begun := time.Now()
			_, err := w.try(1)
			w.closed(err, wire.ReasonScope)
			if d := time.Since(begun); d > 2*closeTime {
				t.Errorf("it took %v", d)
			}
			w.net.Tap(nil)
		})
	}
}
