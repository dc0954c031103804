package transport

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// during is something that a program may be doing while an end comes.
type during struct {
	what string
	// do makes the call. It returns within a second of the end.
	do func(w *world, c *Client, p *Player) error
	// closed says that after the end the error matches net.ErrClosed; else there is none to expect.
	closed bool
}

var nobody = session.Revocation{Kind: session.RevokeSubject, Issuer: "nobody's", Value: "nobody"}

// duringServer are the calls on a Server and on a Player, by method: TestTableOfCalls holds it to them.
var duringServer = []during{
	{"Server.Addr", func(w *world, _ *Client, _ *Player) error { _ = w.server.Addr(); return nil }, false},
	{"Server.Ban", func(w *world, _ *Client, _ *Player) error {
		_, err := w.server.Ban(session.Ban{Issuer: "nobody's", Subject: "nobody"})
		return err
	}, false},
	{"Server.Bans", func(w *world, _ *Client, _ *Player) error { _ = w.server.Bans(10); return nil }, false},
	{"Server.Broadcast", func(w *world, _ *Client, _ *Player) error { return w.server.Broadcast([]byte("all")) }, false},
	{"Server.BroadcastMessage", func(w *world, _ *Client, _ *Player) error {
		_, err := w.server.BroadcastMessage(0, []byte("all"))
		return err
	}, false},
	{"Server.Drain", func(w *world, _ *Client, _ *Player) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return w.server.Drain(ctx, "127.0.0.1:9")
	}, true},
	{"Server.Flush", func(w *world, _ *Client, _ *Player) error { w.server.Flush(); return nil }, false},
	{"Server.Hold", func(w *world, _ *Client, _ *Player) error { w.server.Hold(); w.server.Release(); return nil }, false},
	{"Server.Lift", func(w *world, _ *Client, _ *Player) error { w.server.Lift("nobody's", "nobody"); return nil }, false},
	{"Server.LiftEverywhere", func(w *world, _ *Client, _ *Player) error { w.server.LiftEverywhere("nobody's", "nobody"); return nil }, false},
	{"Server.Revoke", func(w *world, _ *Client, _ *Player) error { _, err := w.server.Revoke(nobody); return err }, false},
	{"Server.RevokeSession", func(w *world, _ *Client, _ *Player) error { w.server.RevokeSession(1); return nil }, false},
	{"Server.RevokeSubject", func(w *world, _ *Client, _ *Player) error { w.server.RevokeSubject("nobody's", "nobody"); return nil }, false},
	{"Server.Session", func(w *world, _ *Client, p *Player) error { w.server.Session(p.Session().ID()); return nil }, false},
	{"Server.SetCertificate", func(w *world, _ *Client, _ *Player) error {
		return w.server.SetCertificate(*w.server.certificate.Load())
	}, false},
	{"Server.Stats", func(w *world, _ *Client, _ *Player) error { _ = w.server.Stats(); return nil }, false},
	{"Server.Use", func(w *world, _ *Client, _ *Player) error {
		w.server.Use(session.Used{Kind: session.UsedToken, ID: [16]byte{1}, Until: time.Now().Add(time.Minute)})
		return nil
	}, false},
	{"Server.Visit", func(w *world, _ *Client, _ *Player) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return w.server.Visit(ctx, func(p *Player) bool { _ = p.Stats(); return true })
	}, true},
	{"Player.Addr", func(_ *world, _ *Client, p *Player) error { _ = p.Addr(); return nil }, false},
	{"Player.Budget", func(_ *world, _ *Client, p *Player) error { _ = p.Budget(); return nil }, false},
	{"Player.Delivered", func(_ *world, _ *Client, p *Player) error { _ = p.Delivered(0); return nil }, false},
	{"Player.HasLanes", func(_ *world, _ *Client, p *Player) error { _ = p.HasLanes(); return nil }, false},
	{"Player.Metadata", func(_ *world, _ *Client, p *Player) error { _ = p.Metadata(); return nil }, false},
	{"Player.Origin", func(_ *world, _ *Client, p *Player) error { _ = p.Origin(); return nil }, false},
	{"Player.Pending", func(_ *world, _ *Client, p *Player) error { p.Pending(0); return nil }, false},
	{"Player.QueueMessage", func(_ *world, _ *Client, p *Player) error { _, err := p.QueueMessage(0, []byte("one")); return err }, true},
	{"Player.Send", func(_ *world, _ *Client, p *Player) error { return cmp.Or(p.Send([]byte("one")), net.ErrClosed) }, true},
	{"Player.SendLatest", func(_ *world, _ *Client, p *Player) error { return p.SendLatest(1, 7, []byte("one")) }, true},
	{"Player.SendMessage", func(_ *world, _ *Client, p *Player) error { _, err := p.SendMessage(0, []byte("one")); return err }, true},
	{"Player.Session", func(_ *world, _ *Client, p *Player) error { _ = p.Session().Expires(); return nil }, false},
	{"Dial", func(w *world, _ *Client, _ *Player) error {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		c, err := Dial(ctx, w.server.Addr().String(), ClientConfig{RootCAs: w.authority.Pool(), Token: w.tokens(grantFor(3))})
		if err == nil {
			c.vanish()
		}
		return err
	}, false},
}

