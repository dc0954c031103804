package transport

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/netsim"
)

// "Before the cookie has come back the server MUST NOT send more bytes to an address than it got
// from it." PROTOCOL.md 9.1
func TestNoAmplification(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		toServer, _ := w.tap(2)
		w.dial(2).Close()
		synctest.Wait()
		first, second := (*toServer)[0], slices.Clone((*toServer)[1])
		second[len(second)-1]++
		victim := playerAddr(1)
		for name, sent := range map[string][][]byte{
			"one":          {first},
			"shortest":     {shortest(first)},
			"repeated":     slices.Repeat([][]byte{first}, 100),
			"other cookie": append([][]byte{first}, slices.Repeat([][]byte{second}, 100)...),
			"cookie first": slices.Repeat([][]byte{second}, 100),
			"two at once":  {slices.Concat(first, first)},
			"other kinds":  {rec(21, 0, 0, 2, 0), rec(23, 1, 0, make([]byte, 60)...), rec(22, 0, 0, make([]byte, 200)...), {}},
		} {
			var in, out atomic.Int64
			w.net.Tap(func(_, to netip.AddrPort, b []byte) bool {
				if out.Add(int64(len(b))); to != victim {
					w.Errorf("%s: sent to %v", name, to)
				}
				if out.Load() > in.Load() {
					w.Errorf("%s: %d bytes answer %d", name, out.Load(), in.Load())
				}
				return true
			})
			for i, b := range sent {
				in.Add(int64(len(b)))
				w.net.Inject(victim, serverAddr, b)
				if i%10 == 0 {
					time.Sleep(300 * time.Millisecond)
				}
			}
			synctest.Wait()
			before := out.Load()
			time.Sleep(defaultHandshakeTimeout)
			synctest.Wait()
			if out.Load() != before && len(sent) == 1 {
				w.Errorf("%s: %d bytes more without being asked", name, out.Load()-before)
			}
			w.net.Tap(nil)
			time.Sleep(time.Minute)
		}
	})
}

// shortest is a ClientHello cut to the least that is taken for one.
func shortest(hello []byte) []byte {
	for n := range hello {
		b := slices.Clone(hello[:n])
		if n < 25 {
			continue
		}
		b[12], b[16], b[24] = byte(n-13), byte(n-25), byte(n-25)
		b[11], b[15], b[23] = 0, 0, 0
		if handshake.IsFirstHello(b) {
			return b
		}
	}
	return hello
}

// The same while an honest handshake is on its way, lossy as may be.
func TestNoAmplificationBeforeCookie(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		w.net.SetImpairment(netsim.Impairment{Latency: 100 * time.Millisecond, Duplicate: 0.5, Reorder: 0.2})
		for n := range 20 {
			in, out, proven := 0, 0, false
			w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
				switch {
				case proven:
				case from != serverAddr: // more than arrives, if it is lost: not counted until then
					in += len(b)
				case b[13] == 2: // ServerHello
					proven = true
				default:
					if out += len(b); out > in {
						w.Errorf("%d bytes answer %d", out, in)
					}
				}
				return true
			})
			w.dial(n).Close()
			synctest.Wait()
			if !proven || out == 0 {
				w.Error("no cookie was exchanged")
			}
			time.Sleep(time.Second)
		}
	})
}
