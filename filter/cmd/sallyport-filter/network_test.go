package main

import (
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// network is a network of the test's own, with another host at the end of a cable.
type network struct {
	*testkit.Network

	maps string // a directory in a BPF file system
}

// alone runs f in a child process that has such a network.
func alone(t *testing.T, f func(n *network)) {
	t.Helper()
	testkit.OwnNetwork(t, func(own *testkit.Network) {
		n := &network{own, testkit.BPFDir(t) + "/sallyport"}
		n.Cable()
		n.Address("192.0.2.1/24", "192.0.2.2/24")
		n.IP("route add default dev v0") // answers to forged addresses leave by the cable, too
		n.There(func() error { return testkit.IP("addr add 192.0.2.3/24 dev v1") })
		f(n)
	})
}
