package main

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"

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
			var asked atomic.Int64
			through := relayTo(t, address, func(fromServer bool, b []byte) bool {
				if fromServer && retry.IsRetry(b) {
					asked.Add(1)
				}
				return false
			})
			for i := range plaindtls.DefaultMaxHandshakes / 16 {
				local := &net.UDPAddr{IP: net.IPv4(127, 2, byte(i), 1)}
				server, err := net.ResolveUDPAddr("udp", address)
				if err != nil {
					t.Fatal(err)
				}
				conn, err := net.DialUDP("udp", local, server)
				if err != nil {
					t.Skip("this machine has no addresses on the loopback interface but one: ", err)
				}
				t.Cleanup(func() { conn.Close() }) //nolint:errcheck // it has served
				if _, err := conn.Write(hello); err != nil {
					t.Fatal(err)
				}
			}
			p := c.start(t, through, f, nil)
			text := fmt.Sprint("in after all, by ", c.name)
			p.say(t, text+"\n")
			p.Await(t, text)
			p.leave(t)
			if asked.Load() == 0 {
				t.Error("it was not asked")
			}
		})
	}
}