// duringClient are the calls on a Client.
var duringClient = []during{
	{"Client.Budget", func(_ *world, c *Client, _ *Player) error { _ = c.Budget(); return nil }, false},
	{"Client.Delivered", func(_ *world, c *Client, _ *Player) error { _ = c.Delivered(0); return nil }, false},
	{"Client.Expires", func(_ *world, c *Client, _ *Player) error { _ = c.Expires(); return nil }, false},
	{"Client.Flush", func(_ *world, c *Client, _ *Player) error { c.Flush(); return nil }, false},
	{"Client.HasLanes", func(_ *world, c *Client, _ *Player) error { _ = c.HasLanes(); return nil }, false},
	{"Client.Hold", func(_ *world, c *Client, _ *Player) error { c.Hold(); c.Release(); return nil }, false},
	{"Client.LocalAddr", func(_ *world, c *Client, _ *Player) error { _ = c.LocalAddr(); return nil }, false},
	{"Client.MaxPayload", func(_ *world, c *Client, _ *Player) error { _ = c.MaxPayload(); return nil }, false},
	{"Client.Pending", func(_ *world, c *Client, _ *Player) error { c.Pending(0); return nil }, false},
	{"Client.Poll", func(_ *world, c *Client, _ *Player) error { _, err := c.Poll(ClientHandler{}); return err }, true},
	{"Client.Rebind", func(_ *world, c *Client, _ *Player) error {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		return c.Rebind(conn)
	}, true},
	{"Client.Receive", func(_ *world, c *Client, _ *Player) error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		for { // "payloads that came before the end are still received"
			if _, err := c.Receive(ctx, make([]byte, MaxPayload)); err != nil {
				return err
			}
		}
	}, true},
	{"Client.Send", func(_ *world, c *Client, _ *Player) error { return c.Send([]byte("one")) }, true},
	{"Client.SendLatest", func(_ *world, c *Client, _ *Player) error { return c.SendLatest(1, 7, []byte("one")) }, true},
	{"Client.SendMessage", func(_ *world, c *Client, _ *Player) error { _, err := c.SendMessage(0, []byte("one")); return err }, true},
	{"Client.ServerTime", func(_ *world, c *Client, _ *Player) error { _ = c.ServerTime(time.Now()); return nil }, false},
	{"Client.Stats", func(_ *world, c *Client, _ *Player) error { _ = c.Stats(); return nil }, false},
}

// elsewhereTried are the methods that are no call of these tables: they are the ends themselves, what
// drives, the other half of a pair, and what may be called from a Handler alone.
var elsewhereTried = []string{
	"Server.Close", "Server.Shutdown", "Server.Serve", "Server.Poll", "Server.Release", "Player.Kick", "Player.CloseAfter", "Player.Refuse", "Player.Stats",
	"Client.Close", "Client.CloseAfter", "Client.Serve", "Client.Release",
}

// No method is forgotten in the tables.
func TestTableOfCalls(t *testing.T) {
	t.Parallel()
	known := slices.Clone(elsewhereTried)
	for _, d := range slices.Concat(duringServer, duringClient) {
		known = append(known, d.what)
	}
	for _, of := range []any{&Server{}, &Player{}, &Client{}} {
		kind := reflect.TypeOf(of)
		for method := range kind.Methods() {
			if name := kind.Elem().Name() + "." + method.Name; !slices.Contains(known, name) {
				t.Errorf("%s is in no table: what if the end comes during it, or before?", name)
			}
		}
	}
}

// holdings are the goroutines and descriptors of the process. The runtime's own descriptors, which
// come with the first socket and stay, are always among them.
func holdings(t *testing.T) (n [2]int) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return [2]int{runtime.NumGoroutine(), len(files)}
}

// nothingLeft waits until the process holds no more than before.
func nothingLeft(t *testing.T, before [2]int) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		now := holdings(t)
		if now[0] <= before[0] && now[1] <= before[1] {
			return
		}
		if time.Since(began) > patience {
			b := make([]byte, 1<<20)
			t.Fatalf("%d goroutines and %d descriptors, before %d and %d\n%s", now[0], now[1], before[0], before[1], b[:runtime.Stack(b, true)])
		}
	}
}

// vanish closes a client without a word: its goodbye would take a second when the server is gone.
func (c *Client) vanish() {
	c.socket.conn.Load().Close()
	c.Close()
}

// callers makes each call over and over, each in a goroutine of its own, until stop.
type callers struct {
	over atomic.Bool
	wg   sync.WaitGroup
	busy sync.Map // what is under way
}

