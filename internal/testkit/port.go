package testkit

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// A program takes the port that it is given and some below: Nakama the one below --socket.port and the third below
// --console.port. So ports come in blocks of eight, which begin at multiples of eight: the program's and the four below,
// and the last one, on which FreePort listens for as long as the test runs, so that no other call, of this process or of
// another, returns the same block.
const (
	blockSize  = 8
	blockGiven = 4
	blockGuard = 7

	// Neither Linux (32768 and above) nor gVisor (16000 and above) gives these ports to programs that ask for any port.
	firstPort, endPort = 10_000, 16_000
)

// FreePort returns a port for a program that a test starts: on 127.0.0.1 nobody listens there, by UDP or TCP, nor on the
// four ports below. No other call returns one that is less than eight away before the test has ended.
func FreePort(t testing.TB) string {
	t.Helper()
	port, release, err := Port()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

var errNoPort = errors.New("testkit: all ports are taken")

// Port returns a port as FreePort does, for a TestMain. It is no other call's until release is called.
func Port() (port string, release func(), err error) {
	for _, i := range rand.Perm((endPort - firstPort) / blockSize) {
		block := firstPort + i*blockSize
		guard, err := net.Listen("tcp", loopback(block+blockGuard))
		if err != nil {
			continue
		}
		if !free(block, block+blockGiven) {
			guard.Close() //nolint:errcheck // it has never served
			continue
		}
		return strconv.Itoa(block + blockGiven), func() { guard.Close() }, nil //nolint:errcheck // it has never served
	}
	return "", nil, errNoPort
}

// FreePorts returns n ports as FreePort does, next to each other as far as there is room: the servers of a cluster have
// several each.
func FreePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for len(ports) < n {
		top, err := strconv.Atoi(FreePort(t))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i <= blockGiven && len(ports) < n; i++ {
			ports = append(ports, top-i)
		}
	}
	return ports
}

// free reports whether nobody listens on the ports from first to last.
func free(first, last int) bool {
	for port := first; port <= last; port++ {
		l, err := net.Listen("tcp", loopback(port))
		if err != nil || l.Close() != nil {
			return false
		}
		conn, err := net.ListenPacket("udp", loopback(port))
		if err != nil || conn.Close() != nil {
			return false
		}
	}
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
