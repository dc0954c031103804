package transport

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/netsim"
)

// "It is forged, or left over from an earlier handshake between the same addresses." PROTOCOL.md 9.1: of a handshake that
// the client has given up, HelloVerifyRequest and what follows it come in the middle of the next one, which is the last.
func TestLeftoverOfAHandshake(t *testing.T) {
	t.Parallel()
	const latency = 20 * time.Millisecond
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: latency})
		w.serve()
		var first [32]byte
		var held [][]byte
		over := false
		w.net.Tap(func(from, to netip.AddrPort, b []byte) (passes bool) {
			switch {
			case over:
			case to == serverAddr && handshake.IsFirstHello(b) && first == [32]byte{}:
				first = handshake.Random(b)
			case to == serverAddr && handshake.IsFirstHello(b) && first != handshake.Random(b):
				leftover := slices.Clone(held)
				over = true
				go func() {
					for _, b := range leftover {
						w.net.Inject(to, from, b)
						time.Sleep(time.Millisecond)
					}
				}()
			case from == serverAddr:
				held = append(held, slices.Clone(b))
				return record.ContentType(b[0]) == record.Handshake && b[record.HeaderLen] == 3 // HelloVerifyRequest
			}
			return true
		})
		start := time.Now()
		c, err := w.try(1)
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > attemptTime+dtls.HalfOpenSilence+time.Second/4 { // one that is given up, until its place is free, and one more
			t.Errorf("in after %v", d)
		}
		w.echo(c, "after all")
	})
}
