package testkit

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// FreePort returns a port on which nobody listens on 127.0.0.1, by UDP or TCP, nor on the one below, which some programs
// take too. It is none of those that systems give to who calls out, so that nobody takes it before the program does that
// it is for.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(10_000)
		if free(port) && free(port-1) {
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no two free ports in a row")
	return ""
}

func free(port int) bool {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if err != nil || l.Close() != nil {
		return false
	}
	conn, err := net.ListenPacket("udp", address)
	return err == nil && conn.Close() == nil
}
