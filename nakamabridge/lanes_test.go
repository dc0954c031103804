package nakamabridge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// "A reliable broadcast on lane 0 arrives exactly once, in the order of the broadcasts, whatever their
// op codes", and of any size: one that is deferred comes behind those of its tick.
func TestReliable(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.seat("ben")
		bad := netsim.Impairment{Latency: 30 * time.Millisecond, Loss: 0.1}
		ben.line.SetImpairment(bad)
		ben.line.SetIncoming(bad)
		w.stage.join(w.signIn("cleo"))
		const ticks = 60
		var want []string
		for i := range ticks {
			w.tick(func(d runtime.MatchDispatcher) {
				d.BroadcastMessageDeferred(9, []byte("late"), nil, nil, true)
				d.BroadcastMessage(int64(1+i%3), numbered(i, 6144), nil, nil, true)
				d.BroadcastMessage(500, []byte("small"), nil, nil, true)
			})
			want = append(want, fmt.Sprintf("lane 0 %d 6144 bytes from %d", 1+i%3, 1000+i), "lane 0 500 small", "lane 0 9 late")
		}
		time.Sleep(10 * time.Second)
		if got := ben.take(); !slices.Equal(got, want) {
			t.Errorf("%d came, want %d:\n\t%s", len(got), len(want), strings.Join(got, "\n\t"))
		}
		if n := len(w.stage.sent); n != 3*ticks {
			t.Errorf("%d came by the socket, want %d", n, 3*ticks)
		}
		if s := w.bridge.Stats(); s.Oversized != 0 || s.Undelivered != 0 || s.Behind != 0 || w.log.String() != "" {
			t.Errorf("counted are %+v; log: %s", s, w.log)
		}
	})
}

// "Those of one call share datagrams"
func TestBroadcastsShareDatagrams(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.seat("ben")
		time.Sleep(100 * time.Millisecond)
		for _, later := range []bool{false, true} {
			synctest.Wait()
			before := w.bridge.server.Stats().Sent
			w.tick(func(d runtime.MatchDispatcher) {
				broadcast := d.BroadcastMessage
				if later {
					broadcast = d.BroadcastMessageDeferred
				}
				for op := range int64(3) {
					broadcast(op, []byte("event"), nil, nil, true)
				}
			})
			if n := w.bridge.server.Stats().Sent - before; n != 1 {
				t.Errorf("deferred %v: %d datagrams for three broadcasts", later, n)
			}
			if got := ben.take(); len(got) != 3 {
				t.Errorf("deferred %v: %q came", later, got)
			}
		}
	})
}

// A reliable broadcast to many clients without lanes leaves for all of them at once.
func TestBroadcastWithoutLanesLeavesTogether(t *testing.T) {
	t.Parallel()
	var conn countedConn
	virtually(t, func(w *world) {
		for _, name := range []string{"ann", "ben", "cleo"} {
			w.dial(w.signIn(name), "")
		}
		w.settle()
		synctest.Wait()
		var to []runtime.Presence
		for _, p := range w.stage.arena.players {
			to = append(to, watchedPresence{p, func() { conn.asked = append(conn.asked, conn.written.Load()) }})
		}
		before := conn.written.Load()
		w.tick(func(d runtime.MatchDispatcher) { d.BroadcastMessage(1, []byte("event"), to, nil, true) })
		if early := conn.asked[len(to)-1] - before; early != 0 || conn.written.Load()-before != int64(len(to)) {
			t.Errorf("%d datagrams, %d of them before the last player is looked at", conn.written.Load()-before, early)
		}
	}, func(c *Config) {
		conn.Conn = c.Conn.(*netsim.Conn)
		c.Conn = &conn
	})
}

// "which leave at its end, or before: within 250 ms": also where the handler takes its time, or panics
// and somebody recovers. What another goroutine broadcasts between two calls leaves at once.
func TestBroadcastsLeave(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.seat("ben")
		want := func(when string, within time.Duration, want ...string) {
			t.Helper()
			time.Sleep(within)
			if got := ben.take(); !slices.Equal(got, want) {
				t.Errorf("%s: %q came, want %q", when, got, want)
			}
		}
		say := func(d runtime.MatchDispatcher, text string) { d.BroadcastMessage(1, []byte(text), nil, nil, true) }
		var d runtime.MatchDispatcher
		w.tick(func(now runtime.MatchDispatcher) {
			d = now
			say(d, "slow")
			want("amid a call", 250*time.Millisecond, "lane 0 1 slow")
			say(d, "end")
		})
		want("at its end", 0, "lane 0 1 end")
		say(d, "between")
		want("between calls", time.Millisecond, "lane 0 1 between")
		func() {
			defer func() { recover() }() //nolint:errcheck // the test's own
			w.tick(func(d runtime.MatchDispatcher) {
				say(d, "panic")
				panic("a handler's")
			})
		}()
		want("after a panic", 250*time.Millisecond, "lane 0 1 panic")
	})
}

