package netsim

import (
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// Tap sees a datagram when it is written, before the impairment; false drops it. The bytes are the
// network's: the tap may change but not keep them.
type Tap func(from, to netip.AddrPort, b []byte) bool

// Network is a set of sockets and what lies between them. All methods are safe for concurrent use.
type Network struct {
	seed uint64 // set by New, constant afterwards

	// Lock order: tapMu, then line.mu, then inbox.mu.
	tapMu sync.Mutex // held during a tap
	// +checklocks:tapMu
	tap Tap

	line line
	// +checklocks:line.mu
	conns map[netip.AddrPort]*Conn
	// +checklocks:line.mu
	links map[route]*link
	// +checklocks:line.mu
	impair Impairment
}

// New returns a network without impairment. The same seed and the same writes give the same deliveries.
func New(seed uint64) *Network {
	n := &Network{
		seed:  seed,
		conns: make(map[netip.AddrPort]*Conn),
		links: make(map[route]*link),
	}
	n.line.arrive = n.arrive
	return n
}

// Listen opens a socket on a concrete address; port 0 takes the lowest free port from 49,152. The
// error matches ErrAddress or, after Close, net.ErrClosed.
func (n *Network) Listen(addr netip.AddrPort) (*Conn, error) {
	n.line.mu.Lock()
	defer n.line.mu.Unlock()
	if n.line.closed {
		return nil, net.ErrClosed
	}
	addr, err := n.free(addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{network: n, local: addr}
	c.in.init()
	n.conns[addr] = c
	return c, nil
}

// free returns the address to bind for addr.
//
// +checklocks:n.line.mu
func (n *Network) free(addr netip.AddrPort) (netip.AddrPort, error) {
	addr = unmap(addr)
	if !addr.IsValid() || addr.Addr().IsUnspecified() {
		return addr, fmt.Errorf("%w: %v is not a concrete address", ErrAddress, addr)
	}
	if addr.Port() != 0 {
		if n.conns[addr] != nil {
			return addr, fmt.Errorf("%w: %v is taken", ErrAddress, addr)
		}
		return addr, nil
	}
	for port := firstPort; port <= 65535; port++ {
		addr = netip.AddrPortFrom(addr.Addr(), uint16(port))
		if n.conns[addr] == nil {
			return addr, nil
		}
	}
	return addr, fmt.Errorf("%w: %v has no free port", ErrAddress, addr.Addr())
}

// SetImpairment applies im to what is written from now on by sockets without an impairment of their
// own, as if each of them had been given im: each has a bottleneck to itself. The error matches
// ErrConfig.
func (n *Network) SetImpairment(im Impairment) error {
	im, err := im.WithDefaults()
	if err != nil {
		return err
	}
	n.line.mu.Lock()
	defer n.line.mu.Unlock()
	n.impair = im
	return nil
}

// Tap installs f, or removes the tap with nil. Calls of f are serialised; it may Inject, but must
// neither block nor write to a socket of this network.
func (n *Network) Tap(f Tap) {
	n.tapMu.Lock()
	defer n.tapMu.Unlock()
	n.tap = f
}

// Inject delivers a copy of b to the socket at to, at once and unharmed, as if from had sent it: a
// spoofed datagram. Nothing needs to listen at from. The tap does not see it.
func (n *Network) Inject(from, to netip.AddrPort, b []byte) {
	n.line.mu.Lock()
	defer n.line.mu.Unlock()
	n.line.stats.Sent++
	n.line.deliver(&datagram{from: unmap(from), to: unmap(to), data: slices.Clone(b), last: true})
}

// Stats returns the counts since New.
func (n *Network) Stats() Stats { return n.line.snapshot() }

// Close closes all sockets and discards what is in flight.
func (n *Network) Close() error {
	n.line.close()
	n.line.mu.Lock()
	defer n.line.mu.Unlock()
	for _, c := range n.conns {
		c.in.fail(net.ErrClosed)
	}
	clear(n.conns)
	clear(n.links)
	return nil
}

// ask returns the tap's answer.
func (n *Network) ask(from, to netip.AddrPort, b []byte) bool {
	n.tapMu.Lock()
	defer n.tapMu.Unlock()
	return n.tap == nil || n.tap(from, to, b)
}

// route is what a link's generator is seeded with, beside the network's seed.
type route struct {
	from, to netip.AddrPort
	incoming bool // the receiver's part of the way
}

// link returns the link of a route.
//
// +checklocks:n.line.mu
func (n *Network) link(r route) *link {
	k := n.links[r]
	if k == nil {
		h := fnv.New64a()
		fmt.Fprint(h, r.from, " ", r.to)
		if r.incoming {
			fmt.Fprint(h, " incoming")
		}
		k = newLink(n.seed, h.Sum64())
		n.links[r] = k
	}
	return k
}

// arrive takes d over the receiver's part of the way, or puts it into the receiver's queue.
//
// +checklocksignore: the line calls it with its lock held.
func (n *Network) arrive(d *datagram) outcome {
	c := n.conns[d.to]
	if c == nil {
		return unreachable
	}
	if d.last || c.incoming == (Impairment{}) {
		return c.in.put(d)
	}
	return n.line.take(d.due, n.link(route{d.from, d.to, true}), &c.down, c.incoming,
		&datagram{from: d.from, to: d.to, data: d.data, last: true})
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
