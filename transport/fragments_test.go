package transport

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/udp"
)

// greeter is a stranger that makes ClientHellos by hand, at an address of its own.
type greeter struct {
	w      *world
	socket interface {
		WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
		ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
		SetReadDeadline(time.Time) error
		Close() error
	}
	patience time.Duration // in which to hear something
	random   byte
	number   uint16 // of the next record
	in, out  int    // bytes, before the cookie
}

func (w *world) greeter(addr netip.AddrPort) *greeter {
	return &greeter{w: w, socket: w.socket(addr), patience: time.Millisecond, random: byte(addr.Port())}
}

// hello is a ClientHello with the suites and extensions that it is given.
func (g *greeter) hello(cookie []byte, suites []uint16, extensions ...[]byte) []byte {
	b := append([]byte{0xfe, 0xfd}, slices.Repeat([]byte{g.random}, 32)...)
	b = append(append(append(b, 0, byte(len(cookie))), cookie...), 0, byte(2*len(suites)))
	for _, s := range suites {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	all := slices.Concat(extensions...)
	return append(binary.BigEndian.AppendUint16(append(b, 1, 0), uint16(len(all))), all...)
}

// usual are a group, the extended master secret, and what clients of DTLS 1.3 add: versions, and a key share of
// X25519MLKEM768.
var usual = [][]byte{
	{0, 10, 0, 4, 0, 2, 0, 23},
	{0, 23, 0, 0},
	{0, 43, 0, 5, 4, 0xfe, 0xfc, 0xfe, 0xfd},
	append([]byte{0, 51, 4, 198, 4, 196, 0x11, 0xec, 4, 192}, make([]byte, 1216)...),
}

// fragments cuts a ClientHello into datagrams with n bytes of it each.
func (g *greeter) fragments(seq byte, body []byte, n int) (out [][]byte) {
	for from := 0; from < len(body); from += n {
		to := min(from+n, len(body))
		b := []byte{22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, byte(g.number >> 8), byte(g.number), 0, 0}
		binary.BigEndian.PutUint16(b[11:], uint16(12+to-from))
		b = append(b, 1, 0, byte(len(body)>>8), byte(len(body)), 0, seq, 0, byte(from>>8), byte(from), 0, byte((to-from)>>8), byte(to-from))
		g.number++
		out = append(out, append(b, body[from:to]...))
	}
	return out
}

func (g *greeter) send(datagrams ...[]byte) {
	for _, b := range datagrams {
		g.in += len(b)
		_, _ = g.socket.WriteToUDPAddrPort(b, g.w.server.Addr())
	}
	if g.w.net != nil {
		synctest.Wait()
	}
}

// hear returns the next datagram that has come, nil if none has.
func (g *greeter) hear() []byte {
	b := make([]byte, udp.BufferLen)
	_ = g.socket.SetReadDeadline(time.Now().Add(g.patience))
	n, _, err := g.socket.ReadFromUDPAddrPort(b)
	if err != nil {
		return nil
	}
	g.out += n
	return b[:n]
}

// ask sends a first ClientHello and returns the cookie.
func (g *greeter) ask(datagrams ...[]byte) []byte {
	g.w.Helper()
	g.send(datagrams...)
	b := g.hear()
	if len(b) < 28 || b[13] != 3 || g.out > g.in {
		g.w.Fatalf("a ClientHello of %d bytes is answered by %x", g.in, b)
	}
	return b[28:]
}

// "Before the cookie has come back the server MUST NOT send more bytes to an address than it got
// from it." PROTOCOL.md 9.1, also for a ClientHello in fragments, which is then served: the
// server's flight comes.
func TestFragmentedHello(t *testing.T) {
	t.Parallel()
	for _, size := range []int{60, 203, 1000} {
		virtual(t, func(w *world) {
			w.serve()
			g := w.greeter(stranger(1))
			defer g.socket.Close()
			suites := []uint16{0xc02b}
			cookie := g.ask(g.fragments(0, g.hello(nil, suites, usual...), size)[0])
			if b := g.hear(); b != nil {
				w.Errorf("and by %x", b)
			}
			parts := g.fragments(1, g.hello(cookie, suites, usual...), size)
			for _, b := range parts[1:] {
				g.send(b) // nothing of them is kept
			}
			if b := g.hear(); b != nil || w.server.first().Handshakes.At(udp.Flow{AddrPort: stranger(1)}).Proven() {
				w.Errorf("fragments without a cookie are answered by %x", b)
			}
			g.send(parts[0])
			g.send(g.fragments(1, g.hello(cookie, suites, usual...), size)[1:]...)
			if b := g.hear(); len(b) < 14 || b[13] != 2 { // ServerHello
				w.Errorf("fragments of %d bytes are answered by %x", size, b)
			}
		})
	}
}

// "The server assembles only a ClientHello that carries the cookie: once its first fragment has
// brought the cookie, one at a time for each address, at most 4,096 bytes, within the limits of
// half-open handshakes." PROTOCOL.md 9.1
func TestFragmentsAreUnproven(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve(func(c *Config) { c.MaxUnproven = 3 })
		var greeters []*greeter
		for i := range 3 {
			g := w.greeter(stranger(i))
			defer g.socket.Close()
			greeters = append(greeters, g)
			cookie := g.ask(g.fragments(0, g.hello(nil, []uint16{0xc02b}, usual...), 500)[0])
			g.send(g.fragments(1, g.hello(cookie, []uint16{0xc02b}, usual...), 500)[0])
		}
		late := w.greeter(stranger(4))
		defer late.socket.Close()
		late.send(late.fragments(0, late.hello(nil, []uint16{0xc02b}, usual...), 500)[0])
		if b := late.hear(); !retry.IsRetry(b) || w.server.Stats().Handshakes.Started != 3 {
			w.Errorf("a fourth is answered by %x", b)
		}
		for _, g := range greeters {
			if g.hear() != nil {
				w.Error("half a ClientHello is answered")
			}
		}
	})
}
