package main

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/plaindtls"
	"github.com/sallyport/sallyport/internal/retry"
)

// "A server keeps a share of its places for clients that do not answer RETRY" PROTOCOL.md 9.10: foreign
// clients, which are asked for a proof of their address because strangers have used that up, take no harm, and are
// served when they repeat their ClientHello.
func TestForeignClientsAreAsked(t *testing.T) {
	need(t)
	t.Parallel()
	f := write(t, certificates(t)["ECDSA"])
	hello := append([]byte{22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd}, make([]byte, 34)...)
	hello = append(hello, 0, 2, 0xc0, 0x2b, 1, 0) // a suite, no compression
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, address := serve(t, f)
			server, err := net.ResolveUDPAddr("udp", address)
			if err != nil {
				t.Fatal(err)
			}
			var strangers []*net.UDPConn
			for i := range plaindtls.DefaultMaxHandshakes / 16 {
				conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 2, byte(i), 1)}, server)
				if err != nil {
					t.Skip("this machine has no addresses on the loopback interface but one: ", err)
				}
				t.Cleanup(func() { conn.Close() }) //nolint:errcheck // it has served
				strangers = append(strangers, conn)
			}
			var begun, asked atomic.Bool
			through := relayTo(t, address, func(fromServer bool, b []byte) bool {
				if !fromServer && !begun.Swap(true) { // just before the client: strangers keep their places for a second
					for _, conn := range strangers {
						conn.Write(hello) //nolint:errcheck // the client is not asked then
					}
					time.Sleep(100 * time.Millisecond)
				}
				if fromServer && retry.IsRetry(b) {
					asked.Store(true)
				}
				return false
			})
			p := c.start(t, through, f, nil)
			text := fmt.Sprint("in after all, by ", c.name)
			p.say(t, text+"\n")
			p.Await(t, text)
			p.leave(t)
			if !asked.Load() {
				t.Error("it was not asked")
			}
		})
	}
}
