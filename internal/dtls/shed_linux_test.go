package dtls

import (
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// Sockets shed nothing any more once a flood is over, though players come all the time: what is shed of
// their ClientHellos is no reason to shed.
func TestSheddingEnds(t *testing.T) {
	sock, err := udp.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := New(sock, Config{Now: time.Now, Wall: time.Now, Shards: 1, NewUser: func(*Shard) User { return nil }, MaxHandshakes: 8, Live: 8})
	defer e.First().Close() //nolint:errcheck // it has served
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(sock.LocalAddr()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // likewise
	hello := make([]byte, 200)
	hello[0] = 22
	come := func(n int) (got int) {
		for range n {
			if _, err := conn.Write(hello); err != nil {
				t.Fatal(err)
			}
			got += len(sock.Receive())
		}
		return got
	}
	e.flood.level = maxShed
	udp.Shed(sock, maxShed)
	for range maxShed * shedCalm {
		come(200)
		e.flood.shed(e.All(), false)
	}
	if got := come(200); e.flood.level != 0 || got != 200 {
		t.Errorf("level %d, and %d of 200 ClientHellos come", e.flood.level, got)
	}
}