func (cs *callers) start(w *world, c *Client, p *Player, calls []during) {
	for _, d := range calls {
		cs.wg.Go(func() {
			for !cs.over.Load() {
				cs.busy.Store(d.what, true)
				_ = d.do(w, c, p)
				cs.busy.Delete(d.what)
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
}

// stop fails if a call does not return.
func (cs *callers) stop(t *testing.T) {
	t.Helper()
	cs.over.Store(true)
	done := make(chan struct{})
	go func() {
		cs.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		cs.busy.Range(func(what, _ any) bool { t.Errorf("%v hangs", what); return true })
		t.FailNow()
	}
}

// after makes each call once more.
func after(w *world, c *Client, p *Player, calls []during) {
	w.Helper()
	for _, d := range calls {
		began := time.Now()
		err := d.do(w, c, p)
		if took := time.Since(began); took > 5*time.Second {
			w.Errorf("afterwards %s takes %v", d.what, took)
		}
		if d.closed && !errors.Is(err, net.ErrClosed) {
			w.Errorf("afterwards %s returns %v, want what matches net.ErrClosed", d.what, err)
		}
	}
}

// An end may come during any call, from several goroutines at once, and before any call: each returns,
// those that can say so say that it is closed, and no goroutine and no descriptor is left.
func TestEndDuringServerCalls(t *testing.T) { // not beside other tests: it counts what the process holds
	table := []Lane{{Mode: Reliable}, {Mode: Latest}}
	for name, end := range map[string]func(s *Server) error{
		"Close":    (*Server).Close,
		"Shutdown": func(s *Server) error { return s.Shutdown(context.Background()) },
		"Shutdown cut short": func(s *Server) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return s.Shutdown(ctx)
		},
	} {
		for _, poll := range []bool{false, true} {
			t.Run(map[bool]string{false: "Serve, ", true: "Poll, "}[poll]+name, func(t *testing.T) {
				before := holdings(t)
				loopback(t, func(w *world) {
					s := w.listen(func(c *Config) { c.Shards, c.Lanes = 2, table })
					w.start(s, poll)
					c := w.join(1, func(c *ClientConfig) { c.Session.Lanes = true })
					other := w.join(2)
					for w.match.joined() < 2 {
						time.Sleep(time.Millisecond)
					}
					p := w.match.player(0)
					var cs callers
					cs.start(w, c, p, duringServer)
					time.Sleep(10 * time.Millisecond)
					w.match.player(1).Kick(wire.ReasonKicked)
					p.CloseAfter(time.Minute, wire.ReasonKicked)
					errs := make(chan error, 3)
					for range cap(errs) {
						go func() { errs <- end(s) }()
					}
					for range cap(errs) {
						select {
						case err := <-errs:
							if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled) {
								t.Error(err)
							}
						case <-time.After(patience):
							t.Fatal("the end does not come")
						}
					}
					cs.stop(t)
					_ = s.Close()
					w.serving.Wait()
					if w.served != ErrServerClosed {
						t.Errorf("it ends with %v", w.served)
					}
					after(w, c, p, duringServer)
					c.vanish()
					other.vanish()
				})
				nothingLeft(t, before)
			})
		}
	}
}

// As on a server, so on a client: it is closed, the server ends the session, or somebody closes the
// socket that it was given.
func TestEndDuringClientCalls(t *testing.T) { // not beside other tests: it counts what the process holds
	table := []Lane{{Mode: Reliable}, {Mode: Latest}}
	for name, end := range map[string]func(w *world, c *Client){
		"Close":         func(_ *world, c *Client) { c.Close() },
		"Kick":          func(w *world, _ *Client) { w.match.player(0).Kick(wire.ReasonKicked) },
		"socket closed": func(_ *world, c *Client) { c.socket.conn.Load().Close() },
	} {
		for _, polls := range []bool{false, true} {
			t.Run(map[bool]string{false: "by itself, ", true: "Poll, "}[polls]+name, func(t *testing.T) {
				before := holdings(t)
				loopback(t, func(w *world) {
					s := w.listen(func(c *Config) { c.Shards, c.Lanes = 1, table })
					w.start(s, false)
					c := w.join(1, func(c *ClientConfig) { c.Session.Lanes = true })
					for w.match.joined() < 1 {
						time.Sleep(time.Millisecond)
					}
					calls := slices.DeleteFunc(slices.Clone(duringClient), func(d during) bool {
						return d.what == "Client.Poll" && !polls || d.what == "Client.Rebind" && name != "Close" // else no CLOSE ever arrives
					})
					var cs callers
					cs.start(w, c, nil, calls)
					time.Sleep(10 * time.Millisecond)
					var ends sync.WaitGroup
					for range 3 {
						ends.Go(func() { end(w, c) })
					}
					ends.Wait()
					for began := time.Now(); c.progress.over() == nil; time.Sleep(time.Millisecond) {
						if time.Since(began) > patience {
							t.Fatal("it does not end")
						}
					}
					cs.stop(t)
					after(w, c, nil, duringClient)
					c.Close()
				})
				nothingLeft(t, before)
			})
		}
	}
}
