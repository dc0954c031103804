package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
)

// A client that crashes in the middle of its handshake and returns from the same
// port is served: at once while its cookie has not come back, else when the old
// handshake's time is over.
func TestReturnDuringHandshake(t *testing.T) {
	t.Parallel()
	for _, crash := range []int{1, 3} { // after the second, the old handshake's last flight misleads the new client: Dial again
		t.Run(fmt.Sprint("after datagram ", crash), func(t *testing.T) {
			virtual(t, func(w *world) {
				w.serve()
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				sent := 0
				ctx, cancel := context.WithCancel(w.Context())
				w.net.Tap(func(from, _ netip.AddrPort, _ []byte) bool {
					if from != playerAddr(1) {
						return true
					}
					if sent++; sent > crash {
						cancel()
					}
					return sent <= crash
				})
				_, err := Dial(ctx, serverAddr.String(), ClientConfig{
					Conn: w.socket(playerAddr(1)), Token: w.tokens(grantFor(1)),
					RootCAs: w.authority.Pool(), ServerName: testkit.ServerName,
				})
				if !errors.Is(err, ErrTimeout) {
					w.Fatal("it has not crashed:", err)
				}
				w.net.Tap(nil)
				start := time.Now()
				w.echo(w.dial(1), "hello")
				if d := time.Since(start); d > defaultHandshakeTimeout+2*dtls.SweepInterval || crash == 1 && d > time.Second {
					w.Errorf("served after %v", d)
				}
			})
		})
	}
}

// A forged ClientHello in the name of somebody who comes then does not keep him
// out.
func TestForgedHelloFirst(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		hello := w.firstHello()
		for n := range 10 {
			w.net.Inject(playerAddr(n), serverAddr, hello)
			synctest.Wait()
			start := time.Now()
			c := w.dial(n)
			if d := time.Since(start); d > time.Second {
				w.Errorf("served after %v", d)
			}
			c.Close()
		}
	})
}