// "Any other arrives at most once or not at all": what a blackout has taken is not sent again, while
// a reliable broadcast waits for its end.
func TestUnreliableLane(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.seat("ben")
		say := func(i int) {
			w.tick(func(d runtime.MatchDispatcher) {
				d.BroadcastMessage(1, numbered(i, 6144), nil, nil, false)
				d.BroadcastMessage(2, []byte("small"), nil, nil, false)
				d.BroadcastMessage(4, []byte("event"), nil, nil, i != 1)
			})
		}
		say(0)
		time.Sleep(time.Second)
		ben.line.SetIncoming(netsim.Impairment{Loss: 1})
		say(1)
		w.tick(func(d runtime.MatchDispatcher) { d.BroadcastMessage(3, []byte("event"), nil, nil, true) })
		time.Sleep(30 * time.Millisecond) // far less than matchdata.UnreliableAge
		ben.line.SetIncoming(netsim.Impairment{})
		time.Sleep(2 * time.Second)
		say(2)
		time.Sleep(time.Second)
		got := ben.take()
		slices.Sort(got)
		if want := []string{
			"lane 0 3 event", "lane 0 4 event", "lane 0 4 event", "lane 1 1 6144 bytes from 1000", "lane 1 1 6144 bytes from 1002",
			"payload 2 small", "payload 2 small",
		}; !slices.Equal(got, want) {
			t.Errorf("came\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	})
}

// The table of lanes, to the byte; beyond it a broadcast is logged and counted, and returns no error.
func TestLaneLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op       int64
		data     int
		reliable bool
		way      string // "" if it does not arrive
	}{
		{1, 0, true, "lane 0"},
		{1, matchdata.MaxReliable - 1, true, "lane 0"},
		{1, matchdata.MaxReliable, true, ""},
		{300, matchdata.MaxReliable - 1, true, ""},
		{-1, 1, true, ""},
		{1, transport.MaxPayload - 1, false, "payload"},
		{1, transport.MaxPayload, false, "lane 1"},
		{1, matchdata.MaxUnreliable - 1, false, "lane 1"},
		{1, matchdata.MaxUnreliable, false, ""},
		{7, transport.MaxPayload - 1, true, "payload"}, // Config.Unreliable
		{7, transport.MaxPayload, true, "lane 1"},
	} {
		t.Run(fmt.Sprintf("op %d, %d bytes, reliable %v", c.op, c.data, c.reliable), func(t *testing.T) {
			t.Parallel()
			virtually(t, func(w *world) {
				ben := w.seat("ben")
				w.tick(func(d runtime.MatchDispatcher) {
					for _, broadcast := range []func(int64, []byte, []runtime.Presence, runtime.Presence, bool) error{
						d.BroadcastMessage, d.BroadcastMessageDeferred,
					} {
						if err := broadcast(c.op, make([]byte, c.data), nil, nil, c.reliable); err != nil {
							t.Error(err)
						}
					}
				})
				time.Sleep(time.Second)
				got, missed := ben.take(), w.bridge.Stats().Undelivered
				if c.way == "" && (len(got) > 0 || missed != 2 || strings.Count(w.log.String(), "too large for UDP") != 1) {
					t.Errorf("%q came, %d are counted; log: %s", got, missed, w.log)
				}
				if c.way != "" && (len(got) != 2 || got[0] != got[1] || !strings.HasPrefix(got[0], c.way+" ") || missed != 0) {
					t.Errorf("%q came, want two by %s; %d are counted", got, c.way, missed)
				}
			}, func(config *Config) { config.Unreliable = func(op int64) bool { return op == 7 } })
		})
	}
}

