package udp

import (
	"encoding/binary"
	"math"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/retry"
)

// A socket that sheds keeps one in 2^level of the handshake records of epoch 0, and everything else:
// each payload that a live peer or one with a token sends, whatever its length.
func TestShed(t *testing.T) {
	sock, conn := dialed(t)
	arrive := func(b []byte, n int) (got int) {
		t.Helper()
		for i := range n {
			if len(b) > 12 {
				binary.BigEndian.PutUint32(b[len(b)-4:], uint32(i))
			}
			if _, err := conn.Write(b); err != nil {
				t.Fatal(err)
			}
			got += len(sock.Receive())
		}
		for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
			got += len(sock.Receive())
		}
		return got
	}
	record := func(typ, epoch byte, n int) []byte {
		b := make([]byte, n)
		b[0], b[1], b[2], b[4] = typ, 0xfe, 0xfd, epoch
		return b
	}
	const n = 2000
	for _, level := range []int{0, 1, 3, 0} {
		Shed(sock, level)
		share := 1 / float64(int(1)<<level)
		got, spread := float64(arrive(record(22, 0, 200), n)), 6*math.Sqrt(n*share*(1-share))
		if math.Abs(got-n*share) > spread {
			t.Errorf("level %d keeps %.f of %d", level, got, n)
		}
		for name, b := range map[string][]byte{
			"application data": record(23, 1, 80), "an alert": record(21, 1, 40), "a Finished": record(22, 1, 61),
			"a ChangeCipherSpec": record(20, 0, 14), "a token": record(retry.TypeReturn, 0, 250),
			"too short": {22, 0xfe, 0xfd}, "empty": {},
		} {
			if got := arrive(b, 50); got != 50 {
				t.Errorf("level %d keeps %d of 50 of %s", level, got, name)
			}
		}
	}
}

// What a socket sheds has not overflowed, and what overflows while it sheds has: a flood has to be told from
// the shedding of it, or that would never end.
func TestShedIsNoOverflow(t *testing.T) {
	sock, conn := dialed(t)
	hello, data := make([]byte, 200), make([]byte, 200)
	hello[0], data[0], data[4] = 22, 23, 1
	send := func(b []byte, n int, taken bool) {
		t.Helper()
		for range n {
			if _, err := conn.Write(b); err != nil {
				t.Fatal(err)
			}
			for taken && len(sock.Receive()) > 0 {
			}
		}
	}
	for _, level := range []int{5, 5, 3, 1, 0, 5, 0} {
		Shed(sock, level)
		for _, n := range []int{1, 30, 300, 1000} {
			send(hello, n, true)
			Shed(sock, level)
			if got := sock.Stats().Overflow; got != 0 {
				t.Fatalf("at level %d %d have overflowed, of which all were taken", level, got)
			}
		}
	}
	for _, level := range []int{5, 0, 1} {
		Shed(sock, level)
		before := sock.Stats()
		n := before.ReceiveBuffer/512 + 2000 // the kernel counts 512 bytes at least for each
		send(data, n, false)
		Shed(sock, level)
		lost := uint64(n - taken(sock))
		got := sock.Stats().Overflow - before.Overflow
		if got == 0 || got > lost || level == 0 && got != lost {
			t.Errorf("at level %d %d of %d that were lost have overflowed", level, got, lost)
		}
	}
}

// dialed returns a socket, and one that sends to it.
func dialed(t *testing.T) (Socket, *net.UDPConn) {
	t.Helper()
	sock, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sock.Close() }) //nolint:errcheck // it has served
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(sock.LocalAddr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // likewise
	return sock, conn
}

// taken is how many packets a socket has.
func taken(s Socket) (n int) {
	for got := s.Receive(); len(got) > 0; got = s.Receive() {
		n += len(got)
	}
	return n
}
