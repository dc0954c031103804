package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
)

// tape is every datagram of a direction, as it was sent.
type tape [][]byte

// tap records both directions between player n and the server.
func (w *world) tap(n int) (toServer, toClient *tape) {
	toServer, toClient = new(tape), new(tape)
	w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
		switch {
		case from == playerAddr(n):
			*toServer = append(*toServer, slices.Clone(b))
		case to == playerAddr(n):
			*toClient = append(*toClient, slices.Clone(b))
		}
		return true
	})
	return toServer, toClient
}

// rec is a record as anybody can write it.
func rec(typ record.ContentType, epoch uint16, seq uint64, body ...byte) []byte {
	return testkit.Rec(typ, epoch, seq, body...)
}

// "Nothing that is not authenticated ends a connection." PROTOCOL.md 9.2: the
// player whose address is forged, and the server's, notice nothing.
func TestForgeries(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		toServer, toClient := w.tap(1)
		c := w.dial(1)
		w.echo(c, "genuine")
		synctest.Wait()
		w.net.Tap(nil)
		for name, datagrams := range testkit.Forgeries(*toServer) {
			w.inject(c, "to server: "+name, playerAddr(1), serverAddr, datagrams)
		}
		for name, datagrams := range testkit.Forgeries(*toClient) {
			w.inject(c, "to client: "+name, serverAddr, playerAddr(1), datagrams)
		}
		if s := c.Stats(); s.Received != s.Sent {
			w.Errorf("%+v", s)
		}
		if n := w.match.count("genuine"); n != 1 {
			w.Errorf("a datagram was replayed %d times", n-1)
		}
		if s := w.server.Stats(); s.Drops["record"] == 0 || s.Drops["size"] == 0 || s.Drops["rate"] != 0 {
			w.Errorf("%v", s.Drops)
		}
		w.quiet()
	})
}

func (w *world) inject(c *Client, name string, from, to netip.AddrPort, datagrams [][]byte) {
	w.Helper()
	for i, b := range datagrams {
		w.net.Inject(from, to, b)
		if i%64 == 0 || len(datagrams) < 64 {
			w.echo(c, fmt.Sprint(name, " ", i))
		}
	}
	w.echo(c, name+": done")
}

// "The record window is updated here, once the record has opened" PROTOCOL.md 4.2: a damaged copy
// ahead of each genuine datagram uses up nothing that the original needs.
func TestDamagedCopiesFirst(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		i := 0
		w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
			damaged := slices.Clone(b)
			damaged[i/8%len(b)] ^= 1 << (i % 8)
			w.net.Inject(from, to, damaged)
			i++
			return true
		})
		for range 1000 {
			w.echo(c, "payload")
			time.Sleep(5 * time.Millisecond) // the session's rate
		}
		w.quiet()
	})
}

// A datagram of one player is worth nothing from another's address.
func TestForeignAddress(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		a, b := w.dial(1), w.dial(2)
		toServer, toClient := w.tap(1)
		w.echo(a, "a")
		w.net.Tap(nil)
		for _, d := range *toServer {
			w.net.Inject(playerAddr(2), serverAddr, d)
			w.net.Inject(thief, serverAddr, d)
		}
		for _, d := range *toClient {
			w.net.Inject(thief, playerAddr(1), d)
			w.net.Inject(serverAddr, playerAddr(2), d)
		}
		w.echo(b, "b")
		w.echo(a, "c")
		if w.match.count("a") != 1 || w.server.Stats().Drops["record"] != 2 {
			w.Error(w.match.count("a"), w.server.Stats())
		}
		w.quiet()
	})
}

// "The former connection ends only when the new handshake is complete." PROTOCOL.md 9.6: a
// ClientHello in a player's name ends nothing.
func TestForgedHello(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		hellos, _ := w.tap(2)
		w.dial(2)
		synctest.Wait()
		first, second := (*hellos)[0], (*hellos)[1]
		w.net.Tap(nil)
		c := w.dial(1)
		for i := range 60 { // each opens a handshake, once the one before has timed out
			w.net.Inject(playerAddr(1), serverAddr, first)
			w.net.Inject(playerAddr(1), serverAddr, second)
			for j := range 4 {
				w.echo(c, fmt.Sprint(i, j))
				time.Sleep(time.Second / 4)
			}
		}
		w.quiet()
		if s := w.server.Stats(); s.Handshakes.Started < 10 || s.Handshakes.Completed != 2 {
			w.Errorf("%+v", s.Handshakes)
		}
	})
}

// "A player who comes again from the same address is served" (RFC 6347 4.2.8),
// while his old session still seems to live, and the old one ends then.
func TestReturnFromSamePort(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		first := w.dial(1)
		w.echo(first, "first")
		first.socket.conn.Load().Close() // a crash: no CLOSE, no close_notify
		start := time.Now()
		second := w.dial(1)
		if d := time.Since(start); d > time.Second {
			w.Errorf("served after %v", d)
		}
		w.echo(second, "second")
		if left := w.match.left(); len(left) != 1 || left[0] != wire.ReasonReplaced {
			w.Errorf("left: %v", left)
		}
		if s := w.server.Stats(); s.Sessions != 1 || s.SessionsPeak != 1 {
			w.Errorf("%+v", s)
		}
		if n := w.audited("replace"); n != 1 {
			w.Errorf("%d records of the replacement: %+v", n, w.audit.all())
		}
		if err := w.match.player(0).Send(nil); err != ErrGone {
			w.Error(err)
		}
		time.Sleep(time.Minute)
		w.echo(second, "still here")
	})
}

// "While a second handshake runs on an address, the old keys are tried first": what does not open under
// them, for which it is new as well, is whole for the new ones.
func TestReturnUnderNewKeys(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		var dropped atomic.Bool
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
			return b[0] != byte(record.ApplicationData) || dropped.Swap(true) // the old HELLO's first record is lost
		})
		first := w.dial(1)
		first.socket.conn.Load().Close()
		start := time.Now()
		w.echo(w.dial(1), "second")
		if d := time.Since(start); d != 0 {
			w.Errorf("served after %v: HELLO had to be repeated", d)
		}
	})
}