// A player who has a socket and UDP gets by socket what is reliable, and by lane 1 what is not and
// fits no datagram; with the sender's id where the client has asked for it.
func TestLanesBesideSocket(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		anna := w.signIn("anna")
		sid := w.stage.join(anna).GetSessionId()
		r, err := w.connectWith(anna, sid, `{"match_id":"`+w.stage.id+`","sender":true}`)
		if err != nil {
			t.Fatal(err)
		}
		w.lanes = true
		c, err := w.try(r, once(r.Token))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		go c.Serve(transport.ClientHandler{Message: func(lane int, _ uint64, b []byte) { //nolint:errcheck // the test's end
			op, data, _ := matchdata.Parse(b)
			got = append(got, fmt.Sprintf("lane %d %d %x %d", lane, op, data[:16], len(data)-16))
		}})
		w.settle()
		w.tick(func(d runtime.MatchDispatcher) {
			d.BroadcastMessage(1, numbered(0, 6144), nil, w.stage.sockets[sid], false)
			d.BroadcastMessage(2, []byte("event"), nil, nil, true)
			d.BroadcastMessage(3, make([]byte, matchdata.MaxUnreliable-16), nil, nil, false)
		})
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []string{fmt.Sprintf("lane 1 1 %x 6144", senderID(w.stage.sockets[sid]))}; !slices.Equal(got, want) {
			t.Errorf("by UDP came %q, want %q", got, want)
		}
		if n := len(w.stage.sent); n != 2 || w.stage.sent[0] != "anna 2 event" || w.bridge.Stats().Oversized != 1 {
			t.Errorf("%d came by socket, want what is reliable and what is too large", n)
		}
	})
}

// "Without them it gets what fits one datagram, and that unreliably", beside one that has them.
func TestWithoutLanes(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		old := w.dial(w.signIn("old"), "")
		ben := w.seat("ben")
		w.tick(func(d runtime.MatchDispatcher) {
			d.BroadcastMessage(1, numbered(0, 6144), nil, nil, true)
			d.BroadcastMessage(2, []byte("small"), nil, nil, true)
		})
		time.Sleep(time.Second)
		if got := ben.take(); !slices.Equal(got, []string{"lane 0 1 6144 bytes from 1000", "lane 0 2 small"}) {
			t.Errorf("with lanes came %q", got)
		}
		if op, data := w.receive(old); op != 2 || data != "small" || old.Stats().Received != 1 {
			t.Errorf("without lanes came %d %q, of %d", op, data, old.Stats().Received)
		}
		if s := w.bridge.Stats(); s.Oversized != 1 || s.Undelivered != 1 || strings.Count(w.log.String(), "op code 1 ") != 1 {
			t.Errorf("counted are %+v; log: %s", s, w.log)
		}
	})
}

// "If more than its queue waits on lane 0 for a player, its session ends": the others notice nothing, the game sees
// what it sees of a socket, and the player comes back at once.
func TestBehind(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben, dora := w.seat("ben"), w.seat("dora")
		w.stage.arena.log = nil
		ben.line.SetIncoming(netsim.Impairment{Loss: 1})
		sent := 0
		for ; w.bridge.Stats().Behind == 0 && sent < 1000; sent++ {
			w.tick(func(d runtime.MatchDispatcher) {
				d.BroadcastMessage(1, numbered(sent, 10_000), nil, nil, true)
				for range 2 { // out once is out
					d.BroadcastMessageDeferred(1, numbered(sent, 10_000), nil, nil, true)
				}
			})
		}
		if waited := sent * 3 * 10_000; waited < matchdata.ReliableQueue*9/10 || waited > matchdata.ReliableQueue+30_000 {
			t.Errorf("it ended after %d bytes", waited)
		}
		ben.line.SetIncoming(netsim.Impairment{})
		w.settle()
		w.settle()
		<-ben.done
		e, ok := errors.AsType[*transport.CloseError](ben.err)
		if !ok || e.Reason != session.ReasonBusy || e.Detail != tooSlow {
			t.Errorf("the session ended with %v", ben.err)
		}
		w.want("leave ben " + fmt.Sprint(int(runtime.PresenceReasonDisconnect)))
		if s, n := w.bridge.Stats(), strings.Count(w.log.String(), "too slowly"); s.Behind != 1 || n != 1 || len(dora.take()) != 3*sent {
			t.Errorf("counted are %d, logged %d", s.Behind, n)
		}
		w.seat("ben")
		w.want("attempt ben true udp", "join ben")
	})
}
