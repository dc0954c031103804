package udp

import (
	"encoding/binary"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// group is sockets that share a port, as a server's shards have them.
func group(t *testing.T, address string) (g [3]*native) {
	t.Helper()
	for i := range g {
		s, err := Listen(address)
		if i > 0 {
			s, err = g[0].Sibling()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		g[i] = s.(*native)
	}
	g[0].Steer(len(g))
	return g
}

// sealed is a datagram of n bytes of a client's that has a connection id, or none yet if it
// is 0.
func sealed(t *testing.T, id uint32, n int) []byte {
	t.Helper()
	c, err := record.New(&record.Secrets{Suite: record.ECDSAWithAES128}, true, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if id > 0 && !c.SetConnectionID(id) {
		t.Fatalf("%08x is no connection id", id)
	}
	b, err := c.Seal(nil, record.ApplicationData, make([]byte, n-record.Overhead))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// arrival is the place in the group of the socket that gets b.
func arrival(t *testing.T, c net.Conn, g [3]*native, b []byte) int {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for i, s := range g {
			if len(s.Receive()) > 0 {
				return i
			}
		}
	}
	t.Fatalf("% x does not arrive", b)
	return 0
}

// A connection id's low bits name the shard: its socket gets the datagram, from whichever
// address it comes. Everything else goes by address, and so to all sockets.
func TestSteer(t *testing.T) {
	for _, test := range [][2]string{{"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "::1"}, {":0", "127.0.0.1"}, {":0", "::1"}} {
		t.Run(test[0]+" from "+test[1], func(t *testing.T) {
			g := group(t, test[0])
			var reached [len(g)]int
			for range 100 {
				c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(test[1]), Port: int(g[0].local.Port())})
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range withHint(t) {
					shard := int(b[record.HeaderLen+3]) % len(g)
					if got := arrival(t, c, g, b); got != shard {
						t.Fatalf("connection id % x of shard %d reaches %d", b[record.HeaderLen:][:4], shard, got)
					}
				}
				home := arrival(t, c, g, []byte("no record"))
				reached[home]++
				for name, b := range withoutHint(t) {
					if got := arrival(t, c, g, b); got != home {
						t.Fatalf("%s reaches %d, and its address %d", name, got, home)
					}
				}
				c.Close()
			}
			if slices.Contains(reached[:], 0) {
				t.Errorf("of a hundred addresses the sockets have %v", reached)
			}
		})
	}
}

func withHint(t *testing.T) (datagrams [][]byte) {
	for _, id := range []uint32{0x00020000, 0x12345600, 0xffffff00} {
		for _, shard := range []uint32{0, 1, 2, 3, ShardMask - 1, ShardMask} {
			datagrams = append(datagrams, sealed(t, id|shard, record.Overhead), sealed(t, id|shard, 1200))
		}
	}
	return datagrams
}

func withoutHint(t *testing.T) map[string][]byte {
	edited := func(edit func(b []byte)) []byte {
		b := sealed(t, 0x12345601, record.Overhead)
		edit(b)
		return b
	}
	return map[string][]byte{
		"a client without a connection id":  sealed(t, 0, record.Overhead),
		"the last that is no connection id": edited(func(b []byte) { binary.BigEndian.PutUint32(b[record.HeaderLen:], 0x0001ffff) }),
		"a nonce at random":                 edited(func(b []byte) { b[record.Prefix-1]++ }),
		"another nonce at random":           edited(func(b []byte) { b[record.Prefix-4]++ }),
		"an alert":                          edited(func(b []byte) { b[0] = byte(record.Alert) }),
		"a handshake":                       edited(func(b []byte) { b[0] = byte(record.Handshake) }),
		"what is one byte too short":        sealed(t, 0x12345601, record.Overhead)[:record.Overhead-1],
		"a single byte":                     {byte(record.ApplicationData)},
	}
}
